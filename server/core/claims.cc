#include "server/core/claims.h"

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

bool contains(const std::vector<ServerId>& all, ServerId one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

void Claims::on_taken(Instant now, const Session& session, ServerId giver) {
  waiting_.push_back({session.id, giver});
  if (waiting_.size() >= kWaitingMax) due_ = now;
  due_ = std::min(due_, now + kDelay);
}

void Claims::step(Instant now) {
  if (due_ > now) return;
  due_ = kNever;
  const std::vector<ServerId> linked = state_.sender.linked_peers();
  for (const Taken& taken : std::exchange(waiting_, {})) {
    Session* session = state_.table.find(taken.session);
    if (session == nullptr || !session->serves()) continue;
    const std::vector<ServerId>& formers = session->formers;
    const bool anybody = contains(formers, ServerId{});  // may know it
    const bool agreed = taken.giver && !contains(formers, taken.giver) && !anybody;
    if (!agreed) tell(*session, linked);
  }
}

// Who has a copy from us hears of the epoch by the mirror, and would drop it if it heard it first
// from here; former primaries have been told already.
void Claims::tell(Session& session, const std::vector<ServerId>& linked) {
  for (const ServerId peer : linked) {
    const bool hears = session.feeds(peer) || contains(session.formers, peer);
    if (!hears) state_.tell(peer, session);
  }
  for (const ServerRecord& server : state_.cluster.view().servers) {
    if (server.id != state_.self && !contains(linked, server.id)) state_.owe(session, server.id);
  }
  state_.partners.update(session);
}

}  // namespace tandem
