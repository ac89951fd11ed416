// The channel to the master that this balancer follows, kept up for as long as this lives. Carries
// messages between it, Follower (which decides) and Cluster. Belongs to control's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "common/net/channel_client.h"
#include "common/net/resolver.h"
#include "lb/core/follower.h"
#include "lb/io/cluster.h"

namespace tandem {

class MasterLink final : public Cluster::Upward, private ChannelHandler {
 public:
  struct Options {
    Hello self;
    Address master;  // its control listener
    ContextChoice connecting;
    Follower::Options follower;
  };
  // All must outlive the link; it is the cluster's upward.
  MasterLink(EventLoop& loop, Resolver& resolver, Cluster& cluster, Options options);
  ~MasterLink();

  void start() { client_.start(); }
  const Follower& follower() const { return machine_; }
  const Address& master() const { return client_.to(); }

 private:
  void on_seen(std::uint64_t version) override;
  void on_status_seen(const StatusUpdate& update) override;
  void on_failure(const FailureReport& report) override;

  void on_channel_open(Channel& channel) override;
  void on_channel_message(Channel& channel, Message message) override;
  void on_channel_closed(Channel& channel, const Error& why) override;

  void pump();
  void carry_out(FollowerAction& action);
  void send(const Message& message);

  EventLoop& loop_;
  Cluster& cluster_;
  Follower machine_;
  FollowerActions actions_;
  ChannelClient client_;
  Timer timer_;
};

}  // namespace tandem
