#include "lb/core/master.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/base/random.h"
#include "tests/unit/lb/core/master_world.h"

namespace tandem {
namespace {

std::string name(std::size_t number) { return "s" + std::to_string(number); }

void fill(MasterWorld& world, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) world.enter(name(i));
  world.run(1s);
}

// `dead` neighbours of n, from a place on the ring on, die at one instant.
void neighbours_die(std::size_t n, std::size_t dead, bool killed, std::uint64_t seed) {
  MasterWorld world(seed);
  fill(world, n);
  const std::vector<std::string> order = world.ring();
  const std::uint64_t before = world.master().counts().transactions;
  for (std::size_t i = 0; i < dead; ++i) {
    const std::string& victim = order[(seed + i) % n];
    killed ? world.kill(victim) : world.freeze(victim);
  }
  world.run(20s);
  ASSERT_TRUE(world.whole());
  ASSERT_LE(world.master().counts().transactions - before, 2U) << dead << " of " << n;
  for (std::size_t i = 0; i < n; ++i) {
    const std::string& one = order[(seed + i) % n];
    ASSERT_EQ(world.of(one).offlines, i < dead ? 1U : 0U) << one << " " << dead << " of " << n;
  }
}

TEST(Master, AnyNumberOfNeighboursThatAreKilledAtOnceLeaveInTwoTransactions) {
  for (std::size_t n = 2; n <= 12; ++n) {
    for (std::size_t dead = 1; dead < n; ++dead) neighbours_die(n, dead, true, n + dead);
  }
}

TEST(Master, AnyNumberOfNeighboursThatFallSilentAtOnceLeaveInTwoTransactions) {
  for (std::size_t n = 2; n <= 12; ++n) {
    for (std::size_t dead = 1; dead < n; ++dead) neighbours_die(n, dead, false, n + dead);
  }
}

// Anywhere on the ring: there are several gaps, most of them not missed yet.
TEST(Master, WhoeverFallSilentAtOnceLeaveInTwoTransactions) {
  for (std::size_t n = 2; n <= 12; ++n) {
    for (std::size_t dead = 1; dead < n; ++dead) {
      MasterWorld world(100 * n + dead);
      Random dice(n + 100 * dead);
      for (std::size_t i = 0; i < n; ++i) {  // they report at different times
        world.enter(name(i));
        world.run(dice.below(300) * 1ms);
      }
      std::set<std::string> victims;
      while (victims.size() < dead) victims.insert(name(dice.below(n)));
      for (const std::string& victim : victims) world.freeze(victim, true, dice.chance(0.5));
      world.run(20s);
      ASSERT_TRUE(world.whole());
      ASSERT_LE(world.master().counts().transactions, 2U) << dead << " of " << n;
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(world.of(name(i)).offlines, victims.count(name(i))) << dead << " of " << n;
      }
    }
  }
}

TEST(Master, ARollIsCalledOfEverybodyOnceWhenSomebodyIsDead) {
  MasterWorld world;
  fill(world, 10);
  world.run(60s);
  EXPECT_EQ(world.master().counts().calls, 0U);
  world.kill("s3");
  world.run(50ms);
  EXPECT_EQ(world.master().counts().calls, 9U);
  world.kill("s7");  // the call that is under way serves for both
  world.run(10s);
  EXPECT_EQ(world.master().counts().calls, 9U);
  EXPECT_EQ(world.ring().size(), 8U);
  EXPECT_LE(world.master().counts().verifications,
            6U);  // of who answers, but beside the gaps, none
}

TEST(Master, WhoMissesTheRollCallAndIsHeardLaterStaysOnline) {
  MasterWorld world;
  fill(world, 10);
  const std::string victim = "s3";
  world.kill(victim);
  for (std::size_t i = 0; i < 10; ++i) {
    if (name(i) != victim) world.freeze(name(i), true, false);
  }
  world.run(300ms);
  for (std::size_t i = 0; i < 10; ++i) {
    if (name(i) != victim) world.freeze(name(i), false);
  }
  world.run(10s);
  EXPECT_GE(world.master().counts().verifications, 10U);
  EXPECT_EQ(world.ring().size(), 9U);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(world.of(name(i)).offlines, name(i) == victim ? 1U : 0U) << name(i);
  }
}

