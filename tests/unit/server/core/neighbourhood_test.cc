#include "server/core/neighbourhood.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem {
namespace {

// Servers 1 to n, in a ring.
View ring(std::uint32_t n) {
  View view;
  for (std::uint32_t i = 1; i <= n; ++i) {
    ServerRecord record;
    record.id = ServerId{i};
    record.name = std::to_string(i);
    record.online = true;
    record.incarnation = 100 + i;
    if (n > 1) record.first_buddy = ServerId{i == 1 ? n : i - 1};
    if (n > 1) record.second_buddy = ServerId{i == n ? 1 : i + 1};
    view.servers.push_back(record);
  }
  return view;
}

TEST(NeighbourhoodOf, KnowsTheBuddiesAndTheirBuddies) {
  const Neighbourhood five = neighbourhood_of(ServerId{1}, ring(5));
  ASSERT_EQ(five.buddies.size(), 2U);
  EXPECT_EQ(five.buddies[0], (Neighbourhood::Buddy{ServerId{5}, 105, ServerId{4}, false}));
  EXPECT_EQ(five.buddies[1], (Neighbourhood::Buddy{ServerId{2}, 102, ServerId{3}, false}));
  EXPECT_EQ(five.bystanders.size(), 2U);

  const Neighbourhood three = neighbourhood_of(ServerId{1}, ring(3));
  ASSERT_EQ(three.buddies.size(), 2U);
  EXPECT_EQ(three.buddies[0].other, ServerId{2});
  EXPECT_EQ(three.buddies[1].other, ServerId{3});
  EXPECT_TRUE(three.bystanders.empty());
}

TEST(NeighbourhoodOf, OfTwoServersHasOneBuddyAndOfOneNone) {
  const Neighbourhood two = neighbourhood_of(ServerId{1}, ring(2));
  ASSERT_EQ(two.buddies.size(), 1U);
  EXPECT_EQ(two.buddies[0].id, ServerId{2});
  EXPECT_EQ(two.buddies[0].other, ServerId{});
  EXPECT_EQ(neighbourhood_of(ServerId{1}, ring(1)), Neighbourhood{});
}

TEST(NeighbourhoodOf, WhoeverIsOfflineOrNotKnownWatchesNobody) {
  View view = ring(5);
  EXPECT_EQ(neighbourhood_of(ServerId{9}, view), Neighbourhood{});
  view.servers[0].online = false;
  EXPECT_EQ(neighbourhood_of(ServerId{1}, view), Neighbourhood{});
}

TEST(NeighbourhoodOf, BystandersAreOthersThatAreOnline) {
  View view = ring(20);
  view.servers[9].online = false;
  view.servers[10].kind = ServerKind::kPlain;
  for (std::uint32_t self = 1; self <= 20; ++self) {
    const Neighbourhood found = neighbourhood_of(ServerId{self}, view);
    if (self == 10) continue;
    EXPECT_EQ(found.bystanders.size(), Neighbourhood::kBystandersMax);
    for (const ServerId one : found.bystanders) {
      EXPECT_NE(one, ServerId{self});
      EXPECT_NE(one, ServerId{10});
      EXPECT_NE(one, ServerId{11});
      for (const auto& buddy : found.buddies) EXPECT_NE(one, buddy.id);
    }
  }
  EXPECT_NE(neighbourhood_of(ServerId{1}, view).bystanders,
            neighbourhood_of(ServerId{2}, view).bystanders);
}

}  // namespace
}  // namespace tandem
