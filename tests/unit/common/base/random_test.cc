#include "common/base/random.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Random, SameSeedSameDice) {
  Random a(7), b(7), c(8);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
}

TEST(Random, BelowStaysBelowAndReachesEverything) {
  Random dice(1);
  bool seen[6] = {};
  for (int i = 0; i < 1000; ++i) {
    const auto n = dice.below(6);
    ASSERT_LT(n, 6u);
    seen[n] = true;
  }
  for (bool s : seen) EXPECT_TRUE(s);
}

TEST(Random, ForksDiffer) {
  Random dice(1);
  Random a = dice.fork(1), b = dice.fork(2);
  EXPECT_NE(a.next(), b.next());
}

}  // namespace
}  // namespace tandem
