#include "server/core/forwarding_notes.h"

namespace tandem {

const ForwardingNote* ForwardingNotes::find(Instant now, SessionId session) const {
  const auto found = index_.find(session);
  if (found == index_.end() || found->second->expires <= now) return nullptr;
  return &found->second->note;
}

void ForwardingNotes::put(Instant now, SessionId session, const ForwardingNote& note) {
  if (notes_max_ == 0) return;
  if (const ForwardingNote* known = find(now, session)) {
    if (known->epoch > note.epoch) return;
  }
  erase(session);
  if (notes_.size() >= notes_max_) erase(SessionId(notes_.front().session));
  notes_.push_back({session, note, now + ttl_});
  index_.emplace(session, std::prev(notes_.end()));
}

void ForwardingNotes::erase(SessionId session) {
  const auto found = index_.find(session);
  if (found == index_.end()) return;
  notes_.erase(found->second);
  index_.erase(found);
}

void ForwardingNotes::expire(Instant now, std::size_t steps) {
  for (; steps > 0 && !notes_.empty() && notes_.front().expires <= now; --steps) {
    erase(SessionId(notes_.front().session));
  }
}

}  // namespace tandem
