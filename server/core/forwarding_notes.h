// Where a session went that this server no longer has. A note lives for a while, is bounded in
// number, and only ever grows newer.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/session/epoch.h"

namespace tandem {

struct ForwardingNote {
  Epoch epoch;         // its server is the primary. Counter 0: a new session, handed to that server
  ServerId alternate;  // who has the mirror under this epoch; nobody: not known
};

class ForwardingNotes {
 public:
  ForwardingNotes(std::size_t notes_max, Duration ttl) : notes_max_(notes_max), ttl_(ttl) {}

  // Null if there is none that is still good.
  const ForwardingNote* find(Instant now, SessionId session) const;
  // Kept unless a newer one is; over the bound the oldest goes.
  void put(Instant now, SessionId session, const ForwardingNote& note);
  void erase(SessionId session);
  // At most `steps` of those whose time is up.
  void expire(Instant now, std::size_t steps);

  std::size_t size() const { return index_.size(); }
  Instant next_expiry() const { return notes_.empty() ? kNever : notes_.front().expires; }

 private:
  struct Kept {
    SessionId session;
    ForwardingNote note;
    Instant expires;
  };
  std::size_t notes_max_;
  Duration ttl_;
  std::list<Kept> notes_;  // in the order of expiry
  std::unordered_map<SessionId, std::list<Kept>::iterator> index_;
};

}  // namespace tandem
