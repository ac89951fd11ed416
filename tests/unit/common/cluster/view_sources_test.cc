#include "common/cluster/view_sources.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/random.h"

namespace tandem {
namespace {

constexpr std::uint64_t kMaster = 11, kRestarted = 12, kFollower = 22;

ServerRecord record(const std::string& name, bool online = true) {
  ServerRecord made;
  made.id = ServerId::of(name);
  made.name = name;
  made.online = online;
  return made;
}
View view(std::uint64_t maker, std::uint64_t version, bool stand_in = false) {
  return {version, 1, {record("a"), record("b")}, maker, stand_in};
}

class ViewSourcesTest : public ::testing::Test {
 protected:
  ViewSourcesTest() {
    for (std::size_t i = 0; i < sources_.sources(); ++i) sources_.on_connected(i, now_);
  }
  void tell(std::size_t balancer, View told) {
    sources_.on_heard(balancer, now_);
    sources_.on_view(balancer, std::move(told));
  }
  // Time passes, and these are heard.
  void pass(Duration time, std::initializer_list<std::size_t> heard) {
    for (const Instant end = now_ + time; now_ < end;) {
      now_ += 500ms;
      for (const std::size_t balancer : heard) sources_.on_heard(balancer, now_);
    }
  }
  ViewId followed() {
    const ViewPtr view = sources_.follow(now_);
    return view == nullptr ? ViewId{} : view->id();
  }

