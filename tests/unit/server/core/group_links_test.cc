#include "server/core/group_links.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tandem {
namespace {

const ServerId kSelf = ServerId::of("a1"), kMate = ServerId::of("a2"), kOther = ServerId::of("b1");

ViewPtr view_of(const std::vector<std::pair<std::string, std::string>>& servers) {
  View view;
  view.version = 1;
  for (const auto& [name, group] : servers) {
    ServerRecord record;
    record.id = ServerId::of(name);
    record.name = name;
    record.group = group;
    record.online = true;
    view.servers.push_back(std::move(record));
  }
  return std::make_shared<const View>(std::move(view));
}

const ViewPtr kAll = view_of({{"a1", "a"}, {"a2", "a"}, {"b1", "b"}});

TEST(GroupLinks, TheNodeIsToldOfItsGroupAlone) {
  GroupLinks links(kSelf, "a");
  const GroupLinks::Change change = links.on_view(kAll);
  EXPECT_NE(change.view->find(kMate), nullptr);
  EXPECT_EQ(change.view->find(kOther), nullptr);
  EXPECT_TRUE(links.on_connected(kMate, 1));
  EXPECT_TRUE(links.counts(kMate));
  EXPECT_FALSE(links.on_connected(kOther, 1));
  EXPECT_FALSE(links.counts(kOther));
  EXPECT_FALSE(links.on_disconnected(kOther));
  EXPECT_TRUE(links.on_disconnected(kMate));
  EXPECT_FALSE(links.counts(kMate));
  EXPECT_FALSE(links.on_disconnected(kMate));
}

TEST(GroupLinks, WhomNoViewNamesCountsUntilOneDoes) {
  GroupLinks links(kSelf, "a");
  EXPECT_TRUE(links.on_connected(kOther, 1));
  EXPECT_TRUE(links.on_connected(kMate, 2));
  const GroupLinks::Change change = links.on_view(kAll);
  EXPECT_EQ(change.left, std::vector<ServerId>{kOther});
  EXPECT_TRUE(change.joined.empty());
  EXPECT_FALSE(links.counts(kOther));
  EXPECT_TRUE(links.counts(kMate));
  EXPECT_TRUE(links.on_view(kAll).left.empty());
}

TEST(GroupLinks, AServerThatChangesItsGroupJoinsAndLeaves) {
  GroupLinks links(kSelf, "a");
  links.on_view(kAll);
  links.on_connected(kMate, 1);
  links.on_connected(kOther, 7);
  const auto change = links.on_view(view_of({{"a1", "a"}, {"a2", "b"}, {"b1", "a"}}));
  EXPECT_EQ(change.left, std::vector<ServerId>{kMate});
  EXPECT_EQ(change.joined, (std::vector<GroupLinks::Change::Joined>{{kOther, 7}}));
  EXPECT_TRUE(links.counts(kOther));
}

TEST(GroupLinks, OneselfIsOfItsGroupWhateverTheViewSays) {
  GroupLinks links(kSelf, "a");
  const auto change = links.on_view(view_of({{"a1", "old"}, {"a2", "a"}}));
  EXPECT_NE(change.view->find(kSelf), nullptr);
  EXPECT_NE(change.view->find(kMate), nullptr);
}

}  // namespace
}  // namespace tandem
