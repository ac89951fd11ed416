#include "common/base/log.h"

#include <gtest/gtest.h>

namespace tandem::log {
namespace {

TEST(LogLimiter, LetsAFewPassAndCountsTheRest) {
  Limiter limiter;
  std::uint64_t left_out = 0;
  std::uint32_t passed = 0;
  for (int i = 0; i < 100; ++i) passed += limiter.pass(left_out, 1000) ? 1 : 0;
  EXPECT_EQ(passed, Limiter::kPerPeriod);
  EXPECT_TRUE(limiter.pass(left_out, 1000 + Limiter::kPeriodSeconds));
  EXPECT_EQ(left_out, 100 - Limiter::kPerPeriod);
  EXPECT_TRUE(limiter.pass(left_out, 1000 + Limiter::kPeriodSeconds));
  EXPECT_EQ(left_out, 0u);
}

TEST(LogLevel, Names) {
  EXPECT_EQ(parse_level("warn"), Level::kWarn);
  EXPECT_EQ(parse_level("loud"), std::nullopt);
}

}  // namespace
}  // namespace tandem::log
