#include "server/core/watch_times.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(WatchTimes, AreFractionsOfThePeriodAndHaveALeast) {
  struct {
    Duration period, miss_after, probe_gap;
  } const table[] = {
      {1s, 62500us, 31250us}, {10s, 625ms, 312500us}, {320ms, 20ms, 10ms}, {50ms, 10ms, 5ms}};
  for (const auto& row : table) {
    const WatchTimes times = WatchTimes::of(row.period);
    EXPECT_EQ(times.miss_after, row.miss_after);
    EXPECT_EQ(times.probe_gap, row.probe_gap);
    EXPECT_EQ(times.late_max, times.miss_after);
    EXPECT_EQ(times.to_suspicion(), row.miss_after + 3 * row.probe_gap);
  }
}

// A period of 1000 ms; the nominal instant is 5000 ms.
TEST(NextExchange, MovesAQuarterOfTheWayToHalfAPeriodFromTheOtherLink) {
  struct {
    int other, expected;
  } const table[] = {
      {4500, 5000},  // as it should be
      {5500, 5000},  // the same, of an exchange to come
      {500, 5000},   // the same, long past
      {4600, 5025},  // 100 too early: a quarter of that later
      {4400, 4975},  // and too late
      {5600, 5025}, {4300, 4950}, {4740, 5060}, {4260, 4940}, {4760, 5060},  // and less again
      {4240, 4940}, {4000, 5000},  // together: either side would do
      {4020, 4995},                // the shorter way
      {9980, 5005},
  };
  for (const auto& row : table) {
    const Instant zero{};
    EXPECT_EQ(std::chrono::round<std::chrono::milliseconds>(
                  next_exchange(zero + 5s, zero + row.other * 1ms, 1s) - zero)
                  .count(),
              row.expected)
        << row.other;
  }
}

}  // namespace
}  // namespace tandem
