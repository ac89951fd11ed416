// What one server or a run of neighbours suffers: who is marked offline, and how often.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sim/membership/cases.h"

namespace tandem::sim {
namespace {

using Complaints = std::vector<std::string>;

TEST(Neighbours, AnyNumberThatDieAtOnceLeaveInTwoTransactions) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    EXPECT_EQ(all_neighbours_die(12, 10'000 * seed), Complaints{});
  }
}

TEST(Neighbours, ALongRunOfALargeRingLeavesInTwoTransactions) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) EXPECT_EQ(many_neighbours_die(seed), "");
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

class Ill : public ::testing::TestWithParam<Illness> {};

TEST_P(Ill, IsRemovedOnceAndNobodyElseIs) {
  for (const std::uint32_t servers : {3U, 4U, 9U}) {
    EXPECT_EQ(one_is_ill(GetParam(), servers, 0, servers), "");
  }
}

TEST_P(Ill, MayReturnAsOftenAsTheOptionsLetIt) { EXPECT_EQ(one_is_ill(GetParam(), 5, 1, 1), ""); }

INSTANTIATE_TEST_SUITE_P(Illnesses, Ill, ::testing::ValuesIn(kIllnesses));

}  // namespace
}  // namespace tandem::sim
