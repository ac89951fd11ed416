// What the holder of a copy answers to the command to take the session over. A pure formula over
// the command and what is known here; `Swap` applies it.
#pragma once

#include <optional>

#include "common/base/ids.h"
#include "common/session/epoch.h"
#include "common/wire/messages.h"
#include "server/core/session.h"

namespace tandem {

struct SwapRuling {
  SwapAnswer::Answer answer = SwapAnswer::Answer::kRefused;
  Epoch epoch;         // to answer with
  bool takes = false;  // the session is to be taken over now, raising `epoch`
};

// Takes it if the copy is the primary's own and holds all that it had when it commanded, and if
// there is a `place`. Who has taken it already says so again. `session` and `noted` (the epoch of a
// forwarding note) are what is known here, if anything.
SwapRuling rule_on_command(ServerId from, const SwapCommand& command, const Session* session,
                           std::optional<Epoch> noted, bool place);

}  // namespace tandem
