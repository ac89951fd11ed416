#include "client/core/call.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "client/core/cache_rules.h"
#include "common/session/validator.h"

namespace tandem {
namespace {

const Instant kStart{100s};
constexpr UnixSeconds kToday = 1'700'000'000;

class CallTest : public ::testing::Test {
 protected:
  CallTest() {
    state.authority = "host:8080";
    state.user_agent = "test";
    state.cache_id = CacheId{0xabc};
  }

  Call begin(std::string_view method, std::string_view target, std::string_view body = {}) {
    Call call(state, {method, target, body, headers}, kStart, kToday);
    if (!call.finished()) call.begin_attempt(kToday);
    return call;
  }

  // One call that is answered at once.
  Reply exchange(std::string_view method, std::string_view target, Response response) {
    Call call = begin(method, target);
    head = call.head();
    call.on_response(std::move(response), kStart, kToday);
    EXPECT_TRUE(call.finished());
    return call.take_reply();
  }

  bool sent(std::string_view line) const {
    return head.find("\r\n" + std::string(line) + "\r\n") != head.npos;
  }

  static Response ok(std::string body, HeaderFields more = {}) {
    Response response{.status = 200, .headers = std::move(more)};
    response.headers.emplace_back("ETag", Validator::of(body).etag());
    response.body = std::move(body);
    return response;
  }
  static std::string fmt_key(std::string_view target) {
    return fmt::format("{:016x}", ItemKey::of(target).value);
  }
  static Response not_modified(HeaderFields fields) { return {304, std::move(fields), ""}; }

