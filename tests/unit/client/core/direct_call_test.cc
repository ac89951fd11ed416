// Calls of a client that goes direct: whom they ask, what they do when a server dies, and how they
// follow referrals.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "client/core/call.h"
#include "common/session/validator.h"

namespace tandem {
namespace {

const Instant kStart{100s};
constexpr UnixSeconds kToday = 1'700'000'000;

class DirectCall : public ::testing::Test {
 protected:
  DirectCall() {
    state.authority = "site";
    state.cache_id = CacheId{0xabc};
    state.locator.on_map({7, {{"a", "h:1", true}, {"b", "h:2", true}, {"c", "h:3", true}}});
    state.groups.take_token({}, "T1");
    state.locator.on_answer({"a", "h:1"}, {}, "a", Whereabouts{7, "a", "b"});
  }

  std::unique_ptr<Call> call(std::string_view method = "GET", std::string_view body = {}) {
    return std::make_unique<Call>(state, CallRequest{method, "/x", body, headers}, kStart, kToday);
  }
  // Begins the next attempt; the server's name, "" for the balancer.
  std::string attempt(Call& one) {
    now = std::max(now, one.next_attempt());
    one.begin_attempt(kToday,
                      [this](std::string_view s) { return avoided.count(std::string(s)) > 0; });
    return one.to().server;
  }
  static bool sent(const Call& one, std::string_view line) {
    return one.head().find("\r\n" + std::string(line) + "\r\n") != std::string_view::npos;
  }
  void refused(Call& one, bool left_alone = false) {
    one.on_failure({ClientFailure::kConnect, "refused", false}, now, left_alone);
  }
  void broken(Call& one, bool left_alone = false) {
    one.on_failure({ClientFailure::kReceive, "broken", true}, now, left_alone);
  }
  void answered(Call& one, int status, HeaderFields fields = {}, std::string body = "x") {
    one.on_response({status, std::move(fields), std::move(body)}, now, kToday);
  }
  void refers(Call& one, const std::string& to, const std::string& token = "R") {
    answered(one, 421, {{"Tandem-Refer", token}, {"Tandem-Where", Whereabouts{7, to, ""}.text()}});
  }

