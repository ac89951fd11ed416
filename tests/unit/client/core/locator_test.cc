#include "client/core/locator.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace tandem {
namespace {

const Instant kStart{100s};
const Destination kBalancer;
const Destination kA{"a", "h:1"}, kB{"b", "h:2"}, kC{"c", "h:3"};

class LocatorTest : public ::testing::Test {
 protected:
  LocatorTest() { learn_map(7); }
  void learn_map(std::uint64_t version, bool c_online = true) {
    locator.on_map_begin(kStart);
    locator.on_map({version, {{"a", "h:1", true}, {"b", "h:2", true}, {"c", "h:3", c_online}}});
    locator.on_map_end();
  }
  void answer(const Destination& from, const Whereabouts& where) {
    locator.on_answer(from, {}, from.server, where);
  }
  Destination choose(bool has_token = true) {
    return locator.choose({}, has_token,
                          [this](std::string_view s) { return avoided.count(std::string(s)) > 0; });
  }

  Locator locator{true, 1};
  std::set<std::string> avoided;
};

TEST_F(LocatorTest, ASessionBeginsThroughTheBalancerWhichAssignsIt) {
  EXPECT_EQ(choose(false), kBalancer);
  locator.on_answer(kBalancer, {}, "b", std::nullopt);
  EXPECT_EQ(choose(), kB);
}

TEST_F(LocatorTest, WithoutABalancerASessionBeginsOnAnyServerThatIsOnline) {
  avoided = {""};
  learn_map(8, false);
  std::set<std::string> chosen;
  for (int i = 0; i < 100; ++i) chosen.insert(choose(false).server);
  EXPECT_EQ(chosen, (std::set<std::string>{"a", "b"}));
}

TEST_F(LocatorTest, ThePrimaryServesAndTheAlternateWhenItIsToBeLeftAlone) {
  answer(kA, {7, "a", "b"});
  EXPECT_EQ(choose(), kA);
  avoided = {"a"};
  EXPECT_EQ(choose(), kB);
  answer(kB, {7, "b", "c"});
  avoided.clear();
  EXPECT_EQ(choose(), kB) << "it has become the primary";
}

TEST_F(LocatorTest, WithoutBothAnyOtherServerThenTheBalancerThenWhoeverThereIs) {
  answer(kA, {7, "a", "b"});
  avoided = {"a", "b"};
  EXPECT_EQ(choose(), kC);
  avoided = {"a", "b", "c"};
  EXPECT_EQ(choose(), kBalancer);
  avoided = {"a", "b", "c", ""};
  EXPECT_EQ(choose(), kA);
}

TEST_F(LocatorTest, WhoIsOfflineInTheMapIsNotTried) {
  answer(kC, {7, "c", "a"});
  learn_map(8, false);
  EXPECT_EQ(choose(), kA);
}

TEST_F(LocatorTest, TheMapIsFetchedOnceAndAgainWhenAnAnswerKnowsANewerView) {
  Locator fresh(true, 1);
  EXPECT_TRUE(fresh.wants_map(kStart));
  fresh.on_map_begin(kStart);
  EXPECT_FALSE(fresh.wants_map(kStart + 1h)) << "one at a time";

  answer(kA, {7, "a", "b"});
  EXPECT_FALSE(locator.wants_map(kStart + 1h));
  answer(kA, {8, "a", "b"});
  EXPECT_FALSE(locator.wants_map(kStart)) << "not again at once";
  EXPECT_TRUE(locator.wants_map(kStart + Locator::kMapPause));
  locator.on_map_begin(kStart + Locator::kMapPause);
  EXPECT_EQ(locator.map_source([](std::string_view) { return false; }), kA);
  learn_map(8);
  EXPECT_FALSE(locator.wants_map(kStart + 1h));
}

TEST_F(LocatorTest, TheMapIsFetchedWhenAServerFailsOrIsNotInIt) {
  locator.on_failure(kA);
  EXPECT_TRUE(locator.wants_map(kStart + 1h));
  learn_map(7);
  answer(kA, {7, "a", "new"});
  EXPECT_TRUE(locator.wants_map(kStart + 1h));
  learn_map(7);
  answer(kA, {7, "a", "b"});
  locator.on_answer(kA, {}, "c", Whereabouts{7, "a", "b"});
  EXPECT_TRUE(locator.wants_map(kStart + 1h)) << "another one lives at its address";
}

TEST_F(LocatorTest, TheMapIsAskedOfServersWhenThereIsNoBalancer) {
  answer(kB, {8, "b", "a"});
  const Avoids no_a = [](std::string_view server) { return server == "a"; };
  locator.on_map_begin(kStart + Locator::kMapPause);
  EXPECT_EQ(locator.map_source(no_a), kB);
  EXPECT_EQ(locator.map_source(no_a), kBalancer);
  EXPECT_EQ(locator.map_source(no_a), kC);
}

TEST_F(LocatorTest, AClientThatGetsNoMapGoesThroughTheBalancer) {
  Locator lost(true, 1);
  lost.on_map_begin(kStart);
  lost.on_map_end();
  EXPECT_EQ(lost.choose({}, true, [](std::string_view) { return false; }), kBalancer);
  EXPECT_TRUE(lost.wants_map(kStart + Locator::kMapPause));
  lost.on_map({3, {}});
  EXPECT_TRUE(lost.wants_map(kStart + Locator::kMapPause)) << "an empty one is none";
}

TEST_F(LocatorTest, AClientThatSpeaksTlsReachesServersThatDoNotThroughTheBalancer) {
  Locator with_tls{true, 1};
  with_tls.use_tls();
  ListedServer a{"a", "h:1", true}, b{"b", "h:2", true};
  b.tls_address = "h:443";
  with_tls.on_map_begin(kStart);
  with_tls.on_map({7, {a, b}});
  with_tls.on_map_end();
  EXPECT_EQ(with_tls.find("a"), std::nullopt);
  EXPECT_EQ(with_tls.find("b"), (Destination{"b", "h:443"}));
  const Avoids nobody = [](std::string_view) { return false; };
  with_tls.on_answer(kBalancer, {}, "a", std::nullopt);
  EXPECT_FALSE(with_tls.wants_map(kStart + 10s)) << "it knows of a";
  EXPECT_EQ(with_tls.choose({}, true, nobody), kBalancer);
  const Avoids the_balancer = [](std::string_view server) { return server.empty(); };
  EXPECT_EQ(with_tls.choose({}, true, the_balancer).server, "b") << "which refers to whom it likes";
  with_tls.on_answer(kBalancer, {}, "b", std::nullopt);
  EXPECT_EQ(with_tls.choose({}, true, nobody), (Destination{"b", "h:443"}));
  with_tls.on_untrusted({"b", "h:443"});
  EXPECT_EQ(with_tls.choose({}, true, nobody), kBalancer);
  EXPECT_FALSE(with_tls.wants_map(kStart + 10s)) << "it would say the same";
}

TEST_F(LocatorTest, WhoDoesNotGoDirectKnowsNothing) {
  Locator through(false);
  EXPECT_FALSE(through.wants_map(kStart));
  through.on_answer(kBalancer, {}, "a", Whereabouts{7, "a", "b"});
  EXPECT_EQ(through.choose({}, true, [](std::string_view) { return false; }), kBalancer);
}

// --- by type -----------------------------------------------------------------------------------

class ByType : public ::testing::Test {
 protected:
  void learn_map(std::uint64_t version, bool b_online = true) {
    ServerListing listing{version, {}, ListedTypes{"g", 64, {{"/b/", "b"}}}};
    listing.servers = {{"a", "h:1", true, "g", 10, false},
                       {"b", "h:2", b_online, "g", 10, false},
                       {"c", "h:3", true, "g", 10, false},
                       {"foreign", "h:4", true, "other", 10, false}};
    locator.on_map(listing);
  }
  Destination choose(std::string_view target) {
    return locator.choose(
        {}, false, [this](std::string_view s) { return avoided.count(std::string(s)) > 0; },
        target);
  }
  // Whom each of many targets is asked of.
  std::map<std::string, std::string> all() {
    std::map<std::string, std::string> chosen;
    for (int i = 0; i < 200; ++i) {
      const std::string target = "/x/" + std::to_string(i);
      const Destination to = choose(target);
      EXPECT_TRUE(to.by_type);
      chosen[target] = to.server;
    }
    return chosen;
  }

