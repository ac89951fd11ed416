#include "server/io/fresh_note.h"

#include <gtest/gtest.h>

#include "common/http/head_parser.h"

namespace tandem::server {
namespace {

constexpr Instant kNow{1h};

http::RequestHead request(std::string_view text) {
  http::HeadParser parser;
  http::RequestHead head;
  EXPECT_EQ(parser.parse(text, head), http::Progress::kDone);
  return head;
}

// A write whose outcome nobody knows may have been done after the item was last fetched.
TEST(FreshNote, AWriteOfUnknownOutcomeEndsWhatWasPromisedMeanwhile) {
  Freshness freshness(10);
  const std::string_view text = "PUT /a HTTP/1.1\r\nHost: h\r\n\r\n";
  const HeldItem item{ItemKey{1}, Validator::of("before")};
  FreshNote write(freshness, kNow, request(text), item.key, std::nullopt);
  freshness.record(kNow, 7, item, {60s, std::nullopt}, freshness.mark());
  ASSERT_TRUE(freshness.current(kNow, 7, item, std::nullopt));
  write.on_unknown(kNow);
  EXPECT_FALSE(freshness.current(kNow, 7, item, std::nullopt));
}

TEST(FreshNote, ASourceThatCannotTellItsVersionPromisesNothing) {
  Freshness freshness(10);
  http::HeadParser parser;
  http::ResponseHead answer;
  ASSERT_EQ(
      parser.parse("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"a\"\r\n\r\n", answer),
      http::Progress::kDone);
  const std::string_view text = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  const auto promises = [&](std::optional<std::uint64_t> version, bool has_versions) {
    FreshNote note(freshness, kNow, request(text), ItemKey{1}, version, has_versions);
    note.on_response(kNow, answer);
    return note.promised().has_value();
  };
  EXPECT_FALSE(promises(std::nullopt, true));
  EXPECT_TRUE(promises(7, true));
  EXPECT_TRUE(promises(std::nullopt, false));
}

TEST(FreshNote, AReadThatFailsEndsNothing) {
  Freshness freshness(10);
  const std::string_view text = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  const HeldItem item{ItemKey{1}, Validator::of("a")};
  FreshNote read(freshness, kNow, request(text), item.key, std::nullopt);
  freshness.record(kNow, 7, item, {60s, std::nullopt}, freshness.mark());
  read.on_unknown(kNow);
  EXPECT_TRUE(freshness.current(kNow, 7, item, std::nullopt));
}

}  // namespace
}  // namespace tandem::server
