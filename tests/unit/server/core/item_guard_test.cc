#include "server/core/item_guard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace tandem {
namespace {

const ServerId kA = ServerId::of("a"), kB = ServerId::of("b"), kC = ServerId::of("c");
const TypeId kType{0};
const ItemKey kItem{77};
constexpr Duration kLease = 2s;

// Three servers of one group, the database with its epochs, and a type that "a" owns.
class ItemGuardTest : public testing::Test {
 protected:
  struct Node {
    explicit Node(ServerId id, bool arbitrated)
        : ownership(Types({{"/t/", "a"}}, 1), "default"),
          guard(id, ownership, {"default", kLease, 200ms, arbitrated}) {}
    Ownership ownership;
    ItemGuard guard;
    ItemGuard::Out out;
    int invalidated = 0, forgotten = 0;
    std::vector<std::uint64_t> acknowledged;
  };

  void begin(bool arbitrated = true) {
    for (const ServerId id : {kA, kB, kC})
      nodes_.emplace(id, std::make_unique<Node>(id, arbitrated));
    for (const ServerId id : {kA, kB, kC}) view(id, 1);
  }
  Node& at(ServerId id) { return *nodes_.at(id); }

  // The server works from this view now.
  void view(ServerId who, std::uint64_t version, const std::string& offline = "") {
    View view;
    view.version = version;
    view.maker = 1;
    for (const std::string name : {"a", "b", "c"}) {
      ServerRecord record;
      record.id = ServerId::of(name);
      record.name = name;
      record.group = "default";
      record.online = name != offline;
      record.status.capacity = 10;
      view.servers.push_back(record);
    }
    at(who).ownership.apply(view);
    at(who).guard.on_view(view);
  }

  // Delivers what was sent, but to and from those who are cut off; the database answers at once.
  void run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& [id, node] : nodes_) {
        for (auto& envelope : node->out.take()) {
          if (cut_.contains(id) || cut_.contains(envelope.to)) continue;
          moved = true;
          Node& to = at(envelope.to);
          to.guard.on_message(now_, id, envelope.message, to.out);
        }
        for (const ItemGuard::Check& check : node->guard.take_checks()) {
          moved = true;
          pass(id, check.claim.epoch);
        }
        node->invalidated += static_cast<int>(node->guard.take_invalidated().size());
        node->forgotten += static_cast<int>(node->guard.take_forgotten().size());
        for (const auto write : node->guard.take_acknowledged())
          node->acknowledged.push_back(write);
      }
    }
  }
  bool pass(ServerId id, const ActingEpoch& epoch) {
    const auto before = stored_;
    if (rule_fence(before, epoch) == FenceRuling::kRefuse) {
      at(id).guard.on_refused(kType, epoch);
      return false;
    }
    stored_ = epoch;
    at(id).guard.on_passed(now_, now_, kType, epoch, before, at(id).out);
    return true;
  }
  bool may_use(ServerId id) {
    const bool may = at(id).guard.may_use(now_, kType, at(id).out);
    run();
    return may;
  }
  // False: refused by the fence.
  bool write(ServerId id, std::uint64_t number) {
    const auto claim = at(id).guard.claim(kType);
    if (!claim || !pass(id, claim->epoch)) return false;
    at(id).guard.on_written(now_, number, kType, {kItem}, at(id).out);
    run();
    return true;
  }
  bool acknowledged(ServerId id, std::uint64_t number) {
    at(id).guard.on_deadline(now_);
    run();
    const auto& all = at(id).acknowledged;
    return std::find(all.begin(), all.end(), number) != all.end();
  }

  Instant now_{1h};
  std::map<ServerId, std::unique_ptr<Node>> nodes_;
  std::set<ServerId> cut_;
  std::optional<ActingEpoch> stored_;
};

TEST_F(ItemGuardTest, TheActingServerUsesItsCacheWhileTheDatabaseHasItsEpoch) {
  begin();
  EXPECT_FALSE(may_use(kA)) << "nobody has asked the database yet";
  EXPECT_EQ(stored_, (ActingEpoch{1, kA}));
  EXPECT_TRUE(may_use(kA));
  now_ += kLease / 2;
  EXPECT_TRUE(may_use(kA)) << "and asks the database again";
  now_ += kLease - 1ms;
  EXPECT_TRUE(may_use(kA));
  now_ += 2 * kLease;
  EXPECT_FALSE(may_use(kA));
  EXPECT_EQ(at(kA).forgotten, 1) << "only when it claimed the type";
  stored_ = ActingEpoch{9, kB};
  now_ += 2 * kLease;
  EXPECT_FALSE(may_use(kA));
  EXPECT_FALSE(may_use(kA));
  EXPECT_FALSE(write(kA, 1));
}

TEST_F(ItemGuardTest, OthersUseTheirsUnderALease) {
  begin();
  EXPECT_FALSE(may_use(kB));
  EXPECT_TRUE(may_use(kB));
  EXPECT_EQ(at(kB).forgotten, 1) << "what was kept from before the lease";
  now_ += kLease * 3 / 4;
  EXPECT_TRUE(may_use(kB)) << "which is renewed in time";
  now_ += kLease * 3 / 4;
  EXPECT_TRUE(may_use(kB));
  EXPECT_EQ(at(kB).forgotten, 1);
  cut_.insert(kA);
  now_ += kLease;
  EXPECT_FALSE(may_use(kB));
  cut_.clear();
  now_ += 1s;
  EXPECT_FALSE(may_use(kB));
  EXPECT_TRUE(may_use(kB));
  EXPECT_EQ(at(kB).forgotten, 2) << "it may have missed an invalidation";
}

