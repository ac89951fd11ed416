#include "lb/core/assignment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace tandem {
namespace {

class AssignmentTest : public ::testing::Test {
 protected:
  void add(const std::string& name, std::uint32_t capacity = 1000, std::uint32_t threshold = 800) {
    ServerRecord record;
    record.id = ServerId::of(name);
    record.name = name;
    record.online = true;
    record.incarnation = 1;
    record.status = {1, 0, capacity, threshold, 0, false};
    view_.servers.push_back(record);
  }
  ServerRecord& of(const std::string& name) {
    return *std::find_if(view_.servers.begin(), view_.servers.end(),
                         [&](const ServerRecord& record) { return record.name == name; });
  }
  void sessions(const std::string& name, std::uint32_t primaries, std::uint32_t alternates = 0) {
    Status& status = of(name).status;
    ++status.sequence;
    status.primaries = primaries;
    status.alternates = alternates;
  }
  Assignment machine(std::uint64_t seed = 1, std::uint32_t workers = 1) {
    Assignment assignment(Random(seed), workers);
    assignment.on_view(view_);
    return assignment;
  }
  // Equal servers start anywhere: a seed with which the first turn is this one's.
  std::uint64_t seed_that_starts_with(const std::string& name) {
    for (std::uint64_t seed = 0;; ++seed) {
      Assignment assignment = machine(seed);
      if (next(assignment) == name) return seed;
    }
  }
  std::string name_of(ServerId id) const {
    const ServerRecord* record = view_.find(id);
    return record == nullptr ? "nobody" : record->name;
  }
  std::string next(Assignment& assignment, std::vector<ServerId> tried = {}) const {
    const auto choice = assignment.choose(tried);
    if (!choice) return "503";
    return name_of(choice->server) + (choice->must_serve ? "!" : "");
  }
  // A newer status of one server.
  void tell(Assignment& assignment, const std::string& name, std::uint32_t primaries) {
    sessions(name, primaries);
    assignment.on_status(ServerId::of(name), of(name).status);
  }
  // So many arrivals, and then each server's status.
  void interval(Assignment& assignment, int arrivals) {
    next(assignment, arrivals);
    for (const ServerRecord& server : view_.servers) {
      tell(assignment, server.name, server.status.primaries);
    }
  }
  // A machine that has got used to so many arrivals between two status.
  Assignment steady(int arrivals, const std::map<std::string, std::uint32_t>& primaries) {
    Assignment assignment = machine();
    for (const auto& [name, count] : primaries) sessions(name, count);
    for (int i = 0; i < 3; ++i) interval(assignment, arrivals);
    return assignment;
  }
  std::map<char, int> counts(Assignment& assignment, int choices) const {
    std::map<char, int> count;
    for (const char name : next(assignment, choices)) ++count[name];
    return count;
  }
  std::string next(Assignment& assignment, int count) const {
    std::string order;
    for (int i = 0; i < count; ++i) order += next(assignment);
    return order;
  }

  View view_;
};

TEST_F(AssignmentTest, RoundRobinInOrder) {
  for (const char* name : {"a", "b", "c", "d"}) add(name);
  Assignment assignment = machine();
  const std::string order = next(assignment, 12);
  EXPECT_EQ(order.substr(0, 4), order.substr(4, 4));
  EXPECT_EQ(order.substr(0, 4), order.substr(8, 4));
  EXPECT_NE(std::string("abcdabc").find(order.substr(0, 4)), std::string::npos) << order;
}

TEST_F(AssignmentTest, TheStartIsRandom) {
  for (const char* name : {"a", "b", "c", "d"}) add(name);
  std::set<std::string> starts;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    Assignment assignment = machine(seed);
    starts.insert(next(assignment));
  }
  EXPECT_EQ(starts.size(), 4U);
}

TEST_F(AssignmentTest, RoundRobinIsWeightedByCapacityAndSmooth) {
  add("a", 500, 500);
  add("b", 100, 100);
  add("c", 100, 100);
  Assignment assignment = machine();
  std::map<char, int> count;
  const std::string order = next(assignment, 70);
  for (char name : order) ++count[name];
  EXPECT_EQ(count['a'], 50);
  EXPECT_EQ(count['b'], 10);
  EXPECT_EQ(count['c'], 10);
  EXPECT_EQ(order.find("bb"), std::string::npos);
  EXPECT_EQ(order.find("aaaaaa"), std::string::npos) << order;
}

