// What the holder of a copy answers to a batch. A pure formula over the batch and what is known
// here; the node applies it.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/ids.h"
#include "common/session/epoch.h"
#include "common/wire/messages.h"
#include "server/core/session.h"

namespace tandem {

struct BatchRuling {
  MirrorAck::Answer answer = MirrorAck::Answer::kApplied;
  Epoch epoch;        // to answer with: the newest that is known
  bool lost = false;  // we serve the session, or copy it, under an older epoch: not any more
  bool old = false;   // doubled or overtaken, and applied already: only answered
};

// In order, without gaps, from one sender at a time; a snapshot replaces. The primary's own batches
// go before those of another holder of a copy. `session` and `noted` (the epoch of a forwarding
// note) are what is known here, if anything. `same_link`: the link with `from` has not gone down
// since it last fed the session; its numbers go on. `orphan`: who feeds our copy has died, as far
// as we know. If it never made the copy whole, another holder may; and as long as it may, that one
// is to choose another.
BatchRuling rule_on_batch(ServerId from, const MirrorBatch& batch, const Session* session,
                          std::optional<Epoch> noted, bool same_link = true, bool orphan = false);

}  // namespace tandem
