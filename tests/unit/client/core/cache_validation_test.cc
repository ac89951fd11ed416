#include "client/core/cache_validation.h"

#include <gtest/gtest.h>

#include <set>

namespace tandem {
namespace {

const Instant kStart{100s};
constexpr UnixSeconds kToday = 1'700'000'000;
using Rest = ValidationAnswer::Rest;

class CacheValidationTest : public ::testing::Test {
 protected:
  CacheValidationTest() {
    state.authority = "host";
    state.user_agent = "test";
    state.cache_id = CacheId{0xabc};
    state.groups.take_token({}, "token");
    state.reuse_fresh = true;
    state.groups.set_validation(ValidationPolicy(60s));
    learn(state, Destination{}, {{"Tandem-Server", "a"}}, {}, kStart);
  }

  void keep(const std::string& target, HeaderFields fields = {}, std::string etag = {}) {
    if (etag.empty()) etag = Validator::of(target).etag();
    state.cache.store(
        target, Item{etag, std::move(fields), std::make_shared<const std::string>(target), kToday});
  }
  void take_over() { learn(state, Destination{}, {{"Tandem-Server", "b"}}, {}, kStart); }

  static Response answer(const ValidationAnswer& of) { return {200, {}, of.encode()}; }
  static ValidationAnswer all_fresh(std::uint64_t seconds) {
    ValidationAnswer answer;
    answer.rest = Rest::kAll;
    answer.fresh_s = seconds;
    return answer;
  }
  ValidationReport validate(const Response& response, UnixSeconds now = kToday) {
    CacheValidation validation(state, now);
    EXPECT_FALSE(validation.finished());
    head = validation.head(now);
    validation.on_response(response, kStart, now);
    EXPECT_TRUE(validation.finished());
    return validation.report();
  }
  Call call(std::string_view target, UnixSeconds now = kToday) {
    return Call(state, {"GET", target, {}, headers}, kStart, now);
  }