  Locator locator{true, 1, true};
  std::set<std::string> avoided;
};

TEST_F(ByType, AnItemIsAskedOfTheOwnerOfItsType) {
  learn_map(7);
  EXPECT_EQ(choose("/b/x?y"), (Destination{"b", "h:2", true}));
  std::set<std::string> servers;
  for (const auto& [target, server] : all()) servers.insert(server);
  EXPECT_EQ(servers, (std::set<std::string>{"a", "b", "c"})) << "of the group, and all of them";
}

TEST_F(ByType, WhileItIsOfflineOrLeftAloneTheStandInIsTheOneThatTheServersName) {
  learn_map(7);
  const auto before = all();
  avoided = {"b"};
  const auto avoiding = all();
  avoided.clear();
  learn_map(8, false);
  EXPECT_EQ(all(), avoiding) << "whoever is next, however it is known";
  std::set<std::string> stand_ins;
  for (const auto& [target, server] : before) {
    if (server != "b") {
      EXPECT_EQ(avoiding.at(target), server) << target;
    } else {
      stand_ins.insert(avoiding.at(target));
    }
  }
  EXPECT_EQ(stand_ins, (std::set<std::string>{"a", "c"})) << "spread over the others";
  EXPECT_NE(choose("/b/x").server, "b");
}

TEST_F(ByType, WhereNobodySaysHowTheDataIsSharedOutTheSessionDecides) {
  locator.on_map({7, {{"a", "h:1", true}, {"b", "h:2", true}}});
  EXPECT_TRUE(locator.wants_types());
  EXPECT_EQ(choose("/b/x"), kBalancer);
  EXPECT_NE(locator.map_source([](std::string_view) { return false; }), kBalancer)
      << "servers know, and balancers do not";
  learn_map(7);
  EXPECT_FALSE(locator.wants_types());
  locator.on_map({8, {{"b", "h:9", true}}});
  EXPECT_EQ(choose("/b/x"), (Destination{"b", "h:9", true})) << "a balancer's map has the servers";
}

TEST_F(ByType, AListWithoutTypesLeavesTheOwnersToBeAskedForAgain) {
  learn_map(7);
  EXPECT_FALSE(locator.wants_map(kStart + 1h));
  locator.on_map_begin(kStart);
  locator.on_map({8, {{"a", "h:1", true}, {"d", "h:9", true}}});
  locator.on_map_end();
  EXPECT_FALSE(locator.wants_map(kStart)) << "not again at once";
  EXPECT_TRUE(locator.wants_map(kStart + Locator::kMapPause)) << "the owners are of an older view";
  learn_map(8);
  EXPECT_FALSE(locator.wants_map(kStart + 1h));
}

TEST_F(ByType, WhenAllOfTheGroupAreToBeLeftAloneTheSessionDecides) {
  learn_map(7);
  avoided = {"a", "b", "c"};
  EXPECT_EQ(choose("/b/x"), kBalancer);
}

TEST_F(ByType, ItsAnswersTellOfNoSessionButOfANewerView) {
  learn_map(7);
  const Destination b = choose("/b/x");
  locator.on_answer(b, {}, "b", Whereabouts{7, "b", "c"});
  EXPECT_EQ(locator.primary({}), "");
  EXPECT_FALSE(locator.wants_map(kStart));
  locator.on_answer(b, {}, "b", Whereabouts{8, "b", ""});
  EXPECT_TRUE(locator.wants_map(kStart));
}

}  // namespace
}  // namespace tandem
