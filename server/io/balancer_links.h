// The control wire, seen from a server: a channel to each balancer of the conf. Registers, pushes
// status (at once when it crosses a threshold, else every status interval), and follows the view of
// one of them (common/cluster/view_sources.h says whose). With none, the last view stays.
// One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/cluster/view_sources.h"
#include "common/net/channel_client.h"
#include "common/net/resolver.h"
#include "server/io/buddies.h"
#include "server/io/node_driver.h"

namespace tandem::server {

struct BalancerLinksOptions {
  Hello self;
  Register registration;  // its status is filled in
  ContextChoice connecting;
  std::vector<Address> balancers;
  Duration status_interval = 1s;
};

// Told of what balancers say.
class ViewFollower {
 public:
  virtual void on_view(const ViewPtr& view) = 0;
  virtual void on_drain(bool draining) = 0;

 protected:
  ~ViewFollower() = default;
};

class BalancerLinks final : public BalancerCarrier, private ChannelHandler {
 public:
  // All must outlive the links; the driver's urgent status is theirs.
  BalancerLinks(EventLoop& loop, Resolver& resolver, NodeDriver& driver, ViewFollower& follower,
                BalancerLinksOptions options);
  ~BalancerLinks();

  // Told of what balancers say. Null (at first): nobody. It outlives its use.
  void set_listener(BalancerListener* listener) { listener_ = listener; }
  void start();
  void push_status();
  void tell_all(const Message& message) override { send_all(message); }
  // Says Leave to all, and to balancers that are met from now on; the channels stay until
  // destroyed.
  void leave();

  std::size_t connected() const;
  std::uint64_t view_version() const { return has_view() ? followed_->version : 0; }
  bool has_view() const { return followed_ != nullptr; }
  // What is known of each balancer of the conf, in its order.
  struct BalancerState {
    std::string address;
    bool connected = false;
    ViewSources::Facts facts;
  };
  std::vector<BalancerState> balancers() const;

 private:
  using Links = std::vector<std::unique_ptr<ChannelClient>>;

  void on_channel_open(Channel& channel) override;
  void on_channel_message(Channel& channel, Message message) override;
  void on_channel_closed(Channel& channel, const Error& why) override;
  std::size_t link_of(const Channel& channel) const;
  void on_view_message(std::size_t link, Channel& channel, Message& message);
  void follow();
  void push_backing();
  void send_all(const Message& message);

  EventLoop& loop_;
  NodeDriver& driver_;
  ViewFollower& follower_;
  BalancerListener* listener_ = nullptr;
  BalancerLinksOptions options_;
  Links links_;  // in the conf's order, as sources_ are numbered
  ViewSources sources_;
  ViewPtr followed_;
  std::optional<Backing> told_;  // to all links that are open
  Instant backing_due_{};
  bool left_ = false;
  Timer status_timer_;
};

}  // namespace tandem::server
