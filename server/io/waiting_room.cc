#include "server/io/waiting_room.h"

#include <algorithm>
#include <utility>

namespace tandem::server {

WaitingRoom::Waiting::Waiting(WaitingRoom& room, HttpExchange& the_exchange,
                              const http::RequestHead& the_head, const http::Framing& the_framing,
                              const SessionToken& the_token)
    : exchange(the_exchange),
      head(the_head),
      framing(the_framing),
      token(the_token),
      room_(room),
      text_(the_head.buffer()) {
  head.rebase(text_.data());
}

bool WaitingRoom::add(HttpExchange& exchange, const http::RequestHead& head,
                      const http::Framing& framing, const SessionToken& token) {
  if (size_ >= requests_max_) return false;
  auto waiting = std::make_unique<Waiting>(*this, exchange, head, framing, token);
  exchange.set_handler(waiting.get());
  guests_[token.session].push_back(std::move(waiting));
  ++size_;
  return true;
}

WaitingRoom::Guests WaitingRoom::take(SessionId session) {
  const auto found = guests_.find(session);
  if (found == guests_.end()) return {};
  Guests taken = std::move(found->second);
  guests_.erase(found);
  size_ -= taken.size();
  return taken;
}

void WaitingRoom::remove(const Waiting& waiting) {
  const auto found = guests_.find(waiting.token.session);
  if (found == guests_.end()) return;
  Guests& guests = found->second;
  size_ -= std::erase_if(guests, [&](const auto& one) { return one.get() == &waiting; });
  if (guests.empty()) guests_.erase(found);
}

}  // namespace tandem::server
