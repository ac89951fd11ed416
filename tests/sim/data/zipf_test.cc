#include "tests/sim/data/zipf.h"

#include <gtest/gtest.h>

namespace tandem::sim {
namespace {

// As `tandem-sim-data zipf`, a tenth of it.
ZipfOptions small() {
  ZipfOptions made;
  made.items = 3'000;
  made.per_second = 1'000;
  made.sessions = 800;
  made.warm = 200s;
  return made;
}

TEST(ZipfSim, ADeathAndAReturnCostFewQueriesWhileMirrorsHoldTheContents) {
  const ZipfReport report = run_zipf(small());
  EXPECT_NEAR(report.mirrors.hit_rate, 0.95, 0.01);
  EXPECT_NEAR(report.rehashing.hit_rate, 0.95, 0.01);
  EXPECT_LE(report.mirrors.after_death, 1.2);
  EXPECT_LE(report.mirrors.after_return, 1.2);
  // What it is measured by has to show something.
  EXPECT_GT(report.rehashing.after_death, 2 * report.mirrors.after_death);
  EXPECT_GT(report.used, 1'000U);
}

TEST(ZipfSim, WithoutThemTheyCostMore) {
  ZipfOptions without = small();
  without.noted = false;
  const ZipfReport report = run_zipf(without);
  EXPECT_GT(report.mirrors.worst(), 1.2);
  EXPECT_EQ(report.used, 0U);
}

}  // namespace
}  // namespace tandem::sim
