#include "lb/core/token_counter.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

const ServerId kA{1};
const ServerId kB{2};
constexpr UnixSeconds kTtl = 600;
constexpr UnixSeconds kBegan = 1'000'020;

using Sums = std::vector<TokenCounter::Sessions>;

TEST(TokenCounter, CountsWhatWasIssuedWithinTheTtl) {
  TokenCounter counter(kTtl, kBegan);
  EXPECT_TRUE(counter.sums(kBegan).empty());
  counter.issued(kA, kB, kBegan);
  counter.issued(kA, kB, kBegan + 300);
  counter.issued(kB, ServerId{}, kBegan + 300);
  EXPECT_EQ(counter.sums(kBegan + 300), (Sums{{kA, 2, 0}, {kB, 1, 2}}));
  EXPECT_EQ(counter.sums(kBegan + 300 + kTtl), (Sums{{kA, 1, 0}, {kB, 1, 1}}));
  EXPECT_TRUE(counter.sums(kBegan + 420 + kTtl).empty());
}

TEST(TokenCounter, ARenewalCountsOnce) {
  TokenCounter counter(kTtl, kBegan);
  counter.issued(kA, kB, kBegan);
  counter.issued(kA, kB, kBegan + 300);
  counter.replaced(kA, kB, kBegan, kBegan + 300);
  EXPECT_EQ(counter.sums(kBegan + 300), (Sums{{kA, 1, 0}, {kB, 0, 1}}));
  EXPECT_EQ(counter.sums(kBegan + 300 + kTtl), (Sums{{kA, 1, 0}, {kB, 0, 1}}));
}

TEST(TokenCounter, ATakeoverMovesTheSession) {
  TokenCounter counter(kTtl, kBegan);
  counter.issued(kA, kB, kBegan);
  counter.issued(kB, kA, kBegan + 60);
  counter.replaced(kA, kB, kBegan, kBegan + 60);
  EXPECT_EQ(counter.sums(kBegan + 60), (Sums{{kA, 0, 1}, {kB, 1, 0}}));
}

TEST(TokenCounter, WhatWasIssuedBeforeTheStartIsNotTakenOff) {
  TokenCounter counter(kTtl, kBegan);
  counter.issued(kA, kB, kBegan + 10);
  counter.replaced(kA, kB, kBegan - 10, kBegan + 10);
  EXPECT_EQ(counter.sums(kBegan + 10), (Sums{{kA, 1, 0}, {kB, 0, 1}}));
}

// Two workers: one issues, the other renews. Each alone is off, together they are right.
TEST(TokenCounter, TheSumOverWorkersIsRight) {
  TokenCounter one(kTtl, kBegan), two(kTtl, kBegan);
  one.issued(kA, kB, kBegan);
  two.issued(kA, kB, kBegan + 300);
  two.replaced(kA, kB, kBegan, kBegan + 300);
  EXPECT_EQ(one.sums(kBegan + 300), (Sums{{kA, 1, 0}, {kB, 0, 1}}));
  EXPECT_TRUE(two.sums(kBegan + 300).empty());
  EXPECT_TRUE(one.sums(kBegan + 120 + kTtl).empty());
  EXPECT_EQ(two.sums(kBegan + 120 + kTtl), (Sums{{kA, 1, 0}, {kB, 0, 1}}));
}

}  // namespace
}  // namespace tandem