// The dead look alive until they have been silent for a while: most who are asked at first say
// nothing.
TEST(Master, IfNobodyWhoWasAskedIsHeardOfTheSoleSurvivorIsAsked) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    MasterWorld world(seed);
    for (std::size_t i = 0; i < 9; ++i) {  // they report at different times
      world.enter(name(i));
      world.run(110ms);
    }
    for (std::size_t i = 1; i < 9; ++i) world.freeze(name(i), true, false);
    world.run(4s);
    EXPECT_EQ(world.ring(), std::vector<std::string>{"s0"}) << seed;
    EXPECT_LE(world.master().counts().transactions, 2U) << seed;
  }
}

TEST(Master, ALongRunOfALargeRingLeavesInTwoTransactions) {
  Random dice(1);
  for (int run = 0; run < 3; ++run) {
    const std::size_t n = 13 + dice.below(988);
    neighbours_die(n, 1 + dice.below(n - 1), run == 0, dice.next() % 1000);
  }
}

TEST(Master, AKilledServerIsOfflineWithinMilliseconds) {
  MasterWorld world;
  fill(world, 5);
  world.kill("s3");
  world.run(20ms);
  EXPECT_FALSE(world.online("s3"));
}

TEST(Master, AFrozenServerThatIsReportedIsOfflineAfterOneVerification) {
  MasterWorld world;
  fill(world, 5);
  world.freeze("s3");
  world.run(MasterWorld::kMissed + 130ms);
  EXPECT_FALSE(world.online("s3"));
}

TEST(Master, AFalseReportChangesNothingAndIsCounted) {
  MasterWorld world;
  fill(world, 5);
  for (int i = 0; i < 50; ++i) {
    world.accuse("s1", "s3");
    world.run(100ms);
  }
  EXPECT_EQ(world.of("s3").offlines, 0U);
  EXPECT_EQ(world.master().counts().reports, 50U);
  EXPECT_GT(world.master().counts().false_suspicions, 20U);
  EXPECT_EQ(world.master().counts().confirmed, 0U);
}

TEST(Master, WhoIsCutOffFromTheMasterAloneStaysOnline) {
  MasterWorld world;
  fill(world, 5);
  world.cut("s3");
  world.run(60s);
  EXPECT_TRUE(world.online("s3"));
  EXPECT_GT(world.master().counts().contradicted, 0U);
  EXPECT_FALSE(world.master().most_looks_dead());
}

// Once a witness has said that it lives, it takes more than somebody else who is cut off from it.
TEST(Master, WhoIsCutOffFromTheMasterAndFromOneBuddyStaysOnlineAsLongAsOthersReachIt) {
  MasterWorld world;
  fill(world, 6);
  world.cut("s3");
  world.run(10s);
  ASSERT_GT(world.master().counts().contradicted, 0U);
  const ServerId first = world.master().ring().step(ServerId::of("s3"), true);
  const std::string buddy = world.servers().at(first).name;
  for (int i = 0; i < 100; ++i) {
    world.accuse(buddy, "s3");
    world.run(130ms);
    ASSERT_TRUE(world.online("s3")) << i;
  }
  // When it dies in truth, that is found out all the same.
  world.of("s3").alive = false;
  world.run(MasterWorld::kMissed + 3s);
  EXPECT_FALSE(world.online("s3"));
}

