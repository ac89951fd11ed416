#include "server/core/freshness.h"

#include <gtest/gtest.h>

#include "common/http/head_parser.h"
#include "server/core/lifetime.h"

namespace tandem {
namespace {

const Instant kNow = Instant{} + 1000s;
constexpr Freshness::Host kHost = 1;

HeldItem item(std::uint64_t key, const char* content = "a") {
  return {ItemKey{key}, Validator::of(content)};
}

class FreshnessTest : public ::testing::Test {
 protected:
  void record(const HeldItem& one, Duration lifetime, Instant at = kNow) {
    known_.record(at, kHost, one, {lifetime, {}}, known_.mark());
  }
  std::optional<Duration> current(const HeldItem& one, Instant at = kNow) {
    return known_.current(at, kHost, one, std::nullopt);
  }
  Freshness known_{3};
};

TEST_F(FreshnessTest, APromiseLastsUntilItsEnd) {
  EXPECT_EQ(current(item(1)), std::nullopt) << "never of what it does not know";
  record(item(1), 10s);
  EXPECT_EQ(current(item(1)), 10s);
  EXPECT_EQ(current(item(1), kNow + 9s), 1s);
  EXPECT_EQ(current(item(1), kNow + 10s), std::nullopt);
  EXPECT_EQ(current(item(1, "b")), std::nullopt) << "another content";
  EXPECT_EQ(known_.current(kNow, kHost + 1, item(1), std::nullopt), std::nullopt);
}

TEST_F(FreshnessTest, WhatIsNewerReplacesWhatWasKnown) {
  record(item(1), 10s);
  record(item(1, "b"), 10s);
  EXPECT_EQ(current(item(1)), std::nullopt);
  EXPECT_EQ(current(item(1, "b")), 10s);
  record(item(1, "c"), 0s);
  EXPECT_EQ(known_.size(), 0u) << "nothing is promised any more";
}

TEST_F(FreshnessTest, AWriteEndsItAndWhatWasAskedForBefore) {
  record(item(1), 10s);
  const std::uint64_t asked_before = known_.mark();
  known_.invalidate(kNow, ItemKey{1});
  EXPECT_EQ(current(item(1)), std::nullopt);
  known_.record(kNow, kHost, item(1), {10s, {}}, asked_before);
  EXPECT_EQ(current(item(1)), std::nullopt) << "it may be from before the write";
  known_.record(kNow, kHost, item(2), {10s, {}}, asked_before);
  EXPECT_EQ(current(item(2)), 10s) << "another item";
  record(item(1), 10s);
  EXPECT_EQ(current(item(1)), 10s);
}

TEST_F(FreshnessTest, AVersionHoldsAsLongAsItIsTheSources) {
  known_.record(kNow, kHost, item(1), {5s, 7}, known_.mark());
  EXPECT_EQ(known_.current(kNow + 1h, kHost, item(1), 7), 5s);
  EXPECT_EQ(known_.current(kNow, kHost, item(1), 8), std::nullopt);
  EXPECT_EQ(known_.current(kNow, kHost, item(1), std::nullopt), std::nullopt);
  known_.record(kNow, kHost, item(1), {0s, 8}, known_.mark());
  EXPECT_EQ(known_.current(kNow, kHost, item(1), 8), Duration{0}) << "just now";
}

TEST_F(FreshnessTest, IsBoundedTheLongestKnownGoing) {
  for (std::uint64_t key = 1; key <= 4; ++key) record(item(key), 10s);
  EXPECT_EQ(known_.size(), 3u);
  EXPECT_EQ(current(item(1)), std::nullopt);
  EXPECT_EQ(current(item(4)), 10s);
}

// --- what others were told, and have to know when it ends ---

using Keys = std::vector<ItemKey>;

TEST_F(FreshnessTest, ATermThatGetsShorterEndsWhatWasTold) {
  record(item(1), 3600s);
  known_.on_told(ItemKey{1});
  record(item(1), 10s);
  EXPECT_EQ(known_.take_ended().keys, Keys{ItemKey{1}});
  record(item(1), 100s);
  known_.on_told(ItemKey{1});
  record(item(1), 90s, kNow + 10s);
  EXPECT_FALSE(known_.has_ended()) << "that is the same end";
  record(item(1), 89s + 900ms, kNow + 10s);
  EXPECT_FALSE(known_.has_ended()) << "they count whole seconds";
  record(item(1), 300s, kNow + 20s);
  EXPECT_FALSE(known_.has_ended());
  known_.invalidate(kNow + 99s, ItemKey{1});
  EXPECT_EQ(known_.take_ended().keys, Keys{ItemKey{1}});
}

TEST_F(FreshnessTest, AnotherContentEndsWhatWasToldEvenIfItIsPromisedForLonger) {
  record(item(1), 100s);
  known_.on_told(ItemKey{1});
  record(item(1, "b"), 200s);
  EXPECT_EQ(known_.take_ended().keys, Keys{ItemKey{1}});
}

TEST_F(FreshnessTest, WhatWasToldEndsForOthersAtTheTimeThatTheyWereTold) {
  record(item(1), 10s);
  known_.on_told(ItemKey{1});
  record(item(1), 3600s, kNow + 5s);  // nobody has been told
  known_.invalidate(kNow + 11s, ItemKey{1});
  EXPECT_FALSE(known_.has_ended());
}

TEST_F(FreshnessTest, TheSamePathOfAnotherHostEndsWhatWasTold) {
  record(item(1), 3600s);
  known_.on_told(ItemKey{1});
  known_.record(kNow, kHost + 1, item(1), {3600s, {}}, known_.mark());
  known_.invalidate(kNow + 1s, ItemKey{1});
  EXPECT_EQ(known_.take_ended().keys, Keys{ItemKey{1}});
}

TEST_F(FreshnessTest, AnotherHostThatPromisesNothingLeavesWhatIsKnown) {
  record(item(1), 3600s);
  known_.record(kNow, kHost + 1, item(1, "b"), {0s, {}}, known_.mark());
  EXPECT_EQ(current(item(1)), 3600s);
}

TEST_F(FreshnessTest, AWriteToWhatHadToMakeRoomEndsWhatWasTold) {
  Freshness one{1};
  one.record(kNow, kHost, item(1), {3600s, {}}, one.mark());
  one.on_told(ItemKey{1});
  one.record(kNow, kHost, item(2), {7200s, {}}, one.mark());
  EXPECT_FALSE(one.has_ended()) << "reading alone tells nobody anything";
  one.invalidate(kNow + 3599s, ItemKey{1});
  EXPECT_EQ(one.take_ended().keys, Keys{ItemKey{1}});
  one.invalidate(kNow + 3600s, ItemKey{1});
  EXPECT_FALSE(one.has_ended()) << "its time is over everywhere";
}

TEST_F(FreshnessTest, AWriteToWhatWasLearnedIsToldToAll) {
  record(item(1), 100s);
  known_.on_told(ItemKey{1});
  const Instant until = kNow + 200s;
  known_.learn(kNow, ServerId{2}, item(1, "b"), {kHost, until, until}, kNow);
  EXPECT_FALSE(known_.has_ended());
  known_.invalidate(kNow + 199s, ItemKey{1});
  EXPECT_EQ(known_.take_ended().keys, Keys{ItemKey{1}});
}

TEST(FreshnessHost, HasNoCase) {
  EXPECT_EQ(Freshness::host_of("Example.org:80"), Freshness::host_of("example.ORG:80"));
  EXPECT_NE(Freshness::host_of("a"), Freshness::host_of("b"));
}

std::optional<Duration> lifetime(const std::string& fields) {
  const std::string text = "HTTP/1.1 200 OK\r\n" + fields + "\r\n";
  http::HeadParser parser;
  http::ResponseHead head;
  EXPECT_EQ(parser.parse(text, head), http::Progress::kDone);
  return shared_lifetime(head);
}

TEST(SharedLifetime, IsWhatTheResponseSays) {
  const std::string date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  EXPECT_EQ(lifetime(""), 0s);
  EXPECT_EQ(lifetime("Cache-Control: max-age=60\r\n"), 60s);
  EXPECT_EQ(lifetime("Cache-Control: max-age=60, s-maxage=5\r\n"), 5s);
  EXPECT_EQ(lifetime("Cache-Control: max-age=60\r\nAge: 20\r\n"), 40s);
  EXPECT_EQ(lifetime("Cache-Control: max-age=60\r\nAge: 70\r\n"), 0s);
  EXPECT_EQ(lifetime("Cache-Control: max-age=60\r\nAge: x\r\n"), 0s);
  EXPECT_EQ(lifetime("Cache-Control: max-age=99999999999999999999\r\n"), 31'536'000s);
  EXPECT_EQ(lifetime(date + "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"), 60s);
  EXPECT_EQ(lifetime(date + "Expires: 0\r\n"), 0s);
  EXPECT_EQ(lifetime("Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"), 0s);
  EXPECT_EQ(
      lifetime(date + "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\nCache-Control: max-age=5\r\n"),
      5s);
}

TEST(SharedLifetime, IsNothingForWhatIsNotForOthers) {
  for (const char* fields :
       {"Cache-Control: max-age=60, private\r\n", "Cache-Control: no-store\r\n",
        "Cache-Control: no-cache, max-age=60\r\n", "Cache-Control: max-age=60\r\nVary: *\r\n",
        "Cache-Control: max-age=60\r\nVary: Cookie\r\n",
        "Cache-Control: max-age=60\r\nVary: Accept-Encoding, Accept\r\n",
        "Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n"}) {
    EXPECT_EQ(lifetime(fields), std::nullopt) << fields;
  }
  EXPECT_EQ(lifetime("Cache-Control: max-age=60\r\nVary: accept-encoding\r\n"), 60s);
}

bool counts(const std::string& method, const std::string& fields) {
  const std::string text = method + " / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  http::HeadParser parser;
  http::RequestHead head;
  EXPECT_EQ(parser.parse(text, head), http::Progress::kDone);
  return counts_for_others(head);
}

TEST(SharedLifetime, OnlyPlainGetsCountForOthers) {
  EXPECT_TRUE(counts("GET", "Cookie: a=b\r\n"));
  EXPECT_FALSE(counts("HEAD", ""));
  EXPECT_FALSE(counts("GET", "Authorization: Basic YTpi\r\n"));
  EXPECT_FALSE(counts("GET", "Range: bytes=0-1\r\n"));
  EXPECT_FALSE(counts("GET", "Cache-Control: no-store\r\n"));
}

}  // namespace
}  // namespace tandem
