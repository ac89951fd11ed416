// Calls of a client whose balancer routes to several failover groups.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

#include "client/core/cache_validation.h"
#include "client/core/call.h"
#include "common/session/validator.h"

namespace tandem {
namespace {

const Instant kStart{100s};
constexpr UnixSeconds kToday = 1'700'000'000;

std::string key(std::string_view target) {
  return fmt::format("{:016x}", ItemKey::of(target).value);
}

class GroupCall : public ::testing::Test {
 protected:
  explicit GroupCall(bool direct = false, bool by_type = false)
      : state(1 << 20, direct, 1, by_type) {
    state.authority = "site";
    state.cache_id = CacheId{0xabc};
  }

  std::unique_ptr<Call> begin(std::string_view target, std::string_view method = "GET") {
    auto call =
        std::make_unique<Call>(state, CallRequest{method, target, {}, headers}, kStart, kToday);
    if (!call->finished()) {
      call->begin_attempt(kToday);
      head = call->head();
    }
    return call;
  }
  // One call that is answered at once, by a server of this group.
  Reply exchange(std::string_view target, std::string group, HeaderFields fields = {},
                 int status = 200) {
    const auto call = begin(target);
    fields.emplace_back("ETag", Validator::of("x").etag());
    if (!call->to().direct() && !group.empty()) fields.emplace_back("Tandem-Group", group);
    call->on_response({status, std::move(fields), "x"}, kStart, kToday);
    EXPECT_TRUE(call->finished());
    return call->take_reply();
  }
  bool sent(std::string_view line) const {
    return head.find("\r\n" + std::string(line) + "\r\n") != head.npos;
  }
  std::string token(std::string_view group) const { return std::string(state.groups.token(group)); }

