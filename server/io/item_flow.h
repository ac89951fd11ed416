// Bodies on their way over the peer wire, in parts, no more than the other end and the link have
// room for (common/wire/item_messages.h). One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/ids.h"
#include "server/io/node_driver.h"

namespace tandem::server {

class ItemFlow;

// One body that is sent. Its flow outlives it.
class ItemOutgoing {
 public:
  ItemOutgoing(ItemFlow& flow, ServerId to, std::uint64_t number, bool by_asker)
      : flow_(flow), to_(to), number_(number), by_asker_(by_asker) {}
  virtual ~ItemOutgoing();
  ItemOutgoing(const ItemOutgoing&) = delete;
  ItemOutgoing& operator=(const ItemOutgoing&) = delete;

  // False: not all of it has left; on_room() says when it has.
  bool push(std::string_view bytes);
  void end();
  void add_credit(std::uint32_t bytes);
  bool all_sent() const { return end_sent_; }
  ServerId to() const { return to_; }
  std::uint64_t number() const { return number_; }

 protected:
  // What was pushed has left, after a push() that said false; all_sent() if that was the end.
  virtual void on_room() = 0;

 private:
  friend class ItemFlow;
  std::size_t waiting() const { return pending_.size() - sent_; }
  void pump();

  ItemFlow& flow_;
  ServerId to_;
  std::uint64_t number_;
  bool by_asker_;
  std::string pending_;
  std::size_t sent_ = 0;  // of pending_
  std::uint64_t credit_ = kItemWindowBytes;
  bool ended_ = false;
  bool end_sent_ = false;
  bool blocked_ = false;  // by the link
};

// What is under way on each link, both ways.
class ItemFlow {
 public:
  void set_carrier(PeerCarrier* carrier) { carrier_ = carrier; }
  // A new link: nothing is under way on it.
  void on_link(ServerId peer);
  void on_link_lost(ServerId peer);
  // A part has come; credit for the link goes back where it is due.
  void on_received(ServerId peer, std::size_t bytes);
  void on_link_credit(ServerId peer, std::uint32_t bytes);
  void send(ServerId to, const Message& message);

  std::uint64_t bytes_sent() const { return bytes_sent_; }
  std::uint64_t bytes_received() const { return bytes_received_; }

 private:
  friend class ItemOutgoing;
  struct Link {
    std::uint64_t room = 0;
    std::uint64_t owed = 0;  // received, and not yet given back as credit
    std::deque<ItemOutgoing*> blocked;
  };
  // The most that may be sent now; if nothing: `one` is told when there is room again.
  std::uint64_t room_for(ItemOutgoing& one);
  void take_room(ServerId to, std::uint64_t bytes);
  void forget(ItemOutgoing& one);

  PeerCarrier* carrier_ = nullptr;
  std::unordered_map<ServerId, Link> links_;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
};

}  // namespace tandem::server
