#include "lb/core/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tandem {
namespace {

ServerId id(std::size_t number) { return ServerId{static_cast<std::uint32_t>(number + 1)}; }

// Everybody in it once, whichever way it is walked, and the buddies are what the walk met.
testing::AssertionResult whole(const Ring& ring, const std::set<ServerId>& members) {
  const std::vector<ServerId> order = ring.in_order();
  if (std::set<ServerId>(order.begin(), order.end()) != members || order.size() != members.size()) {
    return testing::AssertionFailure() << order.size() << " of " << members.size() << " are in it";
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ServerId here = order[i], next = order[(i + 1) % order.size()];
    const bool alone = order.size() == 1;
    if (ring.step(here, true) != next || ring.step(next, false) != here ||
        ring.second(here) != (alone ? ServerId{} : next) ||
        ring.first(next) != (alone ? ServerId{} : here)) {
      return testing::AssertionFailure() << "torn after place " << i;
    }
  }
  return testing::AssertionSuccess();
}

std::size_t clashes(const Ring& ring, const std::map<ServerId, std::string>& zones) {
  const std::vector<ServerId> order = ring.in_order();
  std::size_t count = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::string& zone = zones.at(order[i]);
    count += !zone.empty() && zone == zones.at(order[(i + 1) % order.size()]);
  }
  return order.size() < 3 ? 0 : count;
}

// The fewest that any order has.
std::size_t least(const Ring& ring, const std::map<ServerId, std::string>& zones) {
  std::map<std::string, std::size_t> counts;
  for (const ServerId server : ring.in_order()) ++counts[zones.at(server)];
  std::size_t most = 0;
  for (const auto& [zone, count] : counts) {
    if (!zone.empty() && 2 * count > ring.size()) most = 2 * count - ring.size();
  }
  return ring.size() < 3 ? 0 : most;
}

TEST(Ring, ANewcomerGoesBetweenARandomServerAndTheOneAfterIt) {
  Random dice(1);
  std::set<ServerId> met;
  for (std::size_t run = 0; run < 200; ++run) {
    Ring ring;
    for (std::size_t i = 0; i < 5; ++i) ring.insert(id(i), "", dice);
    const std::vector<ServerId> before = ring.in_order();
    ring.insert(id(9), "", dice);
    const ServerId first = ring.first(id(9));
    const auto place = std::find(before.begin(), before.end(), first) - before.begin();
    EXPECT_EQ(ring.second(id(9)), before[(place + 1) % before.size()]);
    met.insert(first);
  }
  EXPECT_EQ(met.size(), 5U);
}

TEST(Ring, WhoIsAloneHasNoBuddiesAndOfTwoEachIsBothBuddies) {
  Random dice(1);
  Ring ring;
  ring.insert(id(0), "", dice);
  EXPECT_EQ(ring.first(id(0)), ServerId{});
  EXPECT_EQ(ring.second(id(0)), ServerId{});
  ring.insert(id(1), "", dice);
  ring.insert(id(1), "", dice);
  EXPECT_EQ(ring.size(), 2U);
  EXPECT_EQ(ring.first(id(0)), id(1));
  EXPECT_EQ(ring.second(id(0)), id(1));
}

