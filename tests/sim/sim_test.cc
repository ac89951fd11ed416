// What every build must pass: storms over several seeds, a large cluster, kills without a single
// failed request, the same transcript for the same seed, and servers broken on purpose being
// caught.
#include <gtest/gtest.h>

#include "tests/sim/simulation.h"

namespace tandem::sim {
namespace {

SimulationOptions storm(std::uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.faults.kills_per_minute = 20;
  options.faults.pauses_per_minute = 20;
  options.faults.partitions_per_minute = 20;
  options.faults.drains_per_minute = 4;
  options.faults.reset_chance = 0.0005;
  options.faults.slow_chance = 0.01;
  return options;
}

SimulationOptions kills(std::uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.faults.kills_per_minute = 20;
  return options;
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
  EXPECT_EQ(report.clients.failed, 0u);
  EXPECT_GT(report.clients.reused_by_mirror, 0u);
  EXPECT_EQ(report.nodes.takeovers_warm + report.nodes.takeovers_cold, 0u);
}

TEST(Simulation, KillsFailNoRequestAndLoseNoMirror) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimulationOptions options = kills(seed);
    const SimulationReport many = run(options);
    EXPECT_GT(many.kills, 0u);
    EXPECT_EQ(many.clients.failed, 0u) << to_text(many);
    options.faults.one_at_a_time = true;
    options.faults.kills_per_minute = 60;
    const SimulationReport report = run(options);
    EXPECT_GT(report.kills, 0u);
    EXPECT_EQ(report.clients.failed, 0u) << to_text(report);
    EXPECT_EQ(report.cold_though_warm_elsewhere, 0u) << to_text(report);
    EXPECT_EQ(report.nodes.takeovers_cold, 0u) << to_text(report);
  }
}

TEST(Simulation, StormsOverManySeeds) {
  SimulationReport sum;
  for (std::uint64_t seed = 100; seed < 140; ++seed) {
    const SimulationReport report = run(storm(seed));
    sum.kills += report.kills;
    sum.pauses += report.pauses;
    sum.partitions += report.partitions;
    sum.nodes.takeovers_warm += report.nodes.takeovers_warm;
    sum.nodes.takeovers_cold += report.nodes.takeovers_cold;
    sum.nodes.sessions_lost += report.nodes.sessions_lost;
    sum.nodes.thirds_chosen += report.nodes.thirds_chosen;
  }
  // The storm has blown: what was to be tried has happened.
  EXPECT_GT(sum.kills, 100u);
  EXPECT_GT(sum.pauses, 100u);
  EXPECT_GT(sum.partitions, 100u);
  EXPECT_GT(sum.nodes.takeovers_warm, 100u);
  EXPECT_GT(sum.nodes.takeovers_cold, 10u);
  EXPECT_GT(sum.nodes.sessions_lost, 100u);
  EXPECT_GT(sum.nodes.thirds_chosen, 100u);
}

TEST(Simulation, ZonesAndTightMemory) {
  for (std::uint64_t seed = 200; seed < 206; ++seed) {
    SimulationOptions options = storm(seed);
    options.zones = 3;
    options.clients = 60;
    options.node.capacity = 6;
    options.node.threshold = 4;
    options.node.sessions_max = 20;
    options.node.provisional_max = 3;
    options.node.notes_max = 30;
    options.node.mirror.entries_max = 6;
    options.node.mirror.reference_bytes_max = 16 << 10;
    options.node.mirror.content_bytes_max = 4096;
    options.node.mirror.batch_changes_max = 2;
    options.node.mirror.batch_bytes_max = 512;
    options.node.mirror.window_batches_max = 2;
    options.node.mirror.window_bytes_max = 1024;
    options.node.mirror.backlog_changes_max = 2;
    options.node.mirror.awaited_max = 8;
    options.exact = false;  // what has no room is dropped, and copies may differ
    run(options);
  }
}

TEST(Simulation, TwoHundredServers) {
  SimulationOptions options = storm(300);
  options.servers = 200;
  options.clients = 200;
  options.storm = 12s;
  options.served_within = 8s;
  options.faults.kills_per_minute = 60;
  const SimulationReport report = run(options);
  EXPECT_GT(report.kills, 5u);
  EXPECT_GT(report.partitions, 1u);
}

TEST(Simulation, SameSeedSameTranscript) {
  EXPECT_EQ(run(storm(7)).hash, run(storm(7)).hash);
  EXPECT_NE(run(storm(7)).hash, run(storm(8)).hash);
}

class Sabotaged : public ::testing::TestWithParam<std::pair<Sabotage, const char*>> {};

// A check that cannot fail proves nothing.
TEST_P(Sabotaged, IsCaught) {
  std::uint64_t caught = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SimulationOptions options = storm(seed);
    options.sabotage = GetParam().first;
    const SimulationReport report = Simulation(options).run();
    if (report.violations == 0) continue;
    ++caught;
    EXPECT_NE(report.texts.front().find(GetParam().second), std::string::npos)
        << report.texts.front();
  }
  EXPECT_GE(caught, 3u);
}

INSTANTIATE_TEST_SUITE_P(
    Breakages, Sabotaged,
    ::testing::Values(std::pair(Sabotage::kServesWhatItLost, "served"),
                      std::pair(Sabotage::kKeepsEpochOnTakeover, "epoch"),
                      std::pair(Sabotage::kNamesItselfTwice, "primary = alternate"),
                      std::pair(Sabotage::kReusesUnseen, "use yours"),
                      std::pair(Sabotage::kNeverHearsOfNewer, "not served by exactly one")));

}  // namespace
}  // namespace tandem::sim
