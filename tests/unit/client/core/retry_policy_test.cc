#include "client/core/retry_policy.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

const Instant kStart{100s};
const Instant kDeadline = kStart + 30s;

std::optional<Duration> wait(const RetryPolicy::Failed& failed) {
  const auto next = RetryPolicy{}.next_attempt(failed, kStart, kDeadline);
  if (!next) return std::nullopt;
  return *next - kStart;
}

TEST(RetryPolicy, ANonIdempotentRequestIsNeverRepeatedOnceAByteWasSent) {
  EXPECT_TRUE(wait({.idempotent = false, .bytes_sent = false}));
  EXPECT_FALSE(wait({.idempotent = false, .bytes_sent = true}));
  EXPECT_FALSE(wait({.idempotent = false, .bytes_sent = true, .retry_after = 1s}));
  EXPECT_TRUE(wait({.idempotent = true, .bytes_sent = true}));
}

TEST(RetryPolicy, WaitsLongerEachTimeAndThenGivesUp) {
  EXPECT_EQ(wait({.attempts = 1, .idempotent = true}), 50ms);
  EXPECT_EQ(wait({.attempts = 2, .idempotent = true}), 100ms);
  EXPECT_EQ(wait({.attempts = 3, .idempotent = true}), 200ms);
  EXPECT_EQ(wait({.attempts = 4, .idempotent = true}), std::nullopt);
  RetryPolicy patient{.attempts_max = 100};
  EXPECT_EQ(patient.next_attempt({.attempts = 99, .idempotent = true}, kStart, kDeadline),
            kStart + patient.backoff_max);
}

TEST(RetryPolicy, RetryAfterIsObeyedWithinBounds) {
  EXPECT_EQ(wait({.idempotent = true, .retry_after = 2s}), 2s);
  EXPECT_EQ(wait({.idempotent = true, .retry_after = 0s}), 50ms);
  EXPECT_EQ(wait({.idempotent = true, .retry_after = 11s}), std::nullopt);
}

TEST(RetryPolicy, NothingBeginsAfterTheDeadline) {
  const RetryPolicy policy;
  EXPECT_FALSE(policy.next_attempt({.idempotent = true}, kStart, kStart + 50ms));
  EXPECT_TRUE(policy.next_attempt({.idempotent = true}, kStart, kStart + 51ms));
}

}  // namespace
}  // namespace tandem
