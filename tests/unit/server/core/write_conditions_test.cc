#include "server/core/write_conditions.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/error.h"
#include "common/http/head_parser.h"
#include "server/core/write_fence.h"

namespace tandem {
namespace {

bool holds(const std::string& fields, std::optional<std::string_view> content) {
  const std::string text = "PUT /t/k HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  http::HeadParser parser;
  http::RequestHead head;
  TANDEM_CHECK(parser.parse(text, head) == http::Progress::kDone);
  return WriteConditions::of(head).hold(content);
}

TEST(WriteConditions, IfMatchComparesStrongly) {
  const std::string tag = Validator::of("old").etag();
  const std::string other = Validator::of("other").etag();
  EXPECT_TRUE(holds("", "old"));
  EXPECT_TRUE(holds("", std::nullopt));
  EXPECT_TRUE(holds("If-Match: " + tag + "\r\n", "old"));
  EXPECT_TRUE(holds("If-Match: \"x\", " + other + ", " + tag + "\r\n", "old"));
  EXPECT_TRUE(holds("If-Match: " + other + "\r\nIf-Match: " + tag + "\r\n", "old"));
  EXPECT_TRUE(holds("If-Match: " + Validator::of("old", false).etag() + "\r\n", "old"));
  EXPECT_FALSE(holds("If-Match: " + tag + "\r\n", "new"));
  EXPECT_FALSE(holds("If-Match: " + tag + "\r\n", std::nullopt));
  EXPECT_FALSE(holds("If-Match: W/" + tag + "\r\n", "old"));
  EXPECT_FALSE(holds("If-Match: \"x\"\r\n", "old"));
  EXPECT_FALSE(holds("If-Match: \r\n", "old"));
  EXPECT_FALSE(holds("If-Match: old, " + tag + "\r\n", "old")) << "not read past the fault";
  EXPECT_TRUE(holds("If-Match: *\r\n", "old"));
  EXPECT_FALSE(holds("If-Match: *\r\n", std::nullopt));
}

TEST(WriteConditions, IfNoneMatchKeepsWhatIsThere) {
  const std::string tag = Validator::of("old").etag();
  EXPECT_TRUE(holds("If-None-Match: *\r\n", std::nullopt));
  EXPECT_FALSE(holds("If-None-Match: *\r\n", "old"));
  EXPECT_FALSE(holds("If-None-Match: " + tag + "\r\n", "old"));
  EXPECT_FALSE(holds("If-None-Match: W/" + tag + "\r\n", "old"));
  EXPECT_TRUE(holds("If-None-Match: " + tag + "\r\n", "new"));
  EXPECT_FALSE(holds("If-Match: " + tag + "\r\nIf-None-Match: *\r\n", "old"));
}

TEST(WriteFence, TheNewerEpochWins) {
  const ActingEpoch ours{7, ServerId{2}};
  EXPECT_EQ(rule_fence(std::nullopt, ours), FenceRuling::kRaise);
  EXPECT_EQ(rule_fence(ActingEpoch{6, ServerId{9}}, ours), FenceRuling::kRaise);
  EXPECT_EQ(rule_fence(ActingEpoch{7, ServerId{1}}, ours), FenceRuling::kRaise);
  EXPECT_EQ(rule_fence(ours, ours), FenceRuling::kPass);
  EXPECT_EQ(rule_fence(ActingEpoch{7, ServerId{3}}, ours), FenceRuling::kRefuse);
  EXPECT_EQ(rule_fence(ActingEpoch{8, ServerId{1}}, ours), FenceRuling::kRefuse);
}

}  // namespace
}  // namespace tandem
