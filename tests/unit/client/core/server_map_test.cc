#include "client/core/server_map.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

const Instant kStart{100s};
bool nobody(std::string_view) { return false; }

class ServerMapTest : public ::testing::Test {
 protected:
  using Rules = std::vector<RouteRule>;

  static ServerListing listing(std::uint64_t version, std::optional<Rules> routes = {}) {
    ServerListing made{version, {}, {}, std::move(routes)};
    made.servers = {{"a1", "h:1", true, "api", 1, false},
                    {"a2", "h:2", true, "api", 1, false},
                    {"b1", "h:3", true, "shop", 1, false},
                    {"d1", "h:4", true, "default", 1, false}};
    return made;
  }
  static ServerListing with_types(ServerListing of, std::string group, std::string owner) {
    of.types = ListedTypes{std::move(group), 8, {{"/x", std::move(owner)}}};
    return of;
  }
  static Rules rules() { return {{"", "/api", "api"}, {"shop", "", "shop"}}; }
  // Whom the next fetch asks: names, "-" for the balancer; none of them answers.
  static std::string asks(ServerMap& map, Instant now, unsigned count,
                          const std::vector<std::string>& preferred = {}) {
    map.begin(now);
    std::string names;
    for (unsigned i = 0; i < count; ++i) {
      const std::string server = map.next_source(preferred, nobody).server;
      names += server.empty() ? "-" : server;
      names += ' ';
    }
    map.end();
    return names;
  }

  ServerMap map{false}, by_type{true};
};

TEST_F(ServerMapTest, WithoutRoutesAllServersAreOfOneGroup) {
  map.begin(kStart);
  map.take(listing(7), {});
  EXPECT_EQ(map.group_of("shop", "/api"), std::nullopt) << "nobody has told";
  EXPECT_EQ(map.find("a1")->group, "");
  map.take(listing(7, Rules{}), {});
  EXPECT_EQ(map.group_of("shop", "/api"), "");
  EXPECT_EQ(map.find("b1")->group, "");
}

TEST_F(ServerMapTest, RoutesSayWhoseARequestIsAndGroupsWhoseAServer) {
  map.take(listing(7, rules()), {});
  EXPECT_EQ(map.group_of("any", "/api/x"), "api");
  EXPECT_EQ(map.group_of("shop:80", "/api/x"), "shop");
  EXPECT_EQ(map.group_of("any", "/x"), "");
  EXPECT_EQ(map.find("a1")->group, "api");
  EXPECT_EQ(map.find("d1")->group, "") << "no route names its group";
  Random dice{1};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(map.anyone("api", nobody, true, dice)->server[0], 'a');
    EXPECT_EQ(map.anyone("", nobody, true, dice)->server, "d1");
  }
  EXPECT_EQ(map.anyone("none", nobody, true, dice), std::nullopt);
}

TEST_F(ServerMapTest, ServersListsKeepRoutesAndGroupsThatTheyDoNotTell) {
  map.take(listing(7, rules()), {});
  map.take(listing(8), {"a1", "h:1"});
  EXPECT_EQ(map.group_of("any", "/api/x"), "api");
  ServerListing old{9, {{"a1", "h:9", true}, {"new", "h:5", true}}, {}, {}};  // of a former version
  map.take(old, {"a1", "h:1"});
  EXPECT_EQ(map.find("a1"), (Destination{"a1", "h:9", false, "api"}));
  EXPECT_EQ(map.find("new"), std::nullopt) << "whose it is is not known: through the balancer";
  map.take(listing(10, Rules{}), {});
  EXPECT_EQ(map.group_of("any", "/api/x"), "") << "the balancer has none any more";
}

TEST_F(ServerMapTest, WithoutRoutesWhoeverServesTheSessionIsAskedFirst) {
  map.begin(kStart);
  map.take(listing(7, Rules{}), {});
  map.end();
  EXPECT_FALSE(map.wanted(kStart + 1h)) << "the map is fetched once";
  map.mark_stale();
  EXPECT_EQ(asks(map, kStart + 59s, 4, {"b1"}), "b1 - a1 a2 ");
  EXPECT_EQ(asks(map, kStart + 60s, 3, {"b1"}), "- b1 a1 ") << "there may be routes by now";
}

