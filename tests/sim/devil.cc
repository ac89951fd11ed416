#include "tests/sim/devil.h"

#include <algorithm>
#include <utility>

namespace tandem::sim {
namespace {

constexpr unsigned kFlapsMax = 12;

}  // namespace

void Devil::begin() {
  rests_ = false;
  const Faults& faults = world_.faults;
  every(faults.kills_per_minute, [this] { kill_server(); });
  every(faults.balancer_kills_per_minute, [this] { kill_balancer(); });
  every(faults.pauses_per_minute, [this] { pause_one(); });
  every(faults.partitions_per_minute, [this] { split_some(); });
  every(faults.drains_per_minute, [this] { drain_one(); });
}

void Devil::rest() {
  rests_ = true;
  world_.note("calm");
  world_.calm();
  for (const auto id : std::exchange(partitions_, {})) world_.network.heal(id);
  for (const auto& balancer : balancers_) {
    if (!balancer->host().alive()) balancer->start();
    if (balancer->host().paused()) balancer->host().resume();
  }
  for (const auto& server : servers_) {
    if (!server->host().alive()) hooks_.start_server(server->place());
    if (server->host().paused()) server->host().resume();
    server->drain(false);
  }
}

void Devil::every(double per_minute, std::function<void()> work) {
  if (per_minute <= 0) return;
  const auto mean = static_cast<std::uint64_t>(60e9 / per_minute);
  world_.heap.after(Duration(random_.below(2 * mean) + 1), [this, per_minute, work] {
    work();
    every(per_minute, work);
  });
}

Duration Devil::between(Duration low, Duration high) {
  return low + Duration(random_.below(static_cast<std::uint64_t>((high - low).count()) + 1));
}

Host& Devil::host_at(Place place) {
  return place < servers_.size() ? servers_[place]->host()
                                 : balancers_[place - servers_.size()]->host();
}

void Devil::kill_server() {
  SimServer& server = *servers_[random_.below(servers_.size())];
  const Faults& faults = world_.faults;
  if (rests_ || !server.host().alive()) return;
  if (faults.one_at_a_time && world_.heap.now() < mended_) return;
  if (faults.only_kills() && !another_stands(server)) return;
  ++counts_.kills;
  hooks_.server_died(server.place());
  server.kill();
  for (const auto& balancer : balancers_) balancer->on_killed(server.place());
  const Duration down = between(faults.down_min, faults.down_max);
  mended_ = world_.heap.now() + down + faults.mend_time;
  world_.heap.after(down, [this, &server] {
    if (!server.host().alive()) hooks_.start_server(server.place());
  });
}

// Has another server been alive for long enough to be known?
bool Devil::another_stands(const SimServer& server) const {
  return std::any_of(servers_.begin(), servers_.end(), [&](const auto& other) {
    return other.get() != &server && other->host().alive() &&
           world_.heap.now() - other->started() >= world_.faults.mend_time;
  });
}

void Devil::kill_balancer() {
  SimBalancer& balancer = *balancers_[random_.below(balancers_.size())];
  const auto alive = std::count_if(balancers_.begin(), balancers_.end(),
                                   [](const auto& one) { return one->host().alive(); });
  if (rests_ || !balancer.host().alive() || alive < 2) return;
  ++counts_.balancer_kills;
  balancer.kill();
  hooks_.balancer_died(balancer.place());
  const Duration down = between(world_.faults.down_min, world_.faults.down_max);
  world_.heap.after(down, [&balancer] {
    if (!balancer.host().alive()) balancer.start();
  });
}

void Devil::pause_one() {
  Host& host = host_at(random_.below(servers_.size() + balancers_.size()));
  if (rests_ || !host.alive() || host.paused()) return;
  ++counts_.pauses;
  world_.note("pause");
  host.pause();
  const Duration time = between(world_.faults.pause_min, world_.faults.pause_max);
  world_.heap.after(time, [&host, incarnation = host.incarnation()] {
    if (host.incarnation() == incarnation) host.resume();
  });
}

std::set<Place> Devil::some_servers(double largest_share) {
  const double most = largest_share * static_cast<double>(servers_.size());
  const std::size_t count = 1 + random_.below(std::max<std::uint64_t>(1, std::uint64_t(most)));
  std::set<Place> some;
  while (some.size() < count) some.insert(random_.below(servers_.size()));
  return some;
}

void Devil::split_some() {
  if (rests_) return;
  const Faults& faults = world_.faults;
  Network::Cut cut = Network::Cut::kBothWays;
  if (random_.chance(faults.one_way_share)) {
    cut = random_.chance(0.5) ? Network::Cut::kWhatTheySend : Network::Cut::kWhatTheyGet;
  }
  std::set<Place> spared;
  for (const auto& balancer : balancers_) {
    if (random_.chance(faults.spares_balancer_share)) spared.insert(balancer->place());
  }
  auto inside = some_servers(faults.largest_share);
  if (random_.chance(faults.flapping_share)) {
    ++counts_.flaps;
    return flap(std::move(inside), std::move(spared), cut,
                2 + static_cast<unsigned>(random_.below(kFlapsMax - 1)));
  }
  ++counts_.partitions;
  split_for(std::move(inside), std::move(spared), cut,
            between(faults.partition_min, faults.partition_max));
}

void Devil::split_for(std::set<Place> inside, std::set<Place> spared, Network::Cut cut,
                      Duration time) {
  const auto id = world_.network.split(std::move(inside), std::move(spared), cut);
  partitions_.insert(id);
  world_.note("split", id, static_cast<unsigned>(cut));
  world_.heap.after(time, [this, id] {
    world_.note("heal", id);
    world_.network.heal(id);
    partitions_.erase(id);
  });
}

// Cut, whole, cut, whole, so many times.
void Devil::flap(std::set<Place> inside, std::set<Place> spared, Network::Cut cut, unsigned times) {
  if (rests_ || times == 0) return;
  const Duration time = between(world_.faults.delay_max, world_.faults.flap_max);
  split_for(inside, spared, cut, time);
  const Duration pause = between(world_.faults.delay_max, world_.faults.flap_max);
  world_.heap.after(time + pause, [this, inside = std::move(inside), spared = std::move(spared),
                                   cut, times] { flap(inside, spared, cut, times - 1); });
}

void Devil::drain_one() {
  SimServer& server = *servers_[random_.below(servers_.size())];
  if (rests_ || !server.host().alive()) return;
  ++counts_.drains;
  server.drain(true);
  world_.heap.after(world_.faults.drain_time, [&server, life = server.host().incarnation()] {
    if (server.host().alive() && server.host().incarnation() == life) server.drain(false);
  });
}

}  // namespace tandem::sim
