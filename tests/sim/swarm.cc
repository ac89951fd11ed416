#include "tests/sim/swarm.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace tandem::sim {
namespace {

// A fault is there in half of the worlds, then with up to this rate.
double some(Random& dice, double most) { return dice.chance(0.5) ? dice.unit() * most : 0; }

void choose_faults(Random& dice, Faults& faults) {
  faults.kills_per_minute = some(dice, 40);
  faults.balancer_kills_per_minute = some(dice, 10);
  faults.down_max = dice.chance(0.5) ? 10s : 2s;
  if (dice.chance(0.2)) {  // deaths alone: then nothing at all may fail
    if (faults.kills_per_minute == 0) faults.kills_per_minute = 20;
    faults.balancer_kills_per_minute = 0;
    faults.one_at_a_time = dice.chance(0.5);
    return;
  }
  faults.pauses_per_minute = some(dice, 30);
  faults.partitions_per_minute = some(dice, 40);
  faults.one_way_share = dice.unit();
  faults.spares_balancer_share = dice.unit();
  faults.flapping_share = some(dice, 1);
  faults.drains_per_minute = some(dice, 8);
  faults.lose_chance = some(dice, 0.1);
  faults.double_chance = some(dice, 0.2);
  faults.overtake_chance = some(dice, 0.2);
  faults.reset_chance = some(dice, 0.002);
  faults.slow_chance = some(dice, 0.05);
  faults.request_reset_chance = some(dice, 0.02);
  faults.client_reset_chance = some(dice, 0.02);
  faults.request_double_chance = some(dice, 0.05);
  faults.drip_chance = some(dice, 0.02);
  constexpr UnixSeconds kSkews[] = {0, 0, 1, 2, 60};
  faults.skew_max = kSkews[dice.below(std::size(kSkews))];
}

void choose_bounds(Random& dice, SimulationOptions& options) {
  NodeOptions& node = options.node;
  // Sessions that are lost to clocks fill their places until they have been idle for long.
  if (dice.chance(0.3) && options.faults.skew_max <= 2) {
    node.capacity = 2 + static_cast<std::uint32_t>(options.clients / options.servers);
    node.threshold = node.capacity - 1;
  }
  if (dice.chance(0.3)) {
    node.mirror.batch_changes_max = 2;
    node.mirror.batch_bytes_max = 512;
    node.mirror.window_batches_max = 2;
    node.mirror.window_bytes_max = 1024;
    node.mirror.backlog_changes_max = 2;
  }
  if (dice.chance(0.15)) {
    node.sessions_max = 20;
    node.provisional_max = 3;
    node.notes_max = 30;
    node.mirror.entries_max = 6;
    node.mirror.reference_bytes_max = 16 << 10;
    node.mirror.awaited_max = 8;
    node.mirror.content_bytes_max = 4096;
    options.tight = true;
    options.exact = false;  // what has no room is dropped, and copies may differ
  }
}

}  // namespace

SimulationOptions swarm_options(std::uint64_t seed) {
  Random dice(mix64(seed) ^ 0x5117);
  SimulationOptions options;
  options.seed = seed;
  options.servers = 2 + dice.below(dice.chance(0.2) ? 22 : 10);
  options.balancers = 1 + dice.below(3);
  options.clients = 5 + dice.below(40);
  options.zones = dice.chance(0.3) ? 2 + dice.below(2) : 0;
  options.storm = std::chrono::seconds(20 + dice.below(60));
  options.client.pair_chance = some(dice, 0.5);
  options.client.nap_chance = some(dice, 0.1);
  options.client.cache_items = 4 + dice.below(20);
  if (dice.chance(0.2)) options.node.token_ttl = 40;  // with renewals, and expiry in naps
  choose_faults(dice, options.faults);
  choose_bounds(dice, options);
  // Clocks that differ by more than kClockSkewMax cost sessions, and nothing else.
  options.client.keeps_session = options.faults.skew_max <= 2;
  options.exact = options.exact && options.client.keeps_session;
  return options;
}

std::string describe(const SimulationOptions& options) {
  const Faults& faults = options.faults;
  return fmt::format(
      "{} servers, {} balancers, {} clients, {} zones, ttl {} s, capacity {}; kills {:.0f}+{:.0f},"
      " pauses {:.0f}, partitions {:.0f} (one way {:.2f}, flapping {:.2f}), drains {:.0f}, lost"
      " {:.3f}, doubled {:.3f}, overtaken {:.3f}, reset {:.4f}, requests reset {:.3f}/{:.3f},"
      " doubled {:.3f}, drip {:.3f}, skew {} s",
      options.servers, options.balancers, options.clients, options.zones, options.node.token_ttl,
      options.node.capacity, faults.kills_per_minute, faults.balancer_kills_per_minute,
      faults.pauses_per_minute, faults.partitions_per_minute, faults.one_way_share,
      faults.flapping_share, faults.drains_per_minute, faults.lose_chance, faults.double_chance,
      faults.overtake_chance, faults.reset_chance, faults.request_reset_chance,
      faults.client_reset_chance, faults.request_double_chance, faults.drip_chance,
      faults.skew_max);
}

SwarmReport run_swarm(const SwarmOptions& options) {
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::duration_cast<std::chrono::nanoseconds>(
                       std::chrono::duration<double, std::ratio<60>>(options.minutes));
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  SwarmReport report;
  const auto work = [&] {
    while (std::chrono::steady_clock::now() < end) {
      const std::uint64_t number = next++;
      if (options.seeds != 0 && number >= options.seeds) return;
      const SimulationOptions world = swarm_options(options.first_seed + number);
      const SimulationReport one = Simulation(world).run();
      const std::lock_guard lock(mutex);
      ++report.seeds;
      report.sum.add(one);
      if (one.violations == 0) continue;
      report.failures += fmt::format("tandem-sim --swarm --seed {} --seeds 1\n  {}\n{}", world.seed,
                                     describe(world), to_text(one));
      if (++report.failed_seeds >= options.failures_max) return;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < options.threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return report;
}

std::string to_text(const SwarmReport& report) {
  SimulationReport sum = report.sum;
  sum.seed = report.seeds;
  std::string text = to_text(sum);
  text.erase(0, text.find('\n') + 1);
  return fmt::format("{}{}{:.1f} cluster-hours, {} seeds, {} events, {} violations\n",
                     report.failures, text, sum.hours, report.seeds, sum.events,
                     report.failed_seeds);
}

}  // namespace tandem::sim
