#include "common/cluster/choose.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tandem {
namespace {

ServerRecord server(const std::string& name, std::uint32_t primaries, std::uint32_t capacity = 100,
                    std::uint32_t threshold = 80, std::uint32_t alternates = 0) {
  ServerRecord record;
  record.id = ServerId::of(name);
  record.name = name;
  record.online = true;
  record.status = {1, primaries, capacity, threshold, alternates, false};
  return record;
}

std::string name_of(const View& view, ServerId id) {
  const ServerRecord* record = view.find(id);
  return record == nullptr ? "nobody" : record->name;
}

std::string second_of(const View& view, std::span<const ServerId> excluded = {}) {
  const auto choice = choose_second(view.servers, excluded);
  if (!choice) return "nobody";
  return name_of(view, choice->server) + (choice->over_threshold ? "!" : "");
}

std::string alternate_of(const View& view, const std::string& primary,
                         const AlternateShares& shares = {}) {
  return name_of(view, choose_alternate(view, ServerId::of(primary), shares, 7));
}

View view_of(std::vector<ServerRecord> servers) { return View{1, 1, std::move(servers)}; }

TEST(ChooseSecond, FewestSessionsForTheCapacity) {
  EXPECT_EQ(second_of(view_of({server("a", 30), server("b", 20), server("c", 25)})), "b");
}

TEST(ChooseSecond, CapacityChangesTheChoice) {
  EXPECT_EQ(second_of(view_of({server("a", 20, 100), server("b", 20, 200, 160)})), "b");
  EXPECT_EQ(second_of(view_of({server("a", 20, 300, 250), server("b", 20, 200, 160)})), "a");
}

TEST(ChooseSecond, FewestAsAlternateAmongEquals) {
  EXPECT_EQ(second_of(view_of({server("a", 20, 100, 80, 9), server("b", 20, 100, 80, 3)})), "b");
  EXPECT_EQ(second_of(view_of({server("a", 20, 100, 80, 1), server("b", 20, 100, 80, 3)})), "a");
}

TEST(ChooseSecond, WithinTheThresholdFirstThenTheLeastLoadedWithRoomThenNobody) {
  EXPECT_EQ(second_of(view_of({server("a", 10, 100, 5), server("b", 70)})), "b");
  EXPECT_EQ(second_of(view_of({server("a", 95), server("b", 90)})), "b!");
  EXPECT_EQ(second_of(view_of({server("a", 100), server("b", 99)})), "b!");
  EXPECT_EQ(second_of(view_of({server("a", 100), server("b", 120)})), "nobody");
}

TEST(ChooseSecond, RatherOneThatDoesNotNeedItsLastPlacesIfAnotherDies) {
  View view = view_of({server("a", 50), server("b", 60), server("c", 85)});
  EXPECT_EQ(second_of(view), "a");
  view.servers[0].status.reserve = 50;
  EXPECT_EQ(second_of(view), "b");
  view.servers[1].status.reserve = 40;
  EXPECT_EQ(second_of(view), "a");  // c could, but is over its threshold
  // With these no choice of alternates is safe: it is of no use to spare one.
  view = view_of({server("a", 66), server("b", 70), server("c", 64)});
  view.servers[2].status.reserve = 36;
  EXPECT_EQ(second_of(view), "c");
}

TEST(ChooseSecond, NeverDrainingOfflineOrExcluded) {
  View view = view_of({server("a", 1), server("b", 2), server("c", 3)});
  view.servers[0].status.draining = true;
  view.servers[1].online = false;
  EXPECT_EQ(second_of(view), "c");
  const ServerId excluded[] = {ServerId::of("c")};
  EXPECT_EQ(second_of(view, excluded), "nobody");
}

TEST(ChooseAlternate, NeverItselfDrainingOrOffline) {
  View view = view_of({server("a", 0), server("b", 50), server("c", 60)});
  EXPECT_EQ(alternate_of(view, "a"), "b");
  view.servers[1].status.draining = true;
  EXPECT_EQ(alternate_of(view, "a"), "c");
  view.servers[2].online = false;
  EXPECT_EQ(alternate_of(view, "a"), "nobody");
}

TEST(ChooseAlternate, OfTheSameKind) {
  View view = view_of({server("a", 0), server("b", 0), server("c", 60)});
  view.servers[1].kind = ServerKind::kPlain;
  EXPECT_EQ(alternate_of(view, "a"), "c");
  EXPECT_EQ(alternate_of(view, "b"), "nobody");
}

TEST(ChooseAlternate, OfTheSameGroup) {
  View view = view_of({server("a", 10), server("b", 90), server("c", 10)});
  view.servers[0].group = view.servers[1].group = "api";
  EXPECT_EQ(alternate_of(view, "a"), "b");
  EXPECT_EQ(alternate_of(view, "c"), "nobody");
}

TEST(ChooseSecond, EachGroupHasAReserveOfItsOwn) {
  // a and b could not take over each other's sessions, c and d could: a session more is safe there.
  View view = view_of({server("a", 70), server("b", 60), server("c", 65), server("d", 5)});
  view.servers[0].group = view.servers[1].group = "api";
  view.servers[3].status.draining = true;  // its room is nobody's, but it may die
  EXPECT_EQ(second_of(view), "b");         // nowhere is it safe
  view.servers[3].status.draining = false;
  EXPECT_EQ(second_of(view), "d");
  view.servers[3].status.primaries = 64;
  EXPECT_EQ(second_of(view), "b");
}

TEST(ChooseAlternate, SessionsAsPrimaryChangeTheChoice) {
  EXPECT_EQ(alternate_of(view_of({server("a", 0), server("b", 20), server("c", 30)}), "a"), "b");
  EXPECT_EQ(alternate_of(view_of({server("a", 0), server("b", 40), server("c", 30)}), "a"), "c");
}

TEST(ChooseAlternate, CapacityChangesTheChoice) {
  EXPECT_EQ(alternate_of(view_of({server("a", 0), server("b", 30), server("c", 30, 200)}), "a"),
            "c");
}

TEST(ChooseAlternate, SessionsAsAlternateChangeTheChoice) {
  EXPECT_EQ(
      alternate_of(view_of({server("a", 0), server("b", 9, 99, 80, 5), server("c", 9, 99, 80, 4)}),
                   "a"),
      "c");
  EXPECT_EQ(
      alternate_of(view_of({server("a", 0), server("b", 9, 99, 80, 3), server("c", 9, 99, 80, 4)}),
                   "a"),
      "b");
}

TEST(ChooseAlternate, AnotherZoneFirst) {
  View view = view_of({server("a", 0), server("b", 0), server("c", 90)});
  view.servers[0].zone = view.servers[1].zone = "north";
  view.servers[2].zone = "south";
  EXPECT_EQ(alternate_of(view, "a"), "c");
  view.servers[0].zone = "";
  EXPECT_EQ(alternate_of(view, "a"), "b");
}

TEST(ChooseAlternate, NotWhereThePrimarysDeathWouldPassTheCapacityWhileAnotherHasRoom) {
  View view = view_of({server("a", 0), server("b", 98), server("c", 98)});
  view.servers[0].zone = view.servers[1].zone = "north";  // even if the other is in the same zone
  EXPECT_EQ(alternate_of(view, "a", {{ServerId::of("c"), 2}}), "b");
  // Neither has room: the other zone decides again.
  EXPECT_EQ(alternate_of(view, "a", {{ServerId::of("b"), 2}, {ServerId::of("c"), 2}}), "c");
}

TEST(ChooseAlternate, SpreadsOverAllOthersInProportionToTheirRoom) {
  View view = view_of({server("a", 80), server("b", 0, 300), server("c", 60), server("d", 40)});
  AlternateShares shares;
  for (std::uint64_t dice = 0; dice < 80; ++dice) {
    ++shares[choose_alternate(view, ServerId::of("a"), shares, dice)];
  }
  EXPECT_EQ(shares[ServerId::of("b")], 60U);
  EXPECT_EQ(shares[ServerId::of("c")], 8U);
  EXPECT_EQ(shares[ServerId::of("d")], 12U);
}

TEST(ChooseAlternate, EqualsShareByTheDice) {
  const View view = view_of({server("a", 0), server("b", 0), server("c", 0), server("d", 0)});
  std::map<std::string, int> chosen;
  for (std::uint64_t dice = 0; dice < 300; ++dice) {
    ++chosen[name_of(view, choose_alternate(view, ServerId::of("a"), {}, dice))];
  }
  EXPECT_GT(chosen["b"], 70);
  EXPECT_GT(chosen["c"], 70);
  EXPECT_GT(chosen["d"], 70);
}

}  // namespace
}  // namespace tandem
