#include "lb/core/report_limit.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

int taken(ReportLimit& limit, Instant now) {
  int count = 0;
  while (count < 1000 && limit.take(now)) ++count;
  return count;
}

TEST(ReportLimit, TakesABurstAndThenOneAGap) {
  ReportLimit limit;
  Instant now = Instant{} + 1h;
  EXPECT_EQ(taken(limit, now), ReportLimit::kBurst);
  EXPECT_EQ(taken(limit, now + ReportLimit::kGap - 1ns), 0);
  now += ReportLimit::kGap;
  EXPECT_EQ(taken(limit, now), 1);
  now += ReportLimit::kGap * 3;
  EXPECT_EQ(taken(limit, now), 3);
  EXPECT_EQ(taken(limit, now + 1h), ReportLimit::kBurst);
}

}  // namespace
}  // namespace tandem