  ClientState state{1 << 20};
  HeaderFields headers;
  std::string head;
};

TEST_F(CallTest, TheFirstRequestHasNoTokenAndNamesTheCache) {
  Call call = begin("GET", "/x?y");
  EXPECT_EQ(call.head(),
            "GET /x?y HTTP/1.1\r\nHost: host:8080\r\nUser-Agent: test\r\nAccept: */*\r\n"
            "Tandem-Cache: 0000000000000abc\r\n\r\n");
}

TEST_F(CallTest, ATokenIsKeptAndSentAgain) {
  const Reply reply =
      exchange("GET", "/", ok("a", {{"tandem-session", "T0K-en_"}, {"Tandem-Server", "s1"}}));
  EXPECT_EQ(reply.server, "s1");
  EXPECT_EQ(state.groups.token({}), "T0K-en_");
  exchange("GET", "/", ok("a"));
  EXPECT_TRUE(sent("Tandem-Session: T0K-en_"));
  exchange("GET", "/", ok("a", {{"Tandem-Session", "newer"}}));
  EXPECT_EQ(state.groups.token({}), "newer");
  exchange("GET", "/", ok("a", {{"Tandem-Session", "no token"}}));
  exchange("GET", "/", ok("a", {{"Tandem-Session", std::string(2000, 'a')}}));
  EXPECT_EQ(state.groups.token({}), "newer");
  exchange("GET", "/", ok("a", {{"Tandem-Session", "none"}}));  // the session is gone
  EXPECT_EQ(state.groups.token({}), "");
}

TEST_F(CallTest, ACopyIsAnnouncedAndUsedWhenTheServerSaysSo) {
  EXPECT_FALSE(exchange("GET", "/x", ok("content")).announced);
  EXPECT_FALSE(sent("If-None-Match: " + Validator::of("content").etag()));
  for (const bool mirror : {true, false}) {
    const Reply reply =
        exchange("GET", "/x", not_modified({{"Tandem-Reuse", mirror ? "mirror" : "validator"}}));
    EXPECT_TRUE(sent("If-None-Match: " + Validator::of("content").etag()));
    EXPECT_TRUE(reply.announced);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body(), "content");
    EXPECT_EQ(reply.source, mirror ? ReplySource::kByMirror : ReplySource::kByValidator);
  }
}

TEST_F(CallTest, AChangedContentReplacesTheCopy) {
  exchange("GET", "/x", ok("old"));
  const Reply reply = exchange("GET", "/x", ok("new"));
  EXPECT_TRUE(reply.announced);
  EXPECT_EQ(reply.source, ReplySource::kFetched);
  EXPECT_EQ(reply.body(), "new");
  exchange("GET", "/x", ok("new"));
  EXPECT_TRUE(sent("If-None-Match: " + Validator::of("new").etag()));
}

// Two calls announce one copy; the content has changed when the first is answered.
TEST_F(CallTest, A304ChangesNothingOfACopyThatHasReplacedTheAnnouncedOne) {
  state.reuse_fresh = true;
  exchange("GET", "/x", ok("old"));
  Call first = begin("GET", "/x"), second = begin("GET", "/x");
  first.on_response(ok("new", {{"Cache-Control", "max-age=1"}}), kStart, kToday);
  second.on_response(not_modified({{"Cache-Control", "max-age=3600"}}), kStart, kToday);
  EXPECT_EQ(second.take_reply().body(), "old") << "as the server said at that time";
  const ItemPtr held = state.cache.find("/x");
  EXPECT_EQ(*held->content, "new");
  EXPECT_EQ(field_of(held->headers, "ETag"), Validator::of("new").etag());
  EXPECT_EQ(field_of(held->headers, "Cache-Control"), "max-age=1");
}

// RFC 9111, 4.2.3: the way of the response is part of its age.
TEST_F(CallTest, ACopysTermBeginsWhenItWasAskedFor) {
  state.reuse_fresh = true;
  Call call = begin("GET", "/x");
  call.on_response(ok("x", {{"Cache-Control", "max-age=30"}}), kStart, kToday + 20);
  EXPECT_TRUE(Call(state, {"GET", "/x", {}, headers}, kStart, kToday + 29).finished());
  EXPECT_FALSE(Call(state, {"GET", "/x", {}, headers}, kStart, kToday + 31).finished());
}

TEST_F(CallTest, EvictionsStayToBeToldUntilAServerHasHeardOfThem) {
  const std::string told = "Tandem-Cache: 0000000000000abc;evicted=" + fmt_key("/x");
  exchange("GET", "/x", ok("x"));
  state.cache.remove("/x");
  state.retry.attempts_max = 1;
  exchange("GET", "/y", {503, {{"Retry-After", "1"}}, "the balancer's own"});
  EXPECT_TRUE(sent(told));
  exchange("GET", "/y", {421, {{"Tandem-Server", "a"}}, "served elsewhere"});
  EXPECT_TRUE(sent(told));
  exchange("GET", "/y", {404, {{"Tandem-Server", "a"}}, "there is none"});
  EXPECT_TRUE(sent(told));
  exchange("GET", "/y", ok("y"));
  EXPECT_FALSE(sent(told));
}

TEST_F(CallTest, A304AboutAnotherCopyIsAskedAgainWithoutOne) {
  exchange("GET", "/x", ok("content"));
  Call call = begin("GET", "/x");
  call.on_response(not_modified({{"ETag", "\"another\""}}), kStart, kToday);
  ASSERT_FALSE(call.finished());
  call.begin_attempt(kToday);
  EXPECT_EQ(call.head().find("If-None-Match"), std::string_view::npos);
  call.on_response(ok("other"), kStart, kToday);
  ASSERT_TRUE(call.finished());
  const Reply reply = call.take_reply();
  EXPECT_EQ(reply.body(), "other");
  EXPECT_EQ(reply.attempts, 2u);
}

TEST_F(CallTest, ACallersOwnConditionsAreLeftToTheCaller) {
  exchange("GET", "/x", ok("content"));
  headers = {{"If-None-Match", "\"mine\""}};
  const Reply reply = exchange("GET", "/x", not_modified({}));
  EXPECT_EQ(reply.status, 304);
  EXPECT_FALSE(reply.announced);
  EXPECT_EQ(state.cache.items(), 1u);
}

TEST_F(CallTest, NothingIsKeptThatMayNotBe) {
  exchange("GET", "/a", ok("a", {{"Cache-Control", "no-store"}}));
  exchange("GET", "/b", {200, {}, "no validator"});
  exchange("GET", "/c", {404, {{"ETag", "\"c\""}}, "not there"});
  exchange("POST", "/d", ok("d"));
  EXPECT_EQ(state.cache.items(), 0u);
}

TEST_F(CallTest, AContentThatIsNotWhatItsValidatorSaysIsNotKept) {
  Response response = ok("content");
  response.body = "cOntent";
  EXPECT_EQ(exchange("GET", "/x", response).body(), "cOntent");
  EXPECT_EQ(state.cache.items(), 0u);
}

TEST_F(CallTest, WritesAndAbsenceEndACopyAndEvictionsAreAnnouncedUntilHeard) {
  for (const char* target : {"/a", "/b", "/c"}) exchange("GET", target, ok("x"));
  exchange("PUT", "/a", {204, {}, ""});
  exchange("DELETE", "/b", {500, {{"Tandem-Server", "a"}}, ""});  // did not happen
  exchange("GET", "/c", {404, {{"Tandem-Server", "a"}}, ""});
  EXPECT_TRUE(state.cache.find("/b"));
  EXPECT_EQ(state.cache.items(), 1u);
  const std::string announced = fmt_key("/c");
  {
    Call call = begin("GET", "/");  // not answered: the eviction has not been heard
    EXPECT_NE(call.head().find("Tandem-Cache: 0000000000000abc;evicted=" + announced + "\r\n"),
              std::string_view::npos);
  }
  exchange("GET", "/", ok("x"));
  EXPECT_TRUE(sent("Tandem-Cache: 0000000000000abc;evicted=" + announced));
  exchange("GET", "/", ok("x"));
  EXPECT_TRUE(sent("Tandem-Cache: 0000000000000abc"));
}

TEST_F(CallTest, AFreshCopyIsUsedWithoutAskingIfThatIsWanted) {
  exchange("GET", "/x", ok("content", {{"Cache-Control", "max-age=60"}}));
  state.reuse_fresh = true;
  const auto at = [&](UnixSeconds now) {
    return Call(state, {"GET", "/x", "", headers}, kStart, now);
  };
  Call fresh = at(kToday + 59);
  ASSERT_TRUE(fresh.finished());
  const Reply reply = fresh.take_reply();
  EXPECT_EQ(reply.source, ReplySource::kLocal);
  EXPECT_EQ(reply.body(), "content");
  EXPECT_EQ(reply.attempts, 0u);
  EXPECT_FALSE(at(kToday + 60).finished());
  EXPECT_FALSE(at(kToday - 1).finished());
  headers = {{"Cache-Control", "no-cache"}};
  EXPECT_FALSE(at(kToday).finished());
}

TEST_F(CallTest, AnIdempotentRequestIsRepeatedAfterABrokenConnection) {
  Call call = begin("GET", "/x");
  call.on_failure({ClientFailure::kReceive, "broken", true}, kStart);
  ASSERT_FALSE(call.finished());
  EXPECT_EQ(call.next_attempt(), kStart + 50ms);
  call.begin_attempt(kToday);
  call.on_response(ok("x"), kStart, kToday);
  EXPECT_EQ(call.take_reply().attempts, 2u);
}

TEST_F(CallTest, APostIsRepeatedOnlyIfNothingWasSent) {
  Call unsent = begin("POST", "/x", "body");
  EXPECT_NE(unsent.head().find("\r\nContent-Length: 4\r\n"), std::string_view::npos);
  unsent.on_failure({ClientFailure::kConnect, "refused", false}, kStart);
  EXPECT_FALSE(unsent.finished());
  Call sent_one = begin("POST", "/x", "body");
  sent_one.on_failure({ClientFailure::kReceive, "reset", true}, kStart);
  ASSERT_TRUE(sent_one.finished());
  const Reply reply = sent_one.take_reply();
  EXPECT_FALSE(reply);
  EXPECT_EQ(reply.failure, ClientFailure::kReceive);
  EXPECT_EQ(reply.message, "reset");
}

TEST_F(CallTest, ARefusedServiceIsTriedAgainWhenItSaysWhen) {
  const Response busy{503, {{"Retry-After", "2"}}, "busy"};
  Call call = begin("GET", "/x");
  call.on_response(busy, kStart, kToday);
  ASSERT_FALSE(call.finished());
  EXPECT_EQ(call.next_attempt(), kStart + 2s);
  Call post = begin("POST", "/x");
  post.on_response(busy, kStart, kToday);
  EXPECT_TRUE(post.finished());
  EXPECT_EQ(exchange("GET", "/x", {503, {}, "no word when"}).status, 503);
  for (int i = 2; i <= 4; ++i) {
    call.begin_attempt(kToday);
    call.on_response(busy, kStart, kToday);
  }
  ASSERT_TRUE(call.finished());
  EXPECT_EQ(call.take_reply().status, 503);  // the last answer is given to the caller
}

TEST_F(CallTest, AFailureThatCannotChangeIsFinal) {
  for (const ClientFailure failure :
       {ClientFailure::kResolve, ClientFailure::kTls, ClientFailure::kProtocol}) {
    Call call = begin("GET", "/x");
    call.on_failure({failure, "no", false}, kStart);
    EXPECT_TRUE(call.finished());
  }
  Call call = begin("GET", "/x");
  call.on_failure({ClientFailure::kTimeout, "no time is left", true}, call.deadline());
  EXPECT_TRUE(call.finished());
}

TEST_F(CallTest, TheBudgetPaysForWhatIsSentAgainAndForNothingElse) {
  state.budget = RetryBudget({.reserve = 1, .percent_of_requests = 0});
  Call large = begin("GET", "/x");
  large.on_failure({ClientFailure::kProtocol, "the body is over the limit", true}, kStart);
  EXPECT_TRUE(large.finished());
  Call slow = begin("GET", "/x");
  slow.on_failure({ClientFailure::kTimeout, "no time is left", true}, slow.deadline());
  EXPECT_TRUE(slow.finished());
  state.retry.attempts_max = 1;
  Call last = begin("GET", "/x");
  last.on_failure({ClientFailure::kReceive, "broken", true}, kStart);
  EXPECT_TRUE(last.finished());
  EXPECT_TRUE(state.budget.affords()) << "nothing was sent again";
  state.retry.attempts_max = 4;
  const Response busy{503, {{"Retry-After", "2"}}, "busy"};
  Call call = begin("GET", "/x");
  call.on_response(busy, kStart, kToday);
  ASSERT_FALSE(call.finished());
  EXPECT_FALSE(state.budget.affords());
  call.begin_attempt(kToday);
  call.on_response(busy, kStart, kToday);
  ASSERT_TRUE(call.finished()) << "who is over its capacity is not asked more than the budget has";
  EXPECT_EQ(call.take_reply().status, 503);
}

TEST_F(CallTest, WhatCannotBeSentIsRefusedBeforeAnythingIs) {
  const auto refused = [&](std::string_view method, std::string_view target) {
    Call call(state, {method, target, "", headers}, kStart, kToday);
    return call.finished() && call.take_reply().failure == ClientFailure::kOptions;
  };
  EXPECT_TRUE(refused("GET", "x"));
  EXPECT_TRUE(refused("GET", "/a b"));
  EXPECT_TRUE(refused("GET", "/a\r\nX: y"));
  EXPECT_TRUE(refused("G ET", "/"));
  EXPECT_TRUE(refused("CONNECT", "/"));
  EXPECT_FALSE(refused("GET", "/"));
  for (const auto& field : HeaderFields{{"A", "b\r\nC: d"},
                                        {"A b", "c"},
                                        {"Content-Length", "5"},
                                        {"tandem-session", "x"},
                                        {"Connection", "close"}}) {
    headers = {field};
    EXPECT_TRUE(refused("GET", "/")) << field.first;
  }
}

}  // namespace
}  // namespace tandem
