#include "common/cluster/server_list.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tandem {
namespace {

View view() {
  View made{7, 1, {}, 1, false};
  for (const std::string name : {"a", "b", "plain"}) {
    ServerRecord record;
    record.name = name;
    record.kind = name == "plain" ? ServerKind::kPlain : ServerKind::kTandem;
    record.data_address = "[::1]:80";
    record.online = name == "a";
    record.group = "g";
    record.status.capacity = 9;
    made.servers.push_back(record);
  }
  return made;
}

TEST(ServerList, TellsOfTandemServersAlone) {
  EXPECT_EQ(server_list_json(view()),
            R"({"version":7,"servers":[{"name":"a","address":"[::1]:80","online":true,)"
            R"("group":"g","capacity":9,"left":false},)"
            R"({"name":"b","address":"[::1]:80","online":false,)"
            R"("group":"g","capacity":9,"left":false}]})");
}

TEST(ServerList, ComesBackAsItWas) {
  const auto read = parse_server_list(server_list_json(view()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->version, 7u);
  ASSERT_EQ(read->servers.size(), 2u);
  EXPECT_EQ(read->servers[0], (ListedServer{"a", "[::1]:80", true, "g", 9}));
  EXPECT_EQ(read->servers[1], (ListedServer{"b", "[::1]:80", false, "g", 9}));
}

TEST(ServerList, TellsWhereAServerSpeaksTls) {
  View made = view();
  made.servers[1].tls_address = "b.example:443";
  const auto read = parse_server_list(server_list_json(made));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->servers[0].tls_address, "");
  EXPECT_EQ(read->servers[1].tls_address, "b.example:443");
}

TEST(ServerList, TellsHowTheDataIsSharedOutWhereThatIsKnown) {
  View made = view();
  made.servers[1].left = true;
  const ListedTypes types{"g", 3, {{"/a b/", "a"}, {"/", ""}}};
  const auto read = parse_server_list(server_list_json(made, &types));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->types, types);
  EXPECT_EQ(read->servers[0], (ListedServer{"a", "[::1]:80", true, "g", 9, false}));
  EXPECT_EQ(read->servers[1], (ListedServer{"b", "[::1]:80", false, "g", 9, true}));
  EXPECT_FALSE(parse_server_list(server_list_json(made))->types);
}

TEST(ServerList, TellsTheRoutesOfABalancerAndThatThereAreNone) {
  EXPECT_FALSE(parse_server_list(server_list_json(view()))->routes) << "a server knows none";
  const Routes none;
  EXPECT_EQ(parse_server_list(server_list_json(view(), nullptr, &none))->routes,
            std::vector<RouteRule>{});
  const std::vector<RouteRule> rules = {{"*.shop.example", "/a b\"", "shop"}, {"", "/api", "api"}};
  const auto routes = Routes::make(rules);
  ASSERT_TRUE(routes);
  const std::string json = server_list_json(view(), nullptr, &*routes);
  EXPECT_NE(json.find(R"({"host":"","path":"/api","group":"api"}]})"), json.npos) << json;
  const auto read = parse_server_list(json);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->routes, rules);
}

TEST(ServerList, RoutesThatCannotBeAreAnError) {
  const auto with = [](const std::string& routes) {
    return parse_server_list(R"({"version":1,"servers":[],"routes":)" + routes + "}");
  };
  EXPECT_TRUE(with(R"([{"group":"g","new":{}},{"path":"/a","group":"h"}])"));
  for (const char* text :
       {"{}", "1", R"([{"path":"/a"}])", R"([{"path":"a","group":"g"}])", R"([{"group":""}])",
        R"([{"host":"a b","group":"g"}])", R"([{"group":"g"},{"group":"h"}])", R"([{"host":1}])"}) {
    EXPECT_FALSE(with(text)) << text;
  }
  std::string many;
  for (std::size_t i = 0; i < Routes::kRoutesMax; ++i) {
    many += fmt::format(R"({{"path":"/{}","group":"g"}},)", i);
  }
  EXPECT_FALSE(with("[" + many + R"({"group":"g"}])"));
  EXPECT_TRUE(with("[" + many.substr(0, many.size() - 1) + "]"));
}

