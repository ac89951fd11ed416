#include "common/http/forward.h"

#include <gtest/gtest.h>

#include "tests/unit/common/http/heads.h"

namespace tandem::http {
namespace {

ForwardRequest usual() {
  ForwardRequest how;
  how.via_name = "tandem";
  how.client_address = "192.0.2.7";
  how.scheme = "http";
  how.host_if_missing = "backend";
  return how;
}

std::string forward(const std::string& text, const ForwardRequest& how) {
  const Request request(text);
  HeadEdit edit;
  forward_request(edit, request.head, how);
  return written(edit);
}

std::string forward(const std::string& text, const ForwardResponse& how) {
  const Response response(text);
  HeadEdit edit;
  forward_response(edit, response.head, how);
  return written(edit);
}

constexpr const char* kForwarded =
    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"
    "Via: 1.1 tandem\r\n\r\n";

TEST(Forward, AddsToAPlainRequest) {
  EXPECT_EQ(forward("GET /x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n", usual()),
            std::string("GET /x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n") + kForwarded);
}

TEST(Forward, WithoutInstructionsOnlyRemoves) {
  EXPECT_EQ(forward("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ForwardRequest{}),
            "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(Forward, RemovesWhatConcernsOneConnection) {
  EXPECT_EQ(forward("GET /x HTTP/1.1\r\nConnection: keep-alive, x-own, Authorization, Host\r\n"
                    "Keep-Alive: timeout=5\r\nHost: a\r\nTE: trailers\r\nX-Own: 1\r\n"
                    "Authorization: secret\r\nProxy-Connection: keep-alive\r\n"
                    "Upgrade: h2c\r\nHTTP2-Settings: x\r\nx-own-not: 2\r\n\r\n",
                    usual()),
            std::string("GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: secret\r\nx-own-not: 2\r\n") +
                kForwarded);
}

TEST(Forward, ConnectionCannotRemoveFramingOrTandemFields) {
  ForwardRequest how;
  how.pass_tandem_cache = true;
  EXPECT_EQ(forward("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nCookie: a=b\r\n"
                    "Tandem-Cache: 1\r\nX-Forwarded-For: 1\r\n"
                    "Connection: content-length, cookie, tandem-cache, x-forwarded-for\r\n\r\n",
                    how),
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nCookie: a=b\r\n"
            "Tandem-Cache: 1\r\nX-Forwarded-For: 1\r\n\r\n");
}

TEST(Forward, TandemFieldsOfAClientGo) {
  const std::string text =
      "GET / HTTP/1.1\r\nHost: a\r\nTandem-Session: t\r\nTandem-Cache: c\r\nTandem-Refer: r\r\n"
      "Tandem-Else: e\r\n\r\n";
  ForwardRequest how;
  EXPECT_EQ(forward(text, how), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  how.pass_tandem_cache = true;
  EXPECT_EQ(forward(text, how), "GET / HTTP/1.1\r\nHost: a\r\nTandem-Cache: c\r\n\r\n");
}

TEST(Forward, AppendsToTheLastForwardedForAndReplacesTheOthers) {
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n"
                    "X-Forwarded-Host: evil\r\nX-Forwarded-For: 2.2.2.2\r\nHost: a\r\n\r\n",
                    usual()),
            "GET / HTTP/1.1\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2, 192.0.2.7\r\n"
            "Host: a\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\nVia: 1.1 tandem\r\n\r\n");
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For:\r\n\r\n", usual()),
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For:192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: a\r\nVia: 1.1 tandem\r\n\r\n");
}

TEST(Forward, StartLines) {
  struct Row {
    const char *received, *forwarded;
  };
  for (const Row& row : {
           Row{"GET /x HTTP/1.1\r\nHost: a\r\n", "GET /x HTTP/1.1\r\nHost: a\r\n"},
           Row{"GET http://a/x?y HTTP/1.1\r\nHost: a\r\n", "GET /x?y HTTP/1.1\r\nHost: a\r\n"},
           Row{"GET http://a HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"},
           Row{"GET http://a?y HTTP/1.1\r\nHost: a\r\n", "GET /?y HTTP/1.1\r\nHost: a\r\n"},
           Row{"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n"},
           Row{"OPTIONS * HTTP/1.1\r\nHost: a\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n"},
           Row{"GET /x HTTP/1.0\r\nHost: a\r\n", "GET /x HTTP/1.1\r\nHost: a\r\n"},
           Row{"GET /x HTTP/1.0\r\n", "GET /x HTTP/1.1\r\nHost: backend\r\n"},
           Row{"GET /x HTTP/1.0\r\nHost: a\r\nExpect: x\r\n", "GET /x HTTP/1.1\r\nHost: a\r\n"},
           Row{"GET http://b/x HTTP/1.0\r\n", "GET /x HTTP/1.1\r\nHost: b\r\n"},
       }) {
    ForwardRequest how;
    how.host_if_missing = "backend";
    EXPECT_EQ(forward(std::string(row.received) + "\r\n", how),
              std::string(row.forwarded) + "\r\n");
  }
}

TEST(Forward, UpgradePassesWhenAsked) {
  ForwardRequest how;
  how.pass_upgrade = true;
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                    "Connection: keep-alive, Upgrade\r\n\r\n",
                    how),
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
}

TEST(Forward, Responses) {
  const std::string text =
      "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\nKeep-Alive: timeout=5\r\n"
      "Tandem-Session: t\r\nTandem-Reuse: mirror\r\nTandem-Server: a\r\nTandem-Refer: r\r\n\r\n";
  ForwardResponse how;
  EXPECT_EQ(forward(text, how), "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  how.pass_tandem = true;
  how.connection = ConnectionOption::kClose;
  how.via_name = "tandem";
  EXPECT_EQ(forward(text, how),
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTandem-Reuse: mirror\r\nTandem-Server: a\r\n"
            "Via: 1.1 tandem\r\nConnection: close\r\n\r\n");
  how.pass_tandem_session = true;
  how.connection = ConnectionOption::kKeepAlive;
  EXPECT_EQ(forward(text, how),
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTandem-Session: t\r\nTandem-Reuse: mirror\r\n"
            "Tandem-Server: a\r\nVia: 1.1 tandem\r\nConnection: keep-alive\r\n\r\n");
}

TEST(Forward, StatusLinesAreMadeWhole) {
  ForwardResponse how;
  how.via_name = "tandem";
  EXPECT_EQ(forward("HTTP/1.0 200 Fine\r\n\r\n", how),
            "HTTP/1.1 200 Fine\r\nVia: 1.0 tandem\r\n\r\n");
  EXPECT_EQ(forward("HTTP/1.1 200\r\n\r\n", how), "HTTP/1.1 200 \r\nVia: 1.1 tandem\r\n\r\n");
  EXPECT_EQ(forward("HTTP/1.1 200 \r\n\r\n", how), "HTTP/1.1 200 \r\nVia: 1.1 tandem\r\n\r\n");
}

TEST(Forward, ATypicalRequestIsFewPieces) {
  const Request request(
      "GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: u\r\nAccept: */*\r\nConnection: keep-alive\r\n"
      "Cookie: a=b\r\n\r\n");
  HeadEdit edit;
  forward_request(edit, request.head, usual());
  EXPECT_EQ(edit.pieces().size(), 4u);
}

TEST(Forward, LoopsAreSeenInVia) {
  const auto passed = [](const std::string& via) {
    const Request request("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 first\r\nVia: " + via +
                          "\r\n\r\n");
    return passed_through(request.head, "tandem");
  };
  EXPECT_TRUE(passed("1.1 tandem"));
  EXPECT_TRUE(passed("HTTP/1.1 TANDEM (comment, with comma)"));
  EXPECT_TRUE(passed("1.1 a (x, y), 1.0\ttandem"));
  EXPECT_FALSE(passed("1.1 tandem2"));
  EXPECT_FALSE(passed("1.1 a (1.1 tandem, 1.1 tandem)"));
  EXPECT_FALSE(passed("tandem"));
  EXPECT_FALSE(passed(""));
  EXPECT_FALSE(passed("1.1 a (\\"));
}

TEST(Forward, MakesResponsesPrivate) {
  struct Row {
    const char *received, *sent;
  };
  for (const Row& row : {
           Row{"", "Cache-Control: private\r\n"},
           Row{"Cache-Control: max-age=60\r\n", "Cache-Control: private, max-age=60\r\n"},
           Row{"Cache-Control: public, s-maxage=9, max-age=60\r\nCache-Control: x=\"a,b\"\r\n",
               "Cache-Control: private, max-age=60, x=\"a,b\"\r\n"},
           Row{"Cache-Control: no-store\r\n", "Cache-Control: no-store\r\n"},
           Row{"Cache-Control: Private\r\n", "Cache-Control: Private\r\n"},
       }) {
    const Response response(std::string("HTTP/1.1 200 OK\r\n") + row.received + "\r\n");
    HeadEdit edit;
    edit.begin(response.head);
    make_private(edit, response.head);
    EXPECT_EQ(written(edit), std::string("HTTP/1.1 200 OK\r\n") + row.sent + "\r\n");
  }
}

}  // namespace
}  // namespace tandem::http
