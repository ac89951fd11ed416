#include "lb/core/view_teller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/base/random.h"

namespace tandem {
namespace {

constexpr std::uint64_t kMaker = 3;

View view(std::uint64_t version, bool b_online = true) {
  View made{version, 1, {}, kMaker, false};
  for (const std::string name : {"a", "b"}) {
    ServerRecord record;
    record.id = ServerId::of(name);
    record.name = name;
    record.online = name == "a" || b_online;
    made.servers.push_back(record);
  }
  return made;
}

using Ids = std::vector<ConnectionId>;

TEST(ViewTeller, WhoNeverAskedGetsEachViewWhole) {
  ViewTeller teller;
  EXPECT_EQ(teller.tell(view(1), {7}).whole_to, Ids{7});
  const auto second = teller.tell(view(2, false), {7});
  EXPECT_EQ(second.whole_to, Ids{7});
  EXPECT_TRUE(second.delta_to.empty());
  EXPECT_EQ(teller.counts().snapshots, 2u);
}

TEST(ViewTeller, WhoAskedGetsItWholeOnceAndThenWhatChanged) {
  ViewTeller teller;
  teller.on_request(7);
  EXPECT_TRUE(teller.awaited());
  EXPECT_EQ(teller.tell(view(1), {7}).whole_to, Ids{7});
  EXPECT_FALSE(teller.awaited());
  const auto second = teller.tell(view(2, false), {7});
  EXPECT_TRUE(second.whole_to.empty());
  EXPECT_EQ(second.delta_to, Ids{7});
  EXPECT_EQ(*apply(view(1), second.delta), view(2, false));
  EXPECT_EQ(second.delta.changed.size(), 1u);
}

TEST(ViewTeller, AskingAgainBringsTheWholeViewToTheOneAlone) {
  ViewTeller teller;
  teller.on_request(7);
  teller.on_request(8);
  (void)teller.tell(view(1), {6, 7, 8});
  teller.on_request(8);
  const auto telling = teller.tell(view(1), {6, 7, 8});
  EXPECT_EQ(telling.whole_to, Ids{8});
  EXPECT_TRUE(telling.delta_to.empty());
}

TEST(ViewTeller, StatusThatWasToldIsNoChange) {
  ViewTeller teller;
  teller.on_request(7);
  (void)teller.tell(view(1), {7});
  Status status;
  status.sequence = 5;
  status.primaries = 9;
  teller.on_status_told({{{ServerId::of("a"), status}}});
  View next = view(2);
  next.servers[0].status = status;
  EXPECT_TRUE(teller.tell(next, {7}).delta.changed.empty());
}

TEST(ViewTeller, ANewConnectionStartsAnew) {
  ViewTeller teller;
  teller.on_request(7);
  (void)teller.tell(view(1), {7});
  teller.forget(7);
  EXPECT_EQ(teller.tell(view(2), {7}).whole_to, Ids{7});
}

// Listeners of both kinds come, ask and go; all that are there hold the same view after each round.
TEST(ViewTeller, EverybodyHoldsWhatWasToldLast) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Random dice(seed);
    ViewTeller teller;
    std::map<ConnectionId, View> held;
    ConnectionId last = 0;
    for (std::uint64_t version = 1; version < 60; ++version) {
      if (dice.chance(0.3)) {
        held[++last] = {};
        if (dice.chance(0.7)) teller.on_request(last);
      }
      if (!held.empty() && dice.chance(0.2)) {
        const auto leaves = std::next(held.begin(), static_cast<long>(dice.below(held.size())));
        teller.forget(leaves->first);
        held.erase(leaves);
      }
      if (!held.empty() && dice.chance(0.2)) teller.on_request(held.rbegin()->first);
      Ids listeners;
      for (const auto& [id, view] : held) listeners.push_back(id);
      const View now = view(version, dice.chance(0.5));
      const auto telling = teller.tell(now, listeners);
      for (const ConnectionId to : telling.whole_to) held.at(to) = now;
      for (const ConnectionId to : telling.delta_to) {
        const auto next = apply(held.at(to), telling.delta);
        ASSERT_TRUE(next) << next.error().message;
        held.at(to) = *next;
      }
      for (const auto& [id, view] : held) ASSERT_EQ(view, now) << seed << " " << version;
    }
  }
}

}  // namespace
}  // namespace tandem
