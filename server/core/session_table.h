// All sessions that this server knows, by id, with their roles counted and their idleness bounded.
//
// Provisional sessions go after a fixed time; the others when they have not been used for
// `idle_ttl`, copies `copy_slack` later. Both are bounded in number: who needs a place asks for the
// one to be displaced. Pointers to sessions hold until erase().
#pragma once

#include <array>
#include <cstddef>
#include <set>
#include <unordered_map>
#include <utility>

#include "server/core/session.h"

namespace tandem {

class SessionTable {
 public:
  struct Limits {
    Duration provisional_ttl;
    Duration idle_ttl;
    Duration copy_slack;       // a copy hears so much later of a use, at most
    std::size_t sessions_max;  // but provisional ones
    std::size_t provisional_max;
  };
  SessionTable(const Limits& limits, MirrorPool& pool) : limits_(limits), pool_(&pool) {}

  // Null if it is not known.
  Session* find(SessionId id);
  const Session* find(SessionId id) const { return const_cast<SessionTable*>(this)->find(id); }

  // The id must not be known. There must be room.
  Session& create(Instant now, SessionId id, Role role);
  void erase(Session& session);
  void set_role(Instant now, Session& session, Role role);
  void use(Instant now, Session& session) { session.last_used = now; }

  std::size_t count(Role role) const { return counts_[static_cast<std::size_t>(role)]; }
  std::size_t size() const { return sessions_.size(); }

  // Who has to go so that one with this role can be created: the oldest provisional one, or the one
  // that has been idle longest; null while there is room.
  Session* to_displace(Role role);

  // A session whose time is up, or null if there is none (or `steps`, decremented, are used up).
  // The caller erases it.
  Session* expired(Instant now, std::size_t& steps);
  Instant next_expiry() const;

  // In no order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [id, session] : sessions_) visit(session);
  }

 private:
  using Expiries = std::set<std::pair<Instant, SessionId>>;
  Expiries& expiries(Role role) { return role == Role::kProvisional ? provisional_ : lasting_; }
  Duration ttl_of(Role role) const;
  bool put_off_front();
  bool put_off_slow(Instant now);

  Limits limits_;
  MirrorPool* pool_;
  std::unordered_map<SessionId, Session> sessions_;
  std::array<std::size_t, 3> counts_{};
  Expiries provisional_;
  Expiries lasting_;  // by the time at which they were to expire when last looked at
};

}  // namespace tandem