// Its buddies agreed that it was dead when it was; that is no word on what comes later.
TEST(Master, WhatWasSaidOfAnEarlierSuspicionSaysNothingOfALaterOne) {
  MasterWorld world;
  fill(world, 5);
  world.freeze("s3");
  world.run(10s);
  ASSERT_FALSE(world.online("s3"));
  world.freeze("s3", false);
  world.run(10s);
  ASSERT_TRUE(world.online("s3"));
  world.cut("s3");
  world.run(60s);
  EXPECT_TRUE(world.online("s3"));
  EXPECT_EQ(world.of("s3").offlines, 1U);
}

TEST(Master, AWitnessWhoAnswersAfterTheJudgementIsNotHeard) {
  MasterWorld world;
  fill(world, 4);
  world.of("s1").blind = true;
  world.of("s1").looks_for = 300ms;
  world.cut("s3");
  world.run(60s);
  EXPECT_TRUE(world.online("s3"));
  EXPECT_GT(world.master().counts().contradicted, 0U);
}

TEST(Master, AMasterThatIsCutOffItselfChangesNothingAndSaysSo) {
  for (const std::size_t n : {1U, 2U, 3U, 8U}) {
    MasterWorld world;
    fill(world, n);
    for (std::size_t i = 0; i < n; ++i) world.cut(name(i));
    world.run(60s);
    for (std::size_t i = 0; i < n; ++i) EXPECT_TRUE(world.online(name(i))) << n;
    EXPECT_TRUE(world.master().most_looks_dead()) << n;
    for (std::size_t i = 0; i < n; ++i) world.cut(name(i), false);
    world.run(1s);
    EXPECT_FALSE(world.master().most_looks_dead()) << n;
  }
}

// The way to the data ports alone is gone; what comes on the control connections is as ever.
TEST(Master, AMasterThatReachesNoDataPortChangesNothingAndSaysSo) {
  for (const bool pongs : {true, false}) {
    for (const std::size_t n : {1U, 2U, 3U, 8U}) {
      MasterWorld world;
      fill(world, n);
      for (std::size_t i = 0; i < n; ++i) {
        (pongs ? world.of(name(i)).shut : world.of(name(i)).deaf) = true;
        world.fail(name(i));
        world.run(50ms);
      }
      world.run(60s);
      for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(world.of(name(i)).offlines, 0U) << n << pongs;
      EXPECT_TRUE(world.master().most_looks_dead()) << n << pongs;
      for (std::size_t i = 0; i < n; ++i) world.of(name(i)).shut = world.of(name(i)).deaf = false;
      world.run(5s);
      EXPECT_FALSE(world.master().most_looks_dead()) << n << pongs;
    }
  }
}

TEST(Master, SomeWhoseDataPortsFailAreDeafAndGo) {
  MasterWorld world;
  fill(world, 7);
  for (std::size_t i = 0; i < 3; ++i) {
    world.of(name(i)).shut = true;
    world.fail(name(i));
  }
  world.run(30s);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(world.of(name(i)).offlines, i < 3 ? 1U : 0U) << i;
  EXPECT_FALSE(world.master().most_looks_dead());
}

TEST(Master, AServerThatFlipFlopsIsHeldBackAndNoOtherIsTouched) {
  for (const std::uint32_t free : {0U, 1U}) {
    MasterWorld world(1, free);
    fill(world, 6);
    for (int i = 0; i < 90; ++i) {  // longer than its returns are kept
      world.freeze("s2", i % 2 == 0);
      world.run(20s);
    }
    EXPECT_EQ(world.of("s2").offlines, 1U + free);
    for (const char* other : {"s0", "s1", "s3", "s4", "s5"}) {
      EXPECT_EQ(world.of(other).offlines, 0U);
    }
    world.run(15min);
    EXPECT_TRUE(world.online("s2")) << "it is well again";
    EXPECT_TRUE(world.whole());
  }
}

