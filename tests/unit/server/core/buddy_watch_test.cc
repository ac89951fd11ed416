#include "server/core/buddy_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "tests/unit/server/core/watch_bench.h"

namespace tandem {
namespace {

using Pairs = std::set<std::pair<std::uint32_t, std::uint32_t>>;
constexpr Duration kSuspicion = WatchTimes::of(1s).to_suspicion();
constexpr Duration kSlack = 10ms;  // latencies

std::uint64_t missed(const WatchRing& ring) {
  std::uint64_t sum = 0;
  for (const auto& [server, watch] : ring.watches) sum += watch.counters().missed;
  return sum;
}

class Rings : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(Rings, SendTwoMessagesForEachServerAndPeriodAndTakeTurns) {
  WatchRing ring(GetParam());
  ring.run(60s);
  ring.sent.clear();
  ring.run(200s);
  const double messages = static_cast<double>(ring.sent.size()) / GetParam() / 200;
  EXPECT_NEAR(messages, 2.0, 0.02);
  EXPECT_EQ(missed(ring), 0U);
  EXPECT_EQ(ring.reports(), Pairs{});
  std::map<std::pair<ServerId, ServerId>, std::pair<int, int>> turns;
  for (const auto& one : ring.all<Ping>()) {
    auto& [of_low, of_high] = turns[std::minmax(one.from, one.to)];
    ++(one.from < one.to ? of_low : of_high);
  }
  for (const auto& [link, count] : turns) EXPECT_NEAR(count.first, count.second, 2);
}

// The longest time from one exchange of a server to the next, on whichever link.
TEST_P(Rings, HoldTheLinksOfAServerHalfAPeriodApart) {
  const std::uint32_t n = GetParam();
  WatchRing ring(n);
  ring.run(300s);
  ring.sent.clear();
  ring.run(20s);
  for (std::uint32_t i = 1; i <= n; ++i) {
    Instant last = ring.now - 20s;
    Duration longest{};
    for (const auto& one : ring.all<Ping>()) {
      if (one.from != ring.id(i) && one.to != ring.id(i)) continue;
      longest = std::max(longest, one.at - last);
      last = one.at;
    }
    // An odd number of links cannot alternate; many have not settled yet.
    const int most = n <= 3 ? 740 : 690;
    EXPECT_LT(longest / 1ms, most) << "server " << i;
  }
}

TEST_P(Rings, ReportASilentServerByBothBuddiesWithinHalfAPeriodAndTheProbes) {
  const std::uint32_t n = GetParam();
  if (n < 3) return;  // two: SecondLook, below
  WatchRing ring(n);
  ring.run(300s);
  const Instant death = ring.now;
  ring.dead.insert(ring.id(2));
  ring.run(3s);
  EXPECT_EQ(ring.reports(), (Pairs{{1, 2}, {3, 2}}));
  const auto first = ring.all<FailureReport>().front();
  EXPECT_LT((first.at - death) / 1ms, (n <= 3 ? 740 : 690) + (kSuspicion + kSlack) / 1ms);
  EXPECT_EQ(std::get<FailureReport>(first.message).seen, Seen::kSilent);
  EXPECT_EQ(std::get<FailureReport>(first.message).incarnation, 1U);
  // The other buddy is told, looks at once, and reports as well.
  const auto told = ring.all<Suspect>().front();
  EXPECT_EQ(told.to, ring.id(first.from == ring.id(1) ? 3 : 1));
  const auto reports = ring.all<FailureReport>();
  const auto second = std::find_if(reports.begin(), reports.end(),
                                   [&](const auto& one) { return one.from == told.to; });
  EXPECT_LT(second->at - first.at, kSuspicion);
}

TEST_P(Rings, BearTheLossOfAnySingleMessage) {
  WatchRing ring(GetParam());
  std::map<std::pair<ServerId, ServerId>, int> turns;  // on each link every seventh is lost
  ring.loses = [&](const WatchRing::Sent& one) {
    return ++turns[std::minmax(one.from, one.to)] % 7 == 0;
  };
  ring.run(300s);
  EXPECT_GT(missed(ring), 0U);
  EXPECT_EQ(ring.reports(), Pairs{});
}

// The ping and all quick probes but the last are lost; or the last one too.
TEST(BuddyWatch, OneOfThreeQuickProbesIsEnough) {
  const WatchTimes times = WatchTimes::of(1s);
  for (const bool all : {false, true}) {
    WatchRing ring(5);
    ring.run(10s);
    Instant first = kNever;
    ring.loses = [&](const WatchRing::Sent& one) {
      if (std::minmax(one.from, one.to) != std::minmax(ring.id(1), ring.id(2))) return false;
      if (first == kNever) first = one.at;
      return one.at < first + times.miss_after + times.probe_gap * (all ? 3 : 2) - 1ms;
    };
    ring.run(2s);
    EXPECT_GE(missed(ring), 1U);
    EXPECT_EQ(ring.reports().empty(), !all);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Rings, ::testing::Values(2, 3, 4, 5, 8, 9, 24));

TEST(BuddyWatch, AloneHasNothingToDo) {
  WatchRing ring(1);
  ring.run(10s);
  EXPECT_TRUE(ring.sent.empty());
  EXPECT_EQ(ring.watch(1).next_deadline(), kNever);
}

TEST(BuddyWatch, AClosedChannelIsASuspicionAtOnce) {
  WatchRing ring(5);
  ring.run(10s);
  ring.dead.insert(ring.id(2));
  ring.tell(
      1, [&](BuddyWatch& watch, auto& out) { watch.on_channel_down(ring.now, ring.id(2), out); });
  ASSERT_EQ(ring.reports(), (Pairs{{1, 2}}));
  EXPECT_EQ(std::get<FailureReport>(ring.all<FailureReport>()[0].message).seen, Seen::kClosed);
  EXPECT_EQ(ring.all<Suspect>()[0].to, ring.id(3));
  // Not of those that are no buddies.
  ring.tell(
      1, [&](BuddyWatch& watch, auto& out) { watch.on_channel_down(ring.now, ring.id(3), out); });
  EXPECT_EQ(ring.all<FailureReport>().size(), 1U);
}

TEST(BuddyWatch, ABuddyThatIsNeverLinkedIsUnreachableAfterAPeriod) {
  BuddyWatch watch(ServerId{1}, {});
  BuddyWatch::Out out;
  const Instant start = Instant{} + 1h;
  Neighbourhood around;
  around.buddies = {{ServerId{2}, 1, ServerId{3}, false}, {ServerId{3}, 1, ServerId{2}, true}};
  watch.set_neighbourhood(start, around, out);
  while (watch.next_deadline() < start + 900ms) {
    const Instant now = watch.next_deadline();
    watch.on_message(now, ServerId{3}, Pong{}, out);
    watch.on_deadline(now, out);
  }
  EXPECT_TRUE(watch.suspects().empty());
  while (watch.suspects().empty() && watch.next_deadline() < start + 1100ms) {
    const Instant now = watch.next_deadline();
    watch.on_message(now, ServerId{3}, Pong{}, out);
    watch.on_deadline(now, out);
  }
  EXPECT_EQ(watch.suspects(), (std::vector{FailureReport{ServerId{2}, 1, Seen::kUnreachable}}));
  watch.on_channel_up(watch.next_deadline(), ServerId{2}, out);
  EXPECT_TRUE(watch.suspects().empty());
}

TEST(BuddyWatch, TrafficCountsAsAnAnswer) {
  WatchRing ring(4);
  ring.loses = [](const WatchRing::Sent& one) {  // pings and answers of 2 are stuck in a queue
    return one.from == WatchRing::id(2) || one.to == WatchRing::id(2);
  };
  for (int i = 0; i < 600; ++i) {
    ring.run(20ms);
    for (const std::uint32_t at : {1, 3}) {
      ring.tell(at, [&](BuddyWatch& watch, auto& out) {
        watch.on_message(ring.now, ring.id(2), StatusReport{}, out);
      });
    }
  }
  Pairs others;
  for (const auto& [by, suspect] : ring.reports()) {
    if (suspect == 2) others.emplace(by, suspect);
  }
  EXPECT_EQ(others, Pairs{});
}

// --- it suspects itself first -------------------------------------------------------------------

TEST(SelfSuspicion, WhoeverWasFrozenAccusesNobody) {
  WatchRing ring(6);
  ring.run(10s);
  for (const Duration frozen : {Duration(100ms), Duration(1s), Duration(7300ms)}) {
    const auto late = ring.watch(2).counters().self_late;
    ring.dead.insert(ring.id(2));
    ring.run(frozen);
    ring.dead.erase(ring.id(2));
    ring.run(10s);
    EXPECT_LE(ring.watch(2).counters().self_late, late + 1);
    if (frozen >= 1s) {
      EXPECT_EQ(ring.watch(2).counters().self_late, late + 1);
    }
    for (const auto& [by, suspect] : ring.reports()) EXPECT_NE(by, 2U);
    EXPECT_TRUE(ring.watch(1).suspects().empty());
    EXPECT_TRUE(ring.watch(3).suspects().empty());
  }
}

TEST(SelfSuspicion, WhoeverIsCutOffAccusesNobody) {
  WatchRing ring(6);
  ring.run(10s);
  ring.loses = [](const WatchRing::Sent& one) {
    return one.from == WatchRing::id(2) || one.to == WatchRing::id(2);
  };
  ring.run(30s);
  EXPECT_EQ(ring.reports(), (Pairs{{1, 2}, {3, 2}}));
  EXPECT_GT(ring.watch(2).counters().self_cut_off, 1U);
  EXPECT_LT(ring.watch(2).counters().pings_sent, 400U);
  ring.loses = nullptr;
  ring.run(3s);
  for (const std::uint32_t i : {1, 2, 3}) EXPECT_TRUE(ring.watch(i).suspects().empty());
  EXPECT_EQ(ring.watch(1).counters().recovered, 1U);
}

TEST(SelfSuspicion, TheSurvivorBetweenTwoDeadAccusesBothOnceItHearsABystander) {
  WatchRing ring(6);
  ring.run(10s);
  ring.dead = {ring.id(1), ring.id(3)};
  ring.run(3s);
  EXPECT_TRUE(ring.reports().contains({2, 1}));
  EXPECT_TRUE(ring.reports().contains({2, 3}));
  EXPECT_GE(ring.watch(2).counters().self_cut_off, 1U);
}

TEST(SelfSuspicion, TheLastOfThreeAccusesBothOnceItHearsABalancer) {
  for (const std::uint32_t servers : {2U, 3U}) {
    WatchRing ring(servers);
    ring.run(10s);
    for (std::uint32_t i = 2; i <= servers; ++i) ring.dead.insert(ring.id(i));
    ring.run(20s);
    EXPECT_EQ(ring.reports(), Pairs{});
    ring.tell(1, [&](BuddyWatch& watch, auto& out) {
      watch.on_message(ring.now, BuddyWatch::kBalancers, StatusUpdate{}, out);
    });
    ring.run(200ms);
    EXPECT_EQ(ring.reports().size(), servers - 1);
  }
}

// Others have given it up meanwhile, and closed.
TEST(SelfSuspicion, WhoeverWasAwayTakesNoClosedChannelForADeath) {
  for (const bool frozen : {true, false}) {
    WatchRing ring(6);
    ring.run(10s);
    if (frozen) {
      ring.dead.insert(ring.id(2));
    } else {
      ring.loses = [](const WatchRing::Sent& one) {
        return one.from == WatchRing::id(2) || one.to == WatchRing::id(2);
      };
    }
    ring.run(5s);
    ring.dead.clear();
    ring.loses = nullptr;
    ring.tell(2, [&](BuddyWatch& watch, auto& out) {  // what was on its way
      watch.on_message(ring.now, ring.id(1), StatusReport{}, out);
    });
    const auto close = [&](std::uint32_t buddy) {
      ring.tell(2, [&](BuddyWatch& watch, auto& out) {
        watch.on_channel_down(ring.now, ring.id(buddy), out);
      });
    };
    close(1);
    close(3);
    ring.run(900ms);
    EXPECT_FALSE(ring.reports().contains({2, 1}));
    EXPECT_FALSE(ring.reports().contains({2, 3}));
    for (const std::uint32_t buddy : {1, 3}) {
      ring.tell(2, [&](BuddyWatch& watch, auto& out) {
        watch.on_channel_up(ring.now, ring.id(buddy), out);
      });
    }
    ring.run(3s);  // linked again, and well: a channel that closes now says something
    EXPECT_FALSE(ring.reports().contains({2, 1}));
    close(1);
    EXPECT_TRUE(ring.reports().contains({2, 1}));
  }
}

void close_at(WatchRing& ring, std::uint32_t at, std::uint32_t buddy) {
  ring.tell(at, [&](BuddyWatch& watch, auto& out) {
    watch.on_channel_down(ring.now, ring.id(buddy), out);
  });
}

// Too short a time for a deadline of its own to be late: only the others know that it was away.
TEST(SelfSuspicion, WhoeverIsToldThatItWasGivenUpTakesNoClosedChannelForADeath) {
  WatchRing ring(6);
  ring.run(10s);
  const auto told = [&](std::uint32_t by) {
    ring.tell(2, [&](BuddyWatch& watch, auto& out) {
      watch.on_message(ring.now, ring.id(by), Suspect{ring.id(2), 1, Seen::kUnknown}, out);
    });
  };
  told(1);
  close_at(ring, 2, 1);
  close_at(ring, 2, 3);  // what it said was lost
  EXPECT_EQ(ring.reports(), Pairs{});
  EXPECT_EQ(ring.watch(2).counters().self_late, 0U);
  for (const std::uint32_t buddy : {1, 3}) {
    ring.tell(2, [&](BuddyWatch& watch, auto& out) {
      watch.on_channel_up(ring.now, ring.id(buddy), out);
    });
  }
  ring.run(1100ms);
  EXPECT_EQ(ring.reports(), Pairs{});
  close_at(ring, 2, 1);
  EXPECT_EQ(ring.reports(), (Pairs{{2, 1}}));
}

// What was lost comes later on one channel than on the other.
TEST(SelfSuspicion, WhoeverWasAwayTrustsAChannelOnceItIsHeardThere) {
  WatchRing ring(6);
  ring.run(10s);
  const auto is_at_2 = [](const WatchRing::Sent& one) {
    return one.from == WatchRing::id(2) || one.to == WatchRing::id(2);
  };
  ring.loses = is_at_2;
  ring.run(5s);
  ring.loses = [&](const WatchRing::Sent& one) {
    return is_at_2(one) && (one.from == WatchRing::id(3) || one.to == WatchRing::id(3));
  };
  ring.run(3s);
  EXPECT_FALSE(ring.reports().contains({2, 3}));
  close_at(ring, 2, 3);
  EXPECT_FALSE(ring.reports().contains({2, 3}));
  ring.run(5s);  // one is heard and the other is not: in the end that counts
  EXPECT_EQ(ring.reports(), (Pairs{{1, 2}, {2, 3}, {3, 2}}));
  close_at(ring, 2, 1);
  EXPECT_TRUE(ring.reports().contains({2, 1}));
}

// Its own quick probes are under way: it may be that it is cut off.
TEST(SelfSuspicion, AChannelThatClosesWhileAnybodyIsMissedIsJudgedAsSilenceIs) {
  for (const bool cut_off : {true, false}) {
    WatchRing ring(6);
    ring.run(10s);
    ring.loses = [&](const WatchRing::Sent& one) {
      const bool at_2 = one.from == WatchRing::id(2) || one.to == WatchRing::id(2);
      const bool at_3 = one.from == WatchRing::id(3) || one.to == WatchRing::id(3);
      return at_2 && (cut_off || at_3);
    };
    const auto missing = [&] {
      const auto links = ring.watch(2).links();
      return std::any_of(links.begin(), links.end(), [](const auto& link) {
        return link.state == BuddyWatch::LinkState::kMissing;
      });
    };
    while (!missing()) ring.run(1ms);
    close_at(ring, 2, 1);
    close_at(ring, 2, 3);
    EXPECT_FALSE(ring.reports().contains({2, 1}));
    ring.run(500ms);
    EXPECT_FALSE(ring.reports().contains({2, 1}));
    EXPECT_FALSE(ring.reports().contains({2, 3}) && cut_off);
  }
}

// --- a suspect ----------------------------------------------------------------------------------

TEST(Suspects, AreReportedEverMoreRarelyAndForgottenWhenHeard) {
  WatchRing ring(5);
  ring.run(10s);
  ring.dead = {ring.id(3)};
  ring.run(100s);
  std::vector<Instant> at;
  for (const auto& one : ring.all<FailureReport>()) {
    if (one.from == ring.id(2)) at.push_back(one.at);
  }
  ASSERT_GT(at.size(), 6U);
  for (const auto& [i, periods] :
       std::map<std::size_t, int>{{1, 1}, {2, 2}, {3, 4}, {4, 8}, {5, 8}}) {
    EXPECT_EQ((at[i] - at[i - 1]) / 1s, periods);
  }
  EXPECT_EQ(ring.watch(2).suspects().size(), 1U);
  EXPECT_EQ(ring.watch(2).links()[1].state, BuddyWatch::LinkState::kSuspected);
  ring.dead.clear();
  ring.run(2s);
  EXPECT_TRUE(ring.watch(2).suspects().empty());
  EXPECT_EQ(ring.watch(2).counters().recovered, 1U);
}

TEST(Suspects, AreForgottenWhenTheyAreOffTheRing) {
  WatchRing ring(5);
  ring.run(10s);
  ring.dead = {ring.id(3)};
  ring.run(2s);
  Neighbourhood around = ring.around(2);
  around.buddies[1] = {ring.id(4), 1, ring.id(5), true};
  ring.tell(2,
            [&](BuddyWatch& watch, auto& out) { watch.set_neighbourhood(ring.now, around, out); });
  EXPECT_TRUE(ring.watch(2).suspects().empty());
  // 4 does not know yet: it answers without taking the turn.
  ring.run(10s);
  EXPECT_TRUE(ring.watch(2).suspects().empty());
  EXPECT_TRUE(ring.all<FailureReport>().size() >= 2);
}

TEST(Suspects, TheirHostsAreAskedWhereThatIsWanted) {
  for (const bool answers : {false, true}) {
    WatchRing ring(5, {.checks_hosts = true});
    ring.run(10s);
    ring.dead = {ring.id(3)};
    for (int i = 0; i < 2000; ++i) {
      ring.run(1ms);
      for (const ServerId host : ring.watch(2).take_host_checks()) {
        EXPECT_EQ(host, ring.id(3));
        if (answers) ring.watch(2).on_host_answer(host);
      }
    }
    ASSERT_EQ(ring.watch(2).suspects().size(), 1U);
    EXPECT_EQ(ring.watch(2).suspects()[0].seen, answers ? Seen::kHostAnswers : Seen::kHostSilent);
  }
}

// --- what a balancer asks -----------------------------------------------------------------------

TEST(Looks, SayWhetherAServerAnswers) {
  WatchRing ring(9);
  ring.run(10s);
  ring.dead = {ring.id(6)};
  for (const std::uint32_t at : {5, 6}) {
    ring.tell(1, [&](BuddyWatch& watch, auto& out) {
      watch.on_message(ring.now, BuddyWatch::kBalancers, Look{70 + at, ring.id(at), ""}, out);
    });
  }
  const Instant asked = ring.now;
  ring.run(1s);
  const auto answers = ring.all<Looked>();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(std::get<Looked>(answers[0].message), (Looked{75, ring.id(5), true}));
  EXPECT_EQ(answers[0].at - asked, 2 * WatchRing::kLatency);
  EXPECT_EQ(std::get<Looked>(answers[1].message), (Looked{76, ring.id(6), false}));
  EXPECT_EQ(answers[1].at - asked, kSuspicion);
}

// A balancer that hears nothing of what it asked would take that for a no.
TEST(Looks, OutliveAPauseOfTheWitness) {
  WatchRing ring(9);
  ring.run(10s);
  ring.dead = {ring.id(5)};
  ring.tell(1, [&](BuddyWatch& watch, auto& out) {
    watch.on_message(ring.now, BuddyWatch::kBalancers, Look{75, ring.id(5), ""}, out);
  });
  ring.now += 150ms;
  ring.tell(1, [&](BuddyWatch& watch, auto& out) {
    watch.on_message(ring.now, ring.id(5), Pong{1, 0}, out);
  });
  ASSERT_EQ(ring.watch(1).counters().self_late, 1U);
  ASSERT_EQ(ring.all<Looked>().size(), 1U);
  EXPECT_EQ(std::get<Looked>(ring.all<Looked>()[0].message), (Looked{75, ring.id(5), true}));

  ring.tell(1, [&](BuddyWatch& watch, auto& out) {
    watch.on_message(ring.now, BuddyWatch::kBalancers, Look{76, ring.id(5), ""}, out);
  });
  ring.now += 150ms;
  ring.run(1s);
  ASSERT_EQ(ring.all<Looked>().size(), 2U);
  EXPECT_EQ(std::get<Looked>(ring.all<Looked>()[1].message), (Looked{76, ring.id(5), false}));
}

TEST(Looks, AreBounded) {
  WatchRing ring(3);
  ring.tell(1, [&](BuddyWatch& watch, auto& out) {
    for (std::uint64_t i = 0; i < 2 * BuddyWatch::kLooksMax; ++i) {
      watch.on_message(ring.now, BuddyWatch::kBalancers, Look{i, ServerId{77}, ""}, out);
    }
  });
  ring.run(500ms);
  EXPECT_EQ(ring.all<Looked>().size(), BuddyWatch::kLooksMax);
}

// --- the turns ----------------------------------------------------------------------------------

TEST(Turns, OfTwoPingsThatCrossThatOfTheLowerIdCounts) {
  for (const bool low : {true, false}) {
    const ServerId self{low ? 1U : 2U}, peer{low ? 2U : 1U};
    BuddyWatch watch(self, {});
    BuddyWatch::Out out;
    Instant now = Instant{} + 1h;
    watch.set_neighbourhood(now, {{{peer, 1, {}, true}}, {}}, out);
    watch.on_message(now, peer, Ping{1}, out);  // it has the turn
    now = watch.next_deadline();
    watch.on_deadline(now, out);
    ASSERT_TRUE(std::holds_alternative<Ping>(out.take().back().message));
    watch.on_message(now, peer, Ping{2}, out);  // it was on its way
    EXPECT_EQ(std::get<Pong>(out.take().back().message).next_us == 0, low);
  }
}

TEST(Turns, AnswerOfAStrangerTakesNone) {
  WatchRing ring(3);
  ring.tell(1, [&](BuddyWatch& watch, auto& out) {
    watch.on_message(ring.now, ServerId{99}, Ping{7}, out);
  });
  ASSERT_EQ(ring.sent.back().to, ServerId{99});
  EXPECT_EQ(std::get<Pong>(ring.sent.back().message), (Pong{7, 0}));
}

// Clocks are not compared, and may go wrong: one that is 2 % fast is no reason to miss anybody.
TEST(Turns, ClocksOfDifferentOriginAndSpeedAgree) {
  BuddyWatch a(ServerId{1}, {}), b(ServerId{2}, {});
  BuddyWatch::Out out;
  const auto clock_a = [](Duration t) { return Instant{} + 1h + t; };
  const auto clock_b = [](Duration t) { return Instant{} + 777h + t + t / 50; };
  a.set_neighbourhood(clock_a(0s), {{{ServerId{2}, 1, {}, true}}, {}}, out);
  b.set_neighbourhood(clock_b(0s), {{{ServerId{1}, 1, {}, true}}, {}}, out);
  for (Duration t{}; t < 120s; t += 1ms) {
    for (auto* watch : {&a, &b}) {
      const Instant now = watch == &a ? clock_a(t) : clock_b(t);
      BuddyWatch* peer = watch == &a ? &b : &a;
      const Instant there = watch == &a ? clock_b(t) : clock_a(t);
      if (watch->next_deadline() <= now) watch->on_deadline(now, out);
      for (const auto& one : out.take()) {
        BuddyWatch::Out answers;
        peer->on_message(there, watch == &a ? ServerId{1} : ServerId{2}, one.message, answers);
        for (const auto& answer : answers.take()) {
          watch->on_message(now, watch == &a ? ServerId{2} : ServerId{1}, answer.message, out);
        }
      }
    }
  }
  EXPECT_EQ(a.counters().missed + b.counters().missed, 0U);
  EXPECT_NEAR(static_cast<double>(a.counters().pings_sent), 120, 4);
  EXPECT_NEAR(static_cast<double>(b.counters().pings_sent), 120, 4);
}

TEST(Turns, AnAbsurdPromiseIsCutShort) {
  WatchRing ring(3);
  ring.run(10s);
  ring.loses = [](const auto& one) { return std::holds_alternative<Ping>(one.message); };
  const auto before = ring.watch(1).counters().missed;
  ring.tell(1, [&](BuddyWatch& watch, auto& out) {
    watch.on_message(ring.now, ring.id(2), Pong{1'000'000, ~0ULL}, out);
    watch.on_message(ring.now, ring.id(3), Pong{1'000'000, ~0ULL}, out);
  });
  ring.run(3s);
  EXPECT_GT(ring.watch(1).counters().missed, before);
}

}  // namespace
}  // namespace tandem