TEST_F(ItemGuardTest, ALeaseCountsFromTheQuestionHoweverLateTheAnswer) {
  begin();
  may_use(kA);
  at(kB).guard.may_use(now_, kType, at(kB).out);
  at(kA).guard.on_message(now_, kB, at(kB).out.take()[0].message, at(kA).out);
  const Message grant = at(kA).out.take()[0].message;
  now_ += kLease;
  at(kB).guard.on_message(now_, kA, grant, at(kB).out);
  EXPECT_FALSE(may_use(kB));
}

TEST_F(ItemGuardTest, AWriteIsAcknowledgedWhenAllWhoMayHoldTheItemHaveDroppedIt) {
  begin();
  EXPECT_TRUE(write(kA, 1));
  EXPECT_TRUE(acknowledged(kA, 1)) << "nobody has a lease";
  EXPECT_EQ(at(kB).invalidated, 1);
  may_use(kB);
  ASSERT_TRUE(may_use(kB));
  EXPECT_TRUE(write(kA, 2));
  EXPECT_TRUE(acknowledged(kA, 2)) << "it has answered";
  cut_.insert(kB);
  EXPECT_TRUE(write(kA, 3));
  EXPECT_FALSE(acknowledged(kA, 3));
  EXPECT_TRUE(may_use(kB)) << "it does not know";
  now_ += kLease;
  EXPECT_FALSE(may_use(kB));
  now_ += 5ms;
  EXPECT_LE(at(kA).guard.next_deadline(), now_);
  EXPECT_TRUE(acknowledged(kA, 3));
  EXPECT_EQ(at(kA).guard.counters().silences, 1U);
}

TEST_F(ItemGuardTest, AStandInWaitsForWhatAFormerOwnerMayHaveGiven) {
  begin();
  may_use(kC);
  ASSERT_TRUE(may_use(kC));  // by a lease of a
  cut_.insert(kA);
  cut_.insert(kC);
  view(kB, 2, "a");
  view(kC, 2, "a");
  ServerId stand_in = at(kB).ownership.acting(kType);
  ServerId other = stand_in == kB ? kC : kB;
  ASSERT_TRUE(stand_in == kB || stand_in == kC);
  view(kA, 1);
  // a still uses its cache, and its stand-in writes.
  ASSERT_TRUE(may_use(kA));
  EXPECT_TRUE(write(stand_in, 1));
  EXPECT_FALSE(acknowledged(stand_in, 1));
  EXPECT_TRUE(may_use(kA));
  now_ += kLease;
  EXPECT_FALSE(may_use(kA));
  now_ += 5ms;
  EXPECT_TRUE(acknowledged(stand_in, 1));
  EXPECT_FALSE(write(kA, 2)) << "an old owner writes nothing";
  EXPECT_FALSE(may_use(other)) << "the lease was another's";
  EXPECT_TRUE(write(stand_in, 3));
  EXPECT_TRUE(acknowledged(stand_in, 3)) << "once is enough";
}

// A server that its view calls offline, but that it can reach.
TEST_F(ItemGuardTest, WhoHasNotDroppedTheItemGetsNoNewLease) {
  begin();
  may_use(kB);
  ASSERT_TRUE(may_use(kB));
  view(kA, 2, "b");
  cut_.insert(kB);
  EXPECT_TRUE(write(kA, 1));
  cut_.clear();
  now_ += kLease * 3 / 4;
  EXPECT_TRUE(may_use(kB));
  now_ += kLease / 2;
  EXPECT_TRUE(acknowledged(kA, 1));
  EXPECT_FALSE(may_use(kB));
  // Whom it holds a lease of is told, whatever the view says.
  EXPECT_TRUE(may_use(kB));
  const int before = at(kB).invalidated;
  EXPECT_TRUE(write(kA, 2));
  EXPECT_EQ(at(kB).invalidated, before + 1);
}

TEST_F(ItemGuardTest, ALeaseOfAnotherEpochDoesNotGoOn) {
  begin();
  may_use(kB);
  ASSERT_TRUE(may_use(kB));
  ASSERT_EQ(at(kB).forgotten, 1);
  stored_ = ActingEpoch{2, kC};  // c acts and writes; b hears nothing of it
  view(kA, 3);
  view(kA, 4, "a");
  view(kA, 5);
  now_ += kLease * 3 / 4;
  ASSERT_TRUE(may_use(kB)) << "the lease of before lasts, and another is asked for";
  EXPECT_EQ(stored_, (ActingEpoch{5, kA}));
  EXPECT_EQ(at(kB).forgotten, 2);
}

TEST_F(ItemGuardTest, AnOwnerWhoseProcessIsAnotherWaitsForLeasesThatItDoesNotKnow) {
  begin();
  may_use(kB);
  ASSERT_TRUE(may_use(kB));
  nodes_.erase(kA);
  nodes_.emplace(kA, std::make_unique<Node>(kA, true));
  view(kA, 1);
  cut_.insert(kB);
  EXPECT_TRUE(write(kA, 1));
  EXPECT_TRUE(may_use(kB));
  EXPECT_FALSE(acknowledged(kA, 1));
  now_ += kLease + 5ms;
  EXPECT_TRUE(acknowledged(kA, 1));
}

TEST_F(ItemGuardTest, WithoutAnArbiterTheActingServerTrustsItsView) {
  begin(false);
  EXPECT_TRUE(may_use(kA));
  EXPECT_FALSE(may_use(kB));
  EXPECT_TRUE(may_use(kB));
  cut_.insert(kB);
  at(kA).guard.on_written(now_, 1, kType, {kItem}, at(kA).out);
  EXPECT_FALSE(acknowledged(kA, 1));
  now_ += kLease + 5ms;
  EXPECT_TRUE(acknowledged(kA, 1));
}

}  // namespace
}  // namespace tandem
