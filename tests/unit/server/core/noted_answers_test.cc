// What is noted, and what is answered by it; how it is used is in type_source_test.cc.
#include "server/core/noted_answers.h"

#include <gtest/gtest.h>

#include "common/http/head_parser.h"

namespace tandem {
namespace {

constexpr AnswerBasis kBasis{7, {3, ServerId{1}}};
constexpr ActingEpoch kOther{4, ServerId{2}};

struct NotedAnswersTest : ::testing::Test {
  // The head refers to text that is kept here.
  const http::RequestHead& get(const std::string& target, const std::string& fields = "",
                               const std::string& method = "GET", const std::string& host = "h") {
    texts_.push_back(std::make_unique<std::string>(
        method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n"));
    requests_.push_back(std::make_unique<http::RequestHead>());
    http::HeadParser parser;
    EXPECT_EQ(parser.parse(*texts_.back(), *requests_.back()), http::Progress::kDone);
    return *requests_.back();
  }
  // The head of an answer with this body.
  static bool take(NotedAnswer& answer, const std::string& fields, const std::string& body = "body",
                   const std::string& status = "200 OK") {
    const std::string text = "HTTP/1.1 " + status +
                             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                             fields + "\r\n";
    http::ResponseHead head;
    http::HeadParser parser;
    EXPECT_EQ(parser.parse(text, head), http::Progress::kDone);
    return NotedAnswers::take_head(answer, head,
                                   {http::BodyKind::kLength, std::uint64_t{body.size()}});
  }
  void note(const std::string& target, const std::string& fields = "",
            const AnswerBasis& basis = kBasis) {
    auto answer = noted.begin(get(target), basis);
    ASSERT_TRUE(answer);
    ASSERT_TRUE(take(*answer, fields));
    noted.put(std::move(*answer), Validator::of("body"));
  }
  const NotedAnswer* find(const std::string& target, const ActingEpoch& now = kOther) {
    return noted.find(get(target), now, false);
  }
  NotedAnswers noted{{.answers_max = 3, .bytes_max = 10000}};
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<std::unique_ptr<http::RequestHead>> requests_;
};

TEST_F(NotedAnswersTest, OnlyWhatIsForEverybodyIsNoted) {
  NotedAnswer answer;
  answer.basis = kBasis;
  for (const char* fields :
       {"", "Cache-Control: max-age=0\r\n", "Cache-Control: public\r\nX-Own: 1\r\n",
        "Cache-Status: b; hit\r\n", "Cache-Status: b; fwd=uri-miss; fwd-status=200; stored\r\n"}) {
    EXPECT_TRUE(take(answer, fields)) << fields;
  }
  for (const char* fields :
       {"Cache-Control: private\r\n", "Cache-Control: no-store\r\n", "Cache-Control: no-cache\r\n",
        "Set-Cookie: a=b\r\n", "Vary: Accept\r\n", "Vary: *\r\n", "Content-Range: bytes 0-3/9\r\n",
        "Cache-Status: b; fwd=stale; detail=stale-if-error\r\n", "Cache-Status: x; hit, b; hit\r\n",
        "Cache-Status: x; hit\r\nCache-Status: b; hit\r\n"}) {
    EXPECT_FALSE(take(answer, fields)) << fields;
  }
  for (const char* status : {"203 Y", "206 Part", "404 None", "503 Ill"}) {
    EXPECT_FALSE(take(answer, "", "body", status)) << status;
  }
  http::ResponseHead head;
  http::HeadParser parser;
  const std::string text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  ASSERT_EQ(parser.parse(text, head), http::Progress::kDone);
  EXPECT_FALSE(NotedAnswers::take_head(answer, head, {http::BodyKind::kChunked, 0}));
}

TEST_F(NotedAnswersTest, OnlyPlainRequestsHaveToDoWithIt) {
  note("/x");
  EXPECT_NE(find("/x"), nullptr);
  EXPECT_NE(noted.find(get("/x", "Cookie: a=b\r\nAccept: */*\r\n", "HEAD"), kOther, false),
            nullptr);
  for (const char* fields :
       {"Authorization: Basic x\r\n", "Cache-Control: no-cache\r\n", "Pragma: no-cache\r\n",
        "Range: bytes=0-1\r\n", "If-None-Match: \"1\"\r\n", "If-Match: \"1\"\r\n",
        "If-Modified-Since: Sun, 22 Nov 2026 00:00:00 GMT\r\n", "Content-Length: 1\r\n"}) {
    EXPECT_FALSE(NotedAnswers::is_plain(get("/x", fields))) << fields;
    EXPECT_EQ(noted.find(get("/x", fields), kOther, false), nullptr) << fields;
    EXPECT_FALSE(noted.begin(get("/y", fields), kBasis)) << fields;
  }
  EXPECT_FALSE(noted.begin(get("/y", "", "HEAD"), kBasis)) << "there is no content";
}

TEST_F(NotedAnswersTest, ItIsOfOneTargetAtOneHost) {
  note("/x?1");
  EXPECT_EQ(find("/x"), nullptr);
  EXPECT_NE(find("/x?1"), nullptr);
  EXPECT_NE(noted.find(get("/x?1", "", "GET", "H"), kOther, false), nullptr);
  EXPECT_EQ(noted.find(get("/x?1", "", "GET", "other"), kOther, false), nullptr);
}

TEST_F(NotedAnswersTest, WhoActsAsBeforeIsAsked) {
  note("/x");
  EXPECT_EQ(find("/x", kBasis.epoch), nullptr);
  EXPECT_NE(find("/x", {kBasis.epoch.version + 1, kBasis.epoch.server}), nullptr) << "acts anew";
  EXPECT_NE(noted.find(get("/x"), kBasis.epoch, true), nullptr) << "but it cannot be";
}

TEST_F(NotedAnswersTest, ItIsUsedWhileTheSourceHasNotChanged) {
  note("/x");
  EXPECT_TRUE(noted.may_use(*find("/x"), 7, true));
  EXPECT_FALSE(noted.may_use(*find("/x"), std::nullopt, true));
  EXPECT_FALSE(noted.may_use(*find("/x"), 7, false));
  EXPECT_TRUE(noted.may_use(*find("/x"), 7, true));
  EXPECT_FALSE(noted.may_use(*find("/x"), 8, true));
  EXPECT_FALSE(noted.has(ItemKey::of("/x")));
  EXPECT_EQ(noted.bytes(), 0U);
  EXPECT_EQ(noted.counters().used, 2U);
}

TEST_F(NotedAnswersTest, WhatIsNotedOnTheSameBasisIsNotNotedAgain) {
  note("/x");
  EXPECT_FALSE(noted.begin(get("/x"), kBasis));
  EXPECT_TRUE(noted.begin(get("/x", "", "GET", "other"), kBasis));
  EXPECT_TRUE(noted.begin(get("/x"), {8, kBasis.epoch}));
  note("/x", "X-Later: 1\r\n", {7, kOther});
  EXPECT_EQ(find("/x", kOther), nullptr);
  EXPECT_EQ(noted.size(), 1U);
}

TEST_F(NotedAnswersTest, AContentIsProvedByADigestAndItsLength) {
  for (const Validator& validator : {Validator::of("body", false), Validator::of("longer")}) {
    auto answer = noted.begin(get("/x"), kBasis);
    ASSERT_TRUE(take(*answer, ""));
    noted.put(std::move(*answer), validator);
    EXPECT_EQ(noted.size(), 0U);
  }
}

TEST_F(NotedAnswersTest, TheLeastRecentlyUsedGoFirst) {
  for (const char* target : {"/1", "/2", "/3"}) note(target);
  EXPECT_FALSE(noted.begin(get("/1"), kBasis)) << "which is a use";
  EXPECT_TRUE(noted.may_use(*find("/2"), 7, true));
  note("/4");
  EXPECT_EQ(find("/3"), nullptr);
  EXPECT_NE(find("/1"), nullptr);
  EXPECT_EQ(noted.counters().dropped, 1U);
  note("/5", "X-Large: " + std::string(9000, 'x') + "\r\n");
  EXPECT_LE(noted.bytes(), 10000U);
  EXPECT_NE(find("/5"), nullptr);
  note("/6", "X-Large: " + std::string(9900, 'x') + "\r\n");
  EXPECT_EQ(find("/6"), nullptr) << "over the whole bound";
}

TEST_F(NotedAnswersTest, TheHeadIsThatOfAHit) {
  note("/x",
       "Content-Type: text/plain\r\nAge: 9\r\nDate: Sun, 22 Nov 2026 00:00:00 GMT\r\n"
       "Cache-Status: b; hit\r\nConnection: close\r\nX-Own: 1\r\n");
  EXPECT_EQ(noted_head(*find("/x"), "a"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Own: 1\r\nContent-Length: 4\r\n"
            "Age: 0\r\nCache-Status: a; hit\r\n\r\n");
}

}  // namespace
}  // namespace tandem
