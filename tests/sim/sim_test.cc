// What every build must pass: storms over several seeds, a swarm of worlds of all sorts, a large
// cluster, kills without a single failed request, the same transcript for the same seed, and
// servers and balancers broken on purpose being caught.
#include <gtest/gtest.h>

#include <ostream>

#include "tests/sim/simulation.h"
#include "tests/sim/swarm.h"

namespace tandem::sim {
namespace {

SimulationOptions storm(std::uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  Faults& faults = options.faults;
  faults.kills_per_minute = 20;
  faults.pauses_per_minute = 20;
  faults.partitions_per_minute = 20;
  faults.flapping_share = 0.2;
  faults.drains_per_minute = 4;
  faults.lose_chance = 0.01;
  faults.double_chance = 0.02;
  faults.overtake_chance = 0.02;
  faults.reset_chance = 0.0005;
  faults.slow_chance = 0.01;
  faults.request_reset_chance = 0.005;
  faults.client_reset_chance = 0.005;
  faults.request_double_chance = 0.01;
  faults.drip_chance = 0.005;
  faults.skew_max = 2;
  return options;
}

SimulationOptions kills(std::uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.faults.kills_per_minute = 20;
  return options;
}

void make_tight(SimulationOptions& options) {
  options.clients = 60;
  NodeOptions& node = options.node;
  node.capacity = 6;
  node.threshold = 4;
  node.sessions_max = 20;
  node.provisional_max = 3;
  node.notes_max = 30;
  node.mirror.entries_max = 6;
  node.mirror.reference_bytes_max = 16 << 10;
  node.mirror.content_bytes_max = 4096;
  node.mirror.batch_changes_max = 2;
  node.mirror.batch_bytes_max = 512;
  node.mirror.window_batches_max = 2;
  node.mirror.window_bytes_max = 1024;
  node.mirror.backlog_changes_max = 2;
  node.mirror.awaited_max = 8;
  options.tight = true;
  options.exact = false;  // what has no room is dropped, and copies may differ
}

SimulationReport run(const SimulationOptions& options) {
  SCOPED_TRACE("seed " + std::to_string(options.seed));
  SimulationReport report = Simulation(options).run();
  EXPECT_EQ(report.violations, 0u) << to_text(report);
  return report;
}

TEST(Simulation, CalmClusterServesEveryRequest) {
  SimulationOptions options;
  const SimulationReport report = run(options);
  EXPECT_EQ(report.clients.failed, 0u) << to_text(report);
  EXPECT_GT(report.clients.reused_by_mirror, 0u);
  EXPECT_EQ(report.clients.orders, report.orders_executed);
  EXPECT_EQ(report.nodes.takeovers_warm, 0u);
}

TEST(Simulation, KillsFailNoRequestAndLoseNoMirror) {
  std::uint64_t killed = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SimulationOptions options = kills(seed);
    const SimulationReport many = run(options);
    killed += many.devil.kills;
    EXPECT_EQ(many.clients.failed, 0u) << to_text(many);
    options.faults.one_at_a_time = true;
    options.faults.kills_per_minute = 60;
    options.client.nap_chance = 0;
    const SimulationReport one = run(options);
    killed += one.devil.kills;
    EXPECT_EQ(one.cold_though_warm_elsewhere, 0u) << to_text(one);
  }
  EXPECT_GT(killed, 30u);
}

TEST(Simulation, StormsOverManySeeds) {
  SimulationReport sum;
  for (std::uint64_t seed = 100; seed < 115; ++seed) sum.add(run(storm(seed)));
  // The storm has blown: what was to be tried has happened.
  EXPECT_GT(sum.devil.kills, 40u);
  EXPECT_GT(sum.devil.pauses, 40u);
  EXPECT_GT(sum.devil.partitions, 40u);
  EXPECT_GT(sum.devil.flaps, 10u);
  EXPECT_GT(sum.nodes.takeovers_warm, 100u);
  EXPECT_GT(sum.nodes.takeovers_cold, 10u);
  EXPECT_GT(sum.nodes.sessions_lost, 100u);
  EXPECT_GT(sum.nodes.thirds_chosen, 100u);
  EXPECT_GT(sum.nodes.mirror_gaps, 100u);
  EXPECT_GT(sum.nodes.letters_resent, 10u);
  EXPECT_GT(sum.vouched_unfetched, 100u);
  EXPECT_GT(sum.clients.resent, 10u);
}

// 200 sessions on five servers, and a sixth one starts.
SimulationOptions scale_out(std::uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.servers = 6;
  options.clients = 200;
  options.client.nap_chance = 0;
  options.node.swap.rebalance_rate = 2;
  options.last_joins = 6s;
  options.storm = 44s;  // ends 40 s later
  return options;
}

TEST(Simulation, AServerThatJoinsGetsItsShareAtABoundedRate) {
  for (std::uint64_t seed = 400; seed < 404; ++seed) {
    const SimulationReport report = run(scale_out(seed));
    EXPECT_EQ(report.clients.failed, 0u) << to_text(report);
    EXPECT_EQ(report.nodes.takeovers_cold + report.nodes.takeovers_warm, 0u) << to_text(report);
    EXPECT_GE(report.clients.moved, 25u) << to_text(report);
    EXPECT_LE(report.clients.moved, 45u) << "33 are its share";
    EXPECT_LE(report.spread, 0.1) << to_text(report);
    EXPECT_LE(report.newcomer_gain_most, 20u) << "five give, two a second each";
  }
}

TEST(Simulation, AKillWhileAServerGetsItsShareLosesNoMirror) {
  std::uint64_t kills = 0;
  for (std::uint64_t seed = 410; seed < 416; ++seed) {
    SimulationOptions options = scale_out(seed);
    options.faults.kills_per_minute = 12;
    options.faults.one_at_a_time = true;
    options.faults.mend_time = 10s;
    const SimulationReport report = run(options);
    kills += report.devil.kills;
    EXPECT_EQ(report.clients.failed, 0u) << to_text(report);
    EXPECT_EQ(report.cold_though_warm_elsewhere, 0u) << to_text(report);
    EXPECT_GT(report.clients.moved, 25u) << to_text(report);
  }
  EXPECT_GT(kills, 6u);
}

TEST(Simulation, ASwarmOfWorlds) {
  const SwarmReport report = run_swarm({.seeds = 40, .minutes = 10});
  EXPECT_EQ(report.failed_seeds, 0u) << report.failures;
  EXPECT_EQ(report.seeds, 40u);
}

TEST(Simulation, ZonesAndTightMemory) {
  for (std::uint64_t seed = 200; seed < 206; ++seed) {
    SimulationOptions options = storm(seed);
    options.zones = 3;
    make_tight(options);
    run(options);
  }
}

TEST(Simulation, TwoHundredServers) {
  SimulationOptions options = storm(300);
  options.servers = 200;
  options.balancers = 1;
  options.clients = 100;
  options.storm = 8s;
  options.served_within = 8s;
  options.client.nap_chance = 0;
  options.faults.kills_per_minute = 60;
  const SimulationReport report = run(options);
  EXPECT_GT(report.devil.kills, 2u);
  EXPECT_GT(report.devil.partitions, 0u);
}

TEST(Simulation, SameSeedSameTranscript) {
  EXPECT_EQ(run(storm(7)).hash, run(storm(7)).hash);
  EXPECT_NE(run(storm(7)).hash, run(storm(8)).hash);
  EXPECT_EQ(run(swarm_options(7)).hash, run(swarm_options(7)).hash);
}

// A world in which the sabotage shows, and what is then said of it.
struct Aim {
  const char* name;
  Sabotage sabotage;
  const char* text;
  void (*world)(SimulationOptions&) = nullptr;
  // Where it breaks two things, and the seed decides which is seen first.
  const char* other_text = nullptr;

