// A tandem-server of the simulation: a real node, and around it what its shell does: the control
// connection with registration and status, links to peers, requests, the node's deadlines.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "server/core/node.h"
#include "tests/sim/host.h"
#include "tests/sim/world.h"

namespace tandem::sim {

class SimServer {
 public:
  using Reply = std::function<void(const HttpResponse&)>;
  // Opens a control connection to the balancer; nothing if that is not possible now.
  using Connect = std::function<std::optional<Network::ChannelId>(Network::Handlers)>;

  SimServer(World& world, Place place, NodeOptions options, std::string zone, Connect connect)
      : world_(world),
        place_(place),
        options_(std::move(options)),
        zone_(std::move(zone)),
        connect_(std::move(connect)) {}

  Host& host() { return host_; }
  const Host& host() const { return host_; }
  Place place() const { return place_; }
  ServerId id() const { return ServerId::of(options_.name); }
  const std::string& name() const { return options_.name; }
  const Node* node() const { return node_.get(); }
  const NodeOptions& options() const { return options_; }
  // Told when a request makes this server start a session empty.
  void on_cold_start(std::function<void(const SessionToken&)> told) {
    cold_start_ = std::move(told);
  }
  void set_sabotage(Sabotage sabotage) { sabotage_ = sabotage; }

  void start();
  void kill();
  void drain(bool draining);

  // A link to another server; told as closed by `closed`. `channel` is set by the time it is used.
  using ChannelHolder = std::shared_ptr<Network::ChannelId>;
  Network::Handlers peer_handlers(ServerId peer, ChannelHolder channel,
                                  std::function<void()> closed);
  void on_peer_open(ServerId peer, std::uint64_t incarnation, Network::ChannelId channel,
                    std::size_t end);

  // Does its view say that it is to connect to this one?
  bool wants_link(ServerId peer) const {
    const ServerRecord* record = view_ == nullptr ? nullptr : view_->find(peer);
    return record != nullptr && record->online;
  }
  bool has_link(ServerId peer) const { return peers_.count(peer) != 0; }

  // A request has arrived (the process may stand still). The reply may never come.
  void handle(const HttpRequest& request, Reply reply);

 private:
  struct PeerLink {
    Network::ChannelId channel;
    std::size_t end;
  };
  void here(std::function<void()> work) { host_.run(host_.incarnation(), std::move(work)); }
  void after(Duration delay, std::function<void()> work);
  void connect_control();
  void on_control_message(const MessagePtr& message);
  void leave_offline_peers();
  bool is_current(ServerId peer, Network::ChannelId channel) const {
    const auto found = peers_.find(peer);
    return found != peers_.end() && found->second.channel == channel;
  }
  void push_status(bool urgent_only);
  void status_tick();
  void on_peer_message(ServerId peer, const MessagePtr& message);
  void answer(const HttpRequest& request, const Reply& reply);
  void retrieve(const HttpRequest& request, const Reply& reply,
                const std::optional<SessionToken>& elsewhere);
  void decide_waiting(SessionId session);
  bool heard(const Message& message) const;
  void settle();  // at the end of every event here: flush, send, ask for the next deadline

  World& world_;
  const Place place_;
  const NodeOptions options_;
  const std::string zone_;
  const Connect connect_;
  Sabotage sabotage_ = Sabotage::kNone;
  std::function<void(const SessionToken&)> cold_start_;
  Host host_;
  // Of the process that lives now.
  std::unique_ptr<Node> node_;
  Learned learned_;
  PeerOutbox out_;
  std::optional<Network::ChannelId> control_;
  std::map<ServerId, PeerLink> peers_;
  std::multimap<SessionId, std::pair<HttpRequest, Reply>> waiting_;  // until peers have answered
  ViewPtr view_;
  Instant wakes_ = kNever;
};

}  // namespace tandem::sim
