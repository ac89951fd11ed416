#include "server/core/mirror_receiver.h"

namespace tandem {

BatchRuling rule_on_batch(ServerId from, const MirrorBatch& batch, const Session* session,
                          std::optional<Epoch> noted, bool same_link, bool orphan) {
  using Answer = MirrorAck::Answer;
  const Answer if_new = batch.snapshot ? Answer::kApplied : Answer::kWantSnapshot;
  if (session == nullptr) {
    if (noted && *noted > batch.epoch) return {Answer::kStale, *noted};
    return {if_new, batch.epoch};
  }
  if (session->epoch > batch.epoch) return {Answer::kStale, session->epoch};
  if (session->serves()) {
    // A copy of our own session comes back from who holds it while we were thought dead.
    if (session->epoch == batch.epoch) return {Answer::kStale, session->epoch};
    return {if_new, batch.epoch, true};
  }
  const bool fed_by_primary = session->fed_by == session->primary;
  if (session->epoch == batch.epoch && fed_by_primary && from != batch.primary) {
    if (session->whole) return {Answer::kStale, session->epoch};
    if (!orphan) return {Answer::kRefused, session->epoch};
  }
  if (from == session->fed_by && same_link) {
    if (batch.sequence < session->expected) return {Answer::kApplied, batch.epoch, false, true};
    if (batch.sequence == session->expected) return {Answer::kApplied, batch.epoch};
  }
  // A copy of an older epoch is of no use once a newer one is known, even while its snapshot is
  // still to come.
  return {if_new, batch.epoch, session->epoch < batch.epoch && !batch.snapshot};
}

}  // namespace tandem
