// Drives a Node from an event loop: hands it the time, messages and views, arms its deadline, lets
// it flush at the end of each round, and carries its envelopes to the peers. The node hears of the
// servers of its group alone (server/core/group_links.h).
//
// One thread, the loop's. Whoever asks the node something on the data wire (node().on_request(),
// on_retrieved(), ...) calls touched() afterwards.
#pragma once

#include <functional>
#include <string>

#include "common/net/event_loop.h"
#include "server/core/group_links.h"
#include "server/core/node.h"

namespace tandem::server {

// Where envelopes go: server/io/peers.
class PeerCarrier {
 public:
  virtual void send(ServerId to, const Message& message) = 0;

 protected:
  ~PeerCarrier() = default;
};

class NodeDriver final : private RoundEnd {
 public:
  // The loop must outlive the driver. `group`: this server's.
  NodeDriver(EventLoop& loop, NodeOptions options, std::string group = {});
  ~NodeDriver();

  // Set before the first message; both outlive their use. `on_urgent` is called at the end of a
  // round in which the status crossed a threshold.
  void set_carrier(PeerCarrier* carrier) { carrier_ = carrier; }
  void set_on_urgent(std::function<void()> on_urgent) { on_urgent_ = std::move(on_urgent); }

  // Told at the end of a round, of each session whose waiting requests are to be decided now.
  void set_on_settled(std::function<void(SessionId)> on_settled) {
    on_settled_ = std::move(on_settled);
  }

  Node& node() { return node_; }
  const Node& node() const { return node_; }
  void touched();

  void peer_connected(ServerId peer, std::uint64_t incarnation);
  void peer_disconnected(ServerId peer);
  void deliver(ServerId from, const Message& message);
  void view(const ViewPtr& view);
  // The newest, of all groups, or null.
  const ViewPtr& current_view() const { return view_; }
  void status(const StatusUpdate& update);

 private:
  void on_round_end() override;
  void on_timer();
  void carry();  // what is in the outbox; the rest at the round's end
  void send_envelopes();

  EventLoop& loop_;
  Node node_;
  GroupLinks group_;
  PeerOutbox out_;
  PeerCarrier* carrier_ = nullptr;
  std::function<void()> on_urgent_;
  std::function<void(SessionId)> on_settled_;
  Timer timer_;
  bool touched_ = false;
  ViewPtr view_;
};

}  // namespace tandem::server
