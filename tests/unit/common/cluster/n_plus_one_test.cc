#include "common/cluster/n_plus_one.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "common/base/random.h"
#include "common/cluster/choose.h"

namespace tandem {
namespace {

ServerId id(const std::string& name) { return ServerId::of(name); }

ServerRecord server(const std::string& name, std::uint32_t primaries, std::uint32_t capacity) {
  ServerRecord record;
  record.id = id(name);
  record.name = name;
  record.online = true;
  record.status = {1, primaries, capacity, capacity, 0, false};
  return record;
}

View view_of(std::vector<ServerRecord> servers) { return View{1, 1, std::move(servers)}; }

TEST(IfDies, SessionsGoWhereTheirCopiesAre) {
  const View view = view_of({server("a", 60, 100), server("b", 50, 100), server("c", 80, 100)});
  const IfDies then = if_dies(view, {{id("a"), {{{id("b"), 20}, {id("c"), 40}}}}}, id("a"));
  EXPECT_EQ(then.sessions, 60U);
  EXPECT_EQ(then.unbacked, 0U);
  ASSERT_EQ(then.heirs.size(), 2U);
  EXPECT_EQ(then.heirs[0], (IfDies::Heir{id("b"), 50, 20, 100}));
  EXPECT_EQ(then.heirs[1], (IfDies::Heir{id("c"), 80, 40, 100}));
  EXPECT_EQ(then.over(), 20U);
  ASSERT_NE(then.worst(), nullptr);
  EXPECT_EQ(then.worst()->server, id("c"));
}

TEST(IfDies, OrphansAreAsGoodAsOwnSessions) {
  View view = view_of({server("a", 60, 100), server("b", 50, 100)});
  view.servers[0].status.orphans = 10;
  view.servers[1].status.orphans = 45;
  const IfDies then = if_dies(view, {{id("a"), {{{id("b"), 70}}}}}, id("a"));
  EXPECT_EQ(then.sessions, 70U);
  EXPECT_EQ(then.over(), 65U);
}

TEST(IfDies, SessionsWithoutACopyFillTheRoomThatIsLeft) {
  View view = view_of({server("a", 60, 100), server("b", 70, 100), server("c", 80, 100)});
  const Backings backings = {{id("a"), {{{ServerId{}, 25}, {id("b"), 15}}}}};
  IfDies then = if_dies(view, backings, id("a"));
  EXPECT_EQ(then.unbacked, 45U);  // 20 have not been told of
  EXPECT_EQ(then.homeless, 10U);
  EXPECT_EQ(then.over(), 10U);
  EXPECT_EQ(then.worst(), nullptr);
  view.servers[2].status.draining = true;  // its room is nobody's
  then = if_dies(view, backings, id("a"));
  EXPECT_EQ(then.homeless, 30U);
}

TEST(IfDies, CopiesOnServersThatAreOfflineAreNone) {
  View view = view_of({server("a", 60, 100), server("b", 0, 100), server("c", 90, 100)});
  view.servers[1].online = false;
  const IfDies then = if_dies(view, {{id("a"), {{{id("b"), 60}}}}}, id("a"));
  EXPECT_EQ(then.unbacked, 60U);
  EXPECT_EQ(then.homeless, 50U);
  EXPECT_EQ(then.heirs.size(), 1U);
}

TEST(IfDies, AnOldBackingNeverGivesMoreThanThereIs) {
  const View view = view_of({server("a", 10, 100), server("b", 0, 100), server("c", 0, 100)});
  const IfDies then = if_dies(view, {{id("a"), {{{id("b"), 8}, {id("c"), 8}}}}}, id("a"));
  EXPECT_EQ(then.heirs[0].inherits + then.heirs[1].inherits, 10U);
}

TEST(IfDies, WhoIsOfflineOrUnknownHasNothingToLose) {
  View view = view_of({server("a", 60, 100)});
  view.servers[0].online = false;
  EXPECT_EQ(if_dies(view, {}, id("a")).over(), 0U);
  EXPECT_EQ(if_dies(view, {}, id("z")).over(), 0U);
}

TEST(IfDies, OneKindDoesNotStandInForTheOther) {
  View view = view_of({server("a", 60, 100), server("b", 0, 100)});
  view.servers[1].kind = ServerKind::kPlain;
  EXPECT_EQ(if_dies(view, {{id("a"), {{{id("b"), 60}}}}}, id("a")).homeless, 60U);
}

TEST(IfDies, OneGroupDoesNotStandInForTheOther) {
  View view = view_of({server("a", 50, 100), server("b", 70, 100), server("c", 0, 100)});
  view.servers[0].group = view.servers[1].group = "api";
  const Backings backings = {{id("a"), {{{id("c"), 50}}}}};  // an old one, of another group
  const IfDies then = if_dies(view, backings, id("a"));
  ASSERT_EQ(then.heirs.size(), 1U);
  EXPECT_EQ(then.heirs[0], (IfDies::Heir{id("b"), 70, 0, 100}));
  EXPECT_EQ(then.homeless, 20U);
  const NPlusOne all = n_plus_one(view, backings);
  ASSERT_NE(all.worst(), nullptr);
  EXPECT_EQ(*all.worst(), (NPlusOne::Death{id("a"), 20}));
  EXPECT_EQ(n_plus_one_slack(view.servers, ServerKind::kTandem, "api"), -20);
  EXPECT_EQ(n_plus_one_slack(view.servers, ServerKind::kTandem, ""), 0);
}

TEST(NPlusOneTest, TheWorstDeathIsNamed) {
  const View view = view_of({server("a", 60, 100), server("b", 70, 100), server("c", 60, 100)});
  const Backings backings = {{id("a"), {{{id("b"), 30}, {id("c"), 30}}}},
                             {id("b"), {{{id("a"), 40}, {id("c"), 30}}}},
                             {id("c"), {{{id("a"), 20}, {id("b"), 40}}}}};
  const NPlusOne state = n_plus_one(view, backings);
  EXPECT_FALSE(state.safe());
  ASSERT_NE(state.worst(), nullptr);
  EXPECT_EQ(state.worst()->server, id("c"));
  EXPECT_EQ(state.worst()->over, 10U);  // on b
  EXPECT_EQ(state.deaths.size(), 3U);
}

TEST(NPlusOneTest, TheOnlyServerIsSafeWhileItHasNoSessions) {
  EXPECT_TRUE(n_plus_one(view_of({server("a", 0, 100)}), {}).safe());
  EXPECT_FALSE(n_plus_one(view_of({server("a", 1, 100)}), {}).safe());
}

// --- over random small clusters -----------------------------------------------------------------

struct Dice {
  explicit Dice(std::uint64_t seed) : random(seed) {}
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(random.below(bound));
  }
  View cluster() {
    View view;
    const std::uint32_t servers = 2 + below(4);
    for (std::uint32_t i = 0; i < servers; ++i) {
      const std::uint32_t capacity = below(9);
      ServerRecord record =
          server(std::string(1, static_cast<char>('a' + i)), below(capacity + 1), capacity);
      record.status.orphans = random.chance(0.2) ? below(3) : 0;
      record.online = !random.chance(0.1);
      record.status.draining = random.chance(0.1);
      if (random.chance(0.5)) record.zone = random.chance(0.5) ? "north" : "south";
      view.servers.push_back(record);
    }
    return view;
  }
  Random random;
};

// Can so many sessions be shared out to the others, from the one at `from` on, without passing a
// capacity? Tries all ways.
bool placeable(const View& view, std::size_t dying, std::uint64_t sessions, std::size_t from = 0) {
  if (from == view.servers.size()) return sessions == 0;
  const ServerRecord& heir = view.servers[from];
  const bool takes = from != dying && heir.takes_sessions();
  for (std::uint64_t share = 0; share <= (takes ? sessions : 0); ++share) {
    if (share > 0 && answers_for(heir.status) + share > heir.status.capacity) continue;
    if (placeable(view, dying, sessions - share, from + 1)) return true;
  }
  return false;
}

bool possible(const View& view) {
  for (std::size_t i = 0; i < view.servers.size(); ++i) {
    const ServerRecord& server = view.servers[i];
    if (server.online && !placeable(view, i, answers_for(server.status))) return false;
  }
  return true;
}

// The alternates that each server chooses, one by one, in the order of the dice.
Backings choose_all(const View& view, Dice& dice) {
  Backings backings;
  for (const ServerRecord& server : view.servers) {
    if (!server.online) continue;
    AlternateShares shares;
    for (std::uint64_t n = answers_for(server.status); n > 0; --n) {
      ++shares[choose_alternate(view, server.id, shares, dice.random.next())];
    }
    for (const auto& [heir, sessions] : shares) {
      backings[server.id].entries.push_back({heir, sessions});
    }
  }
  return backings;
}

bool none_over_already(const View& view) {
  for (const ServerRecord& server : view.servers) {
    if (server.online && answers_for(server.status) > server.status.capacity) return false;
  }
  return true;
}

// The claim of the header: alternates that are chosen one by one, by each primary for itself, are
// N+1-safe whenever any choice is.
TEST(NPlusOneProperty, AlternatesChosenOneByOneAreSafeWheneverThatIsPossible) {
  int safe = 0, unsafe = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    Dice dice(seed);
    const View view = dice.cluster();
    if (!none_over_already(view)) continue;
    const NPlusOne state = n_plus_one(view, choose_all(view, dice));
    ASSERT_EQ(state.safe(), possible(view)) << "seed " << seed;
    ++(state.safe() ? safe : unsafe);
  }
  EXPECT_GT(safe, 200);
  EXPECT_GT(unsafe, 200);
}