TEST_F(AssignmentTest, AServerThatJoinsOrLeavesDoesNotDisturbTheOthersTurns) {
  for (const char* name : {"a", "b", "c"}) add(name);
  Assignment assignment = machine();
  while (next(assignment) != "c") {
  }
  EXPECT_EQ(next(assignment), "a");
  add("d");
  assignment.on_view(view_);
  EXPECT_EQ(next(assignment, 3), "bcd");
  of("b").online = false;
  assignment.on_view(view_);
  EXPECT_EQ(next(assignment, 6), "acdacd");
}

TEST_F(AssignmentTest, ThresholdPassesANewSessionToASecondServerChosenByStatus) {
  for (const char* name : {"a", "b", "c"}) add(name);
  sessions("a", 801);
  sessions("b", 500);
  sessions("c", 400);
  Assignment assignment = machine();
  std::map<std::string, int> count;
  for (int i = 0; i < 30; ++i) ++count[next(assignment)];
  EXPECT_EQ(count["a"], 0);
  EXPECT_EQ(count["b"], 10);
  EXPECT_EQ(count["c"], 20);  // its own turns and those of a
}

TEST_F(AssignmentTest, AServerAtItsThresholdStillTakesItsTurn) {
  for (const char* name : {"a", "b"}) add(name);
  sessions("a", 800);
  Assignment assignment = machine(seed_that_starts_with("a"));
  EXPECT_EQ(next(assignment), "a");
  EXPECT_EQ(next(assignment), "b");
  // It has 801 now, by our own count: over.
  EXPECT_EQ(next(assignment), "b");
}

TEST_F(AssignmentTest, StatusSessionsAsPrimaryChangeTheChoice) {
  for (const char* name : {"a", "b", "c"}) add(name);
  const std::uint64_t seed = seed_that_starts_with("a");
  sessions("a", 900);
  sessions("b", 100);
  sessions("c", 200);
  Assignment first = machine(seed);
  EXPECT_EQ(next(first), "b");
  sessions("b", 300);
  Assignment second = machine(seed);
  EXPECT_EQ(next(second), "c");
}

TEST_F(AssignmentTest, StatusCapacityChangesTheChoice) {
  for (const char* name : {"a", "b", "c"}) add(name);
  const std::uint64_t seed = seed_that_starts_with("a");
  sessions("a", 900);
  sessions("b", 100);
  sessions("c", 120);
  Assignment first = machine(seed);
  EXPECT_EQ(next(first), "b");
  of("b").status.capacity = 800;
  Assignment second = machine(seed);
  EXPECT_EQ(next(second), "c");
}

TEST_F(AssignmentTest, StatusSessionsAsAlternateChangeTheChoice) {
  for (const char* name : {"a", "b", "c"}) add(name);
  const std::uint64_t seed = seed_that_starts_with("a");
  sessions("a", 900);
  sessions("b", 100, 50);
  sessions("c", 100, 40);
  Assignment first = machine(seed);
  EXPECT_EQ(next(first), "c");
  sessions("b", 100, 30);
  Assignment second = machine(seed);
  EXPECT_EQ(next(second), "b");
}

TEST_F(AssignmentTest, DrainingAndOfflineServersAreNeverChosen) {
  for (const char* name : {"a", "b", "c"}) add(name);
  of("a").status.draining = true;
  of("b").online = false;
  Assignment assignment = machine();
  EXPECT_EQ(next(assignment, 4), "cccc");
  of("c").online = false;
  assignment.on_view(view_);
  EXPECT_EQ(next(assignment), "503");
  EXPECT_EQ(assignment.choose_takeover(), std::nullopt);
}

TEST_F(AssignmentTest, AllOverThresholdTheLeastLoadedMustServe) {
  for (const char* name : {"a", "b", "c"}) add(name);
  sessions("a", 900);
  sessions("b", 850);
  sessions("c", 990);
  Assignment assignment = machine();
  EXPECT_EQ(next(assignment, 5), "b!b!b!b!b!");
}

TEST_F(AssignmentTest, AllAtCapacityIs503AndTakeoversIgnoreCapacity) {
  for (const char* name : {"a", "b"}) add(name);
  sessions("a", 1001);
  sessions("b", 1000);
  Assignment assignment = machine();
  EXPECT_EQ(next(assignment), "503");
  EXPECT_EQ(assignment.choose_takeover(), ServerId::of("b"));
  const ServerId tried[] = {ServerId::of("b")};
  EXPECT_EQ(assignment.choose_takeover(tried), ServerId::of("a"));
}

