#include "common/http/framing.h"

#include <gtest/gtest.h>

#include <string>

#include "common/http/head_parser.h"

namespace tandem::http {
namespace {

constexpr Framing kNothing{};
constexpr Framing kChunks{BodyKind::kChunked, 0};
constexpr Framing kToClose{BodyKind::kUntilClose, 0};
constexpr Framing kPipe{BodyKind::kTunnel, 0};
constexpr Framing length(std::uint64_t n) { return {BodyKind::kLength, n}; }

TEST(Framing, Requests) {
  struct Row {
    const char* fields;
    Framing framing;
  };
  for (const Row& row : {
           Row{"", kNothing},
           Row{"Content-Length: 0\r\n", kNothing},
           Row{"Content-Length: 7\r\n", length(7)},
           Row{"Transfer-Encoding: Chunked\r\n", kChunks},
       }) {
    const std::string text = std::string("POST / HTTP/1.1\r\nHost: a\r\n") + row.fields + "\r\n";
    HeadParser parser;
    RequestHead head;
    ASSERT_EQ(parser.parse(text, head), Progress::kDone) << text;
    EXPECT_EQ(request_framing(head), row.framing) << text;
  }
}

struct ResponseRow {
  const char* text;
  Method asked;
  bool upgrade_asked;
  Framing framing;
  bool persists;
};

TEST(Framing, Responses) {
  const auto get = Method::kGet;
  for (const ResponseRow& row : {
           ResponseRow{"HTTP/1.1 200 OK\r\n", get, false, kToClose, false},
           ResponseRow{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", get, false, length(3), true},
           ResponseRow{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", get, false, kNothing, true},
           ResponseRow{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n", get, false,
                       length(3), false},
           ResponseRow{"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n", get, false, length(3), false},
           ResponseRow{"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: Keep-Alive\r\n", get,
                       false, length(3), true},
           ResponseRow{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", get, false, kChunks,
                       true},
           ResponseRow{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", Method::kHead, false,
                       kNothing, true},
           ResponseRow{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", Method::kHead, false, kNothing,
                       true},
           ResponseRow{"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n", get, false, kNothing,
                       true},
           ResponseRow{"HTTP/1.1 204 No Content\r\n", get, false, kNothing, true},
           ResponseRow{"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n", get, false, kNothing,
                       true},
           ResponseRow{"HTTP/1.1 100 Continue\r\n", get, false, kNothing, true},
           ResponseRow{"HTTP/1.1 200 OK\r\n", Method::kConnect, false, kPipe, false},
           ResponseRow{"HTTP/1.1 407 No\r\nContent-Length: 3\r\n", Method::kConnect, false,
                       length(3), true},
           ResponseRow{"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n", get, true,
                       kPipe, false},
       }) {
    const std::string text = std::string(row.text) + "\r\n";
    HeadParser parser;
    ResponseHead head;
    ASSERT_EQ(parser.parse(text, head), Progress::kDone) << text;
    const auto framing = response_framing(head, row.asked, row.upgrade_asked);
    ASSERT_TRUE(framing.has_value()) << text;
    EXPECT_EQ(*framing, row.framing) << text;
    EXPECT_EQ(responder_persists(head, *framing), row.persists) << text;
  }
}

TEST(Framing, ResponsesThatContradictThemselves) {
  for (const char* fields : {
           "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n",
           "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n",
           "HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n",
           "HTTP/1.1 101 S\r\nUpgrade: a\r\nConnection: upgrade\r\nContent-Length: 3\r\n",
           "HTTP/1.1 101 S\r\nConnection: upgrade\r\n",
           "HTTP/1.1 101 S\r\nUpgrade: a\r\n",
       }) {
    const std::string text = std::string(fields) + "\r\n";
    HeadParser parser;
    ResponseHead head;
    ASSERT_EQ(parser.parse(text, head), Progress::kDone) << text;
    EXPECT_FALSE(response_framing(head, Method::kGet, true).has_value()) << text;
  }
  const std::string text = "HTTP/1.1 101 S\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n";
  HeadParser parser;
  ResponseHead head;
  ASSERT_EQ(parser.parse(text, head), Progress::kDone);
  EXPECT_FALSE(response_framing(head, Method::kGet, false).has_value());
}

}  // namespace
}  // namespace tandem::http
