#include "server/core/swap_receiver.h"

namespace tandem {

SwapRuling rule_on_command(ServerId from, const SwapCommand& command, const Session* session,
                           std::optional<Epoch> noted, bool place) {
  using Answer = SwapAnswer::Answer;
  const SwapRuling refused{Answer::kRefused, command.epoch, false};
  if (session == nullptr) {
    return noted && *noted > command.epoch ? SwapRuling{Answer::kStale, *noted, false} : refused;
  }
  if (session->epoch > command.epoch) {
    return {session->serves() ? Answer::kTaken : Answer::kStale, session->epoch, false};
  }
  const bool whole = session->epoch == command.epoch && !session->serves() &&
                     session->primary == from && session->fed_by == from &&
                     session->expected == command.sequence + 1;
  if (!whole || !place) return refused;
  return {Answer::kTaken, session->epoch, true};
}

}  // namespace tandem
