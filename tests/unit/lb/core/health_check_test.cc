#include "lb/core/health_check.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem {
namespace {

constexpr Instant at(Duration since) { return Instant{} + since; }

// One character a check: '+' healthy, '-' not; answers the state after each, 'U' or 'd'.
std::string states(HealthCheck& check, const std::string& results) {
  std::string states;
  for (char result : results) {
    const Instant now = check.next_check();
    check.on_started(now);
    check.on_result(now, result == '+');
    states += check.online() ? 'U' : 'd';
  }
  return states;
}

TEST(HealthCheck, FallFailuresInARowTakeItOfflineRiseSuccessesBringItBack) {
  HealthCheck check({1s, 2, 3}, at(0s));
  EXPECT_EQ(states(check, "+--+---+-++"), "UUUUUUddddU");
}

TEST(HealthCheck, AServerNeverSeenHealthyHasNoGrace) {
  HealthCheck check({1s, 2, 3}, at(0s));
  EXPECT_TRUE(check.online());
  EXPECT_EQ(states(check, "-++---"), "ddUUUd");
}

TEST(HealthCheck, ChecksStartAtOnceAndThenEveryInterval) {
  HealthCheck check({5s, 2, 3}, at(7s));
  EXPECT_EQ(check.next_check(), at(7s));
  check.on_started(at(7s));
  EXPECT_EQ(check.next_check(), kNever);
  check.on_result(at(8s), true);
  EXPECT_EQ(check.next_check(), at(13s));
}

TEST(HealthCheck, AReportedFailureChecksAtOnceButNotWithoutEnd) {
  HealthCheck check({5s, 2, 3}, at(0s));
  states(check, "+");
  check.on_reported(at(1s));
  EXPECT_EQ(check.next_check(), at(1s));
  check.on_started(at(1s));
  check.on_result(at(1s), true);
  check.on_reported(at(1s));
  EXPECT_EQ(check.next_check(), at(1s) + HealthCheck::kReportGap);
}

TEST(HealthCheck, AShorterIntervalIsInForceAtOnce) {
  HealthCheck check({60s, 2, 3}, at(0s));
  states(check, "+");
  check.set_options({1s, 2, 3}, at(10s));
  EXPECT_EQ(check.next_check(), at(11s));
}

}  // namespace
}  // namespace tandem
