#include "client/core/attempt_watch.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using Action = AttemptWatch::Action;

const Instant kStart{100s};

TEST(AttemptWatch, AServerThatSaysNothingIsAskedAfterHalfAndLeftAfterTheWhole) {
  AttemptWatch watch(2s);
  watch.begin(kStart, true);
  EXPECT_EQ(watch.next_deadline(), kStart + 1s);
  EXPECT_EQ(watch.on_deadline(kStart + 1s, {}), Action::kLook);
  EXPECT_EQ(watch.look_patience(), 1s);
  EXPECT_TRUE(watch.looking());
  EXPECT_EQ(watch.next_deadline(), kNever);
  EXPECT_EQ(watch.on_look(false, kStart + 2s, {}), Action::kLeave);
  EXPECT_EQ(watch.next_deadline(), kNever) << "it is over";
}

TEST(AttemptWatch, WhatOnlyTakesLongIsWaitedForHoweverLong) {
  AttemptWatch watch(2s);
  watch.begin(kStart, true);
  Instant now = kStart;
  for (int i = 0; i < 100; ++i) {
    now += 1s;
    ASSERT_EQ(watch.on_deadline(now, {}), Action::kLook);
    now += 10ms;
    ASSERT_EQ(watch.on_look(true, now, {}), Action::kNone);
    ASSERT_EQ(watch.next_deadline(), now + 1s);
  }
}

TEST(AttemptWatch, EachByteIsASignOfLife) {
  AttemptWatch watch(2s);
  watch.begin(kStart, true);
  EXPECT_EQ(watch.on_deadline(kStart + 1s, kStart + 900ms), Action::kNone);
  EXPECT_EQ(watch.next_deadline(), kStart + 1900ms);
  EXPECT_EQ(watch.on_deadline(kStart + 1900ms, kStart + 900ms), Action::kLook);
  // The look was lost, but what was waited for has begun to come.
  EXPECT_EQ(watch.on_look(false, kStart + 2s, kStart + 1950ms), Action::kNone);
  EXPECT_EQ(watch.next_deadline(), kStart + 2950ms);
}

TEST(AttemptWatch, WhatCannotBeSentAgainIsWaitedFor) {
  AttemptWatch watch(2s);
  watch.begin(kStart, false);
  EXPECT_EQ(watch.next_deadline(), kNever);
  EXPECT_EQ(watch.on_look(false, kStart + 9s, {}), Action::kNone) << "nobody asked";
  AttemptWatch never(Duration{0});
  never.begin(kStart, true);
  EXPECT_EQ(never.next_deadline(), kNever);
}

TEST(AttemptWatch, AWakeUpTooEarlyDoesNothing) {
  AttemptWatch watch(2s);
  watch.begin(kStart, true);
  EXPECT_EQ(watch.on_deadline(kStart + 999ms, {}), Action::kNone);
  EXPECT_EQ(watch.next_deadline(), kStart + 1s);
}

TEST(AttemptWatch, TheLookOfAnEarlierAttemptSaysNothing) {
  AttemptWatch watch(2s);
  watch.begin(kStart, true);
  EXPECT_EQ(watch.on_deadline(kStart + 1s, {}), Action::kLook);
  watch.begin(kStart + 1500ms, true);
  EXPECT_EQ(watch.on_look(false, kStart + 2s, {}), Action::kNone);
  EXPECT_EQ(watch.next_deadline(), kStart + 2500ms);
}

}  // namespace
}  // namespace tandem
