#include "lb/core/pools.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tandem {
namespace {

class PoolsTest : public ::testing::Test {
 protected:
  void add(const std::string& name, const std::string& group, std::uint32_t capacity = 100) {
    ServerRecord record;
    record.id = ServerId::of(name);
    record.name = name;
    record.group = group;
    record.kind = ServerKind::kPlain;
    record.online = true;
    record.incarnation = 1;
    record.status = {1, 0, capacity, capacity, 0, false};
    view_.servers.push_back(record);
  }
  void route(std::vector<RouteRule> rules) {
    auto made = Routes::make(std::move(rules));
    ASSERT_TRUE(made);
    routes_ = std::move(*made);
    pools_.on_view(view_, routes_);
  }
  // Who gets new sessions.
  std::set<std::string> chosen(PoolNumber pool) {
    std::set<std::string> names;
    for (int i = 0; i < 12; ++i) {
      const auto choice = pools_.assignment(pool).choose();
      names.insert(choice ? view_.find(choice->server)->name : "503");
    }
    return names;
  }
  using Names = std::set<std::string>;

  View view_;
  Routes routes_;
  Pools pools_{Random(3), 1};
};

TEST_F(PoolsTest, WithoutRoutesThereIsOneForAll) {
  add("a", "default");
  add("b", "api");
  route({});
  EXPECT_EQ(pools_.size(), 1U);
  EXPECT_EQ(chosen(0), (Names{"a", "b"}));
}

TEST_F(PoolsTest, EachHasTheServersOfItsGroup) {
  add("a", "default");
  add("b", "api");
  add("c", "api");
  add("d", "other");
  route({{"", "/api", "api"}, {"", "/empty", "empty"}});
  ASSERT_EQ(pools_.size(), 3U);
  EXPECT_EQ(chosen(0), (Names{"a", "d"}));
  EXPECT_EQ(chosen(routes_.pool_of("api")), (Names{"b", "c"}));
  EXPECT_EQ(chosen(*routes_.routed("empty")), Names{"503"});
}

TEST_F(PoolsTest, AlternatesAreOfTheGroupEvenInAPoolOfSeveral) {
  add("a", "one");
  add("b", "two");
  add("c", "two");
  route({});
  EXPECT_EQ(pools_.assignment(0).choose_alternate(ServerId::of("b"), 7), ServerId::of("c"));
  EXPECT_FALSE(pools_.assignment(0).choose_alternate(ServerId::of("a"), 7));
}

// Nobody would take its sessions over: that is so wherever they go.
TEST_F(PoolsTest, WhoIsAloneInItsGroupGetsItsTurns) {
  add("a", "one");
  add("b", "two");
  add("c", "two");
  route({});
  EXPECT_EQ(chosen(0), (Names{"a", "b", "c"}));
}

// What has been assigned counts until a status says it: a pool that stays must not forget it.
TEST_F(PoolsTest, APoolWhoseGroupStaysKeepsWhatItKnows) {
  add("z", "zoo", 10);
  route({{"", "/z", "zoo"}});
  for (int i = 0; i < 4; ++i) pools_.assignment(1).choose();
  route({{"", "/a", "api"}, {"", "/z", "zoo"}});
  ASSERT_EQ(routes_.pool_of("zoo"), 2U);
  EXPECT_EQ(pools_.assignment(2).believed(ServerId::of("z"))->primaries, 4U);
  route({});
  EXPECT_EQ(pools_.assignment(0).believed(ServerId::of("z"))->primaries, 0U);
}

TEST_F(PoolsTest, AStatusGoesToWhoHasTheServer) {
  add("a", "default");
  add("b", "api");
  route({{"", "/api", "api"}});
  Status full{2, 100, 100, 100, 0, false};
  pools_.on_status(ServerId::of("b"), full);
  EXPECT_EQ(chosen(1), Names{"503"});
  EXPECT_EQ(chosen(0), Names{"a"});
}

}  // namespace
}  // namespace tandem
