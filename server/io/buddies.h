// Drives the BuddyWatch of this server: over the peer channels, with the loop's time, and with the
// balancers as those to whom it reports. One thread, the loop's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/net/event_loop.h"
#include "common/net/socket_address.h"
#include "server/core/buddy_watch.h"
#include "server/io/icmp_probe.h"
#include "server/io/node_driver.h"

namespace tandem::server {

// Told of the links with peers, and of all that comes on them (server/io/peers).
class PeerListener {
 public:
  virtual void on_peer_linked(const Hello& peer, const SocketAddress& address) = 0;
  virtual void on_peer_message(ServerId from, const Message& message) = 0;
  virtual void on_peer_unlinked(ServerId peer) = 0;

 protected:
  ~PeerListener() = default;
};

// Where what is for all balancers goes, and who is told what they say (server/io/balancer_links).
class BalancerCarrier {
 public:
  virtual void tell_all(const Message& message) = 0;

 protected:
  ~BalancerCarrier() = default;
};
class BalancerListener {
 public:
  // A balancer where this server registers has been connected: what is it to know?
  virtual std::vector<FailureReport> on_balancer_linked() = 0;
  virtual void on_balancer_message(const Message& message) = 0;

 protected:
  ~BalancerListener() = default;
};

struct BuddiesOptions {
  std::string name;  // this server's
  Duration interval = 1s;
  bool icmp = false;  // hosts of silent buddies are pinged, too
};

class Buddies final : public PeerListener, public BalancerListener {
 public:
  Buddies(EventLoop& loop, BuddiesOptions options);

  // For options.icmp; fails where the system forbids it.
  Result<void> open();
  // Both outlive their use; null: none (yet).
  void set_peers(PeerCarrier* peers) { peers_ = peers; }
  void set_balancers(BalancerCarrier* balancers) { balancers_ = balancers; }

  // Before channels to those who are gone are closed.
  void on_view(const ViewPtr& view);

  void on_peer_linked(const Hello& peer, const SocketAddress& address) override;
  void on_peer_message(ServerId from, const Message& message) override;
  void on_peer_unlinked(ServerId peer) override;
  std::vector<FailureReport> on_balancer_linked() override { return watch_.suspects(); }
  void on_balancer_message(const Message& message) override;

  const BuddyWatch& watch() const { return watch_; }
  struct Heard {
    std::string buddy;
    BuddyWatch::LinkState state = BuddyWatch::LinkState::kQuiet;
    std::uint64_t milliseconds_ago = 0;
  };
  std::vector<Heard> heard();
  const IcmpProbe* icmp() const { return icmp_.get(); }

 private:
  void settle();
  void carry(const BuddyWatch::Out::Envelope& envelope);
  void say_self_suspicion();
  const std::string& name_of(ServerId server) const;

  EventLoop& loop_;
  BuddiesOptions options_;
  BuddyWatch watch_;
  BuddyWatch::Out out_;
  PeerCarrier* peers_ = nullptr;
  BalancerCarrier* balancers_ = nullptr;
  std::unique_ptr<IcmpProbe> icmp_;
  std::map<ServerId, SocketAddress> linked_;
  ViewPtr view_;
  std::uint64_t told_late_ = 0, told_cut_off_ = 0;
  Instant cut_off_told_{};
  Timer timer_;
};

}  // namespace tandem::server
