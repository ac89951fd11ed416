// Moves sessions to their alternates: all of them while this server drains, and those over its
// share when servers have unequally many (server/core/rebalance.h).
//
// A move: the wanted server becomes the session's alternate, if it is not; once its copy is whole
// and no request of the session is under way, it is commanded to take over. It raises the epoch and
// answers; then this server is its alternate, with the mirror that it has. Until the answer comes
// this server is the primary, but the session's requests wait for it, for `request_patience`, and
// are then served. A command or answer that is lost costs `patience`: whoever has the newer epoch
// is right, and the two tell each other when they meet.
//
// Paced: so many a second, so many at once. A server that refuses, or does not answer, is left
// alone for a while.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "common/cluster/machine.h"
#include "server/core/alternates.h"
#include "server/core/claims.h"
#include "server/core/node_state.h"
#include "server/core/pace.h"
#include "server/core/rebalance.h"

namespace tandem {

class Swap {
 public:
  Swap(NodeState& state, Alternates& alternates, Claims& claims)
      : state_(state), alternates_(alternates), claims_(claims), rebalance_(state.options.swap) {}

  // The view, or the status of some servers, has changed.
  void on_cluster(Instant now);
  // What was commanded on it is in doubt: this server serves on, until it learns of another epoch.
  void on_link_down(ServerId peer);
  void on_command(Instant now, ServerId from, const SwapCommand& command, Outbox<Message>& out);
  void on_answer(Instant now, ServerId from, const SwapAnswer& answer);

  // Some of the work that is due.
  void step(Instant now, Outbox<Message>& out);
  Instant next_deadline() const;
  // Sessions whose requests need not wait any longer, since the last call.
  std::vector<SessionId> take_settled() { return std::exchange(settled_, {}); }

  std::size_t in_flight() const { return moves_.size(); }
  bool rebalancing() const { return rebalance_.running(); }
  double spread() const { return rebalance_.spread(); }
  // Is there a session left that could be moved, while draining?
  bool can_drain() const;

 private:
  using Tie = Partners::Tie;
  struct Move {
    ServerId to;
    bool drains = false;
    bool commanded = false;  // else the copy there is being made whole
    Instant deadline;
    Instant waits_until;  // requests do
    Epoch epoch;
    std::uint64_t sequence = 0;  // commanded: of the last batch before
  };
  using Moves = std::map<SessionId, Move>;

  void note_draining(Instant now);
  void review(Instant now, Outbox<Message>& out);
  void drain(Instant now, Outbox<Message>& out);
  void give(Instant now, Outbox<Message>& out);
  bool give_one(Instant now, ServerId to, std::size_t& looks, Outbox<Message>& out);
  bool room(Instant now, const Outbox<Message>& out) const;
  bool reachable(Instant now, ServerId server) const;
  bool may_move(const Session& session) const;
  void command(Instant now, Session& session, bool drains, Outbox<Message>& out);
  Moves::iterator end(Moves::iterator move);
  void stop_waiting(SessionId session);
  void leave_alone(Instant now, ServerId server);

  NodeState& state_;
  Alternates& alternates_;
  Claims& claims_;
  Rebalance rebalance_;
  Pace pace_;
  Moves moves_;
  std::vector<SessionId> settled_;
  bool draining_ = false;
  Instant drains_since_{};
  Instant next_pass_{};
  std::uint64_t gives_ = 0;
  std::map<ServerId, SessionId> looked_at_;  // of each alternate's sessions, in this pass
  std::map<ServerId, Instant> left_alone_until_;
};

}  // namespace tandem
