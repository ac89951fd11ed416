#include "lb/core/n_plus_one_watch.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

class NPlusOneWatchTest : public ::testing::Test {
 protected:
  NPlusOneWatchTest() {
    for (const char* name : {"a", "b", "c"}) {
      ServerRecord record;
      record.id = ServerId::of(name);
      record.name = name;
      record.online = true;
      record.status = {1, 0, 100, 80, 0, false};
      view_.servers.push_back(record);
    }
  }
  // So many sessions on a, so many of them with their copy on b.
  std::string at(Duration when, std::uint32_t sessions, std::uint32_t on_b) {
    view_.servers[0].status.primaries = sessions;
    watch_.on_backing(ServerId::of("a"), {{{ServerId::of("b"), on_b}}});
    std::string text;
    for (const std::string& line : watch_.judge(Instant{1h} + when, view_)) text += line;
    return text;
  }
  View view_;
  NPlusOneWatch watch_;
};

constexpr const char* kSafe = "N+1: the death of any single server leaves all others room";

TEST_F(NPlusOneWatchTest, AChangeIsToldOfOnce) {
  view_.servers[1].status.primaries = 10;
  EXPECT_EQ(at(0s, 95, 45), "");
  EXPECT_EQ(at(1s, 95, 95),
            "N+1: if a died, 5 sessions would be over capacity; worst b: 105 sessions, capacity "
            "100 (1 of 3 deaths are not safe)");
  EXPECT_EQ(at(2s, 96, 96), "");
  EXPECT_EQ(at(20s, 95, 45), kSafe);
  EXPECT_EQ(at(40s, 95, 46), "");
}

TEST_F(NPlusOneWatchTest, NotMoreThanOneLineInTenSeconds) {
  EXPECT_NE(at(0s, 101, 101), "");
  EXPECT_EQ(at(1s, 50, 50), "");
  EXPECT_EQ(at(9s, 101, 101), "");
  EXPECT_TRUE(at(10s, 101, 101).empty());
  EXPECT_EQ(at(11s, 50, 50), kSafe);
}

TEST_F(NPlusOneWatchTest, EachGroupIsJudgedAndToldOfByItself) {
  view_.servers[2].group = "api";  // c, alone with its sessions: nobody stands in for it
  EXPECT_EQ(at(0s, 60, 60), "");
  view_.servers[2].status.primaries = 5;
  EXPECT_EQ(at(1s, 60, 60),
            "N+1 in group api: if c died, 5 sessions would be over capacity (1 of 1 deaths are not "
            "safe)");
  const std::string of_the_others = at(2s, 101, 101);
  EXPECT_EQ(of_the_others.find("N+1 in group : if a died, 1 sessions"), 0U) << of_the_others;
  view_.servers[2].status.primaries = 0;
  EXPECT_EQ(at(20s, 101, 101),
            "N+1 in group api: the death of any single server leaves all others room");
}

TEST_F(NPlusOneWatchTest, TheStateIsAsJudgedLast) {
  at(0s, 101, 101);
  EXPECT_FALSE(watch_.state().safe());
  at(1s, 50, 50);
  EXPECT_TRUE(watch_.state().safe());
}

TEST_F(NPlusOneWatchTest, WhoWasRestartedOrRemovedBacksNobody) {
  at(0s, 50, 50);
  EXPECT_EQ(watch_.backings().size(), 1U);
  watch_.forget(ServerId::of("a"));
  EXPECT_TRUE(watch_.backings().empty());
  at(1s, 50, 50);
  view_.servers.erase(view_.servers.begin());
  watch_.judge(Instant{1h} + 2s, view_);
  EXPECT_TRUE(watch_.backings().empty());
}

}  // namespace
}  // namespace tandem