TEST_F(AssignmentTest, OwnAssignmentsCountUntilTheNextStatus) {
  for (const char* name : {"a", "b"}) add(name, 100, 10);
  of("b").status.capacity = 10'000;
  of("b").status.threshold = 9'000;
  Assignment assignment = machine();
  assignment.choose();
  const auto sum = [&] {
    return assignment.believed(ServerId::of("a"))->primaries +
           assignment.believed(ServerId::of("b"))->primaries;
  };
  EXPECT_EQ(sum(), 1U);
  // The same status again, with the view, settles nothing; a newer one does.
  assignment.on_view(view_);
  EXPECT_EQ(sum(), 1U);
  for (const char* name : {"a", "b"}) {
    sessions(name, 7);
    assignment.on_status(ServerId::of(name), of(name).status);
  }
  EXPECT_EQ(sum(), 14U);
  // An older one is ignored.
  Status old = of("a").status;
  --old.sequence;
  old.primaries = 1000;
  assignment.on_status(ServerId::of("a"), old);
  EXPECT_EQ(sum(), 14U);
}

TEST_F(AssignmentTest, OwnAssignmentsCountTimesBalancersTimesWorkersSoThatNoHerdForms) {
  for (const char* name : {"a", "b"}) add(name, 1000, 800);
  view_.balancers = 5;
  sessions("a", 781);
  sessions("b", 790);
  of("b").online = false;
  Assignment assignment = machine(1, 4);
  EXPECT_EQ(next(assignment), "a");
  EXPECT_EQ(assignment.believed(ServerId::of("a"))->primaries, 781 + 20U);
  EXPECT_EQ(next(assignment), "a!");
}

// From here: a status interval with arrivals has been seen.

TEST_F(AssignmentTest, EqualLoadsStayPlainRoundRobinWhateverTheArrivals) {
  for (const char* name : {"a", "b", "c"}) add(name);
  Assignment assignment = machine();
  for (int round = 0; round < 6; ++round) {
    interval(assignment, 3 * round + 1);
    for (const char* name : {"a", "b", "c"}) tell(assignment, name, 40);
  }
  const std::string order = next(assignment, 6);
  EXPECT_EQ(order.substr(0, 3), order.substr(3));
  EXPECT_NE(std::string("abcab").find(order.substr(0, 3)), std::string::npos) << order;
}

TEST_F(AssignmentTest, ADentIsFilledInTwoStatusIntervals) {
  for (const char* name : {"a", "b", "c"}) add(name);
  Assignment assignment = steady(30, {{"a", 100}, {"b", 100}, {"c", 100}});
  tell(assignment, "a", 88);
  // Two intervals fill 60: to the level of 116, a 28 and the others 16 each.
  const auto count = counts(assignment, 30);
  EXPECT_EQ(count.at('a'), 14);
  EXPECT_EQ(count.at('b'), 8);
  EXPECT_EQ(count.at('c'), 8);
}

TEST_F(AssignmentTest, WhoIsAboveTheLevelGetsNothing) {
  for (const char* name : {"a", "b", "c"}) add(name);
  Assignment assignment = steady(10, {{"a", 100}, {"b", 100}, {"c", 100}});
  tell(assignment, "c", 300);
  const auto count = counts(assignment, 10);
  EXPECT_EQ(count.count('c'), 0U);
  EXPECT_EQ(count.at('a'), 5);
  EXPECT_EQ(count.at('b'), 5);
}

TEST_F(AssignmentTest, WhoIsAboveTheLevelDoesNotRaiseIt) {
  for (const char* name : {"a", "b", "c"}) add(name);
  Assignment assignment = steady(10, {{"a", 100}, {"b", 110}, {"c", 110}});
  tell(assignment, "c", 300);
  // Two intervals fill 20: to the level of 115, a 15 and b 5.
  const auto count = counts(assignment, 20);
  EXPECT_NEAR(count.at('a'), 15, 1);
  EXPECT_NEAR(count.at('b'), 5, 1);
}

TEST_F(AssignmentTest, AssignersOnTheSameOldStatusFillADentTogetherNotEach) {
  for (const char* name : {"a", "b", "c"}) add(name);
  view_.balancers = 4;
  Assignment one = steady(30, {{"a", 400}, {"b", 400}, {"c", 400}});
  tell(one, "a", 352);
  // All four fill 240 in two intervals: to the level of 464, a 112 and the others 64 each.
  const auto count = counts(one, 30);
  EXPECT_EQ(count.at('a'), 14);
  EXPECT_EQ(count.at('b'), 8);
}

