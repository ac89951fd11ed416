#include "server/core/conditional.h"

#include <gtest/gtest.h>

#include <string>

#include "common/http/head_parser.h"

namespace tandem {
namespace {

const std::string kOurs = Validator::of("content").etag();

RequestConditions conditions(EtagRule rule, const std::string& method, const std::string& fields) {
  const std::string text = method + " /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  http::HeadParser parser;
  http::RequestHead head;
  EXPECT_EQ(parser.parse(text, head), http::Progress::kDone) << text;
  return request_conditions(rule, head);
}

TEST(RequestConditions, OurTagsAreDecidedHereAndHiddenFromTheSource) {
  for (EtagRule rule : {EtagRule::kOrigin, EtagRule::kContent}) {
    const auto got = conditions(rule, "GET", "If-None-Match: " + kOurs + ", W/" + kOurs + "\r\n");
    ASSERT_EQ(got.announced().size(), 2u);
    EXPECT_EQ(got.announced()[0], Validator::of("content"));
    EXPECT_TRUE(got.hide_if_none_match);
    EXPECT_TRUE(got.hide_if_modified_since);
    EXPECT_FALSE(got.precondition_failed);
  }
}

TEST(RequestConditions, ForeignTagsGoToTheSourceUnlessOursReplaceThem) {
  const std::string foreign = "If-None-Match: \"5f-1\"\r\n";
  EXPECT_FALSE(conditions(EtagRule::kOrigin, "GET", foreign).hide_if_none_match);
  EXPECT_TRUE(conditions(EtagRule::kContent, "GET", foreign).hide_if_none_match);
  EXPECT_TRUE(conditions(EtagRule::kContent, "GET", foreign).announced().empty());
  const auto mixed =
      conditions(EtagRule::kOrigin, "GET", "If-None-Match: \"a\", " + kOurs + "\r\n");
  EXPECT_FALSE(mixed.hide_if_none_match);
  EXPECT_EQ(mixed.announced().size(), 1u);
}

TEST(RequestConditions, AnyAndDatesAreTheSources) {
  const auto any = conditions(EtagRule::kContent, "GET", "If-None-Match: *\r\n");
  EXPECT_FALSE(any.hide_if_none_match);
  const auto date =
      conditions(EtagRule::kContent, "GET", "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT\r\n");
  EXPECT_FALSE(date.hide_if_modified_since);
  EXPECT_TRUE(date.announced().empty());
}

TEST(RequestConditions, OnlyGetAnnouncesACopy) {
  const auto head = conditions(EtagRule::kContent, "HEAD", "If-None-Match: " + kOurs + "\r\n");
  EXPECT_TRUE(head.hide_if_none_match);
  EXPECT_TRUE(head.announced().empty());
  const auto put = conditions(EtagRule::kContent, "PUT", "If-None-Match: " + kOurs + "\r\n");
  EXPECT_FALSE(put.hide_if_none_match);
  EXPECT_TRUE(put.announced().empty());
}

TEST(RequestConditions, AnnouncementsAreBounded) {
  std::string list = kOurs;
  for (int i = 0; i < 40; ++i) list += ", " + kOurs;
  EXPECT_EQ(
      conditions(EtagRule::kContent, "GET", "If-None-Match: " + list + "\r\n").announced().size(),
      RequestConditions::kAnnouncedMax);
}

TEST(RequestConditions, ASourceThatKnowsOurTagsDecidesItsWritesItself) {
  const std::string text = "PUT /x HTTP/1.1\r\nHost: a\r\nIf-Match: " + kOurs + "\r\n\r\n";
  http::HeadParser parser;
  http::RequestHead head;
  ASSERT_EQ(parser.parse(text, head), http::Progress::kDone);
  EXPECT_TRUE(request_conditions(EtagRule::kOrigin, head, false).precondition_failed);
  EXPECT_FALSE(request_conditions(EtagRule::kOrigin, head, true).precondition_failed);
  EXPECT_FALSE(request_conditions(EtagRule::kContent, head, true).precondition_failed);
}

TEST(RequestConditions, IfMatchAgainstAReplacedTagFails) {
  EXPECT_TRUE(
      conditions(EtagRule::kContent, "PUT", "If-Match: " + kOurs + "\r\n").precondition_failed);
  EXPECT_TRUE(conditions(EtagRule::kContent, "PUT", "If-Match: \"a\"\r\n").precondition_failed);
  EXPECT_TRUE(
      conditions(EtagRule::kOrigin, "PUT", "If-Match: " + kOurs + "\r\n").precondition_failed);
  EXPECT_FALSE(conditions(EtagRule::kOrigin, "PUT", "If-Match: \"a\"\r\n").precondition_failed);
  EXPECT_FALSE(conditions(EtagRule::kContent, "PUT", "If-Match: *\r\n").precondition_failed);
}

TEST(RequestConditions, ARangeOfOurRepresentationBecomesTheWhole) {
  const std::string range = "Range: bytes=0-9\r\n";
  EXPECT_FALSE(conditions(EtagRule::kContent, "GET", range).hide_range);
  for (EtagRule rule : {EtagRule::kOrigin, EtagRule::kContent}) {
    EXPECT_TRUE(conditions(rule, "GET", range + "If-Range: " + kOurs + "\r\n").hide_range);
  }
  EXPECT_FALSE(conditions(EtagRule::kOrigin, "GET", range + "If-Range: \"a\"\r\n").hide_range);
  EXPECT_FALSE(
      conditions(EtagRule::kContent, "GET", range + "If-Range: Sat, 29 Oct 1994 19:43:31 GMT\r\n")
          .hide_range);
}

ResponsePlan plan(EtagRule rule, http::Method asked, const std::string& text,
                  std::uint64_t body_max = 1000) {
  http::HeadParser parser;
  http::ResponseHead head;
  EXPECT_EQ(parser.parse(text, head), http::Progress::kDone) << text;
  auto framing = http::response_framing(head, asked, false);
  EXPECT_TRUE(framing) << text;
  return plan_response(rule, asked, head, *framing, body_max);
}

TEST(ResponsePlan, WholeBodiesOfGetAreCollectedAndTagged) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const auto content = EtagRule::kContent, origin = EtagRule::kOrigin;
  const auto get = http::Method::kGet;
  EXPECT_EQ(plan(content, get, ok + "Content-Length: 1000\r\n\r\n"), (ResponsePlan{true, true}));
  EXPECT_EQ(plan(content, get, ok + "Content-Length: 1001\r\n\r\n"), (ResponsePlan{false, true}));
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";
  for (const char* events : {"text/event-stream", "Text/Event-Stream; charset=utf-8"}) {
    const std::string type = "Content-Type: " + std::string(events) + "\r\n";
    EXPECT_FALSE(plan(content, get, ok + type + chunked).collect) << events;
  }
  EXPECT_TRUE(plan(content, get, ok + "Content-Type: text/event-streams\r\n" + chunked).collect);
  EXPECT_TRUE(plan(content, get, ok + "Transfer-Encoding: chunked\r\n\r\n").collect);
  EXPECT_TRUE(plan(content, get, ok + "\r\n").collect);
  EXPECT_TRUE(plan(content, get, ok + "Content-Length: 0\r\n\r\n").collect);
  EXPECT_EQ(plan(origin, get, ok + "Content-Length: 9\r\n\r\n"), (ResponsePlan{true, false}));
  EXPECT_EQ(plan(origin, get, ok + "ETag: \"s\"\r\nContent-Length: 9\r\n\r\n"),
            (ResponsePlan{false, false}));
  EXPECT_TRUE(plan(origin, get, ok + "ETag: W/\"s\"\r\nContent-Length: 9\r\n\r\n").collect);
}

TEST(ResponsePlan, NoStoreIsKeptNowhere) {
  const auto got = plan(EtagRule::kContent, http::Method::kGet,
                        "HTTP/1.1 200 OK\r\nCache-Control: private, no-store\r\n"
                        "Content-Length: 9\r\n\r\n");
  EXPECT_FALSE(got.collect);
  EXPECT_FALSE(got.storable);
}

TEST(ResponsePlan, OthersStreamAndAReplacedTagNeverShows) {
  const std::string partial =
      "HTTP/1.1 206 Partial Content\r\nETag: \"s\"\r\n"
      "Content-Length: 9\r\n\r\n";
  EXPECT_EQ(plan(EtagRule::kContent, http::Method::kGet, partial), (ResponsePlan{false, true}));
  EXPECT_EQ(plan(EtagRule::kOrigin, http::Method::kGet, partial), (ResponsePlan{false, false}));
  const std::string ok = "HTTP/1.1 200 OK\r\nETag: \"s\"\r\nContent-Length: 9\r\n\r\n";
  EXPECT_EQ(plan(EtagRule::kContent, http::Method::kHead, ok), (ResponsePlan{false, true}));
  EXPECT_EQ(plan(EtagRule::kContent, http::Method::kPost, ok), (ResponsePlan{false, false}));
}

}  // namespace
}  // namespace tandem