  ClientState state;
  HeaderFields headers;
  std::string head;
};

TEST_F(GroupCall, AllTokensAreSentAndEachGroupChangesItsOwn) {
  exchange("/", "", {{"Tandem-Session", "T0"}});
  const Reply reply = exchange("/api/x", "api", {{"Tandem-Session", "T1"}});
  EXPECT_TRUE(sent("Tandem-Session: T0"));
  EXPECT_EQ(reply.group, "api");
  EXPECT_EQ(token(""), "T0");
  EXPECT_EQ(token("api"), "T1");
  exchange("/api/x", "api", {{"Tandem-Session", "T2"}});
  EXPECT_TRUE(sent("Tandem-Session: T1;group=api, T0"));
  EXPECT_EQ(token("api"), "T2");
  exchange("/api/x", "api");
  EXPECT_EQ(token("api"), "T2") << "a token comes only when it changes";
  exchange("/", "", {{"Tandem-Session", "none"}});
  EXPECT_EQ(token(""), "");
  EXPECT_EQ(token("api"), "T2") << "the session in the other group is not lost";
}

TEST_F(GroupCall, WhatIsNoNameOfAGroupTeachesNothing) {
  exchange("/", "", {{"Tandem-Session", "T0"}});
  exchange("/", "a b", {{"Tandem-Session", "T1"}});
  EXPECT_EQ(token(""), "T0");
  EXPECT_EQ(state.groups.all().size(), 1u);
}

TEST_F(GroupCall, EvictionsGoToTheGroupOfTheItemAndCountOnlyIfItAnswers) {
  exchange("/a", "");
  exchange("/api/a", "api");
  exchange("/api/b", "api");
  state.cache.remove("/a");
  state.cache.remove("/api/a");
  begin("/api/b");
  EXPECT_TRUE(sent("Tandem-Cache: 0000000000000abc;evicted=" + key("/api/a")));
  exchange("/api/b", "other");  // the routes have changed
  EXPECT_EQ(state.cache.evicted(9, "api").keys.size(), 2u) << "/api/b is the other's now";
  exchange("/api/c", "other");
  EXPECT_TRUE(sent("Tandem-Cache: 0000000000000abc")) << "nothing of the others' items";
  exchange("/z", "");
  begin("/z");
  EXPECT_TRUE(sent("Tandem-Cache: 0000000000000abc;evicted=" + key("/a")));
  exchange("/z", "");
  EXPECT_TRUE(state.cache.evicted(9).keys.empty());
  EXPECT_EQ(state.cache.evicted(9, "api").keys.size(), 2u);
}

TEST_F(GroupCall, ACopyBelongsToWhoSaidLastThatItIsRight) {
  exchange("/x", "");
  EXPECT_EQ(exchange("/x", "api", {}, 304).source, ReplySource::kByValidator);
  EXPECT_EQ(state.cache.group_of("/x"), "api");
  EXPECT_EQ(state.cache.evicted(9).keys, std::vector{ItemKey::of("/x")});
}

TEST_F(GroupCall, TheCacheIsValidatedGroupByGroup) {
  state.reuse_fresh = true;
  state.groups.set_validation(ValidationPolicy(60s));
  for (const char* server : {"a1", "a2"}) {
    exchange("/api/x", "api", {{"Tandem-Server", server}, {"Tandem-Session", "T1"}});
    exchange("/x", "", {{"Tandem-Server", "b"}, {"Tandem-Session", "T0"}});
  }
  const auto wants = [&](std::string_view target) {
    return Call(state, {"GET", target, {}, headers}, kStart, kToday).wants_validation(kStart);
  };
  EXPECT_FALSE(wants("/x")) << "its server is the same as ever";
  ASSERT_TRUE(wants("/api/x")) << "there was a takeover in its group";

  CacheValidation validation(state, kToday, "api");
  head = validation.head(kToday);
  EXPECT_TRUE(head.starts_with("POST /.well-known/tandem/validate?group=api HTTP/1.1\r\n"));
  EXPECT_TRUE(sent("Tandem-Session: T0, T1;group=api"));
  ValidationAnswer all;
  all.rest = ValidationAnswer::Rest::kAll;
  all.fresh_s = 30;
  validation.on_response({200, {{"Tandem-Group", "api"}}, all.encode()}, kStart, kToday);
  EXPECT_EQ(validation.report().items, 1u);
  EXPECT_EQ(validation.report().vouched, 1u);
  EXPECT_TRUE(state.cache.vouched("/api/x"));
  EXPECT_FALSE(state.cache.vouched("/x"));
  EXPECT_FALSE(wants("/api/x"));
}

TEST_F(GroupCall, AnotherGroupsWordIsNoValidation) {
  exchange("/api/x", "api", {{"Tandem-Session", "T1"}});
  CacheValidation validation(state, kToday, "api");
  validation.head(kToday);
  ValidationAnswer all;
  all.rest = ValidationAnswer::Rest::kAll;
  all.fresh_s = 30;
  validation.on_response({200, {}, all.encode()}, kStart, kToday);
  EXPECT_TRUE(validation.finished());
  EXPECT_EQ(validation.report().vouched, 0u);
  EXPECT_FALSE(state.cache.vouched("/api/x"));
}

TEST_F(GroupCall, WhatTheBalancerAnswersItselfTellsOfNoGroup) {
  exchange("/api/x", "api", {{"Tandem-Session", "T1"}});
  Call call(state, {"GET", "/list", {}, headers, true}, kStart, kToday);
  call.begin_attempt(kToday);
  call.on_response({200, {}, "x"}, kStart, kToday);
  EXPECT_EQ(state.groups.latest(), "api");
}

// --- direct ------------------------------------------------------------------------------------

class DirectGroupCall : public GroupCall {
 protected:
  explicit DirectGroupCall(bool by_type = false) : GroupCall(true, by_type) {
    learn_map(std::vector<RouteRule>{{"", "/api", "api"}, {"other.example", "", "other"}});
    state.groups.take_token("", "T0");
    state.groups.take_token("api", "T1");
    exchange_at("a1", "api", "view=7;primary=a1;alternate=a2");
    exchange_at("d1", "", "view=7;primary=d1;alternate=d2");
  }
  void learn_map(std::optional<std::vector<RouteRule>> routes, const std::string& from = {}) {
    ServerListing listing{7, {}, {}, std::move(routes)};
    for (const char* name : {"a1", "a2", "d1", "d2", "o1"}) {
      const std::string group = name[0] == 'a' ? "api" : name[0] == 'd' ? "default" : "other";
      listing.servers.push_back({name, std::string("h:") + name[1], true, group, 1, false});
    }
    state.locator.on_map_begin(kStart);
    state.locator.on_map(listing, {from, "h:1"});
    state.locator.on_map_end();
  }
  void exchange_at(const std::string& server, const std::string& group, std::string_view where) {
    state.locator.on_answer({server, "h:1", false, group}, group, server,
                            Whereabouts::parse(where));
  }
};

TEST_F(DirectGroupCall, ARequestGoesToItsGroupsPrimaryWithItsGroupsTokenAlone) {
  EXPECT_EQ(begin("/api/x")->to().server, "a1");
  EXPECT_TRUE(sent("Tandem-Session: T1"));
  EXPECT_EQ(begin("/x")->to().server, "d1");
  EXPECT_TRUE(sent("Tandem-Session: T0"));
  EXPECT_EQ(begin("/apix")->to().server, "d1");
  exchange("/api/x", "", {{"Tandem-Session", "T2"}, {"Tandem-Server", "a1"}});
  EXPECT_EQ(token("api"), "T2") << "of the server's group, though the answer does not name it";
  EXPECT_EQ(token(""), "T0");
}

TEST_F(DirectGroupCall, TheGroupsAlternateIsAskedAndOthersOfTheGroupNever) {
  const auto call =
      std::make_unique<Call>(state, CallRequest{"GET", "/api/x", {}, headers}, kStart, kToday);
  call->begin_attempt(kToday, [](std::string_view server) { return server == "a1"; });
  EXPECT_EQ(call->to().server, "a2");
  EXPECT_NE(call->head().find("failed=a1"), std::string_view::npos);
  call->begin_attempt(kToday,
                      [](std::string_view server) { return server == "a1" || server == "a2"; });
  EXPECT_EQ(call->to().server, "") << "the balancer, before servers that cannot know the session";
  call->on_failure({ClientFailure::kConnect, "refused", false}, kStart);
  call->begin_attempt(kToday, [](std::string_view) { return true; });
  EXPECT_EQ(call->to().group, "api") << "whoever there is, of the group";
}

TEST_F(DirectGroupCall, ASessionInAnotherGroupBeginsThroughTheBalancerWithAllTokens) {
  headers = {{"Host", "Other.example:80"}};
  const auto call = begin("/x");
  EXPECT_FALSE(call->to().direct());
  EXPECT_TRUE(sent("Tandem-Session: T0, T1;group=api"));
  call->on_response(
      {200, {{"Tandem-Group", "other"}, {"Tandem-Session", "T9"}, {"Tandem-Server", "o1"}}, "x"},
      kStart, kToday);
  EXPECT_EQ(token("other"), "T9");
  EXPECT_EQ(begin("/x")->to().server, "o1");
  EXPECT_TRUE(sent("Tandem-Session: T9"));
  EXPECT_EQ(state.locator.primary(""), "d1") << "that of the others is as it was";
}

TEST_F(DirectGroupCall, AReferralWithinTheGroupIsFollowed) {
  const auto call = begin("/api/x");
  call->on_response(
      {421, {{"Tandem-Refer", "R"}, {"Tandem-Where", Whereabouts{7, "new", ""}.text()}}, "x"},
      kStart, kToday);
  ASSERT_FALSE(call->finished());
  state.locator.on_map({8, {{"new", "h:9", true, "api", 1, false}}, {}, {}}, {"a2", "h:2"});
  call->begin_attempt(kToday);
  EXPECT_EQ(call->to().server, "new");
  head = call->head();
  EXPECT_TRUE(sent("Tandem-Session: R"));
}

TEST_F(DirectGroupCall, AGroupThatTheRoutesDoNotExpectMeansThatTheyAreOld) {
  EXPECT_FALSE(state.locator.wants_map(kStart + Locator::kMapPause));
  headers = {{"Host", "other.example"}};
  exchange("/x", "fresh", {{"Tandem-Server", "f"}});
  EXPECT_TRUE(state.locator.wants_map(kStart + Locator::kMapPause));
  state.locator.on_map_begin(kStart + Locator::kMapPause);
  EXPECT_FALSE(state.locator.map_source([](std::string_view) { return false; }).direct());
}

TEST_F(DirectGroupCall, AnAnswerOfTheBalancersOwnSaysNothingOfTheRoutes) {
  headers = {{"Host", "other.example"}};
  exchange("/x", "", {}, 502);
  EXPECT_FALSE(state.locator.wants_map(kStart + Locator::kMapPause));
}

TEST_F(DirectGroupCall, RoutesThatAreGoneAreForgottenAndAServersListKeepsThem) {
  learn_map(std::nullopt, "d1");
  EXPECT_EQ(begin("/api/x")->to().server, "a1") << "servers know no routes";
  learn_map(std::vector<RouteRule>{});
  EXPECT_EQ(begin("/api/x")->to().server, "d1");
  EXPECT_TRUE(sent("Tandem-Session: T0"));
}

class GroupCallByType : public DirectGroupCall {
 protected:
  GroupCallByType() : DirectGroupCall(true) {}
};

TEST_F(GroupCallByType, AnItemIsAskedOfItsOwnerInItsGroup) {
  const auto tell = [&](const std::string& group, const std::string& owner) {
    ServerListing listing{7, {}, ListedTypes{group, 8, {{"/api/x", owner}, {"/x", owner}}}, {}};
    for (const char* name : {"a1", "a2", "d1", "d2", "o1"}) {
      const std::string own = name[0] == 'a' ? "api" : name[0] == 'd' ? "default" : "other";
      listing.servers.push_back({name, std::string("h:") + name[1], true, own, 1, false});
    }
    state.locator.on_map(listing, {owner, "h:1", false, group == "default" ? "" : group});
  };
  EXPECT_EQ(begin("/api/x")->to().server, "a1") << "until somebody tells, the session decides";
  tell("api", "a2");
  EXPECT_EQ(begin("/api/x")->to().server, "a2");
  EXPECT_TRUE(begin("/api/x")->to().by_type);
  EXPECT_FALSE(begin("/x")->to().by_type) << "nobody of its group has told";
  tell("default", "d2");
  EXPECT_EQ(begin("/api/x")->to().server, "a2");
  EXPECT_EQ(begin("/x")->to().server, "d2");
  EXPECT_FALSE(sent("Tandem-Session: T0"));
}

}  // namespace
}  // namespace tandem
