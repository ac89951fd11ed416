#include "common/http/build.h"

#include <gtest/gtest.h>

namespace tandem::http {
namespace {

TEST(HeadBuilder, RequestsAndResponses) {
  std::string out;
  HeadBuilder(out).request("GET", "/a b\r\n\xff").field("Host", "h").field("N", 17).finish();
  EXPECT_EQ(out, "GET /a%20b%0D%0A%FF HTTP/1.1\r\nHost: h\r\nN: 17\r\n\r\n");
  out.clear();
  HeadBuilder(out).status(421).field("A", "x\r\nB: y").finish();
  EXPECT_EQ(out, "HTTP/1.1 421 Misdirected Request\r\nA: x  B: y\r\n\r\n");
  out.clear();
  HeadBuilder(out).status(299, "So So").finish();
  EXPECT_EQ(out, "HTTP/1.1 299 So So\r\n\r\n");
}

TEST(SmallResponse, Composed) {
  std::string out;
  SmallResponse response;
  response.status = 503;
  response.detail = "no server";
  response.date = "today";
  response.retry_after_s = 5;
  response.close = true;
  append_small_response(out, response);
  const std::string head =
      "HTTP/1.1 503 Service Unavailable\r\nDate: today\r\nContent-Type: text/plain\r\n"
      "Content-Length: 35\r\nRetry-After: 5\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(out, head + "503 Service Unavailable: no server\n");
  out.clear();
  response.head_only = true;
  append_small_response(out, response);
  EXPECT_EQ(out, head);
}

TEST(SmallResponse, WithoutBodyWhereThereIsNone) {
  std::string out;
  SmallResponse response;
  response.status = 304;
  append_small_response(out, response);
  EXPECT_EQ(out, "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST(StandardReason, KnownAndUnknown) {
  EXPECT_EQ(standard_reason(200), "OK");
  EXPECT_EQ(standard_reason(431), "Request Header Fields Too Large");
  EXPECT_EQ(standard_reason(299), "");
}

}  // namespace
}  // namespace tandem::http
