// The devil: kills, pauses, cuts off and drains, by dice, at the rates that the faults name. What
// it does it undoes after a while, or at once when it is told to rest.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "tests/sim/sim_balancer.h"
#include "tests/sim/sim_server.h"
#include "tests/sim/world.h"

namespace tandem::sim {

struct DevilCounts {
  std::uint64_t kills = 0;
  std::uint64_t balancer_kills = 0;
  std::uint64_t pauses = 0;
  std::uint64_t partitions = 0;
  std::uint64_t flaps = 0;
  std::uint64_t drains = 0;
};

class Devil {
 public:
  using Servers = std::vector<std::unique_ptr<SimServer>>;
  using Balancers = std::vector<std::unique_ptr<SimBalancer>>;
  // How the world starts a process anew, and what it does when one has died.
  struct Hooks {
    std::function<void(Place)> start_server;
    std::function<void(Place)> server_died;
    std::function<void(Place)> balancer_died;
  };

  Devil(World& world, Servers& servers, Balancers& balancers, Hooks hooks, Random random)
      : world_(world),
        servers_(servers),
        balancers_(balancers),
        hooks_(std::move(hooks)),
        random_(random) {}

  void begin();
  // Ends all faults: everything lives, runs and is reached.
  void rest();
  // `work` at random times, so often a minute on average, for ever.
  void every(double per_minute, std::function<void()> work);
  const DevilCounts& counts() const { return counts_; }

 private:
  void kill_server();
  bool another_stands(const SimServer& server) const;
  void kill_balancer();
  void pause_one();
  void split_some();
  void flap(std::set<Place> inside, std::set<Place> spared, Network::Cut cut, unsigned times);
  void split_for(std::set<Place> inside, std::set<Place> spared, Network::Cut cut, Duration time);
  void drain_one();
  Duration between(Duration low, Duration high);
  std::set<Place> some_servers(double largest_share);
  Host& host_at(Place place);

  World& world_;
  Servers& servers_;
  Balancers& balancers_;
  const Hooks hooks_;
  Random random_;
  std::set<Network::PartitionId> partitions_;
  bool rests_ = true;
  Instant mended_{};  // when the last one that was killed will have been alive for mend_time
  DevilCounts counts_;
};

}  // namespace tandem::sim