TEST(Ring, EverySetOfDeathsLeavesAWholeRing) {
  Random dice(2);
  for (std::size_t n = 1; n <= 12; ++n) {
    Ring full;
    for (std::size_t i = 0; i < n; ++i) full.insert(id(i), "", dice);
    for (std::uint32_t dead = 0; dead < 1U << n; ++dead) {
      Ring ring = full;
      ring.take_changed();
      std::vector<ServerId> gone;
      std::set<ServerId> left;
      for (std::size_t i = 0; i < n; ++i) {
        if ((dead >> i & 1) != 0) {
          gone.push_back(id(i));
        } else {
          left.insert(id(i));
        }
      }
      std::map<ServerId, std::pair<ServerId, ServerId>> buddies;
      for (const ServerId server : left)
        buddies[server] = {ring.first(server), ring.second(server)};
      const auto closings = ring.remove(gone);
      ASSERT_TRUE(whole(ring, left)) << n << " " << dead;
      // One closing for each run of the dead.
      std::size_t runs = 0;
      const std::vector<ServerId> order = full.in_order();
      for (std::size_t i = 0; i < n; ++i) {
        runs += left.count(order[i]) != 0 && left.count(order[(i + 1) % n]) == 0;
      }
      ASSERT_EQ(closings.size(), runs);
      for (const Ring::Closing& closing : closings) {
        ASSERT_EQ(ring.step(closing.before, true), closing.after);
      }
      const std::set<ServerId> changed = ring.take_changed();
      for (const auto& [server, had] : buddies) {
        if (had != std::pair(ring.first(server), ring.second(server))) {
          ASSERT_EQ(changed.count(server), 1U);
        }
      }
    }
  }
}

TEST(Ring, AnyComingAndGoingOfAThousandLeavesAWholeRing) {
  Random dice(3);
  for (std::size_t run = 0; run < 20; ++run) {
    Ring ring;
    std::set<ServerId> members;
    const std::size_t n = 1 + dice.below(1000);
    for (std::size_t step = 0; step < 40; ++step) {
      std::vector<ServerId> gone;
      for (std::size_t i = dice.below(n); i > 0; --i) {
        const ServerId server = id(dice.below(n));
        if (dice.chance(0.6)) {
          ring.insert(server, "", dice);
          members.insert(server);
          std::erase(gone, server);
        } else {
          gone.push_back(server);
        }
      }
      for (const ServerId server : gone) members.erase(server);
      ring.remove(gone);
      ASSERT_TRUE(whole(ring, members)) << run << " " << step;
    }
  }
}

TEST(Ring, NeighboursAreOfDifferentZonesWhereverThatCanBe) {
  Random dice(4);
  for (std::size_t run = 0; run < 300; ++run) {
    Ring ring;
    std::map<ServerId, std::string> zones;
    std::set<ServerId> members;
    const std::size_t n = 2 + dice.below(20), named = 1 + dice.below(4);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t zone = dice.below(named + 1);
      zones[id(i)] = zone == named ? "" : std::string(1, static_cast<char>('a' + zone));
    }
    for (std::size_t step = 0; step < 60; ++step) {
      const ServerId server = id(dice.below(n));
      if (members.erase(server) != 0) {
        ring.remove({server});
      } else {
        ring.insert(server, zones[server], dice);
        members.insert(server);
      }
      ring.mend(dice);
      ASSERT_TRUE(whole(ring, members));
      ASSERT_EQ(clashes(ring, zones), least(ring, zones)) << run << " " << step;
    }
  }
}

TEST(Ring, ComesBackAsItWas) {
  Random dice(5);
  Ring ring;
  std::map<ServerId, std::string> zones;
  for (std::size_t i = 0; i < 50; ++i) {
    zones[id(i)] = i % 3 == 0 ? "a" : "b";
    ring.insert(id(i), zones[id(i)], dice);
  }
  ring.mend(dice);
  std::vector<Ring::Place> places;
  for (const ServerId server : ring.in_order()) {
    places.push_back({server, ring.first(server), ring.second(server)});
  }
  Ring again;
  again.restore(places, zones, dice);
  EXPECT_EQ(again.in_order(), ring.in_order());
  // Rows that are missing or do not fit, and servers that have none: still one whole ring.
  places.resize(30);
  places[3].second = id(99);
  places[7].second = places[2].server;
  Ring torn;
  torn.restore(places, zones, dice);
  std::set<ServerId> members;
  for (const auto& [server, zone] : zones) members.insert(server);
  EXPECT_TRUE(whole(torn, members));
}

}  // namespace
}  // namespace tandem
