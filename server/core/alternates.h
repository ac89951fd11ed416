// Sees to it that every session has its copy on another server: an alternate for each that we
// serve, a third server for each that we hold while its primary is offline.
//
// Chooses by status (common/cluster/choose.h), and anew when the chosen one goes offline, drains,
// refuses, or has had no link for `link_patience`; where all others drain, one of them. An
// alternate that has become so full that it would pass its capacity if this server died is relieved
// of what is too much, a few sessions with each status that comes, if another has room. Works in
// bounded steps.
//
// A session whose copy moves is never without a whole one: while the new copy is being made whole,
// the former one is fed, too (Session::retiring), and it is the one that tokens name. Only then it
// is released, with a note where the copy is. One such holder for each session at most.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "server/core/node_state.h"

namespace tandem {

class Alternates {
 public:
  explicit Alternates(NodeState& state) : state_(state) {}

  // The session is served here, newly or under a new epoch: keeps who holds its copy already, if
  // that one will do, or chooses.
  void provide(Instant now, Session& session);
  // The same after a swap: `former` served it until now, and its mirror is equal to ours. If that
  // one will be the copy, for good or until another's is whole, the number of the batch that
  // follows; else it is released, and 0.
  std::uint64_t provide_after_swap(Instant now, Session& session, ServerId former);
  // The session's copy shall be on this server.
  void move_to(Session& session, ServerId target) { retarget(session, target); }
  // A holder refuses the copy; if it is not one that retires, another is chosen.
  void on_refused(Instant now, Session& session, ServerId from);
  // A holder has taken in a batch. Once the copy is whole, the retiring one is released.
  void on_applied(Session& session);
  // We hold a copy of the session, newly or with news. If its primary is offline, a third server
  // gets one, too.
  void on_copy(Instant now, Session& session) { reconsider(now, session); }
  // Its primary feeds us itself again: a third copy is not needed.
  void release_third(Session& session);

  // The cluster has changed: who is online, or who takes sessions.
  void on_cluster(Instant now);
  void on_link_up(ServerId peer);
  void on_link_down(Instant now, ServerId peer);
  // The peer was started anew, and has lost what it fed us.
  void on_fresh(Instant now, ServerId peer);

  // Those that are online and have never had a link with this server, but may be about to.
  std::vector<ServerId> not_met(Instant now) const;

  // Some of the work that is due, `moves_per_step` sessions at most.
  void step(Instant now);
  bool has_work() const { return relief_due_ || !work_.empty(); }
  Instant next_deadline() const;

 private:
  using Tie = Partners::Tie;
  using Task = std::pair<Tie, ServerId>;

  bool will_do(Instant now, ServerId server) const;
  bool out_of_patience(Instant now, ServerId server) const;
  void reconsider(Instant now, Session& session);
  bool wants_third(const Session& session) const;
  ServerId choose(Instant now, const Session& session) const;
  ServerId choose_draining(const std::vector<ServerId>& refused) const;
  void retarget(Session& session, ServerId target);
  void end_retiring(Session& session);
  void release(Session& session, ServerId holder, ServerId alternate);
  void owe_if_unlinked(Session& session, ServerId holder);
  bool may_hold(ServerId server) const;
  void relieve(Instant now);
  bool fits(ServerId server, std::uint32_t more) const;
  void look_again_at(ServerId server);
  void look_again_for_orphans();

  NodeState& state_;
  std::map<Task, SessionId> work_;  // sessions to reconsider; up to which it is done
  bool relief_due_ = false;         // news of how full the others are
  std::set<ServerId> takers_;       // who took sessions when we last looked
  std::set<ServerId> online_;       // who was online
  std::map<ServerId, Instant> unlinked_since_;
  std::map<ServerId, Instant> refused_until_;
  std::set<ServerId> given_up_;  // patience has ended, and its sessions have been reconsidered
};

}  // namespace tandem