  ClientState state{1 << 20};
  HeaderFields headers;
  std::string head;
};

TEST_F(CacheValidationTest, IsDueAfterATakeover) {
  keep("/a");
  keep("/b");
  EXPECT_FALSE(call("/a").wants_validation(kStart));
  take_over();
  EXPECT_TRUE(call("/a").wants_validation(kStart));
  EXPECT_FALSE(call("/c").wants_validation(kStart)) << "it would save this call nothing";
  state.reuse_fresh = false;
  EXPECT_FALSE(call("/a").wants_validation(kStart)) << "nobody could use what is vouched for";
}

TEST_F(CacheValidationTest, IsDueAfterALongAbsence) {
  keep("/a");
  keep("/b");
  EXPECT_FALSE(call("/a").wants_validation(kStart + 59s));
  EXPECT_TRUE(call("/a").wants_validation(kStart + 60s));
  learn(state, Destination{}, {}, {}, kStart + 60s);
  EXPECT_FALSE(call("/a").wants_validation(kStart + 70s));
}

TEST_F(CacheValidationTest, IsNotForOneItemOrOnesThatAreAskedAboutAlways) {
  take_over();
  keep("/a");
  EXPECT_FALSE(call("/a").wants_validation(kStart));
  keep("/b", {{"Cache-Control", "no-cache"}});
  keep("/c", {{"Vary", "Accept"}});
  keep("/d", {}, "W/\"weak\"");
  keep("/e", {{"Cache-Control", "max-age=60"}});
  EXPECT_TRUE(call("/a").wants_validation(kStart));
  EXPECT_FALSE(call("/b").wants_validation(kStart));
  EXPECT_FALSE(call("/c").wants_validation(kStart));
  EXPECT_FALSE(call("/d").wants_validation(kStart));
  EXPECT_FALSE(call("/e").wants_validation(kStart)) << "fresh as it is";
}

TEST_F(CacheValidationTest, WhatIsVouchedForIsNotAskedAboutUntilItIsOld) {
  keep("/a");
  keep("/b");
  keep("/c", {{"Cache-Control", "no-cache"}});
  take_over();
  Call first = call("/a");
  ASSERT_TRUE(first.wants_validation(kStart));
  const ValidationReport report = validate(answer(all_fresh(30)));
  EXPECT_EQ(head.substr(0, 44), "POST /.well-known/tandem/validate HTTP/1.1\r\n");
  EXPECT_NE(head.find("\r\nTandem-Session: token\r\nTandem-Cache: 0000000000000abc\r\n"),
            head.npos);
  EXPECT_EQ(report.items, 3u);
  EXPECT_EQ(report.vouched, 3u);
  EXPECT_EQ(report.requests, 1u);
  EXPECT_LE(report.bytes_sent + report.bytes_received, 128u);
  first.on_validated(report, kToday);
  ASSERT_TRUE(first.finished());
  const Reply reply = first.take_reply();
  EXPECT_EQ(reply.body(), "/a");
  EXPECT_EQ(reply.source, ReplySource::kLocal);
  EXPECT_EQ(reply.attempts, 0u);
  EXPECT_EQ(reply.validation.vouched, 3u);
  EXPECT_EQ(reply.server, "b");

  EXPECT_TRUE(call("/b", kToday + 29).finished());
  EXPECT_FALSE(call("/b", kToday + 30).finished());
  EXPECT_FALSE(call("/b", kToday - 1).finished()) << "a clock that was set back";
  EXPECT_FALSE(call("/c").finished()) << "whoever vouches for it";
  EXPECT_FALSE(call("/b", kToday + 31).wants_validation(kStart)) << "it was done";
  keep("/b");
  EXPECT_FALSE(call("/b").finished()) << "another copy than the one that was vouched for";
}

TEST_F(CacheValidationTest, WhatIsCurrentJustNowAnswersTheCallThatAsked) {
  keep("/a");
  keep("/b");
  take_over();
  Call first = call("/a");
  first.on_validated(validate(answer(all_fresh(0))), kToday);
  EXPECT_TRUE(first.finished());
  EXPECT_FALSE(call("/b").finished()) << "it is asked about again";
}

TEST_F(CacheValidationTest, WhatIsNotVouchedForIsAskedAbout) {
  keep("/a");
  keep("/b");
  keep("/foreign", {}, "\"5e-1\"");
  take_over();
  ValidationAnswer some = all_fresh(30);
  some.rest = Rest::kAllBut;
  some.keys = {ItemKey::of("/a")};
  some.listed = {true};
  Call first = call("/a");
  const ValidationReport report = validate(answer(some));
  EXPECT_EQ(report.vouched, 2u);
  first.on_validated(report, kToday);
  ASSERT_FALSE(first.finished());
  first.begin_attempt(kToday);
  EXPECT_NE(first.head().find("If-None-Match: " + Validator::of("/a").etag()), std::string::npos);
  EXPECT_TRUE(call("/b").finished());
  EXPECT_TRUE(call("/foreign").finished());
}

TEST_F(CacheValidationTest, AServerThatDoesNotKnowItIsRememberedUntilAnotherAnswers) {
  keep("/a");
  keep("/b");
  for (const int status : {404, 405, 501}) {
    take_over();
    learn(state, Destination{}, {{"Tandem-Server", "c"}}, {}, kStart);
    ASSERT_TRUE(call("/a").wants_validation(kStart));
    EXPECT_FALSE(validate({status, {}, "no such thing"}).known);
    EXPECT_FALSE(call("/a").wants_validation(kStart + 1h));
  }
  take_over();
  EXPECT_TRUE(call("/a").wants_validation(kStart));
}

TEST_F(CacheValidationTest, UselessOnesAreRarer) {
  keep("/a");
  keep("/b");
  Instant now = kStart;
  const auto wait = [&] {
    Duration waited{0};
    while (!call("/a").wants_validation(now + waited)) waited += 1s;
    return waited;
  };
  ValidationAnswer useless;
  useless.rest = Rest::kUseless;
  EXPECT_EQ(wait(), 60s);
  validate(answer(useless));
  EXPECT_EQ(wait(), 120s);
  validate(answer(useless));
  EXPECT_EQ(wait(), 240s);
  validate(answer(all_fresh(0)));
  EXPECT_EQ(wait(), 60s);
}

TEST_F(CacheValidationTest, AnExpiredTokenIsNotUsedForItTwice) {
  keep("/a");
  keep("/b");
  take_over();
  validate({400, {}, ""});
  EXPECT_FALSE(call("/a").wants_validation(kStart));
  learn(state, Destination{}, {{"Tandem-Session", "newer"}}, {}, kStart);
  EXPECT_TRUE(call("/a").wants_validation(kStart));
}

// What an earlier validation vouched for is over.
TEST_F(CacheValidationTest, AValidationThatDoesNotVouchForAnItemAnswersItWithNothing) {
  keep("/a");
  keep("/b");
  take_over();
  validate(answer(all_fresh(30)));
  ValidationAnswer useless;
  useless.rest = Rest::kUseless;
  constexpr UnixSeconds kLater = kToday + 3600;
  Call late = call("/b", kLater);
  late.on_validated(validate(answer(useless), kLater), kLater);
  EXPECT_FALSE(late.finished());

  validate(answer(all_fresh(30)));
  CacheValidation failing(state, kLater);
  for (int i = 0; i < 2; ++i) {
    failing.head(kLater);
    failing.on_failure(kStart);
  }
  Call failed = call("/b", kLater);
  failed.on_validated(failing.report(), kLater);
  EXPECT_FALSE(failed.finished());
}

TEST_F(CacheValidationTest, WhatWasVouchedForBeforeStandsUntilItsTimeIsOver) {
  keep("/a");
  keep("/b");
  take_over();
  validate(answer(all_fresh(30)));
  validate({503, {}, ""}, kToday + 29);
  EXPECT_TRUE(call("/b", kToday + 29).finished());
}

// Another call has fetched the item meanwhile.
TEST_F(CacheValidationTest, OnlyTheCopyThatWasAskedAboutIsVouchedFor) {
  keep("/a");
  keep("/b");
  CacheValidation validation(state, kToday);
  validation.head(kToday);
  keep("/a", {{"Cache-Control", "max-age=1"}}, Validator::of("another").etag());
  validation.on_response(answer(all_fresh(3600)), kStart, kToday);
  EXPECT_FALSE(state.cache.vouched("/a"));
  EXPECT_TRUE(state.cache.vouched("/b"));
}

TEST_F(CacheValidationTest, ATermBeginsWhenTheServerWasAsked) {
  keep("/a");
  keep("/b");
  CacheValidation validation(state, kToday);
  validation.head(kToday);
  validation.on_response(answer(all_fresh(30)), kStart, kToday + 20);
  EXPECT_TRUE(call("/b", kToday + 29).finished());
  EXPECT_FALSE(call("/b", kToday + 31).finished());
}

TEST_F(CacheValidationTest, NonsenseAndFailuresLeaveTheCallAlone) {
  keep("/a");
  keep("/b");
  take_over();
  EXPECT_EQ(validate({200, {}, "nonsense"}).vouched, 0u);
  EXPECT_FALSE(call("/a").wants_validation(kStart));
  CacheValidation failing(state, kToday);
  failing.head(kToday);
  failing.on_failure(kStart);
  ASSERT_FALSE(failing.finished()) << "the kept connection may have been stale";
  failing.head(kToday);
  failing.on_failure(kStart);
  EXPECT_TRUE(failing.finished());
  EXPECT_EQ(failing.report().requests, 2u);
}

TEST_F(CacheValidationTest, SeveralRoundsWhereTheMirrorDiffers) {
  for (int i = 0; i < 100; ++i) keep("/" + std::to_string(i));
  take_over();
  CacheValidation validation(state, kToday);
  validation.head(kToday);
  const std::string first(validation.body());
  ValidationAnswer differs;
  differs.rest = Rest::kDiffers;  // nothing is known there
  validation.on_response(answer(differs), kStart, kToday);
  ASSERT_FALSE(validation.finished());
  validation.head(kToday);
  const auto listing = ValidationRequest::decode(validation.body());
  ASSERT_TRUE(listing);
  std::size_t listed = 0;
  for (const auto& list : listing->lists) listed += list.items.size();
  EXPECT_EQ(listed, 100u);
  ValidationAnswer fresh;
  fresh.fresh_s = 10;
  fresh.listed.assign(100, true);
  validation.on_response(answer(fresh), kStart, kToday);
  EXPECT_TRUE(validation.finished());
  EXPECT_EQ(validation.report().vouched, 100u);
  EXPECT_EQ(validation.report().requests, 2u);
}

}  // namespace
}  // namespace tandem
