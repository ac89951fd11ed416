#include "server/core/account.h"

#include <algorithm>
#include <chrono>

namespace tandem {
namespace {

using As = SessionAccount::As;

std::uint64_t milliseconds_between(Instant then, Instant now) {
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - then).count();
  return static_cast<std::uint64_t>(std::max<decltype(passed)>(passed, 0));
}

As as_of(Role role) {
  switch (role) {
    case Role::kProvisional:
      return As::kProvisional;
    case Role::kPrimary:
      return As::kPrimary;
    default:
      return As::kCopy;
  }
}

}  // namespace

SessionAccount account_of(const NodeState& state, Instant now, const SessionQuery& query) {
  SessionAccount account;
  account.number = query.number;
  account.session = query.session;
  const Session* session = state.table.find(query.session);
  if (session == nullptr) {
    const ForwardingNote* note = state.notes.find(now, query.session);
    if (note == nullptr) return account;
    account.as = As::kNote;
    account.epoch = note->epoch;
    account.primary = note->epoch.server;
    account.alternate = note->alternate;
    return account;
  }
  account.as = as_of(session->role);
  account.epoch = session->epoch;
  account.primary = session->primary;
  account.alternate = session->best_stream().target;
  if (session->serves()) {
    account.came = session->came;
    account.since_ms = milliseconds_between(session->came_at, now);
  }
  account.idle_ms = milliseconds_between(session->last_used, now);
  const CacheDigest digest = session->mirror.digest();
  account.items = digest.items;
  account.digest_high = digest.sum.high;
  account.digest_low = digest.sum.low;
  const MirrorStream& stream = session->best_stream();
  account.complete = stream.complete();
  account.behind = stream.wants_snapshot ? digest.items : stream.backlog.size() - stream.taken;
  return account;
}

}  // namespace tandem