TEST_F(AssignmentTest, AnEmptyNewcomerGetsAtMostFourTimesItsShare) {
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) add(name);
  Assignment assignment = steady(80, {});
  for (ServerRecord& server : view_.servers) server.status.primaries = 600;
  of("h").status.primaries = 400;
  interval(assignment, 80);
  EXPECT_EQ(counts(assignment, 80).at('h'), 80);  // nobody else is below the level of 560
  for (ServerRecord& server : view_.servers) server.status.primaries = 500;
  of("h").status.primaries = 400;
  interval(assignment, 0);
  // To the level of 507.5 it is 107.5 for h, of which it gets 80, and 7.5 for each other.
  EXPECT_NEAR(counts(assignment, 80).at('h'), 80 * 80 / (80 + 7 * 7.5), 1);
}

TEST_F(AssignmentTest, WhoNeedsItsLastPlacesIfAnotherDiesPassesItsTurn) {
  for (const char* name : {"a", "b", "c", "d"}) add(name, 100, 90);
  const std::uint64_t seed = seed_that_starts_with("a");
  sessions("a", 70);
  sessions("b", 60);
  sessions("c", 50);
  of("a").status.reserve = 30;
  Assignment tight = machine(seed);
  EXPECT_EQ(next(tight), "d");
  of("a").status.reserve = 29;
  Assignment roomy = machine(seed);
  EXPECT_EQ(next(roomy), "a");
  EXPECT_EQ(next(roomy, 3), "bcd");
  EXPECT_EQ(next(roomy), "d");  // a has 71 now, by our own count
  of("a").status.orphans = 1;
  Assignment orphans = machine(seed);
  EXPECT_EQ(next(orphans), "d");
}

TEST_F(AssignmentTest, ItKeepsItsTurnIfNobodyElseKeepsTheClusterSafe) {
  for (const char* name : {"a", "b", "c"}) add(name, 100, 90);
  for (const char* name : {"a", "b", "c"}) {
    sessions(name, 60);
    of(name).status.reserve = 40;
  }
  Assignment all_tight = machine(seed_that_starts_with("a"));
  EXPECT_EQ(next(all_tight, 3), "abc");
  // b could spare one, but no choice of alternates is safe with one session more.
  of("b").status.reserve = 20;
  for (const char* name : {"a", "b", "c"}) of(name).status.primaries = 67;
  Assignment no_slack = machine(seed_that_starts_with("a"));
  EXPECT_EQ(next(no_slack, 3), "abc");
}

TEST_F(AssignmentTest, TheKindThatStaysSafeTakesTheSession) {
  for (const char* name : {"a", "b", "c", "d"}) add(name, 100, 90);
  const std::uint64_t seed = seed_that_starts_with("a");
  for (const char* name : {"a", "b"}) {
    of(name).kind = ServerKind::kPlain;
    sessions(name, 50);
  }
  for (const char* name : {"c", "d"}) sessions(name, 49);
  Assignment assignment = machine(seed);
  EXPECT_EQ(next(assignment), "c");
}

TEST_F(AssignmentTest, ProvisionalSessionsNeverRefuseOne) {
  for (const char* name : {"a", "b"}) add(name, 100, 80);
  Assignment assignment = machine();
  for (int i = 0; i < 5000; ++i) ASSERT_NE(next(assignment), "503") << i;
}

TEST_F(AssignmentTest, ARestartedServersStatusStartsAgain) {
  add("a");
  sessions("a", 500);
  Assignment assignment = machine();
  of("a").incarnation = 2;
  of("a").status.sequence = 1;
  of("a").status.primaries = 0;
  assignment.on_view(view_);
  EXPECT_EQ(assignment.believed(ServerId::of("a"))->primaries, 0U);
}

TEST_F(AssignmentTest, TriedServersAreNotChosenAgain) {
  for (const char* name : {"a", "b"}) add(name);
  Assignment assignment = machine();
  EXPECT_EQ(next(assignment, {ServerId::of("a")}), "b");
  EXPECT_EQ(next(assignment, {ServerId::of("a")}), "b");
  EXPECT_EQ(next(assignment, {ServerId::of("a"), ServerId::of("b")}), "503");
}

TEST_F(AssignmentTest, TheAlternatesOfAPlainServerAreSpreadOverAllOthers) {
  for (const char* name : {"a", "b", "c", "d"}) add(name);
  Assignment assignment = machine();
  std::map<std::string, int> count;
  for (std::uint64_t i = 0; i < 900; ++i) {
    ++count[name_of(assignment.choose_alternate(ServerId::of("a"), i))];
  }
  EXPECT_EQ(count["a"], 0);
  for (const char* name : {"b", "c", "d"}) EXPECT_NEAR(count[name], 300, 3) << name;
}

TEST_F(AssignmentTest, TheOnlyServerHasNoAlternate) {
  add("a");
  Assignment assignment = machine();
  EXPECT_EQ(assignment.choose_alternate(ServerId::of("a"), 1), ServerId{});
}

}  // namespace
}  // namespace tandem
