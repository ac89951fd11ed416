#include "lb/core/membership.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/lb/core/membership_bench.h"

namespace tandem {
namespace {

TEST_F(MembershipTest, ARegisteredServerIsInTheViewThatAllAreTold) {
  enter("b", 2);
  enter("a", 1);
  run(20ms);
  ASSERT_EQ(views_.back()->servers.size(), 2U);
  EXPECT_EQ(views_.back()->servers[0].name, "a");  // by name
  EXPECT_TRUE(told("a")->online);
  EXPECT_EQ(told("a")->data_address, "a:80");
  EXPECT_EQ(told("a")->peer_address, "a:90");
  for (ConnectionId to : {1, 2}) {
    ASSERT_FALSE(sent<ViewUpdate>(to).empty());
    EXPECT_EQ(sent<ViewUpdate>(to).back().view, *views_.back());
  }
}

TEST_F(MembershipTest, OfABurstOfViewsOnlyTheLastIsJudged) {
  enter("a", 1);
  run(20ms);
  enter("b", 2);
  run(100ms);
  EXPECT_GE(views_.size(), 3U);
  EXPECT_EQ(machine_.n_plus_one().deaths.size(), 0U);
  reports_.clear();  // nothing else comes
  run(1s);
  EXPECT_EQ(machine_.n_plus_one().deaths.size(), 2U);
}

TEST_F(MembershipTest, ItJudgesWhetherTheClusterIsNPlusOneSafe) {
  enter("a", 1);
  enter("b", 2);
  status_["a"].primaries = 60;
  status_["b"].primaries = 950;
  tell(1, Backing{{{ServerId::of("b"), 60}}});
  tell(2, Backing{{{ServerId::of("a"), 940}}});
  run(3s);
  ASSERT_NE(machine_.n_plus_one().worst(), nullptr);
  EXPECT_EQ(machine_.n_plus_one().worst()->server, ServerId::of("a"));
  EXPECT_EQ(machine_.n_plus_one().worst()->over, 10U);
  EXPECT_EQ(std::count_if(notes_.begin(), notes_.end(),
                          [](const auto& note) { return note.find("N+1") == 0; }),
            1);
  EXPECT_EQ(machine_.backings().size(), 2U);
  die("a");
  enter("a", 3, 2);  // restarted
  run(20ms);
  EXPECT_EQ(machine_.backings().count(ServerId::of("a")), 0U);
}

TEST_F(MembershipTest, TheVersionGrowsWithEveryChangeButThoseOfStatus) {
  enter("a", 1);
  const std::uint64_t one = version();
  enter("b", 2);
  const std::uint64_t two = version();
  EXPECT_GT(two, one);
  status_["a"].primaries = 5;
  run(10s);
  EXPECT_EQ(version(), two);
  die("a");
  run(1s);
  EXPECT_GT(version(), two);
}

TEST_F(MembershipTest, AnotherCapacityOfATandemServerIsAnotherView) {
  enter("a", 1);
  run(1s);
  const std::uint64_t before = version();
  status_["a"].primaries = 12;
  run(3s);
  EXPECT_EQ(version(), before);
  status_["a"].capacity = 2000;
  run(3s);
  EXPECT_EQ(version(), before + 1);
  EXPECT_EQ(told("a")->status.capacity, 2000U);
}

TEST_F(MembershipTest, ManyChangesAtOnceAreFewViews) {
  const std::size_t before = views_.size();
  for (int i = 0; i < 200; ++i) enter("s" + std::to_string(i), 1 + i);
  run(20ms);
  EXPECT_EQ(views_.back()->servers.size(), 200U);
  EXPECT_LE(views_.size() - before, 3U);
}

TEST_F(MembershipTest, StatusGoesToAllOnceAnInterval) {
  enter("a", 1);
  enter("b", 2);
  run(10ms);
  statuses_.clear();
  sent_.clear();
  status_["a"].primaries = 7;
  run(10s);
  EXPECT_GE(statuses_.size(), 9U);
  EXPECT_LE(statuses_.size(), 11U);
  const auto updates = sent<StatusUpdate>(2);
  ASSERT_FALSE(updates.empty());
  const auto& entries = updates.back().entries;
  const auto a = std::find_if(entries.begin(), entries.end(),
                              [](const auto& e) { return e.server == ServerId::of("a"); });
  ASSERT_NE(a, entries.end());
  EXPECT_EQ(a->status.primaries, 7U);
}

TEST_F(MembershipTest, AStatusThatCrossesTheThresholdIsToldAtOnce) {
  enter("a", 1);
  enter("b", 2);
  run(2500ms);
  statuses_.clear();
  status_["a"].primaries = 801;
  report("a", status_["a"]);
  ASSERT_EQ(statuses_.size(), 1U);
  EXPECT_EQ(statuses_[0].first, now_);
  EXPECT_EQ(statuses_[0].second.entries[0].status.primaries, 801U);
}

TEST_F(MembershipTest, AnOlderStatusReplacesNothing) {
  enter("a", 1);
  Status newer = status_["a"];
  newer.sequence = 10;
  newer.primaries = 10;
  tell(1, StatusReport{newer});
  newer.sequence = 9;
  newer.primaries = 9;
  tell(1, StatusReport{newer});
  EXPECT_EQ(machine_.view().servers[0].status.primaries, 10U);
}

TEST_F(MembershipTest, AServerWhoseConnectionEndsAndWhoseProbeFailsIsOfflineAndAllAreTold) {
  enter("a", 1);
  enter("b", 2);
  run(5s);
  die("a");
  EXPECT_TRUE(online("a"));  // not before the probe failed
  run(10ms);
  EXPECT_FALSE(online("a"));
  EXPECT_FALSE(told("a")->online);
  EXPECT_FALSE(sent<ViewUpdate>(2).back().view.find(ServerId::of("a"))->online);
  EXPECT_EQ(notes_.back(),
            "server a is offline: its control connection is gone and a probe failed: connection "
            "refused");
}

TEST_F(MembershipTest, AServerThatOnlyLostItsControlConnectionStaysOnline) {
  enter("a", 1);
  lose("a");
  run(60s);
  EXPECT_TRUE(online("a"));
}

TEST_F(MembershipTest, AFrozenServerIsOfflineAfterThreeSilentIntervals) {
  enter("a", 1);
  enter("b", 2);
  run(5s);
  freeze("a");
  run(2500ms);
  EXPECT_TRUE(online("a"));
  run(600ms);
  EXPECT_FALSE(online("a"));
}

TEST_F(MembershipTest, AFailureReportProbesAtOnce) {
  enter("a", 1);
  run(1500ms);
  machine_.on_failure_report(now_, ServerId::of("a"), actions_);
  settle();
  EXPECT_EQ(probes_["a:80"], 1);
  EXPECT_TRUE(online("a"));
}

TEST_F(MembershipTest, AnOfflineServerThatAnswersAProbeOrRegistersIsOnlineAgain) {
  enter("a", 1);
  enter("b", 2);
  die("a");
  die("b");
  run(5s);
  EXPECT_FALSE(online("a"));
  dead_.clear();
  run(4100ms);  // the fourth probe
  EXPECT_TRUE(online("a"));
  EXPECT_TRUE(told("a")->online);
  dead_.insert("b:80");
  run(5s);
  enter("b", 4, 2);
  run(20ms);
  EXPECT_TRUE(told("b")->online);
  EXPECT_EQ(told("b")->incarnation, 2U);
}

// Its loop lags, or the way there is long: slower than a verification waits.
TEST_F(MembershipTest, AServerThatAnswersLateAndReportsIsNotDeaf) {
  for (const char* name : {"a", "b", "c"}) enter(name, static_cast<ConnectionId>(name[0]));
  run(1s);
  slow_ = {"a:80"};
  for (int second = 0; second < 60; ++second) {
    if (second % 20 == 0) {
      machine_.on_failure_report(now_, ServerId::of("a"), actions_);
      settle();
    }
    run(1s);
    ASSERT_TRUE(online("a")) << second;
  }
}

// Whoever is sent requests meets failures all the time.
TEST_F(MembershipTest, ADeafServerGoesOfflineThoughItIsReportedAgainAndAgain) {
  for (const char* name : {"a", "b", "c"}) enter(name, static_cast<ConnectionId>(name[0]));
  run(1s);
  dead_ = frozen_ = {"a:80"};
  for (int i = 0; i < 800 && online("a"); ++i) {
    machine_.on_failure_report(now_, ServerId::of("a"), actions_);
    settle();
    run(10ms);
  }
  EXPECT_FALSE(online("a"));
}

TEST_F(MembershipTest, ALeaveIsOfflineAtOnceWithoutAProbe) {
  enter("a", 1);
  enter("b", 2);
  run(50ms);
  tell(1, Leave{});
  EXPECT_FALSE(told("a")->online);
  EXPECT_TRUE(told("a")->left);
  EXPECT_TRUE(machine_.state_of(ServerId::of("a")).left);
  lose("a");
  run(10s);
  EXPECT_EQ(probes_["a:80"], 0);
  enter("a", 3, 2);
  run(20ms);
  EXPECT_TRUE(told("a")->online);
  EXPECT_FALSE(told("a")->left);
}

TEST_F(MembershipTest, DrainIsToldToTheServerAndToAllAndKept) {
  enter("a", 1);
  enter("b", 2);
  run(1500ms);
  EXPECT_EQ(machine_.set_drain(now_, "a", true, actions_), DrainOrder::kTaken);
  settle();
  run(10ms);
  EXPECT_EQ(sent<Drain>(1).back(), Drain{true});
  EXPECT_TRUE(statuses_.back().second.entries[0].status.draining);
  run(3s);  // its own reports do not say so yet
  EXPECT_TRUE(machine_.view().servers[0].status.draining);
  die("a");
  run(1s);
  enter("a", 3, 2);
  EXPECT_EQ(sent<Drain>(3).back(), Drain{true});
  EXPECT_EQ(machine_.set_drain(now_, "nobody", true, actions_), DrainOrder::kUnknown);
}

TEST_F(MembershipTest, PlainServersAreCheckedAndAreNotToldToServers) {
  ASSERT_TRUE(configure({{"p", "p:80", 100, 80, ""}, {"q", "q:80", 100, 80, ""}}));
  enter("a", 1);
  run(10s);
  EXPECT_GE(probes_["p:80"], 9);
  EXPECT_EQ(views_.back()->servers.size(), 3U);
  EXPECT_EQ(sent<ViewUpdate>(1).back().view.servers.size(), 1U);
  dead_.insert("p:80");
  run(4s);
  EXPECT_FALSE(told("p")->online);
  EXPECT_TRUE(told("q")->online);
  dead_.clear();
  run(3s);
  EXPECT_TRUE(told("p")->online);
}

TEST_F(MembershipTest, AReloadChangesFiguresWithoutDisturbingTheRest) {
  const PlainServer p{"p", "p:80", 100, 80, ""}, q{"q", "q:80", 100, 80, ""};
  ASSERT_TRUE(configure({p, q}));
  dead_.insert("q:80");
  run(5s);
  const std::uint64_t before = version();
  const int probes = probes_["q:80"];
  PlainServer bigger = p;
  bigger.capacity = 200;
  bigger.threshold = 160;
  ASSERT_TRUE(configure({bigger, q}));
  run(10ms);
  EXPECT_EQ(version(), before);
  EXPECT_EQ(statuses_.back().second.entries.size(), 1U);
  EXPECT_EQ(statuses_.back().second.entries[0].status.capacity, 200U);
  EXPECT_FALSE(online("q"));
  EXPECT_EQ(probes_["q:80"], probes);
}

TEST_F(MembershipTest, AReloadAddsAndRemovesPlainServers) {
  ASSERT_TRUE(configure({{"p", "p:80", 100, 80, ""}}));
  enter("a", 1);
  run(1s);
  ASSERT_TRUE(configure({{"q", "q:80", 100, 80, ""}}));
  run(20ms);
  EXPECT_EQ(told("p"), nullptr);
  EXPECT_TRUE(told("q")->online);
  EXPECT_TRUE(told("a")->online);
  // Another address is another server.
  ASSERT_TRUE(configure({{"q", "q2:80", 100, 80, ""}}));
  run(20ms);
  EXPECT_EQ(told("q")->data_address, "q2:80");
  EXPECT_EQ(probes_["q2:80"], 1);
}

TEST_F(MembershipTest, AResultOfAnEarlierProbeIsIgnored) {
  ASSERT_TRUE(configure({{"p", "old:80", 100, 80, ""}}));
  // While the old address is being checked the server moves to a new one.
  ASSERT_TRUE(configure({{"p", "new:80", 100, 80, ""}}));
  dead_.insert("old:80");
  run(5ms);
  EXPECT_TRUE(online("p"));
  run(5s);
  EXPECT_TRUE(online("p"));
  EXPECT_EQ(probes_["old:80"], 1);
}

TEST_F(MembershipTest, ThePlainServersCountIsItsStatus) {
  ASSERT_TRUE(configure({{"p", "p:80", 100, 80, ""}}));
  run(20ms);
  machine_.on_plain_count(now_, ServerId::of("p"), 81, 3);
  run(1s);
  EXPECT_EQ(statuses_.back().second.entries[0].status.primaries, 81U);
  EXPECT_EQ(statuses_.back().second.entries[0].status.alternates, 3U);
}

TEST_F(MembershipTest, AnIdleMachineAsksForNothing) {
  Membership idle(now_, options());
  MembershipActions actions;
  idle.on_deadline(now_, actions);
  EXPECT_EQ(idle.next_deadline(), kNever);
}

}  // namespace
}  // namespace tandem
