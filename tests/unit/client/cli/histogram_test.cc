#include "client/cli/histogram.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(LatencyHistogram, EveryPercentileIsKnownToAboutOnePartInSixty) {
  LatencyHistogram latencies;
  for (int i = 1; i <= 100'000; ++i) latencies.add(i * 10us);  // up to 1 s
  EXPECT_EQ(latencies.count(), 100'000u);
  EXPECT_EQ(latencies.least(), 10us);
  EXPECT_EQ(latencies.most(), 1s);
  for (const double percent : {0.1, 1.0, 50.0, 90.0, 99.0, 99.9}) {
    const double exact = percent / 100;
    const double got = std::chrono::duration<double>(latencies.percentile(percent)).count();
    EXPECT_GE(got, exact) << percent;
    EXPECT_LE(got, exact * 65 / 64 + 2e-6) << percent;
  }
  EXPECT_EQ(latencies.percentile(100), 1s);
  EXPECT_NEAR(std::chrono::duration<double>(latencies.mean()).count(), 0.500005, 1e-6);
}

TEST(LatencyHistogram, ShortOnesAreExact) {
  LatencyHistogram latencies;
  for (int i = 0; i < 100; ++i) latencies.add(i * 1us);
  EXPECT_EQ(latencies.percentile(50), 50us);
  EXPECT_EQ(latencies.percentile(100), 99us);
}

TEST(LatencyHistogram, WhatIsOutOfRangeCountsAsItsEnd) {
  LatencyHistogram latencies;
  latencies.add(-1s);
  latencies.add(50h);
  EXPECT_EQ(latencies.least(), 0s);
  EXPECT_EQ(latencies.percentile(100), LatencyHistogram::kLongest);
}

TEST(LatencyHistogram, OfNothingAllIsNothing) {
  const LatencyHistogram latencies;
  EXPECT_EQ(latencies.percentile(99), 0s);
  EXPECT_EQ(latencies.mean(), 0s);
  EXPECT_EQ(latencies.least(), 0s);
}

}  // namespace
}  // namespace tandem
