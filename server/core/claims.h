// What a takeover owes to all others: to be told of it, a moment later, many at once.
//
// A copy may be old without knowing it: while there was no link, its primary may have chosen
// another alternate and given the session to that one. If the copy is then taken over, two serve
// the session under epochs of their own, and neither is a former primary of the other's. So whoever
// takes over a copy tells everyone; who knows something newer answers. The same goes for a swap of
// which the giver has not heard in that moment (it may give the session to yet another), and for a
// swap of a session that anybody may know. Servers without a link are told when they are met
// (Session::formers).
#pragma once

#include <vector>

#include "server/core/node_state.h"

namespace tandem {

class Claims {
 public:
  static constexpr Duration kDelay = 200ms;         // what is taken over meanwhile is told together
  static constexpr std::size_t kWaitingMax = 4096;  // sessions; over it they are told at once

  explicit Claims(NodeState& state) : state_(state) {}

  // The session has just been taken over here; at the command of `giver`, if there is one.
  void on_taken(Instant now, const Session& session, ServerId giver = {});
  // Puts what is due into the mail.
  void step(Instant now);
  Instant next_deadline() const { return due_; }

 private:
  struct Taken {
    SessionId session;
    ServerId giver;
  };
  void tell(Session& session, const std::vector<ServerId>& linked);

  NodeState& state_;
  std::vector<Taken> waiting_;
  Instant due_ = kNever;
};

}  // namespace tandem
