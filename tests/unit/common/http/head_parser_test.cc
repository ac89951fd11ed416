#include "common/http/head_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem::http {
namespace {

TEST(HeadParser, Request) {
  const std::string text =
      "POST /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nX-Thing:  some value \r\n"
      "Content-Length: 12\r\nConnection: close\r\n\r\nbody";
  HeadParser parser;
  RequestHead head;
  ASSERT_EQ(parser.parse(text, head), Progress::kDone);
  EXPECT_EQ(head.method(), Method::kPost);
  EXPECT_EQ(head.target(), "/a/b?c=d");
  EXPECT_EQ(head.path(), "/a/b?c=d");
  EXPECT_EQ(head.form(), TargetForm::kOrigin);
  EXPECT_EQ(head.authority(), "example.com:8080");
  EXPECT_EQ(head.version_minor(), 1);
  EXPECT_TRUE(head.says_close());
  EXPECT_FALSE(head.persists());
  EXPECT_TRUE(head.has_content_length());
  EXPECT_EQ(head.content_length(), 12u);
  EXPECT_EQ(head.fields().size(), 4u);
  ASSERT_NE(head.find("x-thing"), nullptr);
  EXPECT_EQ(head.value(*head.find("x-thing")), "some value");
  EXPECT_EQ(text.substr(head.end()), "body");
}

TEST(HeadParser, Response) {
  const std::string text = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n";
  HeadParser parser;
  ResponseHead head;
  ASSERT_EQ(parser.parse(text, head), Progress::kDone);
  EXPECT_EQ(head.status(), 404);
  EXPECT_EQ(head.reason(), "Not Found");
  EXPECT_TRUE(head.chunked());
  EXPECT_TRUE(head.persists());
  EXPECT_EQ(head.end(), text.size());
}

}  // namespace
}  // namespace tandem::http
