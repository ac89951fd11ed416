// The promises about who backs whom, from outside of the nodes: what they tell of it, and that it
// stays N+1-safe where that is possible.
#include "common/base/random.h"
#include "common/cluster/n_plus_one.h"
#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

class NPlusOneClaims : public NodeBench {
 protected:
  NodeOptions options_for(const std::string& name) override {
    NodeOptions options = NodeBench::options_for(name);
    options.capacity = options.threshold = 10;
    return options;
  }
  SessionToken begin(const std::string& at) {
    const SessionId session{id(at).value, ++made_};
    return served(at, served(at, new_session(at, session, kNewSession | kMustServe)));
  }
  void fill(const std::string& at, int sessions) {
    for (int i = 0; i < sessions; ++i) begin(at);
  }
  std::uint32_t copies(const std::string& of, const std::string& on) {
    const ServerId holder = on.empty() ? ServerId{} : id(on);
    for (const Backing::Entry& entry : node(of).backing().entries) {
      if (entry.server == holder) return entry.sessions;
    }
    return 0;
  }
  // As a balancer sees it.
  View view() {
    View seen;
    for (auto& [name, seat] : seats_) {
      ServerRecord record;
      record.id = id(name);
      record.online = seat.online && seat.node != nullptr;
      if (seat.node != nullptr) record.status = seat.node->status();
      seen.servers.push_back(record);
    }
    return seen;
  }
  NPlusOne judged() {
    Backings backings;
    for (auto& [name, seat] : seats_) {
      if (seat.node != nullptr) backings[id(name)] = seat.node->backing();
    }
    return n_plus_one(view(), backings);
  }
  void publish_often() {
    for (int i = 0; i < 4; ++i) publish();
  }
  void die(const std::string& name) {
    kill(name);
    publish();
  }
  std::uint64_t made_ = 0;
};

TEST_F(NPlusOneClaims, ANodeTellsWhoHasTheCopiesOfItsSessions) {
  start({"a", "b", "c"});
  fill("a", 6);
  EXPECT_EQ(node("a").backing().entries.size(), 2u);
  EXPECT_EQ(copies("a", "b"), 3u);
  EXPECT_EQ(copies("a", "c"), 3u);
  EXPECT_TRUE(node("b").backing().entries.empty());
}

TEST_F(NPlusOneClaims, SessionsWithoutAnAlternateAreOnNobody) {
  start({"a"});
  fill("a", 2);
  EXPECT_EQ(copies("a", ""), 2u);
}

TEST_F(NPlusOneClaims, ReserveIsTheMostThatOneDeathBrings) {
  start({"a", "b", "c"});
  fill("a", 6);
  fill("c", 2);
  EXPECT_EQ(node("b").status().reserve, 3u);  // of a; of c it has one
  EXPECT_EQ(node("b").status().orphans, 0u);
}

TEST_F(NPlusOneClaims, OrphansAreTheirHoldersAndTheThirdCopyIsItsBacking) {
  start({"a", "b", "c"});
  fill("a", 6);
  die("a");
  EXPECT_EQ(node("b").status().orphans, 3u);
  EXPECT_EQ(node("b").status().primaries, 0u);
  EXPECT_EQ(copies("b", "c"), 3u);
  EXPECT_EQ(node("b").status().reserve, 3u);  // those of c, which it backs
  die("c");
  EXPECT_EQ(node("b").status().orphans, 6u);
  EXPECT_EQ(copies("b", ""), 6u);
}

TEST_F(NPlusOneClaims, AnAlternateThatHasBecomeTooFullIsRelieved) {
  start({"a", "b", "c"});
  fill("a", 6);
  fill("b", 9);
  publish();
  EXPECT_EQ(copies("a", "b"), 1u);
  EXPECT_EQ(copies("a", "c"), 5u);
  EXPECT_EQ(node("a").counters().alternates_relieved, 2u);
  EXPECT_EQ(node("b").status().reserve, 1u);
}

TEST_F(NPlusOneClaims, ThirdCopiesCountWhenAnAlternateIsChosen) {
  start({"a", "b", "c", "d"});
  fill("a", 6);
  node("d").set_draining(true);
  publish();
  die("a");
  EXPECT_EQ(copies("b", "c"), 3u);  // of orphans
  node("c").set_limits(6, 6);
  node("d").set_limits(4, 4);
  node("d").set_draining(false);
  publish();
  fill("b", 2);
  EXPECT_EQ(copies("b", "c"), 3u);
  EXPECT_EQ(copies("b", "d"), 2u);
}

TEST_F(NPlusOneClaims, NobodyIsRelievedWhereNobodyHasRoom) {
  start({"a", "b", "c"});
  fill("a", 6);
  fill("b", 9);
  fill("c", 9);
  const std::uint64_t chosen = node("a").counters().alternates_chosen;
  publish_often();
  EXPECT_EQ(node("a").counters().alternates_relieved, 0u);
  EXPECT_EQ(node("a").counters().alternates_chosen, chosen);
}

TEST_F(NPlusOneClaims, ReliefIsBoundedWithEachStatus) {
  start({"a", "b", "c"});
  node("a").set_limits(200, 200);
  for (const char* name : {"b", "c"}) node(name).set_limits(100, 100);
  publish();
  fill("a", 100);
  node("b").set_limits(10, 10);
  const std::uint32_t before = copies("a", "b");
  publish();
  EXPECT_EQ(before - copies("a", "b"), 32u);
  publish();
  EXPECT_EQ(copies("a", "b"), 10u);
}

// Whatever the sessions: after some status, the nodes are N+1-safe if it is possible at all. Then
// one dies, its sessions wait for their clients, and it is so again.
TEST_F(NPlusOneClaims, SafeWheneverThatIsPossible) {
  int safe = 0, unsafe = 0, safe_again = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    seats_.clear(), links_.clear(), outboxes_.clear(), statuses_.clear();
    Random dice(seed);
    start({"a", "b", "c", "d"});
    for (std::uint64_t n = dice.below(34); n > 0; --n) {
      const std::string at(1, static_cast<char>('a' + dice.below(4)));
      if (node(at).status().primaries < 10) begin(at);
      if (dice.chance(0.2)) publish();
    }
    publish_often();
    const auto possible = [this] {
      const View seen = view();
      for (const ServerRecord& server : seen.servers) {
        if (server.online && answers_for(server.status) > server.status.capacity) return false;
      }
      return n_plus_one_slack(seen.servers, ServerKind::kTandem, {}) >= 0;
    };
    ASSERT_EQ(judged().safe(), possible()) << "seed " << seed;
    ++(judged().safe() ? safe : unsafe);
    die(std::string(1, static_cast<char>('a' + dice.below(4))));
    publish_often();
    ASSERT_EQ(judged().safe(), possible()) << "after a death, seed " << seed;
    safe_again += judged().safe();
  }
  EXPECT_GT(safe, 10);
  EXPECT_GT(unsafe, 3);
  EXPECT_GT(safe_again, 10);
}

}  // namespace
}  // namespace tandem
