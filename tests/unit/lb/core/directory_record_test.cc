#include "lb/core/directory_record.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

ServerRecord server(std::string name) {
  ServerRecord record;
  record.id = ServerId::of(name);
  record.name = std::move(name);
  record.online = true;
  record.status.capacity = 1000;
  return record;
}

TEST(DirectoryRecord, TellsDifferencesAlone) {
  DirectoryRecord directory;
  View view{5, 1, {server("a"), server("b")}};
  view.servers[0].first_buddy = view.servers[0].second_buddy = ServerId::of("b");
  auto change = directory.take(view);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->view_version, 5U);
  EXPECT_EQ(change->servers.size(), 2U);
  ASSERT_EQ(change->buddies.size(), 1U);
  EXPECT_EQ(change->buddies[0],
            (BuddiesRow{ServerId::of("a"), ServerId::of("b"), ServerId::of("b")}));
  view.version = 6;
  view.servers[0].status.primaries = 77;  // no matter of the directory
  EXPECT_FALSE(directory.take(view));

  view.servers[0].online = false;
  view.servers[0].first_buddy = view.servers[0].second_buddy = {};
  change = directory.take(view);
  ASSERT_TRUE(change);
  ASSERT_EQ(change->servers.size(), 1U);
  EXPECT_EQ(change->servers[0].state, ServerState::kOffline);
  EXPECT_EQ(change->buddies, (std::vector<BuddiesRow>{{ServerId::of("a"), {}, {}}}));

  change = directory.take(view, {ServerId::of("a")});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->servers[0].state, ServerState::kHeldBack);
  view.servers[0].left = true;
  EXPECT_EQ(directory.take(view)->servers[0].state, ServerState::kLeft);

  view.servers.erase(view.servers.begin());
  EXPECT_EQ(directory.take(view)->removed, std::vector<ServerId>{ServerId::of("a")});
  EXPECT_FALSE(directory.take(view));
}

TEST(DirectoryRecord, LeavesPlainServersToTheConf) {
  DirectoryRecord directory;
  View view{5, 1, {server("a")}};
  view.servers[0].kind = ServerKind::kPlain;
  EXPECT_FALSE(directory.take(view));
}

TEST(DirectoryRecord, EventsGoWithTheNextChange) {
  DirectoryRecord directory;
  const Instant now = Instant{} + 5s;
  directory.note_event(now, MembershipEvent::Kind::kJoined, "a", "registered");
  const auto change = directory.take(View{});
  ASSERT_TRUE(change);
  ASSERT_EQ(change->events.size(), 1U);
  EXPECT_EQ(change->events[0].server, ServerId::of("a"));
  EXPECT_EQ(change->events[0].at, now);
  EXPECT_FALSE(directory.take(View{}));
}

TEST(DirectoryRecord, WhoIsDrainedIsToldWholeWhenItChanges) {
  DirectoryRecord directory;
  const std::set<std::string> one{"p"}, none;
  const auto change = directory.take(View{}, {}, one);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->drained, one);
  EXPECT_FALSE(directory.take(View{}, {}, one));
  EXPECT_EQ(directory.take(View{}, {}, none)->drained, none);
  DirectoryContents contents;
  contents.drained = one;
  directory.restore(contents);
  EXPECT_FALSE(directory.take(View{}, {}, one));
}

TEST(DirectoryRecord, WhatIsRestoredIsNotToldAgain) {
  View view{5, 1, {server("a")}};
  DirectoryContents contents;
  contents.servers = DirectoryRecord().take(view)->servers;
  DirectoryRecord directory;
  directory.restore(contents);
  EXPECT_FALSE(directory.take(view));
}

}  // namespace
}  // namespace tandem
