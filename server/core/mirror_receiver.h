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
};

// In order, without gaps, from one sender at a time; a snapshot replaces. The primary's own batches
// go before those of another holder of a copy. `session` and `noted` (the epoch of a forwarding
// note) are what is known here, if anything.
BatchRuling rule_on_batch(ServerId from, const MirrorBatch& batch, const Session* session,
                          std::optional<Epoch> noted);

}  // namespace tandem
