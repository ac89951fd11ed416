// What one server suffers, or many at once: who is marked offline, and how often.
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

TEST(Anybody, WhoeverDieAtOnceLeaveInTwoTransactions) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    EXPECT_EQ(any_of_few_die(12, 10'000 * seed), Complaints{});
  }
}

TEST(Anybody, WhoeverOfManyDieAtOnceLeaveInTwoTransactions) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) EXPECT_EQ(any_of_many_die(seed), "");
  for (const std::uint32_t dead : {2U, 5U, 20U, 50U, 80U, 99U}) {
    EXPECT_EQ(any_die(100, dead, dead), "");
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