TEST(ServerList, TypesThatCannotBeAreAnError) {
  const auto with = [](const std::string& types) {
    return parse_server_list(R"({"version":1,"servers":[],"types":)" + types + "}");
  };
  EXPECT_TRUE(with(R"({"group":"g","virtual":65536,"rules":[{"prefix":"/","new":[]}],"new":1})"));
  for (const char* text :
       {R"({"virtual":0})", R"({"virtual":65537})", R"({"virtual":4294967297})",
        R"({"rules":[{"owner":"a"}]})", R"({"rules":[{"prefix":"a"}]})", R"({"rules":{}})", "[]"}) {
    EXPECT_FALSE(with(text)) << text;
  }
  std::string many = R"({"prefix":"/"})";
  for (std::size_t i = 0; i < Types::kRulesMax; ++i) many += R"(,{"prefix":"/"})";
  EXPECT_FALSE(with(R"({"rules":[)" + many + "]}"));
}

TEST(ServerList, WhatIsNotKnownIsSkipped) {
  const auto read = parse_server_list(
      R"( { "x": [1, -2.5e3, {"y": null}, "\u0041\n", true], "servers" : [ )"
      R"({"weight": 3, "name": "\u0061\"\\", "zone": {}, "online": false} ] , "version": 12 } )");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->version, 12u);
  ASSERT_EQ(read->servers.size(), 1u);
  EXPECT_EQ(read->servers[0].name, "a\"\\");
}

TEST(ServerList, WhatIsNoListIsAnError) {
  for (const char* text :
       {"", "{}", "[]", "null", R"({"version":1})", R"({"servers":[]})",
        R"({"version":-1,"servers":[]})", R"({"version":1.5,"servers":[]})",
        R"({"version":"1","servers":[]})", R"({"version":1,"servers":{}})",
        R"({"version":1,"servers":[{}]})", R"({"version":1,"servers":[{"name":1}]})",
        R"({"version":1,"servers":[{"name":"a"})", R"({"version":1,"servers":[]} x)",
        R"({"version":1,"servers":[{"name":"a","online":1}]})",
        R"({"version":1,"servers":[],"x":"\q"})", R"({"version":1,"servers":[],"x":"\u12"})",
        R"({"version":18446744073709551616,"servers":[]})"}) {
    EXPECT_FALSE(parse_server_list(text)) << text;
  }
  EXPECT_FALSE(parse_server_list(R"({"version":1,"servers":[],"x":)" + std::string(100, '[') +
                                 std::string(100, ']') + "}"));
}

TEST(ServerList, IsBounded) {
  std::string text = R"({"version":1,"servers":[{"name":"a"})";
  for (std::size_t i = 1; i < kListedServersMax; ++i) text += R"(,{"name":"a"})";
  EXPECT_TRUE(parse_server_list(text + "]}"));
  EXPECT_FALSE(parse_server_list(text + R"(,{"name":"a"}]})"));
  View large{1, 1, {}, 1, false};
  large.servers.resize(kListedServersMax + 1);
  for (ServerRecord& record : large.servers) record.name = "a";
  EXPECT_TRUE(parse_server_list(server_list_json(large)));
}

// Any text, cut anywhere or with one byte changed, is a list or an error.
TEST(ServerList, TakesAnyBytes) {
  const std::string good = server_list_json(view());
  for (std::size_t at = 0; at < good.size(); ++at) {
    EXPECT_FALSE(parse_server_list(good.substr(0, at)));
    for (const char c : {'\0', '"', '\\', '{', '\xff', '9'}) {
      std::string changed = good;
      changed[at] = c;
      (void)parse_server_list(changed);
    }
  }
}

}  // namespace
}  // namespace tandem
