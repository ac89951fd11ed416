#include "server/io/item_flow.h"

#include <algorithm>

namespace tandem::server {

ItemOutgoing::~ItemOutgoing() {
  if (blocked_) flow_.forget(*this);
}

bool ItemOutgoing::push(std::string_view bytes) {
  pending_.append(bytes);
  pump();
  return waiting() == 0;
}

void ItemOutgoing::end() {
  ended_ = true;
  pump();
}

void ItemOutgoing::add_credit(std::uint32_t bytes) {
  const bool waited = waiting() > 0;
  credit_ += bytes;
  pump();
  if (waited && waiting() == 0) on_room();
}

void ItemOutgoing::pump() {
  while (waiting() > 0 && credit_ > 0 && !blocked_) {
    const std::uint64_t room = flow_.room_for(*this);
    if (room == 0) return;
    const std::size_t part = std::min<std::uint64_t>(
        {room, credit_, std::uint64_t{waiting()}, std::uint64_t{kItemBodyBytesMax}});
    const bool last = ended_ && part == waiting();
    flow_.take_room(to_, part);
    flow_.send(to_, ItemBody{number_, by_asker_, pending_.substr(sent_, part), last});
    credit_ -= part;
    sent_ += part;
    if (last) end_sent_ = true;
  }
  if (waiting() > 0) return;
  pending_.clear();
  sent_ = 0;
  if (!ended_ || end_sent_) return;
  end_sent_ = true;
  flow_.send(to_, ItemBody{number_, by_asker_, {}, true});
}

void ItemFlow::on_link(ServerId peer) {
  links_[peer] = Link{.room = kItemLinkWindowBytes, .owed = 0, .blocked = {}};
}

void ItemFlow::on_link_lost(ServerId peer) { links_.erase(peer); }

void ItemFlow::on_received(ServerId peer, std::size_t bytes) {
  const auto link = links_.find(peer);
  if (link == links_.end()) return;
  bytes_received_ += bytes;
  link->second.owed += bytes;
  if (link->second.owed < kItemLinkWindowBytes / 8) return;
  send(peer, ItemCredit{0, false, static_cast<std::uint32_t>(std::exchange(link->second.owed, 0))});
}

void ItemFlow::on_link_credit(ServerId peer, std::uint32_t bytes) {
  const auto link = links_.find(peer);
  if (link == links_.end()) return;
  link->second.room += bytes;
  // Whoever is told may end others; each takes its turn, who came first is first.
  for (std::size_t turns = link->second.blocked.size(); turns > 0; --turns) {
    if (link->second.room == 0 || link->second.blocked.empty()) return;
    ItemOutgoing* one = link->second.blocked.front();
    link->second.blocked.pop_front();
    one->blocked_ = false;
    one->add_credit(0);
  }
}

void ItemFlow::send(ServerId to, const Message& message) {
  if (carrier_ != nullptr) carrier_->send(to, message);
}

std::uint64_t ItemFlow::room_for(ItemOutgoing& one) {
  const auto link = links_.find(one.to_);
  if (link == links_.end()) return 0;  // whoever sends is told that the link is gone
  if (link->second.room > 0) return link->second.room;
  one.blocked_ = true;
  link->second.blocked.push_back(&one);
  return 0;
}

void ItemFlow::take_room(ServerId to, std::uint64_t bytes) {
  links_.at(to).room -= bytes;
  bytes_sent_ += bytes;
}

void ItemFlow::forget(ItemOutgoing& one) {
  const auto link = links_.find(one.to_);
  if (link != links_.end()) std::erase(link->second.blocked, &one);
}

}  // namespace tandem::server
