#include "server/core/session_table.h"

#include <algorithm>

#include "common/base/error.h"

namespace tandem {

Session* SessionTable::find(SessionId id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

Session& SessionTable::create(Instant now, SessionId id, Role role) {
  const auto [at, added] = sessions_.try_emplace(id, id, *pool_);
  TANDEM_CHECK(added);
  Session& session = at->second;
  session.role = role;
  session.last_used = now;
  ++counts_[static_cast<std::size_t>(role)];
  session.expires = now + ttl_of(role);
  expiries(role).emplace(session.expires, id);
  return session;
}

void SessionTable::erase(Session& session) {
  --counts_[static_cast<std::size_t>(session.role)];
  expiries(session.role).erase({session.expires, session.id});
  sessions_.erase(SessionId(session.id));
}

void SessionTable::set_role(Instant now, Session& session, Role role) {
  expiries(session.role).erase({session.expires, session.id});
  --counts_[static_cast<std::size_t>(session.role)];
  session.role = role;
  session.last_used = now;
  ++counts_[static_cast<std::size_t>(role)];
  session.expires = now + ttl_of(role);
  expiries(role).emplace(session.expires, session.id);
}

Session* SessionTable::to_displace(Role role) {
  if (role == Role::kProvisional) {
    if (provisional_.size() < limits_.provisional_max || provisional_.empty()) return nullptr;
    return find(provisional_.begin()->second);
  }
  if (lasting_.size() < limits_.sessions_max || lasting_.empty()) return nullptr;
  // The front is the idlest by an old look; a few fresh looks find one that is idle indeed.
  constexpr int kLooks = 8;
  for (int look = 0; look < kLooks; ++look) {
    if (!put_off_front()) break;
  }
  return find(lasting_.begin()->second);
}

Duration SessionTable::ttl_of(Role role) const {
  if (role == Role::kProvisional) return limits_.provisional_ttl;
  return role == Role::kAlternate ? limits_.idle_ttl + limits_.copy_slack : limits_.idle_ttl;
}

// Gives the front its later place if it has been used since it got this one. Has it been?
bool SessionTable::put_off_front() {
  Session& session = *find(lasting_.begin()->second);
  const Instant expires = session.last_used + ttl_of(session.role);
  if (expires <= session.expires) return false;
  lasting_.erase(lasting_.begin());
  session.expires = expires;
  lasting_.emplace(expires, session.id);
  return true;
}

// The first response of the front provisional one is still being made: its token cannot have come
// back. Is it so?
bool SessionTable::put_off_slow(Instant now) {
  Session& session = *find(provisional_.begin()->second);
  if (session.requests == 0) return false;
  provisional_.erase(provisional_.begin());
  session.expires = now + limits_.provisional_ttl;
  provisional_.emplace(session.expires, session.id);
  return true;
}

Session* SessionTable::expired(Instant now, std::size_t& steps) {
  for (; steps > 0; --steps) {
    if (!provisional_.empty() && provisional_.begin()->first <= now) {
      if (put_off_slow(now)) continue;
      --steps;
      return find(provisional_.begin()->second);
    }
    if (lasting_.empty() || lasting_.begin()->first > now) return nullptr;
    if (put_off_front()) continue;
    --steps;
    return find(lasting_.begin()->second);
  }
  return nullptr;
}

Instant SessionTable::next_expiry() const {
  Instant next = kNever;
  if (!provisional_.empty()) next = std::min(next, provisional_.begin()->first);
  if (!lasting_.empty()) next = std::min(next, lasting_.begin()->first);
  return next;
}

}  // namespace tandem
