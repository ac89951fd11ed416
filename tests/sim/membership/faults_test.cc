// What one server or a run of neighbours suffers: who is marked offline, and how often.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/membership/cases.h"

namespace tandem::sim {
namespace {

using Complaints = std::vector<std::string>;

TEST(Neighbours, AnyNumberThatDieAtOnceLeaveInTwoTransactions) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(all_neighbours_die(12, 10'000 * seed), Complaints{});
  }
}

TEST(Neighbours, ALongRunOfALargeRingLeavesInTwoTransactions) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) EXPECT_EQ(many_neighbours_die(seed), "");
}

// One who is asked for its word on a thousand at once has a word on each.
TEST(Neighbours, ASoleSurvivorOfALargeRingIsLeftInTwoTransactions) {
  EXPECT_EQ(neighbours_die(1000, 999, 1), "");
}

TEST(Anybody, WhoeverDieAtOnceLeaveAWholeRing) {
  for (std::uint32_t n = 2; n <= 12; ++n) {
    for (std::uint32_t dead = 1; dead < n; ++dead) EXPECT_EQ(any_die(n, dead, n * dead), "");
  }
}

// --- one server that is ill ---------------------------------------------------------------------

constexpr std::uint32_t kIll = 3;

struct Case {
  std::uint32_t servers;
  std::uint32_t returns_free;
  std::uint64_t seed;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::uint32_t servers : {4U, 9U}) {
    for (const std::uint32_t returns_free : {0U, 1U}) {
      for (std::uint64_t seed = 1; seed <= 2; ++seed) all.push_back({servers, returns_free, seed});
    }
  }
  return all;
}

RingCluster cluster_of(const Case& one) {
  RingCluster::Options options = ring_of(one.servers, one.seed);
  options.master.returns_free = one.returns_free;
  return RingCluster(options);
}

// Whoever else is there is never marked offline.
template <class Suffer, class Check>
void for_all_cases(Suffer suffer, Check check) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(std::to_string(one.servers) + " servers, " + std::to_string(one.returns_free) +
                 " free, seed " + std::to_string(one.seed));
    RingCluster cluster = cluster_of(one);
    cluster.run(5 + cluster.dice().unit());
    suffer(cluster);
    for (std::uint32_t i = 0; i < one.servers; ++i) {
      if (i != kIll) {
        EXPECT_EQ(cluster.offlines(i), 0U) << i;
      }
    }
    check(cluster, one);
  }
}

// It misses both buddies, so it doubts itself and accuses nobody. They get no answers from it.
TEST(Ill, WhoHearsNothingIsRemovedOnce) {
  for_all_cases(
      [](RingCluster& cluster) {
        cluster.lose(kIll, {.in = 1});
        cluster.run(1800);
      },
      [](RingCluster& cluster, const Case&) {
        EXPECT_EQ(cluster.offlines(kIll), 1U);
        EXPECT_FALSE(cluster.online(kIll));
      });
}

TEST(Ill, WhoIsHeardByNobodyIsRemovedOnce) {
  for_all_cases(
      [](RingCluster& cluster) {
        cluster.lose(kIll, {.out = 1});
        cluster.run(1800);
      },
      [](RingCluster& cluster, const Case&) {
        EXPECT_EQ(cluster.offlines(kIll), 1U);
        EXPECT_FALSE(cluster.online(kIll));
      });
}

// What gets through of its words is late, but heard again and again: it is for the probes, which
// fail, to keep it out. In half an hour it returns as often as the options let it, and no more.
TEST(Ill, WhoLosesFourFifthsIsHeldBack) {
  for_all_cases(
      [](RingCluster& cluster) {
        cluster.lose(kIll, {.in = 0.8, .out = 0.8});
        cluster.run(1800);
      },
      [](RingCluster& cluster, const Case& one) {
        EXPECT_EQ(cluster.offlines(kIll), 1U + one.returns_free);
        EXPECT_FALSE(cluster.online(kIll));
        EXPECT_GT(cluster.master_counts().held_back, 0U);
        cluster.lose(kIll, {});
        cluster.run(1200);
        EXPECT_TRUE(cluster.online(kIll)) << "it is well again";
      });
}

// It is reported all the time, in error: it serves whoever comes from the balancer, as the master
// does, and its sessions are better off there.
TEST(Ill, WhoLosesFourFifthsButNotToTheMasterStays) {
  for_all_cases(
      [](RingCluster& cluster) {
        cluster.lose(kIll, {.in = 0.8, .out = 0.8, .of_master = false});
        cluster.run(1800);
      },
      [](RingCluster& cluster, const Case&) {
        EXPECT_EQ(cluster.offlines(kIll), 0U);
        EXPECT_GT(cluster.master_counts().false_suspicions, 10U);
      });
}

// For half an hour, three times as long as returns are kept in mind: it stays out all the time.
// It may return as often as the options let it, so it is removed once more than that.
TEST(Ill, WhoFlipFlopsIsHeldBack) {
  for (const bool frozen : {true, false}) {
    for_all_cases(
        [&](RingCluster& cluster) {
          for (int i = 0; i < 90; ++i) {
            if (frozen) {
              i % 2 == 0 ? cluster.freeze(kIll) : cluster.thaw(kIll);
            } else {
              const double loss = i % 2 == 0 ? 1 : 0;
              cluster.lose(kIll, {.in = loss, .out = loss});
            }
            cluster.run(20);
          }
        },
        [](RingCluster& cluster, const Case& one) {
          EXPECT_EQ(cluster.offlines(kIll), 1U + one.returns_free);
          EXPECT_FALSE(cluster.online(kIll));
          cluster.run(1200);
          EXPECT_TRUE(cluster.online(kIll)) << "it is well again";
        });
  }
}

}  // namespace
}  // namespace tandem::sim
