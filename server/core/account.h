// What a server says of one session, to explain where it is. Reads, changes nothing.
#pragma once

#include "common/wire/messages.h"
#include "server/core/node_state.h"

namespace tandem {

// From now on it is served here, and this is why.
inline void note_coming(Instant now, Session& session, SessionAccount::Came came) {
  session.came = came;
  session.came_at = now;
}

SessionAccount account_of(const NodeState& state, Instant now, const SessionQuery& query);

}  // namespace tandem
