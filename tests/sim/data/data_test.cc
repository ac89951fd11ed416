#include <gtest/gtest.h>

#include "tests/sim/data/data_world.h"

namespace tandem::sim {
namespace {

DataOptions options(std::uint64_t seed, std::uint64_t operations) {
  DataOptions made;
  made.seed = seed;
  made.operations = operations;
  return made;
}

TEST(DataSim, NoReadIsStaleNoWriteLostAndNobodyWritesAfterHisStandIn) {
  DataReport all;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const DataReport report = run_data(options(seed, 60'000));
    EXPECT_EQ(report.anomalies(), 0U) << "seed " << seed << ", " << report.first;
    all.lease_hits += report.lease_hits;
    all.hits += report.hits;
    all.reads += report.reads;
    all.writes += report.writes;
    all.fenced += report.fenced;
    all.resent += report.resent;
    all.deaths += report.deaths;
    all.slow_writes += report.slow_writes;
  }
  // A zero that nothing could have raised proves nothing.
  EXPECT_GT(all.hits, all.reads / 4);
  EXPECT_GT(all.lease_hits, all.reads / 10);
  EXPECT_GT(all.writes, 5'000U);
  EXPECT_GT(all.fenced, 10U);
  EXPECT_GT(all.resent, 10U);
  EXPECT_GT(all.deaths, 10U);
  EXPECT_GT(all.slow_writes, 10U);
}

TEST(DataSim, TheSameSeedIsTheSameRun) {
  EXPECT_EQ(run_data(options(7, 5'000)).digest, run_data(options(7, 5'000)).digest);
  EXPECT_NE(run_data(options(7, 5'000)).digest, run_data(options(8, 5'000)).digest);
}

TEST(DataSim, WithoutTheFenceOldOwnersWrite) {
  DataOptions without = options(1, 400'000);
  without.fence = false;
  without.stop_at_anomaly = true;
  const DataReport report = run_data(without);
  EXPECT_GT(report.dual_owners + report.lost_writes, 0U);
}

TEST(DataSim, WithoutLeasesReadsAreStale) {
  DataOptions without = options(1, 400'000);
  without.leases = false;
  without.stop_at_anomaly = true;
  const DataReport report = run_data(without);
  EXPECT_GT(report.stale_reads, 0U) << report.first;
}

}  // namespace
}  // namespace tandem::sim
