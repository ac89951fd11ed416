#include "common/cluster/view_delta.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "common/base/random.h"

namespace tandem {
namespace {

ServerRecord record(const std::string& name) {
  ServerRecord made;
  made.id = ServerId::of(name);
  made.name = name;
  made.data_address = name + ":80";
  return made;
}

// A view that changes at random, always in the order of names.
class Drift {
 public:
  explicit Drift(std::uint64_t seed) : random_(seed) {}

  const View& view() const { return view_; }
  void step() {
    std::map<std::string, ServerRecord> servers;
    for (const ServerRecord& one : view_.servers) servers.emplace(one.name, one);
    for (std::uint64_t changes = random_.below(6); changes > 0; --changes) {
      const std::string name = "s" + std::to_string(random_.below(30));
      if (random_.chance(0.3)) {
        servers.erase(name);
        continue;
      }
      ServerRecord& one = servers.try_emplace(name, record(name)).first->second;
      one.online = random_.chance(0.5);
      one.incarnation = random_.below(3);
      one.status.sequence = random_.below(3);
      one.zone = random_.chance(0.5) ? "x" : "";
    }
    view_.servers.clear();
    for (auto& [name, one] : servers) view_.servers.push_back(one);
    view_.version += random_.below(3);
    view_.maker = 1 + random_.below(2);
    view_.stand_in = random_.chance(0.5);
    view_.balancers = 1 + static_cast<std::uint32_t>(random_.below(3));
  }

 private:
  Random random_;
  View view_;
};

TEST(ViewDelta, ApplyingTheDifferenceOfAnyTwoViewsGivesTheSecond) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Drift drift(seed);
    View held = drift.view();
    for (int step = 0; step < 40; ++step) {
      const View before = drift.view();
      drift.step();
      const ViewDelta delta = diff(before, drift.view());
      const auto next = apply(held, delta);
      ASSERT_TRUE(next) << next.error().message;
      ASSERT_EQ(*next, drift.view()) << seed << " " << step;
      EXPECT_EQ(says_nothing(delta, before), before == drift.view());
      held = *next;
    }
  }
}

TEST(ViewDelta, OnlyWhatChangedIsInIt) {
  View from{7, 1, {record("a"), record("b"), record("c")}, 1, false};
  View to = from;
  to.version = 8;
  to.servers[1].online = true;
  to.servers.pop_back();
  const ViewDelta delta = diff(from, to);
  ASSERT_EQ(delta.changed.size(), 1u);
  EXPECT_EQ(delta.changed[0].name, "b");
  EXPECT_EQ(delta.gone, std::vector<ServerId>{ServerId::of("c")});
}

TEST(ViewDelta, AnotherBaseIsRefusedAndNothingIsHalfApplied) {
  const View from{7, 1, {record("a"), record("b")}, 1, false};
  View to = from;
  to.version = 8;
  to.servers[0].online = true;
  const ViewDelta delta = diff(from, to);
  for (const ViewId other : {ViewId{1, 6}, ViewId{1, 8}, ViewId{2, 7}, ViewId{0, 0}}) {
    View base = from;
    base.maker = other.maker;
    base.version = other.version;
    const View before = base;
    EXPECT_FALSE(apply(base, delta)) << other.maker << " " << other.version;
    EXPECT_EQ(base, before);
  }
  EXPECT_FALSE(apply(to, delta));  // doing it twice
}

TEST(ViewDelta, WhatContradictsTheBaseOrItselfIsRefused) {
  const View base{7, 1, {record("a"), record("b")}, 1, false};
  const ViewDelta fine{base.id(), {1, 8}, 1, false, {record("a")}, {ServerId::of("b")}};
  ASSERT_TRUE(apply(base, fine));
  ViewDelta delta = fine;
  delta.gone = {ServerId::of("c")};
  EXPECT_FALSE(apply(base, delta)) << "removes who is not there";
  delta = fine;
  delta.gone.push_back(delta.gone[0]);
  EXPECT_FALSE(apply(base, delta)) << "removes one twice";
  delta = fine;
  delta.gone = {ServerId::of("a")};
  EXPECT_FALSE(apply(base, delta)) << "changes and removes one";
  delta = fine;
  delta.changed.push_back(delta.changed[0]);
  EXPECT_FALSE(apply(base, delta)) << "changes one twice";
}

}  // namespace
}  // namespace tandem
