// A tandem-server of the simulation: a real node, and around it what its shell does: the control
// connections with registration and status, links to peers, requests, the node's deadlines.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/cluster/view_sources.h"
#include "server/core/node.h"
#include "tests/sim/host.h"
#include "tests/sim/world.h"

namespace tandem::sim {

class SimServer {
 public:
  using Reply = std::function<void(const HttpResponse&)>;
  // Opens a control connection to the balancer with this number; nothing if that is not possible
  // now.
  using Connect =
      std::function<std::optional<Network::ChannelId>(std::size_t balancer, Network::Handlers)>;
  // A request makes this server start a session empty, or take it over from `from`; and a peer says
  // that it has applied a batch of the session.
  struct Watcher {
    std::function<void(Place at, const SessionToken&)> cold_start;
    std::function<void(Place at, SessionId session, ServerId from)> takeover;
    std::function<void(Place at, SessionId session)> applied;
  };
  struct Setup {
    NodeOptions node;
    NodeOptions bounds;  // what it may hold; differs from `node` under kIgnoresBounds alone
    std::size_t balancers = 1;
    bool forgets = false;  // its bounds are so tight that it forgets sessions and where they went
    Sabotage sabotage = Sabotage::kNone;
  };

  SimServer(World& world, Place place, Setup setup, Connect connect, const Watcher& watcher)
      : world_(world),
        place_(place),
        setup_(std::move(setup)),
        connect_(std::move(connect)),
        watcher_(watcher),
        random_(world.random.fork(10'000 + place)) {}

  Host& host() { return host_; }
  const Host& host() const { return host_; }
  Place place() const { return place_; }
  ServerId id() const { return ServerId::of(name()); }
  const std::string& name() const { return setup_.node.name; }
  const Node* node() const { return node_.get(); }
  Instant started() const { return started_; }

  void start();
  void kill();
  void drain(bool draining);
  void check_bounds() const { world_.invariants.on_bounds(*node_, setup_.bounds); }

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

  std::uint64_t tokens_refused() const { return tokens_refused_; }
  // How often an item could be called current here that the process had never fetched.
  std::uint64_t vouched_unfetched() const { return vouched_unfetched_; }

 private:
  struct PeerLink {
    Network::ChannelId channel;
    std::size_t end;
  };
  void here(std::function<void()> work) { host_.run(host_.incarnation(), std::move(work)); }
  void after(Duration delay, std::function<void()> work);
  UnixSeconds wall() const { return world_.wall(skew_); }
  bool sabotaged(Sabotage how) const { return setup_.sabotage == how; }

  void connect_control(std::size_t balancer);
  void on_control_message(std::size_t balancer, const MessagePtr& message);
  void on_view_message(std::size_t balancer, const Message& message);
  void follow();
  void leave_offline_peers();
  bool is_current(ServerId peer, Network::ChannelId channel) const {
    const auto found = peers_.find(peer);
    return found != peers_.end() && found->second.channel == channel;
  }
  void push_status(bool urgent_only);
  void status_tick();

  void look(std::size_t balancer, const Look& question);
  void looked(std::uint64_t number, bool reached);
  bool is_watch(ServerId from, const Message& message);

  void on_peer_message(ServerId peer, const MessagePtr& message);
  bool heard(ServerId from, const Message& message);

  SessionToken token_of(const HttpRequest& request);
  void answer(HttpRequest request, const Reply& reply);
  Decision decide(const HttpRequest& request);
  void execute(const HttpRequest& request, const Reply& reply,
               const std::optional<SessionToken>& elsewhere);
  void retrieve(const HttpRequest& request, const Reply& reply,
                const std::optional<SessionToken>& elsewhere);
  void decide_waiting(SessionId session);
  void watch_vouching(const HttpRequest& request, ItemKey key);
  void set_token(const HttpRequest& request, HttpResponse& response);
  void watch_takeover(const SessionToken& token, const NodeCounters& before,
                      const std::optional<SessionReport>& known);
  void send_out();
  void settle();  // at the end of every event here: flush, send, ask for the next deadline

  World& world_;
  const Place place_;
  const Setup setup_;
  const Connect connect_;
  const Watcher& watcher_;
  Random random_;
  Host host_;
  std::uint64_t tokens_refused_ = 0;
  std::uint64_t vouched_unfetched_ = 0;
  // Of the process that lives now.
  Instant started_{};
  std::unique_ptr<Node> node_;
  Learned learned_;
  std::unordered_set<std::size_t> fetched_;  // items
  PeerOutbox out_;
  std::vector<std::optional<Network::ChannelId>> controls_;  // none: not connected
  ViewSources sources_{0, {}};
  std::map<ServerId, PeerLink> peers_;
  std::map<std::uint64_t, std::pair<std::size_t, Look>> looking_;  // for which balancer
  std::uint64_t last_look_ = 0;
  std::multimap<SessionId, std::pair<HttpRequest, Reply>> waiting_;  // until peers have answered
  ViewPtr view_;                                                     // the one that is followed
  Instant wakes_ = kNever;
  UnixSeconds skew_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace tandem::sim