  Instant now_ = Instant{} + 100s;
  ViewSources sources_{2, {3s, 3s}};
};

TEST_F(ViewSourcesTest, NobodyIsFollowedBeforeAViewIsTold) {
  EXPECT_EQ(sources_.follow(now_), nullptr);
  EXPECT_EQ(sources_.leader(), sources_.sources());
}

TEST_F(ViewSourcesTest, TheFirstInTheConfIsFollowedWhateverTheNumbers) {
  tell(1, view(kFollower, 900));
  EXPECT_EQ(followed(), (ViewId{kFollower, 900}));
  tell(0, view(kMaster, 5));
  EXPECT_EQ(followed(), (ViewId{kMaster, 5}));
  tell(1, view(kFollower, 901));
  EXPECT_EQ(followed(), (ViewId{kMaster, 5}));
}

TEST_F(ViewSourcesTest, OfOneMakersViewsTheNewestIsFollowedWhoeverPassesItOn) {
  tell(0, view(kMaster, 5));
  tell(1, view(kMaster, 6));
  EXPECT_EQ(followed(), (ViewId{kMaster, 6}));
  EXPECT_EQ(sources_.leader(), 1u);
  tell(0, view(kMaster, 7));
  EXPECT_EQ(followed(), (ViewId{kMaster, 7}));
  EXPECT_EQ(sources_.leader(), 0u);
}

TEST_F(ViewSourcesTest, AStandInIsFollowedWhileTheMasterIsGoneAndNoLonger) {
  tell(0, view(kMaster, 5));
  tell(1, view(kMaster, 5));
  pass(5s, {0, 1});
  sources_.on_lost(0);
  EXPECT_EQ(followed(), (ViewId{kMaster, 5}));
  tell(1, view(kFollower, 6, true));
  EXPECT_EQ(followed(), (ViewId{kFollower, 6}));
  // The master is back, and does not know yet who all is there.
  sources_.on_connected(0, now_);
  tell(0, view(kRestarted, 1));
  EXPECT_EQ(followed(), (ViewId{kFollower, 6}));
  // The stand-in has found it: what it passes on is whole.
  tell(1, view(kRestarted, 7));
  EXPECT_EQ(followed(), (ViewId{kRestarted, 7}));
}

TEST_F(ViewSourcesTest, AReturnedMasterIsFollowedInTheEndThoughTheStandInCannotReachIt) {
  tell(1, view(kFollower, 600, true));
  pass(5s, {1});
  sources_.on_connected(0, now_);
  tell(0, view(kMaster, 5));
  EXPECT_EQ(followed(), (ViewId{kFollower, 600}));
  pass(3s, {0, 1});
  EXPECT_EQ(followed(), (ViewId{kMaster, 5}));
}

TEST_F(ViewSourcesTest, ASilentMasterIsLeftForAStandInUntilItIsHeardAgain) {
  tell(0, view(kMaster, 5));
  tell(1, view(kMaster, 5));
  pass(5s, {0, 1});
  EXPECT_EQ(followed(), (ViewId{kMaster, 5}));
  pass(2500ms, {1});
  tell(1, view(kFollower, 6, true));
  EXPECT_EQ(followed(), (ViewId{kMaster, 5})) << "not silent for long enough";
  pass(500ms, {1});
  EXPECT_EQ(followed(), (ViewId{kFollower, 6}));
  sources_.on_heard(0, now_);
  EXPECT_EQ(followed(), (ViewId{kMaster, 5}));
}

TEST_F(ViewSourcesTest, TheLastViewStaysWhileAllAreGoneOrSilent) {
  tell(0, view(kMaster, 5));
  tell(1, view(kFollower, 9));
  pass(5s, {1});
  EXPECT_EQ(followed(), (ViewId{kFollower, 9}));
  pass(5s, {});
  EXPECT_EQ(followed(), (ViewId{kFollower, 9}));
  sources_.on_lost(0);
  sources_.on_lost(1);
  EXPECT_EQ(followed(), (ViewId{kFollower, 9}));
  EXPECT_EQ(sources_.leader(), sources_.sources());
}

// Its directory could not be read: it knows of nobody who has not registered since.
TEST(ViewSources, ALoneBalancerThatWasRestartedIsNotFollowedBeforeItKnowsOfAllOrHasSettled) {
  const View before{900, 1, {record("a"), record("b"), record("c", false)}, kMaster, false};
  const View first{1, 1, {record("a")}, kRestarted, false};
  const View whole{2, 1, {record("a"), record("b", false)}, kRestarted, false};
  for (const bool all_come : {true, false}) {
    Instant now = Instant{} + 100s;
    ViewSources sources(1, {3s, 3s});
    sources.on_connected(0, now);
    sources.on_view(0, before);
    ASSERT_EQ(*sources.follow(now += 1s), before);
    sources.on_lost(0);
    ASSERT_EQ(*sources.follow(now += 1s), before);
    sources.on_connected(0, now);
    sources.on_view(0, first);
    EXPECT_EQ(*sources.follow(now), before);
    EXPECT_EQ(sources.leader(), sources.sources());
    if (all_come) {
      sources.on_view(0, whole);
    } else {
      now += 2900ms;
      sources.on_heard(0, now);
      EXPECT_EQ(*sources.follow(now), before);
      now += 100ms;
      sources.on_heard(0, now);
    }
    EXPECT_EQ(*sources.follow(now), all_come ? whole : first);
    EXPECT_EQ(sources.leader(), 0u);
  }
}

TEST_F(ViewSourcesTest, AGapIsAskedForOnceAndHealedByTheWholeView) {
  const View first = view(kMaster, 5), second = view(kMaster, 6);
  View third = view(kMaster, 7);
  third.servers[0].online = false;
  tell(0, first);
  EXPECT_TRUE(sources_.on_delta(0, diff(first, second)));
  EXPECT_EQ(followed(), second.id());
  EXPECT_FALSE(sources_.on_delta(0, diff(first, third)));
  EXPECT_TRUE(sources_.on_delta(0, diff(first, third))) << "asked already";
  EXPECT_EQ(*sources_.follow(now_), second) << "nothing is half applied";
  tell(0, third);
  EXPECT_EQ(*sources_.follow(now_), third);
  EXPECT_EQ(sources_.facts(0).gaps, 1u);
  EXPECT_EQ(sources_.facts(0).deltas, 3u);
  EXPECT_EQ(sources_.facts(0).snapshots, 2u);
}

TEST_F(ViewSourcesTest, AChangeFromAnEarlierConnectionIsNoBase) {
  tell(0, view(kMaster, 5));
  sources_.on_lost(0);
  sources_.on_connected(0, now_);
  EXPECT_TRUE(sources_.on_delta(0, diff(view(kMaster, 5), view(kMaster, 6))));
  EXPECT_EQ(sources_.facts(0).view, ViewId{});
  tell(0, view(kMaster, 6));
  EXPECT_EQ(followed(), (ViewId{kMaster, 6}));
}

// Whatever is lost on the way: who asks when told to ends with what the balancer has.
TEST(ViewSources, LostChangesHeal) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random dice(seed);
    ViewSources sources(1, {});
    const Instant now{};
    View told = view(kMaster, 1);
    sources.on_connected(0, now);
    sources.on_view(0, told);
    bool asked = false;
    for (int step = 0; step < 60; ++step) {
      View next = told;
      ++next.version;
      next.servers[dice.below(2)].online = dice.chance(0.5);
      const ViewDelta delta = diff(std::exchange(told, next), next);
      if (asked && dice.chance(0.5)) {
        sources.on_view(0, told);
        asked = false;
      } else if (!dice.chance(0.3) && !sources.on_delta(0, delta)) {
        asked = true;
      }
      sources.on_heard(0, now);
      const ViewPtr followed = sources.follow(now);
      ASSERT_LE(followed->version, told.version);
      if (followed->version == told.version) {
        ASSERT_EQ(*followed, told);
      }
    }
    View last = told;
    ++last.version;
    if (!sources.on_delta(0, diff(told, last)) || sources.facts(0).view != last.id()) {
      sources.on_view(0, last);
    }
    EXPECT_EQ(*sources.follow(now), last);
  }
}

}  // namespace
}  // namespace tandem
