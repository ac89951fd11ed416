#include "common/cluster/routes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/base/random.h"

namespace tandem {
namespace {

std::string group_of(const Routes& routes, std::string_view host, std::string_view target) {
  return routes.group(routes.pool(host, target));
}

Routes made(std::vector<RouteRule> rules) {
  auto routes = Routes::make(std::move(rules));
  EXPECT_TRUE(routes.has_value()) << (routes ? "" : routes.error().message);
  return std::move(*routes);
}

std::string complaint(std::vector<RouteRule> rules) {
  const auto routes = Routes::make(std::move(rules));
  return routes ? "" : routes.error().message;
}

TEST(Routes, WithoutAnyEverythingIsPoolZeros) {
  const Routes none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.pools(), 1U);
  EXPECT_EQ(none.group(0), "");
  EXPECT_EQ(none.pool("shop.example", "/api"), 0U);
  EXPECT_EQ(none.pool_of("default"), 0U);
  EXPECT_FALSE(none.routed("default"));
}

TEST(Routes, PathsArePrefixesBySegments) {
  const Routes routes = made({{"", "/api", "api"}, {"", "/beneath/", "below"}});
  for (const char* target :
       {"/api", "/api/", "/api/x", "/api?q=/", "/api/x/y?z", "/%61pi/x", "/api%2Fx", "/api#f"}) {
    EXPECT_EQ(group_of(routes, "h", target), "api") << target;
  }
  for (const char* target : {"/apix", "/ap", "/", "", "?api", "*", "/API", "/x/api", "/api%20",
                             "/api%2", "/api%zz", "/beneath", "/beneath?x"}) {
    EXPECT_EQ(group_of(routes, "h", target), "") << target;
  }
  EXPECT_EQ(group_of(routes, "h", "/beneath/"), "below");
  EXPECT_EQ(group_of(routes, "h", "/beneath/x"), "below");
}

TEST(Routes, TheLongestPathThatHoldsDecides) {
  const Routes routes = made({{"", "/a/b/c", "deep"},
                              {"", "/a", "a"},
                              {"", "/a/b/", "under"},
                              {"", "/a/b", "b"},
                              {"", "", "rest"},
                              {"", "/a/bb", "twin"}});
  EXPECT_EQ(group_of(routes, "", "/a/b/c"), "deep");
  EXPECT_EQ(group_of(routes, "", "/a/b/cc"), "under");
  EXPECT_EQ(group_of(routes, "", "/a/b"), "b");
  EXPECT_EQ(group_of(routes, "", "/a/bb"), "twin");
  EXPECT_EQ(group_of(routes, "", "/a/bbb"), "a");
  EXPECT_EQ(group_of(routes, "", "/a/b-"), "a");
  EXPECT_EQ(group_of(routes, "", "/aa"), "rest");
  EXPECT_EQ(group_of(routes, "", "*"), "rest");
}

TEST(Routes, HostsBeforePathsExactBeforeWildcards) {
  const Routes routes = made({{"*.example", "", "wide"},
                              {"*.shop.example", "", "shops"},
                              {"www.shop.example", "/api", "api"},
                              {"", "/api/long/path", "any"},
                              {"[::1]", "", "six"},
                              {"10.0.0.1", "", "four"}});
  EXPECT_EQ(group_of(routes, "www.shop.example", "/api/long/path"), "api");
  EXPECT_EQ(group_of(routes, "WWW.Shop.Example.:8080", "/api"), "api");
  EXPECT_EQ(group_of(routes, "www.shop.example", "/other"), "shops");  // its route does not hold
  EXPECT_EQ(group_of(routes, "a.b.shop.example", "/"), "shops");
  EXPECT_EQ(group_of(routes, "shop.example", "/"), "wide");
  EXPECT_EQ(group_of(routes, "xshop.example", "/"), "wide");
  EXPECT_EQ(group_of(routes, "example", "/"), "");
  EXPECT_EQ(group_of(routes, ".example", "/"), "");
  EXPECT_EQ(group_of(routes, "other", "/api/long/path/x"), "any");
  EXPECT_EQ(group_of(routes, "", "/api/long/path/x"), "any");
  EXPECT_EQ(group_of(routes, "[::1]:8080", "/"), "six");
  EXPECT_EQ(group_of(routes, "[::1]", "/"), "six");
  EXPECT_EQ(group_of(routes, "[::1", "/"), "");
  EXPECT_EQ(group_of(routes, "10.0.0.1:80", "/"), "four");
  EXPECT_EQ(group_of(routes, std::string(300, 'a') + ".example", "/"), "");
}

TEST(Routes, SeveralRoutesLeadToOnePool) {
  const Routes routes = made({{"", "/z", "zoo"}, {"", "/a", "api"}, {"a.example", "", "zoo"}});
  EXPECT_EQ(routes.pools(), 3U);
  EXPECT_EQ(routes.group(1), "api");
  EXPECT_EQ(routes.group(2), "zoo");
  EXPECT_EQ(routes.pool("", "/z"), routes.pool("a.example", "/"));
  EXPECT_EQ(routes.pool_of("zoo"), 2U);
  EXPECT_EQ(routes.pool_of("default"), 0U);
  EXPECT_EQ(*routes.routed("api"), 1U);
  EXPECT_FALSE(routes.routed("default"));
  EXPECT_FALSE(routes.routed(""));
}

TEST(Routes, RulesAreToldInTheirNormalForm) {
  const Routes routes = made({{"*.Shop.Example.", "/", "b"}, {"", "/A", "a"}});
  EXPECT_EQ(routes.rules(), (std::vector<RouteRule>{{"*.shop.example", "", "b"}, {"", "/A", "a"}}));
}

TEST(Routes, WhatCannotBeIsAnError) {
  EXPECT_EQ(complaint({{"", "/a", ""}}), "the group of a route must not be empty");
  EXPECT_EQ(complaint({{"", "/a", "a\r\nX: b"}}), "the group of a route must be a name");
  EXPECT_EQ(Routes::complaint_of_path("/\xff"), "must be UTF-8");
  EXPECT_EQ(complaint({{"A.example", "/", "a"}, {"a.example.", "", "b"}}),
            "two routes of one host and path");
  EXPECT_EQ(complaint({{"", "/a", "a"}, {"", "/a", "a"}}), "two routes of one host and path");
  EXPECT_EQ(complaint({{"*.a", "/a", "a"}, {"a", "/a", "a"}, {"", "/a", "a"}, {"", "/a/", "a"}}),
            "");
  for (const char* host : {"a b", "shop.example:80", "*", "a.*", "*.", "*.*.a", ".a", "a..b", "..",
                           "[::1", "[]", "[x]", "*.[::1]", "a/b", "*a"}) {
    EXPECT_NE(Routes::complaint_of_host(host), "") << host;
  }
  for (const char* host :
       {"", "a", "A-b_c.d.", "*.a", "10.0.0.1", "[fe80::1]", "xn--bcher-kva.ch"}) {
    EXPECT_EQ(Routes::complaint_of_host(host), "") << host;
  }
  EXPECT_EQ(Routes::complaint_of_path("a"), "must begin with \"/\"");
  EXPECT_NE(Routes::complaint_of_path("/a?b"), "");
  EXPECT_NE(Routes::complaint_of_path("/" + std::string(Routes::kPathBytesMax, 'a')), "");
  EXPECT_EQ(Routes::complaint_of_path("/" + std::string(Routes::kPathBytesMax - 1, 'a')), "");
  EXPECT_NE(Routes::complaint_of_host(std::string(Routes::kHostBytesMax + 1, 'a')), "");
}

TEST(Routes, TheirNumberIsBounded) {
  std::vector<RouteRule> rules;
  for (std::size_t i = 0; i < Routes::kRoutesMax; ++i) {
    rules.push_back({"", "/" + std::to_string(i), "g" + std::to_string(i % Routes::kGroupsMax)});
  }
  EXPECT_EQ(complaint(rules), "");
  rules[0].group = "one-more";
  EXPECT_EQ(complaint(rules), "routes to more than 64 groups");
  rules[0].group = "g0";
  rules.push_back({"", "/x", "g0"});
  EXPECT_EQ(complaint(rules), "more than 1024 routes");
}

TEST(Routes, ALongPathIsReadAsFarAsARouteReaches) {
  const std::string longest = "/" + std::string(Routes::kPathBytesMax - 1, 'a');
  const Routes routes = made({{"", longest, "a"}});
  EXPECT_EQ(group_of(routes, "", longest), "a");
  EXPECT_EQ(group_of(routes, "", "/%61" + longest.substr(2)), "a");
  EXPECT_EQ(group_of(routes, "", "/%61" + longest.substr(2) + "/b"), "a");
  EXPECT_EQ(group_of(routes, "", "/%61" + longest.substr(2) + "b"), "");
}

// What the look-up finds is what one finds who looks at every rule.
std::string by_looking_at_all(const std::vector<RouteRule>& rules, const std::string& host,
                              const std::string& path) {
  const RouteRule* best = nullptr;
  const auto rank = [](const RouteRule& rule) {
    const std::size_t tier = rule.host.empty() ? 0 : rule.host.starts_with("*.") ? 1 : 2;
    return std::tuple(tier, rule.host.size(), rule.path.size());
  };
  for (const RouteRule& rule : rules) {
    const bool host_fits = rule.host.empty() || rule.host == host ||
                           (rule.host.starts_with("*.") && host.ends_with(rule.host.substr(1)) &&
                            host.size() > rule.host.size() - 1);
    const bool path_fits =
        path.starts_with(rule.path) && (rule.path.empty() || rule.path.size() == path.size() ||
                                        rule.path.back() == '/' || path[rule.path.size()] == '/');
    if (host_fits && path_fits && (best == nullptr || rank(*best) < rank(rule))) best = &rule;
  }
  return best == nullptr ? "" : best->group;
}

TEST(Routes, TheLookUpAgreesWithOneThatLooksAtEveryRule) {
  Random random(17);
  const auto path = [&] {
    std::string text;
    for (std::uint64_t i = random.below(5); i > 0; --i) {
      text += '/';
      for (std::uint64_t j = random.below(3); j > 0; --j) text += "ab-0"[random.below(4)];
    }
    return text;
  };
  const auto host = [&](bool wildcard) {
    std::string text = wildcard ? "*" : std::string(1, "ab"[random.below(2)]);
    for (std::uint64_t i = random.below(3) + (wildcard ? 1 : 0); i > 0; --i) {
      text += std::string(".") + "ab"[random.below(2)];
    }
    return text;
  };
  for (int run = 0; run < 50; ++run) {
    std::vector<RouteRule> rules;
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t kind = random.below(3);
      RouteRule rule{kind == 0 ? "" : host(kind == 1), path(), "g" + std::to_string(i)};
      rule = Routes::normal(std::move(rule));
      const bool twice = std::any_of(rules.begin(), rules.end(), [&](const RouteRule& other) {
        return other.host == rule.host && other.path == rule.path;
      });
      if (!twice) rules.push_back(std::move(rule));
    }
    const Routes routes = made(rules);
    for (int i = 0; i < 200; ++i) {
      const std::string at = host(false), target = path();
      ASSERT_EQ(group_of(routes, at, target), by_looking_at_all(rules, at, target))
          << at << " " << target;
    }
  }
}

}  // namespace
}  // namespace tandem
