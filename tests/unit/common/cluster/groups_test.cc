#include "common/cluster/groups.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tandem {
namespace {

ServerRecord server(const std::string& name, const std::string& group) {
  ServerRecord record;
  record.id = ServerId::of(name);
  record.name = name;
  record.group = group;
  return record;
}

std::vector<std::string> names(const View& view) {
  std::vector<std::string> all;
  for (const ServerRecord& record : view.servers) all.push_back(record.name);
  return all;
}

ViewPtr view_of(std::vector<ServerRecord> servers) {
  View view;
  view.version = 7;
  view.maker = 3;
  view.balancers = 2;
  view.stand_in = true;
  view.servers = std::move(servers);
  return std::make_shared<const View>(std::move(view));
}

TEST(Groups, APartHasTheServersOfItsGroup) {
  const ViewPtr all = view_of({server("a1", "a"), server("b1", "b"), server("a2", "a")});
  const ViewPtr part = part_of_group(all, "a", ServerId::of("a1"));
  EXPECT_EQ(names(*part), (std::vector<std::string>{"a1", "a2"}));
  EXPECT_EQ(part->id(), all->id());
  EXPECT_EQ(part->balancers, 2U);
  EXPECT_TRUE(part->stand_in);
}

TEST(Groups, OneselfIsInItWhateverTheViewSays) {
  const ViewPtr all = view_of({server("a1", "a"), server("b1", "b"), server("b2", "b")});
  const ViewPtr part = part_of_group(all, "a", ServerId::of("b2"));
  EXPECT_EQ(names(*part), (std::vector<std::string>{"a1", "b2"}));
  EXPECT_EQ(part->find(ServerId::of("b2"))->group, "a");
}

TEST(Groups, OfOneGroupThePartIsTheWhole) {
  const ViewPtr all = view_of({server("a1", "a"), server("a2", "a")});
  EXPECT_EQ(part_of_group(all, "a", ServerId::of("a1")), all);
  EXPECT_TRUE(part_of_group(all, "b", ServerId::of("b1"))->servers.empty());
}

TEST(Groups, PoolZeroHasTheServersOfAllGroupsThatNoRouteNames) {
  const ViewPtr all = view_of({server("a1", "a"), server("b1", "b"), server("c1", "c")});
  const auto routes = Routes::make({{"", "/b", "b"}, {"", "/z", "z"}});
  ASSERT_TRUE(routes);
  EXPECT_EQ(names(part_of_pool(*all, *routes, 0)), (std::vector<std::string>{"a1", "c1"}));
  EXPECT_EQ(names(part_of_pool(*all, *routes, routes->pool_of("b"))),
            (std::vector<std::string>{"b1"}));
  EXPECT_TRUE(part_of_pool(*all, *routes, routes->pool_of("z")).servers.empty());
  EXPECT_EQ(part_of_pool(*all, Routes(), 0), *all);
}

}  // namespace
}  // namespace tandem
