#include "common/cluster/ownership.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "common/base/random.h"

namespace tandem {
namespace {

constexpr std::uint32_t kTypes = 4096;

ServerRecord server(const std::string& name, std::uint32_t capacity = 1000) {
  ServerRecord record;
  record.id = ServerId::of(name);
  record.name = name;
  record.group = "default";
  record.online = true;
  record.status.capacity = capacity;
  return record;
}

View view_of(std::uint64_t version, std::vector<ServerRecord> servers) {
  View view;
  view.version = version;
  view.maker = 7;
  view.servers = std::move(servers);
  return view;
}

std::vector<ServerRecord> servers(int count) {
  std::vector<ServerRecord> all;
  for (int i = 0; i < count; ++i) all.push_back(server("server-" + std::to_string(i)));
  return all;
}

Ownership owned(const View& view, Types types = Types({}, kTypes)) {
  Ownership ownership(std::move(types), "default");
  ownership.apply(view);
  return ownership;
}

std::map<ServerId, std::uint32_t> owners_of(const Ownership& ownership) {
  std::map<ServerId, std::uint32_t> counts;
  for (std::uint32_t i = 0; i < ownership.types().size(); ++i) ++counts[ownership.owner({i})];
  return counts;
}

// --- types -------------------------------------------------------------------------------------

TEST(Types, TheLongestPrefixThenAHashOfThePath) {
  const Types types({{"/img/", ""}, {"/img/big/", ""}, {"/", "x"}}, 8);
  EXPECT_EQ(types.name(types.type_of("/img/a.png")), "/img/");
  EXPECT_EQ(types.name(types.type_of("/img/big/a.png")), "/img/big/");
  EXPECT_EQ(types.name(types.type_of("/index")), "/");
  const Types hashed({{"/img/", ""}}, 8);
  EXPECT_EQ(hashed.name(hashed.type_of("/index"))[0], '#');
  EXPECT_EQ(hashed.name(hashed.type_of("/img"))[0], '#');
  EXPECT_EQ(hashed.size(), 9U);
}

TEST(Types, AllNamesOfAnItemAreOfOneType) {
  const Types types({{"/img/", ""}}, 4096);
  EXPECT_EQ(types.type_of("/a/b?x=1"), types.type_of("/a/b"));
  EXPECT_EQ(types.type_of("/a/b?x=1"), types.type_of("/a/b?y=/img/"));
  EXPECT_EQ(types.type_of("/%61/b"), types.type_of("/a/b"));
  EXPECT_EQ(types.type_of("/%69mg/x"), types.type_of("/img/x"));
  EXPECT_EQ(types.type_of("/a%4"), types.type_of("/a%4"));
  EXPECT_NE(types.type_of("/a/b"), types.type_of("/a/c"));
}

TEST(Types, KeysLastWhateverOtherRulesThereAre) {
  const Types some({{"/img/", ""}, {"/b", "x"}}, 16);
  const Types other({{"/c", ""}, {"/img/", "y"}, {"/longer", ""}}, 16);
  EXPECT_EQ(some.key(some.type_of("/img/1")), other.key(other.type_of("/img/1")));
  EXPECT_EQ(some.key(some.type_of("/z")), other.key(other.type_of("/z")));
  const Types more({}, 32);
  EXPECT_NE(some.key(some.type_of("/z")), more.key(more.type_of("/z")));
}

TEST(Types, FingerprintsDifferWhereTheRulesDo) {
  const Types some({{"/a", ""}, {"/b", "x"}}, 16);
  EXPECT_EQ(some.fingerprint(), Types({{"/b", "x"}, {"/a", ""}}, 16).fingerprint());
  EXPECT_NE(some.fingerprint(), Types({{"/b", "x"}, {"/a", ""}}, 17).fingerprint());
  EXPECT_NE(some.fingerprint(), Types({{"/b", "y"}, {"/a", ""}}, 16).fingerprint());
  EXPECT_NE(some.fingerprint(), Types({{"/b", "x"}}, 16).fingerprint());
}

// --- owners ------------------------------------------------------------------------------------

TEST(Ownership, NobodyWithoutAView) {
  const Ownership ownership(Types{}, "default");
  EXPECT_FALSE(ownership.has_view());
  EXPECT_FALSE(ownership.owner({0}));
  EXPECT_FALSE(ownership.acting({0}));
  EXPECT_EQ(ownership.epoch({0}), ActingEpoch{});
}

TEST(Ownership, AnotherServerMovesItsShareAndNoOtherType) {
  for (const int count : {2, 3, 8, 20}) {
    const auto all = servers(count + 1);
    const Ownership before = owned(view_of(1, {all.begin(), all.end() - 1}));
    const Ownership after = owned(view_of(1, all));
    std::uint32_t moved = 0;
    for (std::uint32_t i = 0; i < kTypes; ++i) {
      if (before.owner({i}) == after.owner({i})) continue;
      ++moved;
      EXPECT_EQ(after.owner({i}), all.back().id) << "a type moved between two that stayed";
    }
    const double fair = static_cast<double>(kTypes) / (count + 1);
    EXPECT_GT(moved, fair * 0.75) << count;
    EXPECT_LT(moved, fair * 1.25) << count;
  }
}

TEST(Ownership, AServerThatLeavesMovesItsOwnTypesAlone) {
  auto all = servers(8);
  const Ownership before = owned(view_of(1, all));
  all[3].online = false;
  all[3].left = true;
  const Ownership after = owned(view_of(2, all));
  for (std::uint32_t i = 0; i < kTypes; ++i) {
    if (before.owner({i}) == all[3].id) {
      EXPECT_NE(after.owner({i}), all[3].id);
    } else {
      EXPECT_EQ(after.owner({i}), before.owner({i}));
    }
  }
}

TEST(Ownership, WeightedByCapacity) {
  std::vector<ServerRecord> all;
  std::uint32_t sum = 0;
  for (const std::uint32_t capacity : {100U, 200U, 300U, 400U}) {
    all.push_back(server("w" + std::to_string(capacity), capacity));
    sum += capacity;
  }
  const auto counts = owners_of(owned(view_of(1, all), Types({}, 16384)));
  for (const ServerRecord& one : all) {
    const double fair = 16384.0 * one.status.capacity / sum;
    EXPECT_NEAR(counts.at(one.id), fair, fair * 0.1) << one.name;
  }
}

TEST(Ownership, ADeathMovesNoOwnerAndTheDeadOnesTypesSpreadOverAllTheRest) {
  auto all = servers(8);
  Ownership ownership = owned(view_of(1, all));
  const Ownership before = ownership;
  all[2].online = false;
  ownership.apply(view_of(2, all));
  std::map<ServerId, std::uint32_t> heirs;
  std::uint32_t dead = 0;
  for (std::uint32_t i = 0; i < kTypes; ++i) {
    EXPECT_EQ(ownership.owner({i}), before.owner({i}));
    if (ownership.owner({i}) == all[2].id) {
      ++dead;
      ++heirs[ownership.acting({i})];
      EXPECT_TRUE(ownership.stands_in(ownership.acting({i}), {i}));
      EXPECT_EQ(ownership.acting({i}), ownership.order({i})[1]);
    } else {
      EXPECT_EQ(ownership.acting({i}), ownership.owner({i}));
    }
  }
  EXPECT_EQ(ownership.owned_by(all[2].id), dead);
  EXPECT_EQ(ownership.acted_for_by(all[2].id), 0U);
  EXPECT_EQ(heirs.size(), 7U);
  for (const auto& [heir, types] : heirs) EXPECT_NEAR(types, dead / 7.0, dead / 7.0 * 0.5);
}

TEST(Ownership, ANamedOwnerOwnsAndAnyOfTheGroupStandsIn) {
  auto all = servers(4);
  const Types types({{"/img/", "server-2"}, {"/x/", "nobody-here"}}, 16);
  Ownership ownership = owned(view_of(1, all), types);
  const TypeId img = types.type_of("/img/1"), x = types.type_of("/x/1");
  EXPECT_EQ(ownership.owner(img), all[2].id);
  EXPECT_EQ(ownership.order(img).front(), all[2].id);
  EXPECT_EQ(ownership.order(img).size(), 4U);
  EXPECT_TRUE(ownership.owner(x)) << "who is named is not in the group: by the rendezvous";
  all[2].online = false;
  ownership.apply(view_of(2, all));
  EXPECT_EQ(ownership.owner(img), all[2].id);
  EXPECT_EQ(ownership.acting(img), ownership.order(img)[1]);
}

TEST(Ownership, TheSameForAllWhateverTheOrderOfTheList) {
  Random random(5);
  for (int round = 0; round < 20; ++round) {
    auto all = servers(2 + static_cast<int>(random.below(12)));
    for (ServerRecord& one : all) {
      one.online = random.chance(0.7);
      one.status.capacity = 1 + static_cast<std::uint32_t>(random.below(3000));
    }
    const Ownership one = owned(view_of(1, all), Types({}, 256));
    for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
    const Ownership other = owned(view_of(1, all), Types({}, 256));
    for (std::uint32_t i = 0; i < 256; ++i) {
      EXPECT_EQ(one.owner({i}), other.owner({i}));
      EXPECT_EQ(one.acting({i}), other.acting({i}));
      EXPECT_EQ(one.order({i}), other.order({i}));
    }
  }
}

// Written down, so that another compiler, or another version, cannot place types elsewhere.
TEST(Ownership, PlacesAreTheSameOnEveryMachine) {
  const Ownership ownership = owned(view_of(1, servers(5)), Types({}, 16));
  std::string places;
  for (std::uint32_t i = 0; i < 16; ++i) {
    for (int s = 0; s < 5; ++s) {
      const ServerId id = ServerId::of("server-" + std::to_string(s));
      if (id == ownership.owner({i})) places += static_cast<char>('0' + s);
    }
  }
  EXPECT_EQ(places, "2030023020420210");
}

TEST(Ownership, OtherGroupsAndPlainServersDoNotCount) {
  auto all = servers(3);
  all[0].group = "other";
  all[1].kind = ServerKind::kPlain;
  const auto counts = owners_of(owned(view_of(1, all)));
  ASSERT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts.begin()->first, all[2].id);
}

TEST(Ownership, NobodyActsWhileAllAreOffline) {
  auto all = servers(2);
  all[0].online = all[1].online = false;
  const Ownership ownership = owned(view_of(1, all));
  EXPECT_TRUE(ownership.owner({0}));
  EXPECT_FALSE(ownership.acting({0}));
  EXPECT_EQ(ownership.epoch({0}), ActingEpoch{});
}

// --- epochs ------------------------------------------------------------------------------------

TEST(Ownership, TheEpochIsOfTheViewSinceWhichItActs) {
  auto all = servers(3);
  Ownership ownership = owned(view_of(4, all), Types({{"/a", "server-0"}}, 1));
  EXPECT_EQ(ownership.epoch({0}), (ActingEpoch{4, all[0].id}));
  all[2].zone = "elsewhere";
  ownership.apply(view_of(5, all));
  EXPECT_EQ(ownership.epoch({0}), (ActingEpoch{4, all[0].id}));
  all[0].online = false;
  ownership.apply(view_of(6, all));
  EXPECT_EQ(ownership.epoch({0}).version, 6U);
  EXPECT_NE(ownership.epoch({0}).server, all[0].id);
  all[0].online = true;
  ownership.apply(view_of(7, all));
  EXPECT_EQ(ownership.epoch({0}), (ActingEpoch{7, all[0].id}));
  ownership.apply(view_of(7, all));
  EXPECT_EQ(ownership.epoch({0}), (ActingEpoch{7, all[0].id})) << "told again";
}

// A server that was frozen through its own death and return would otherwise write under an epoch
// that its stand-in has passed, for ever.
TEST(Ownership, WhoMissedViewsActsAnew) {
  const auto all = servers(3);
  const Types types({{"/a", "server-0"}}, 1);
  Ownership ownership = owned(view_of(5, all), types);
  ownership.apply(view_of(7, all));
  EXPECT_EQ(ownership.epoch({0}), (ActingEpoch{7, all[0].id}));
  View others = view_of(8, all);
  others.maker = 9;
  ownership.apply(others);
  EXPECT_EQ(ownership.epoch({0}), (ActingEpoch{8, all[0].id}));
  ownership.apply(view_of(3, all));
  EXPECT_EQ(ownership.epoch({0}), (ActingEpoch{8, all[0].id})) << "never a lesser one";
}

}  // namespace
}  // namespace tandem
