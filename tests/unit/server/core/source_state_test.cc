#include "server/core/source_state.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using Change = SourceState::Change;

TEST(SourceState, SeveralFailuresInARowAreDown) {
  SourceState state({.failures_max = 3, .retry = 1s});
  Instant now = Instant{} + 100s;
  EXPECT_EQ(state.on_failure(now), Change::kNone);
  EXPECT_EQ(state.on_failure(now), Change::kNone);
  EXPECT_EQ(state.on_answer(), Change::kNone);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(state.on_failure(now), Change::kNone) << "not in a row";
  EXPECT_TRUE(state.may_ask(now));
  EXPECT_EQ(state.on_failure(now), Change::kDown);
  EXPECT_EQ(state.on_failure(now), Change::kNone) << "told once";
  EXPECT_TRUE(state.down());
  EXPECT_EQ(state.down_since(), now);
}

TEST(SourceState, WhileItIsDownOneAsksNowAndThen) {
  SourceState state({.failures_max = 1, .retry = 1s});
  Instant now = Instant{} + 100s;
  state.on_failure(now);
  EXPECT_FALSE(state.may_ask(now + 999ms));
  now += 1s;
  EXPECT_TRUE(state.may_ask(now));
  EXPECT_FALSE(state.may_ask(now)) << "one";
  state.on_failure(now);
  now += 1s;
  EXPECT_TRUE(state.may_ask(now));
  EXPECT_EQ(state.on_answer(), Change::kUp);
  EXPECT_TRUE(state.may_ask(now));
  EXPECT_TRUE(state.may_ask(now));
}

}  // namespace
}  // namespace tandem