TEST(NPlusOneProperty, SlackSaysWhetherItIsPossible) {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const View view = Dice(seed).cluster();
    ASSERT_EQ(n_plus_one_slack(view.servers, ServerKind::kTandem, {}) >= 0, possible(view))
        << "seed " << seed;
  }
}

TEST(NPlusOneProperty, EverySessionTakesOneOfTheSlackWhereverItGoes) {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    View view = Dice(seed).cluster();
    const std::int64_t before = n_plus_one_slack(view.servers, ServerKind::kTandem, {});
    for (ServerRecord& server : view.servers) {
      if (!server.takes_sessions() || room_of(server.status) == 0) continue;
      ++server.status.primaries;
      ASSERT_EQ(n_plus_one_slack(view.servers, ServerKind::kTandem, {}), before - 1)
          << "seed " << seed;
      --server.status.primaries;
    }
  }
}

// All deaths are judged from one sum; each by itself comes to the same.
TEST(NPlusOne, EveryDeathIsJudgedAsItIsByItself) {
  Random dice(7);
  for (int run = 0; run < 300; ++run) {
    View view = view_of({});
    Backings backings;
    const std::size_t n = 1 + dice.below(9);
    for (std::size_t i = 0; i < n; ++i) {
      const auto capacity = static_cast<std::uint32_t>(dice.below(100));
      ServerRecord one =
          server(std::to_string(i), static_cast<std::uint32_t>(dice.below(120)), capacity);
      one.online = dice.below(6) != 0;
      one.kind = dice.below(4) == 0 ? ServerKind::kPlain : ServerKind::kTandem;
      one.status.draining = dice.below(5) == 0;
      one.status.orphans = static_cast<std::uint32_t>(dice.below(20));
      view.servers.push_back(one);
      for (std::size_t entry = dice.below(2 * n); entry > 0; --entry) {  // some twice, some unknown
        backings[one.id].entries.push_back(
            {id(std::to_string(dice.below(n + 1))), static_cast<std::uint32_t>(dice.below(60))});
      }
    }
    for (const NPlusOne::Death& death : n_plus_one(view, backings).deaths) {
      ASSERT_EQ(death.over, if_dies(view, backings, death.server).over()) << run;
    }
  }
}

}  // namespace
}  // namespace tandem