TEST_F(ServerMapTest, WithRoutesTheBalancerIsAskedFirstAndFromTimeToTime) {
  map.begin(kStart);
  map.take(listing(7, rules()), {});
  map.end();
  EXPECT_FALSE(map.wanted(kStart + 59s));
  EXPECT_TRUE(map.wanted(kStart + ServerMap::kRoutesLife));
  EXPECT_EQ(asks(map, kStart + 60s, 4, {"b1"}), "- b1 a1 a2 ") << "whoever answers will do";
  EXPECT_FALSE(map.wanted(kStart + 119s)) << "in vain: not again at once";
  map.mark_stale();
  EXPECT_EQ(asks(map, kStart + 70s, 2, {"b1"}), "- b1 ");
}

TEST_F(ServerMapTest, AFetchEndsWithAMapOrAfterItsTries) {
  map.begin(kStart);
  for (unsigned i = 0; i < ServerMap::kTriesMax; ++i) {
    EXPECT_TRUE(map.wants_more());
    map.next_source({}, nobody);
  }
  EXPECT_FALSE(map.wants_more());
  map.begin(kStart + 1s);
  map.next_source({}, nobody);
  map.take(listing(7), {});
  EXPECT_FALSE(map.wants_more());
}

TEST_F(ServerMapTest, ByTypeAServerOfEachGroupIsAskedHowItsDataIsSharedOut) {
  by_type.begin(kStart);
  EXPECT_FALSE(by_type.next_source({}, nobody).direct());
  by_type.take(listing(7, rules()), {});
  ASSERT_TRUE(by_type.wants_more());
  Destination from = by_type.next_source({}, nobody);
  EXPECT_EQ(from.server, "a1");
  by_type.take(with_types(listing(7), "api", "a2"), from);
  from = by_type.next_source({}, nobody);
  EXPECT_EQ(from.server, "b1");
  by_type.take(listing(7), from);  // this group does not share it out
  from = by_type.next_source({}, nobody);
  EXPECT_EQ(from.server, "d1");
  by_type.take(with_types(listing(7), "default", "d1"), from);
  EXPECT_FALSE(by_type.wants_more());
  by_type.end();
  EXPECT_FALSE(by_type.wanted(kStart + 59s));
  EXPECT_EQ(by_type.owner("api", "/x", nobody)->server, "a2");
  EXPECT_EQ(by_type.owner("", "/x", nobody)->server, "d1");
  EXPECT_EQ(by_type.owner("shop", "/x", nobody), std::nullopt);

  const ServerListing dead = [] {
    ServerListing made = listing(8);
    made.servers[1].online = false;
    return made;
  }();
  by_type.take(dead, {});
  EXPECT_EQ(by_type.owner("api", "/x", nobody)->server, "a1") << "any list tells who is online";
}

TEST_F(ServerMapTest, AGroupWhoseServersDoNotAnswerKeepsNoOtherFromBeingAsked) {
  by_type.begin(kStart);
  by_type.take(listing(7, rules()), by_type.next_source({}, nobody));
  std::string asked;
  while (by_type.wants_more()) asked += by_type.next_source({}, nobody).server + " ";
  EXPECT_EQ(asked, "a1 a2 b1 d1 ");
}

TEST_F(ServerMapTest, AListThatIsOlderThanTheOneBeforeInTheSameFetchChangesNoServer) {
  by_type.begin(kStart);
  by_type.take(listing(8, rules()), by_type.next_source({}, nobody));
  ServerListing late = with_types(listing(7), "api", "a1");
  late.servers.pop_back();
  by_type.take(late, by_type.next_source({}, nobody));
  EXPECT_TRUE(by_type.has("d1"));
  EXPECT_EQ(by_type.version(), 8u);
  by_type.end();
  EXPECT_TRUE(by_type.wanted(kStart + ServerMap::kPause)) << "it will know soon";
}

TEST_F(ServerMapTest, DoubtedRoutesAreAskedOfTheBalancer) {
  map.begin(kStart);
  map.take(listing(7, Rules{}), {});
  map.end();
  map.doubt_routes();
  EXPECT_EQ(asks(map, kStart + 1s, 2, {"a1"}), "- a1 ");
  map.begin(kStart + 2s);
  map.take(listing(8), map.next_source({"a1"}, nobody));
  map.end();
  EXPECT_EQ(asks(map, kStart + 3s, 1, {"a1"}), "- ") << "nobody has told them yet";
}

}  // namespace
}  // namespace tandem