// Twice as long as it was away, but five seconds at least.
TEST(Master, WhoComesBackTheFirstTimeIsHeldBackTheLongerTheLongerItWasAway) {
  for (const Duration away : {Duration(1500ms), Duration(10s), Duration(60s)}) {
    MasterWorld world(1, 0);
    fill(world, 6);
    world.freeze("s2");
    world.run(away);
    ASSERT_FALSE(world.online("s2"));
    world.freeze("s2", false);
    const Duration held = std::clamp<Duration>(2 * away, 5s, 30s);
    world.run(held - 2s);
    EXPECT_FALSE(world.online("s2")) << away / 1ms;
    EXPECT_EQ(world.of("s2").state, ServerState::kHeldBack);
    world.run(2500ms);
    EXPECT_TRUE(world.online("s2")) << away / 1ms;
  }
}

TEST(Master, WhoShutsDownWhileItIsHeldBackHasLeft) {
  MasterWorld world;
  fill(world, 6);
  for (int i = 0; i < 4; ++i) {
    world.freeze("s2", i % 2 == 0);
    world.run(10s);
  }
  ASSERT_EQ(world.of("s2").state, ServerState::kHeldBack);
  world.leave("s2");
  ASSERT_TRUE(world.master().held_back().empty());
  EXPECT_EQ(world.of("s2").state, ServerState::kLeft);
  world.run(60s);  // longer than it was to be held back
  EXPECT_EQ(world.of("s2").state, ServerState::kLeft);
  world.restart("s2");
  EXPECT_TRUE(world.online("s2"));
}

// If even its buddies miss nothing, and its reports come as ever, neither they nor silence tell of
// it: the first exchange with it that fails does.
TEST(Master, WhoHearsNothingButIsHeardIsRemovedOnceWhenAnExchangeWithItFails) {
  for (const std::uint32_t free : {0U, 1U}) {
    MasterWorld world(1, free);
    fill(world, 6);
    world.of("s2").deaf = true;
    world.run(60s);
    EXPECT_TRUE(world.online("s2"));
    for (int i = 0; i < 1800; ++i) {
      if (world.online("s2")) world.fail("s2");
      world.run(1s);
    }
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(world.of(name(i)).offlines, i == 2 ? 1U : 0U);
    EXPECT_FALSE(world.online("s2"));
    EXPECT_TRUE(world.whole());
  }
}

TEST(Master, ANewProcessIsNeverHeldBack) {
  MasterWorld world;
  fill(world, 4);
  for (int i = 0; i < 10; ++i) {
    world.kill("s1");
    world.run(1s);
    EXPECT_FALSE(world.online("s1"));
    world.restart("s1");
    EXPECT_TRUE(world.online("s1"));
    world.run(1s);
  }
}

TEST(Master, AnyComingAndGoingEndsInTheTruth) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random dice(seed);
    MasterWorld world(seed);
    const std::size_t n = 3 + dice.below(10);
    fill(world, n);
    for (int step = 0; step < 60; ++step) {
      const std::string one = name(dice.below(n));
      MasterWorld::Server& server = world.of(one);
      switch (dice.below(5)) {
        case 0:
          if (server.alive) world.kill(one);
          break;
        case 1:
          if (server.alive && !server.cut) world.freeze(one, !server.frozen);
          break;
        case 2:
          if (server.alive && !server.frozen && !server.cut) world.leave(one);
          break;
        case 3:
          if (!server.alive) world.restart(one);
          break;
        default:
          world.accuse(name(dice.below(n)), one);
      }
      world.run(std::chrono::milliseconds(dice.below(3000)));
      ASSERT_TRUE(world.whole()) << seed << " " << step;
    }
    for (std::size_t i = 0; i < n; ++i) {
      MasterWorld::Server& server = world.of(name(i));
      if (!server.alive) {
        world.restart(name(i));
      } else if (server.frozen) {
        world.freeze(name(i), false);
      }
    }
    world.run(30min);  // longer than anybody is held back
    for (std::size_t i = 0; i < n; ++i) ASSERT_TRUE(world.online(name(i))) << seed << " " << i;
    ASSERT_TRUE(world.whole()) << seed;
  }
}

}  // namespace
}  // namespace tandem
