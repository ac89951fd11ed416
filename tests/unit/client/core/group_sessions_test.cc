#include "client/core/group_sessions.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(GroupSessions, HasATokenForEachGroup) {
  GroupSessions sessions;
  EXPECT_EQ(sessions.tokens(), "");
  sessions.take_token("", "T0");
  EXPECT_EQ(sessions.tokens(), "T0");
  sessions.take_token("api", "T1");
  EXPECT_EQ(sessions.tokens(), "T0, T1;group=api");
  EXPECT_EQ(sessions.token(""), "T0");
  EXPECT_EQ(sessions.token("api"), "T1");
  EXPECT_EQ(sessions.token("other"), "");
  EXPECT_EQ(sessions.find("other"), nullptr);
}

TEST(GroupSessions, KnowsWhoHasAnsweredLast) {
  GroupSessions sessions;
  EXPECT_EQ(sessions.latest(), "");
  sessions.answered("api");
  EXPECT_EQ(sessions.latest(), "api");
  sessions.take_token("shop", "T");
  EXPECT_EQ(sessions.latest(), "api");
  EXPECT_EQ(sessions.answered("").group, "");
  EXPECT_EQ(sessions.latest(), "");
}

TEST(GroupSessions, OfTooManyTheOneThatHasNotAnsweredForTheLongestTimeIsForgotten) {
  GroupSessions sessions;
  for (std::size_t i = 0; i < GroupSessions::kMax; ++i) {
    const std::string group = "g" + std::to_string(i);
    sessions.answered(group);
    sessions.take_token(group, "T" + std::to_string(i));
  }
  sessions.answered("g0");
  sessions.answered("more");
  EXPECT_EQ(sessions.all().size(), GroupSessions::kMax);
  EXPECT_EQ(sessions.token("g0"), "T0");
  EXPECT_EQ(sessions.token("g1"), "");
  EXPECT_EQ(sessions.token("g2"), "T2");
}

TEST(GroupSessions, ALostTokenIsTheOneThatThereWas) {
  GroupSessions sessions;
  sessions.take_token("api", "T1");
  const auto then = sessions.mark();
  sessions.take_token("", "T0");
  sessions.lose_token("api", then);
  EXPECT_EQ(sessions.token("api"), "");
  EXPECT_EQ(sessions.token(""), "T0") << "that of another group stays";
  sessions.take_token("api", "T2");
  sessions.lose_token("api", then);
  EXPECT_EQ(sessions.token("api"), "T2") << "it has begun since";
}

TEST(GroupSessions, EveryChangeOfATokenMovesTheMark) {
  GroupSessions sessions;
  const auto begin = sessions.mark();
  sessions.take_token("", "T");
  const auto taken = sessions.mark();
  EXPECT_NE(taken, begin);
  sessions.take_token("", "T");
  EXPECT_EQ(sessions.mark(), taken) << "the same one again";
  sessions.lose_token("", taken);
  EXPECT_NE(sessions.mark(), taken);
}

TEST(GroupSessions, EachIsValidatedByItself) {
  GroupSessions sessions;
  sessions.answered("early");
  sessions.set_validation(ValidationPolicy(60s));
  const Instant now{100s};
  for (const char* group : {"early", "late"}) {
    sessions.take_token(group, "T");
    sessions.answered(group).validation.heard("a", now);
  }
  sessions.answered("late").validation.heard("b", now);
  EXPECT_TRUE(sessions.find("late")->validation.due(now, "T"));
  EXPECT_FALSE(sessions.find("early")->validation.due(now, "T"));
  EXPECT_TRUE(sessions.find("early")->validation.due(now + 60s, "T"));
  sessions.absent(1h);
  EXPECT_TRUE(sessions.find("early")->validation.due(now, "T"));
}

TEST(GroupSessions, WhatIsNoNameNamesNobody) {
  EXPECT_EQ(GroupSessions::name_in(""), "");
  EXPECT_EQ(GroupSessions::name_in("api-1"), "api-1");
  EXPECT_EQ(GroupSessions::name_in("a b"), std::nullopt);
  EXPECT_EQ(GroupSessions::name_in("a;b"), std::nullopt);
  EXPECT_EQ(GroupSessions::name_in(std::string(GroupSessions::kNameBytesMax + 1, 'a')),
            std::nullopt);
}

}  // namespace
}  // namespace tandem