  bool is_said_by(const std::string& complaint) const {
    const auto has = [&](const char* what) { return complaint.find(what) != std::string::npos; };
    return has(text) || (other_text != nullptr && has(other_text));
  }
};
std::ostream& operator<<(std::ostream& out, const Aim& aim) { return out << aim.name; }

class Sabotaged : public ::testing::TestWithParam<Aim> {};

// A check that cannot fail proves nothing.
TEST_P(Sabotaged, IsCaught) {
  constexpr std::uint64_t kSeeds = 10;
  std::uint64_t caught = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimulationOptions options = storm(seed);
    if (GetParam().world != nullptr) GetParam().world(options);
    options.sabotage = GetParam().sabotage;
    const SimulationReport report = Simulation(options).run();
    if (report.violations == 0) continue;
    ++caught;
    EXPECT_TRUE(GetParam().is_said_by(report.texts.front())) << report.texts.front();
  }
  EXPECT_EQ(caught, kSeeds);
}

void only_kills(SimulationOptions& options) {
  options.faults = Faults{};
  options.faults.kills_per_minute = 60;
  options.faults.one_at_a_time = true;
  options.client.nap_chance = 0;
  options.sabotaged_share = 1;
}

void everywhere(SimulationOptions& options) {
  options.sabotaged_share = 1;
  options.clients = 60;
  options.client.pair_chance = 0.5;
  options.faults.partitions_per_minute = 40;
}

void many_orders(SimulationOptions& options) {
  options.client.order_chance = 0.5;
  options.faults.request_reset_chance = 0.02;
}

constexpr Aim kAims[] = {
    {"ServesWhatItLost", Sabotage::kServesWhatItLost, "served", everywhere},
    {"KeepsEpochOnTakeover", Sabotage::kKeepsEpochOnTakeover, "epoch"},
    {"NamesItselfTwice", Sabotage::kNamesItselfTwice, "primary = alternate"},
    {"ReusesUnseen", Sabotage::kReusesUnseen, "use yours"},
    {"NeverHearsOfNewer", Sabotage::kNeverHearsOfNewer, "newer epoch"},
    {"AcksUnapplied", Sabotage::kAcksUnapplied, "copy differs", nullptr,
     "a copy counts as whole before its contents have come"},
    {"IgnoresBounds", Sabotage::kIgnoresBounds, "bound", make_tight},
    {"SwallowsRequests", Sabotage::kSwallowsRequests, "is not served"},
    {"RefusesTakeovers", Sabotage::kRefusesTakeovers, "a request failed", only_kills},
    {"ResendsAnything", Sabotage::kResendsAnything, "executed twice", many_orders},
    // A mirror is lost that somebody has, or a session leaves a server that did not fail.
    {"ForgetsAlternate", Sabotage::kForgetsAlternate, " that ", only_kills},
    {"TakesFromLiving", Sabotage::kTakesFromLiving, "did not fail", only_kills},
    {"ForgetsSessions", Sabotage::kForgetsSessions, "a session is lost"},
};
INSTANTIATE_TEST_SUITE_P(Breakages, Sabotaged, ::testing::ValuesIn(kAims),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace tandem::sim
