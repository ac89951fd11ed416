// The goals of assignment while status is old and several balancers assign: 20 servers of
// capacities 1:1:2:4, 400 arrivals between two status, 4000 sessions (herds.h has the model).
#include "tests/sim/herds/herds.h"

#include <gtest/gtest.h>

namespace tandem::sim {
namespace {

HerdOptions model(std::uint32_t balancers) {
  HerdOptions options;
  options.balancers = balancers;
  options.warm_up = 20;
  options.intervals = 80;
  return options;
}

class Herds : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Herds, StayEven) {
  const HerdReport report = run_herd(model(GetParam()));
  EXPECT_LE(report.mean_peak, GetParam() <= 4 ? 1.10 : 1.20);
  EXPECT_GE(report.mean_peak, 1.0);
  EXPECT_NEAR(report.mean_sessions, 4000, 200);
  EXPECT_NEAR(static_cast<double>(report.arrivals), 400 * 100, 1000);
  EXPECT_EQ(report.refused, 0U);
}

INSTANTIATE_TEST_SUITE_P(Balancers, Herds, ::testing::Values(1, 2, 4, 8));

// Four workers in each of eight balancers, every status of its own age up to an interval, sessions
// that are counted late, balancers that get unequally much, and bots.
TEST(HerdsAtTheirWorst, StayWithinTheGoalOfEightBalancers) {
  HerdOptions options = model(8);
  options.workers = 4;
  options.own_phases = true;
  options.lag = 1;
  options.confirm = 0.5;
  options.skew = 1;
  options.bots = 0.1;
  EXPECT_LE(run_herd(options).mean_peak, 1.20);
}

// The goal can be missed: what it guards against misses it.
TEST(HerdsOfOthers, MissTheGoal) {
  HerdOptions options = model(4);
  options.intervals = 40;
  options.policy = HerdPolicy::kRoundRobin;
  EXPECT_GT(run_herd(options).mean_peak, 1.5);
  options.policy = HerdPolicy::kLeastByStatus;
  EXPECT_GT(run_herd(options).mean_peak, 2.0);
}

TEST(HerdReports, TheSameSeedGivesTheSameReport) {
  HerdOptions options = model(2);
  options.intervals = 5;
  const HerdReport a = run_herd(options), b = run_herd(options);
  EXPECT_EQ(a.mean_peak, b.mean_peak);
  EXPECT_EQ(a.arrivals, b.arrivals);
  options.seed = 2;
  EXPECT_NE(run_herd(options).mean_peak, a.mean_peak);
}

}  // namespace
}  // namespace tandem::sim