  ClientState state{1 << 20, true};
  HeaderFields headers;
  std::set<std::string> avoided;
  Instant now = kStart;
};

TEST_F(DirectCall, GoesToThePrimaryAndSaysOfWhichViewItsMapIs) {
  const auto one = call();
  EXPECT_EQ(attempt(*one), "a");
  EXPECT_EQ(one->to().address, "h:1");
  EXPECT_TRUE(sent(*one, "Host: site"));
  EXPECT_TRUE(sent(*one, "Tandem-Session: T1"));
  EXPECT_TRUE(sent(*one, "Tandem-Direct: view=7"));
  answered(*one, 200, {{"Tandem-Server", "a"}});
  const Reply reply = one->take_reply();
  EXPECT_TRUE(reply.direct);
  EXPECT_EQ(reply.server, "a");
}

TEST_F(DirectCall, AfterTheTriesOfThePrimaryTheAlternateIsAskedAtOnceAndTold) {
  const auto one = call();
  EXPECT_EQ(attempt(*one), "a");
  refused(*one);
  EXPECT_GT(one->next_attempt(), now) << "the same server, a little later";
  EXPECT_EQ(attempt(*one), "a");
  avoided = {"a"};
  refused(*one, true);
  EXPECT_EQ(one->next_attempt(), now);
  EXPECT_EQ(attempt(*one), "b");
  EXPECT_TRUE(sent(*one, "Tandem-Direct: view=7;failed=a"));
  answered(
      *one, 200,
      {{"Tandem-Session", "T2"}, {"Tandem-Server", "b"}, {"Tandem-Where", "view=7;primary=b"}});
  EXPECT_TRUE(one->finished());
  EXPECT_EQ(state.groups.token({}), "T2");
  EXPECT_EQ(state.locator.primary({}), "b");
}

TEST_F(DirectCall, WhatIsNotIdempotentAndWasSentIsNotSentAgain) {
  const auto post = call("POST", "body");
  attempt(*post);
  avoided = {"a"};
  broken(*post, true);
  EXPECT_TRUE(post->finished());
  EXPECT_EQ(post->take_reply().failure, ClientFailure::kReceive);
  const auto other = call("POST", "body");
  avoided.clear();
  attempt(*other);
  avoided = {"a"};
  refused(*other, true);
  EXPECT_EQ(attempt(*other), "b") << "no byte of it was sent";
}

TEST_F(DirectCall, AReferralIsFollowedTwiceInARow) {
  const auto one = call();
  attempt(*one);
  refers(*one, "b", "R1");
  EXPECT_EQ(attempt(*one), "b");
  EXPECT_TRUE(sent(*one, "Tandem-Session: R1"));
  refers(*one, "c", "R2");
  EXPECT_EQ(attempt(*one), "c");
  EXPECT_TRUE(sent(*one, "Tandem-Session: R2"));
  refers(*one, "a", "R3");
  EXPECT_TRUE(one->finished()) << "and no third time";
  EXPECT_EQ(one->take_reply().status, 421);
  EXPECT_EQ(state.groups.token({}), "T1") << "a referral's token is for its request alone";
}

TEST_F(DirectCall, APostIsReferredToo) {
  const auto one = call("POST", "body");
  attempt(*one);
  refers(*one, "b");
  EXPECT_EQ(attempt(*one), "b");
  EXPECT_EQ(one->body(), "body");
}

// The alternate does not know yet that the primary is dead.
TEST_F(DirectCall, WhoReferredToADeadServerIsAskedAgainALittleLater) {
  avoided = {"a"};
  const auto one = call();
  EXPECT_EQ(attempt(*one), "b");
  refers(*one, "a");
  EXPECT_FALSE(one->finished());
  EXPECT_GT(one->next_attempt(), now);
  EXPECT_EQ(attempt(*one), "b");
  EXPECT_TRUE(sent(*one, "Tandem-Session: T1"));
  EXPECT_TRUE(sent(*one, "Tandem-Direct: view=7;failed=a"));
}

TEST_F(DirectCall, WhoIsInsistedOnIsAskedThoughItIsInFailoverMode) {
  avoided = {"a"};
  const auto one = call();
  for (unsigned i = 0; i <= Call::kVainReferralsMax; ++i) {
    EXPECT_EQ(attempt(*one), "b");
    refers(*one, "a");
  }
  EXPECT_EQ(attempt(*one), "a");
  EXPECT_TRUE(sent(*one, "Tandem-Session: R"));
}

TEST_F(DirectCall, AServerThatTheMapLacksIsWorthWaitingForAMap) {
  const auto one = call();
  attempt(*one);
  refers(*one, "new");
  EXPECT_TRUE(one->awaits_map());
  EXPECT_TRUE(state.locator.wants_map(now + Locator::kMapPause));
  state.locator.on_map({8, {{"a", "h:1", true}, {"new", "h:9", true}}});
  EXPECT_FALSE(one->awaits_map());
  EXPECT_EQ(attempt(*one), "new");
  EXPECT_TRUE(sent(*one, "Tandem-Session: R"));
}

TEST_F(DirectCall, WithoutASessionTheBalancerIsAskedAndAServerIfThereIsNone) {
  state.groups.lose_token({}, state.groups.mark());
  const auto one = call();
  EXPECT_EQ(attempt(*one), "");
  EXPECT_FALSE(sent(*one, "Tandem-Direct: view=7"));
  refused(*one);
  EXPECT_EQ(one->next_attempt(), now);
  EXPECT_NE(attempt(*one), "");
}

TEST_F(DirectCall, WhenAllAreGoneItEnds) {
  state.retry.attempts_max = 2;
  const auto one = call();
  unsigned attempts = 0;
  while (!one->finished()) {
    const std::string server = attempt(*one);
    const bool second = avoided.count(server) == 0 && ++attempts % 2 == 0;
    if (second && !server.empty()) avoided.insert(server);
    refused(*one, second && !server.empty());
  }
  const Reply reply = one->take_reply();
  EXPECT_EQ(reply.failure, ClientFailure::kConnect);
  EXPECT_LE(reply.attempts, 12u);
}

TEST_F(DirectCall, ASilentServerIsLeftForTheAlternateWithinTheTimeOfTheCall) {
  const auto one = call();
  attempt(*one);
  EXPECT_TRUE(one->may_leave());
  avoided = {"a"};
  one->on_failure({ClientFailure::kTimeout, "silent", true}, now, true);
  EXPECT_EQ(one->next_attempt(), now);
  EXPECT_EQ(attempt(*one), "b");
  EXPECT_TRUE(sent(*one, "Tandem-Direct: view=7;failed=a"));
  one->on_failure({ClientFailure::kTimeout, "no time is left", true}, one->deadline());
  EXPECT_TRUE(one->finished());
  EXPECT_EQ(one->take_reply().failure, ClientFailure::kTimeout);
}

// The alternate sees later than the client that the primary is frozen.
TEST_F(DirectCall, WhoIsInsistedOnAndSilentIsLeftAgain) {
  avoided = {"a"};
  const auto one = call();
  for (unsigned i = 0; i <= Call::kVainReferralsMax; ++i) {
    EXPECT_EQ(attempt(*one), "b");
    refers(*one, "a");
  }
  EXPECT_EQ(attempt(*one), "a");
  EXPECT_TRUE(one->may_leave()) << "referrals are no tries";
  one->on_failure({ClientFailure::kTimeout, "silent", true}, now);
  EXPECT_NE(attempt(*one), "a");
}

TEST_F(DirectCall, WhatMayNotBeSentAgainIsWaitedFor) {
  const auto post = call("POST", "body");
  attempt(*post);
  EXPECT_FALSE(post->may_leave()) << "not idempotent";
  state.retry.attempts_max = 2;
  const auto put = call("PUT", "body");
  attempt(*put);
  EXPECT_TRUE(put->may_leave());
  broken(*put);
  attempt(*put);
  EXPECT_FALSE(put->may_leave()) << "the last attempt";
  state.budget = RetryBudget({.reserve = 0, .percent_of_requests = 0});
  const auto poor = call();
  attempt(*poor);
  EXPECT_FALSE(poor->may_leave()) << "no budget";
  state.groups.lose_token({}, state.groups.mark());
  state.budget = RetryBudget({.reserve = 9, .percent_of_requests = 0});
  const auto through = call();
  EXPECT_EQ(attempt(*through), "");
  EXPECT_FALSE(through->may_leave()) << "the balancer watches its servers";
}

TEST_F(DirectCall, WhatWasSentIsSentAgainOnlyWithinTheBudget) {
  state.budget = RetryBudget({.reserve = 1, .percent_of_requests = 0});
  for (const bool again : {true, false}) {
    const auto one = call();
    attempt(*one);
    broken(*one);
    EXPECT_EQ(one->finished(), !again);
  }
  const auto one = call();
  attempt(*one);
  refused(*one);
  EXPECT_FALSE(one->finished()) << "nobody has worked for it";
}

// A request that breaks every server that it comes to breaks few of them.
TEST_F(DirectCall, WhatWasSentAsOftenAsItMayIsNotSentToFurtherServers) {
  const auto one = call();
  for (const char* server : {"a", "b"}) {
    for (const bool left_alone : {false, true}) {
      ASSERT_FALSE(one->finished());
      EXPECT_EQ(attempt(*one), server);
      if (left_alone) avoided.insert(server);
      broken(*one, left_alone);
    }
  }
  EXPECT_TRUE(one->finished());
  EXPECT_EQ(one->take_reply().attempts, state.retry.attempts_max);
}

TEST_F(DirectCall, ASilentServerIsNotLeftWhereNothingCouldBeSentToAnother) {
  state.retry.attempts_max = 2;
  const auto one = call();
  attempt(*one);
  avoided = {"a"};
  broken(*one, true);
  EXPECT_EQ(attempt(*one), "b");
  EXPECT_FALSE(one->may_leave()) << "the last attempt";
}

// It has joined since the map was fetched, and it is too early to fetch it again.
TEST_F(DirectCall, WhereTheMapLacksWhoIsReferredToAndNoneComesTheBalancerIsAsked) {
  const auto one = call();
  EXPECT_EQ(attempt(*one), "a");
  refers(*one, "new");
  ASSERT_FALSE(one->finished());
  EXPECT_EQ(attempt(*one), "");
  EXPECT_TRUE(sent(*one, "Tandem-Session: T1"));
  answered(*one, 200, {{"Tandem-Server", "new"}});
  const Reply reply = one->take_reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_FALSE(reply.direct);
}

TEST_F(DirectCall, ALateWordThatTheSessionIsLostIsNotAboutTheOneThatBeganSince) {
  for (const bool referral : {false, true}) {
    state.groups.take_token({}, "T1");
    const auto first = call(), late = call(), next = call();
    attempt(*first);
    attempt(*late);
    answered(*first, 200, {{"Tandem-Session", "none"}});
    EXPECT_EQ(state.groups.token({}), "");
    attempt(*next);
    answered(*next, 200, {{"Tandem-Session", "T2"}});
    if (referral) {
      answered(*late, 421, {{"Tandem-Refer", "none"}});
    } else {
      answered(*late, 200, {{"Tandem-Session", "none"}});
    }
    EXPECT_EQ(state.groups.token({}), "T2");
  }
}

TEST(AttemptFailure, OnlyWhoCannotBeReachedOrBreaksOffIsBlamed) {
  using enum ClientFailure;
  for (const auto failure : {kConnect, kSend, kReceive}) {
    EXPECT_TRUE((AttemptFailure{failure, "", true}).blames_server());
    EXPECT_FALSE((AttemptFailure{failure, "", true, true}).blames_server()) << "ours";
  }
  for (const auto failure : {kTimeout, kProtocol, kCancelled, kOptions}) {
    EXPECT_FALSE((AttemptFailure{failure, "", true}).blames_server());
  }
}

TEST(CallByType, HasNoSessionAndGoesToTheStandInWhenTheOwnerFails) {
  ClientState state(1 << 20, true, 1, true);
  state.authority = "site";
  state.groups.take_token({}, "T1");
  state.cache_id = CacheId{0xabc};
  state.locator.on_map({7,
                        {{"a", "h:1", true, "g", 1, false}, {"b", "h:2", true, "g", 1, false}},
                        ListedTypes{"g", 8, {{"/x", "b"}}}});
  const HeaderFields none;
  Call call(state, {"GET", "/x", "", none}, kStart, kToday);
  call.begin_attempt(kToday);
  EXPECT_EQ(call.to().server, "b");
  EXPECT_NE(call.head().find("Tandem-Direct: view=7;by=type\r\n"), std::string_view::npos);
  EXPECT_EQ(call.head().find("Tandem-Session"), std::string_view::npos);
  EXPECT_EQ(call.head().find("Tandem-Cache"), std::string_view::npos);
  EXPECT_TRUE(call.may_leave());
  call.on_failure({ClientFailure::kConnect, "refused", false}, kStart, true);
  EXPECT_EQ(call.next_attempt(), kStart);
  call.begin_attempt(kToday, [](std::string_view server) { return server == "b"; });
  EXPECT_EQ(call.to().server, "a");
  call.on_response({200, {{"Tandem-Server", "a"}, {"ETag", "\"1\""}}, "x"}, kStart, kToday);
  EXPECT_TRUE(call.take_reply().direct);
  EXPECT_EQ(state.groups.token({}), "T1");
  EXPECT_NE(state.cache.find("/x"), nullptr) << "and its copy is announced the next time";
}

}  // namespace
}  // namespace tandem
