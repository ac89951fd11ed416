// Who gives how many sessions to whom, when, and when not.
#include "server/core/rebalance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "server/core/rebalance_plan.h"

namespace tandem {
namespace {

constexpr ServerId kSelf{1000};

std::vector<ServerRecord> cluster(const std::vector<std::uint32_t>& sessions,
                                  const std::vector<std::uint32_t>& capacities = {}) {
  std::vector<ServerRecord> servers(sessions.size());
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    servers[i].id = ServerId{static_cast<std::uint32_t>(1000 + i)};
    servers[i].online = true;
    servers[i].status.primaries = sessions[i];
    servers[i].status.capacity = capacities.empty() ? 1000 : capacities[i];
  }
  return servers;
}

std::uint32_t sum(const RebalancePlan& plan) {
  std::uint32_t all = 0;
  for (const auto& [server, count] : plan.gifts) all += count;
  return all;
}

TEST(RebalancePlan, GivesWhatIsOverTheMeanInProportionToWhatOthersLack) {
  const auto servers = cluster({600, 300, 0});
  const auto plan = plan_rebalance(kSelf, servers[0].status, servers, 1);
  EXPECT_DOUBLE_EQ(plan.spread, 2.0);
  EXPECT_TRUE(plan.beyond_chance);
  ASSERT_EQ(plan.gifts.size(), 1u);
  EXPECT_EQ(plan.gifts.at(ServerId{1002}), 300u);
}

TEST(RebalancePlan, CountsSessionsForEachPlaceOfCapacity) {
  const auto servers = cluster({400, 100}, {1000, 4000});
  const auto plan = plan_rebalance(kSelf, servers[0].status, servers, 1);
  EXPECT_EQ(sum(plan), 300u);
}

TEST(RebalancePlan, SeveralThatGiveAtOnceGiveTheNewcomerItsShareAndNoMore) {
  for (std::uint64_t dice = 0; dice < 20; ++dice) {
    const std::vector<std::uint32_t> had = {103, 98, 101, 110, 88, 0};
    const auto servers = cluster(had);
    std::uint32_t got = 0;
    for (std::size_t i = 0; i < had.size(); ++i) {
      const auto plan = plan_rebalance(servers[i].id, servers[i].status, servers, dice);
      if (plan.gifts.count(ServerId{1005})) got += plan.gifts.at(ServerId{1005});
      EXPECT_LE(sum(plan), had[i] - 83 + 2);
    }
    EXPECT_NEAR(got, 83, 6);
  }
}

TEST(RebalancePlan, NobodyGetsOneWhoWouldThenHaveMore) {
  const auto one_apart = cluster({10, 9, 9});
  for (std::uint64_t dice = 0; dice < 100; ++dice) {
    EXPECT_TRUE(plan_rebalance(kSelf, one_apart[0].status, one_apart, dice).gifts.empty());
  }
}

TEST(RebalancePlan, WhoDrainsOrIsOfflineGetsNothing) {
  auto servers = cluster({300, 0, 0});
  servers[1].status.draining = true;
  servers[2].online = false;
  EXPECT_TRUE(plan_rebalance(kSelf, servers[0].status, servers, 1).gifts.empty());
}

TEST(RebalancePlan, ChanceIsFourDeviations) {
  EXPECT_FALSE(plan_rebalance(kSelf, cluster({139, 100, 61})[0].status, cluster({139, 100, 61}), 1)
                   .beyond_chance);
  EXPECT_TRUE(plan_rebalance(kSelf, cluster({141, 100, 59})[0].status, cluster({141, 100, 59}), 1)
                  .beyond_chance);
}

TEST(RebalancePlan, AGiftIsTakenOnlyBelowTheMean) {
  auto servers = cluster({100, 100, 10});
  EXPECT_TRUE(takes_gift(ServerId{1002}, servers[2].status, servers));
  servers[2].status.primaries = 100;  // what it knows itself is newer than what it was told
  EXPECT_FALSE(takes_gift(ServerId{1002}, servers[2].status, servers));
  servers[2].status.primaries = 10;
  servers[2].status.draining = true;
  EXPECT_FALSE(takes_gift(ServerId{1002}, servers[2].status, servers));
  servers[2].status.draining = false;
  servers[2].status.capacity = 10;
  EXPECT_FALSE(takes_gift(ServerId{1002}, servers[2].status, servers));
}

class RebalanceTest : public ::testing::Test {
 protected:
  void see(const std::vector<ServerRecord>& servers) {
    rebalance_.on_cluster(now_, kSelf, servers[0].status, servers);
  }
  void carry_out() {
    while (!rebalance_.gifts().empty()) {
      rebalance_.on_given(now_, rebalance_.gifts().begin()->first);
      ++given_;
    }
  }
  SwapOptions options_;
  Instant now_{1h};
  Rebalance rebalance_{options_};
  int given_ = 0;
};

TEST_F(RebalanceTest, ANewcomerGetsItsShareAtOnce) {
  see(cluster({20, 20}));
  EXPECT_FALSE(rebalance_.running());
  now_ += 3s;
  see(cluster({20, 20, 0}));
  EXPECT_TRUE(rebalance_.running());
  carry_out();
  EXPECT_NEAR(given_, 7, 1);
  see(cluster({14, 13, 6}));  // status still comes in: the next look waits
  EXPECT_TRUE(rebalance_.gifts().empty());
  now_ += 3s;
  see(cluster({14, 13, 13}));
  EXPECT_FALSE(rebalance_.running());
}

TEST_F(RebalanceTest, WhatChanceDoesMovesNobody) {
  std::mt19937 dice(1);
  std::poisson_distribution<std::uint32_t> sessions(100);
  see(cluster({100, 100, 100, 100}));
  for (int look = 0; look < 1000; ++look) {
    now_ += 3s;
    see(cluster({sessions(dice), sessions(dice), sessions(dice), sessions(dice)}));
    given_ += static_cast<int>(rebalance_.gifts().size());
    carry_out();
  }
  EXPECT_EQ(given_, 0);
}

TEST_F(RebalanceTest, MoreThanChanceIsWorkedOnWhenItLasts) {
  see(cluster({100, 100}));
  now_ += 3s;
  see(cluster({200, 100}));
  EXPECT_TRUE(rebalance_.gifts().empty()) << "a single look";
  now_ += 3s;
  see(cluster({200, 100}));
  EXPECT_FALSE(rebalance_.gifts().empty());
}

TEST_F(RebalanceTest, GoesOnUntilTheSpreadIsWithinTheLimitButNotForEver) {
  see(cluster({200, 0}));
  carry_out();
  now_ += 3s;
  see(cluster({106, 94}));
  EXPECT_EQ(rebalance_.gifts().size(), 1u);
  carry_out();
  now_ += 3s;
  see(cluster({104, 96}));
  EXPECT_TRUE(rebalance_.gifts().empty());
  for (int round = 0; round < 10; ++round) {
    now_ += 3s;
    see(cluster({106, 94}));
    carry_out();
  }
  EXPECT_FALSE(rebalance_.running());
}

TEST_F(RebalanceTest, GivesNothingWhereItIsSwitchedOffOrWhileItDrains) {
  auto servers = cluster({200, 0});
  servers[0].status.draining = true;
  see(servers);
  EXPECT_TRUE(rebalance_.gifts().empty());
  options_.rebalances = false;
  now_ += 3s;
  see(cluster({200, 0}));
  now_ += 3s;
  see(cluster({200, 0}));
  EXPECT_TRUE(rebalance_.gifts().empty());
}

}  // namespace
}  // namespace tandem
