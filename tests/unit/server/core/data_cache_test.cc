// Flights, bounds, and what ends before its time; the rules are in data_cache_rules_test.cc.
#include "server/core/data_cache.h"

#include <gtest/gtest.h>

#include "common/http/head_parser.h"

namespace tandem {
namespace {

using Do = DataCache::Verdict::Do;
using LandingDo = DataCache::Landing::Do;
using Release = DataCache::Release;
using Tickets = std::vector<DataCache::Ticket>;

constexpr UnixSeconds kWall = 1'700'000'000;
constexpr const char* kForAll = "Cache-Control: max-age=60\r\n";

class DataCacheTest : public ::testing::Test {
 protected:
  static DataCacheOptions options() {
    DataCacheOptions options;
    options.bytes_max = 10000;
    options.item_bytes_max = 1000;
    options.waiters_max = 3;
    options.passes_max = 2;
    return options;
  }

  // The head refers to text that is kept here.
  const http::RequestHead& get(const std::string& target, const std::string& fields = "") {
    texts_.push_back("GET " + target + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
    requests_.emplace_back();
    http::HeadParser parser;
    EXPECT_EQ(parser.parse(texts_.back(), requests_.back()), http::Progress::kDone);
    return requests_.back();
  }
  DataCache::Verdict ask(const std::string& target, DataCache::Ticket ticket,
                         DataCache::Attempt attempt = {}, const std::string& fields = "") {
    return cache_.on_request({now_, get(target, fields), version_, versioned_}, ticket, attempt);
  }
  DataCache::Landing answer(DataCache::FlightId flight, const std::string& target,
                            const std::string& fields, int status = 200,
                            const std::string& of_request = "") {
    texts_.push_back("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 4\r\n" + fields +
                     "\r\n");
    http::ResponseHead head;
    http::HeadParser parser;
    EXPECT_EQ(parser.parse(texts_.back(), head), http::Progress::kDone);
    return cache_.on_response(flight, now_, kWall, get(target, of_request), head,
                              {http::BodyKind::kLength, 4});
  }
  DataCache::Waiters complete(DataCache::FlightId flight, const std::string& target,
                              std::string body = "body") {
    return cache_.on_complete(flight, get(target),
                              std::make_shared<const std::string>(std::move(body)));
  }
  void store(const std::string& target, const std::string& fields = kForAll,
             std::string body = "body") {
    const auto verdict = ask(target, 99, {.alone = true});
    ASSERT_EQ(verdict.what, Do::kFetch);
    ASSERT_EQ(answer(verdict.flight, target, fields).what, LandingDo::kCollect);
    complete(verdict.flight, target, std::move(body));
  }

  Instant now_ = Instant{} + 1000s;
  std::optional<std::uint64_t> version_;
  bool versioned_ = false;
  std::list<std::string> texts_;
  std::list<http::RequestHead> requests_;
  DataCache cache_{options()};
};

TEST_F(DataCacheTest, WhoComesWhileOneAsksWaitsForItsAnswer) {
  const auto first = ask("/a", 1);
  ASSERT_EQ(first.what, Do::kFetch);
  for (DataCache::Ticket ticket : {2, 3}) {
    const auto other = ask("/a", ticket);
    EXPECT_EQ(other.what, Do::kWait);
    EXPECT_EQ(other.flight, first.flight);
  }
  EXPECT_EQ(ask("/b", 4).what, Do::kFetch) << "another item";
  EXPECT_TRUE(answer(first.flight, "/a", kForAll).waiters.tickets.empty());
  const auto waiters = complete(first.flight, "/a");
  EXPECT_EQ(waiters.tickets, (Tickets{2, 3}));
  EXPECT_EQ(waiters.release, Release::kLanded);
  const auto served = ask("/a", 2, DataCache::Attempt{}.after(waiters.release));
  EXPECT_EQ(served.what, Do::kServe);
  EXPECT_TRUE(served.outcome.collapsed);
  EXPECT_EQ(*served.stored->body, "body");
}

TEST_F(DataCacheTest, WhatIsNotForOthersSendsEachByItselfAndTheNextWaitForNobody) {
  const auto first = ask("/a", 1);
  ask("/a", 2);
  ask("/a", 3);
  const auto landing = answer(first.flight, "/a", "Cache-Control: private\r\n");
  EXPECT_EQ(landing.what, LandingDo::kRelay);
  EXPECT_EQ(landing.waiters.tickets, (Tickets{2, 3}));
  EXPECT_EQ(landing.waiters.release, Release::kAlone);
  const auto alone = DataCache::Attempt{}.after(Release::kAlone);
  EXPECT_EQ(ask("/a", 2, alone).what, Do::kFetch);
  EXPECT_EQ(ask("/a", 3, alone).what, Do::kFetch);
  EXPECT_EQ(ask("/a", 4).what, Do::kFetch) << "it is remembered";
  now_ += options().pass_time;
  EXPECT_EQ(ask("/a", 5).what, Do::kFetch);
  EXPECT_EQ(ask("/a", 6).what, Do::kWait) << "for a while";
}

TEST_F(DataCacheTest, WhatHasToBeValidatedEachTimeReleasesTheWaitersWithTheHead) {
  const auto first = ask("/a", 1);
  ask("/a", 2);
  const auto landing = answer(first.flight, "/a", "Cache-Control: no-cache\r\nETag: \"1\"\r\n");
  EXPECT_EQ(landing.what, LandingDo::kCollect);
  EXPECT_EQ(landing.waiters.tickets, Tickets{2});
  EXPECT_EQ(landing.waiters.release, Release::kAlone);
  EXPECT_TRUE(complete(first.flight, "/a").tickets.empty());
  EXPECT_EQ(ask("/a", 3).stored->etag, "\"1\"");
}

TEST_F(DataCacheTest, ADeadFlightIsFollowedByExactlyOneMore) {
  const auto first = ask("/a", 1);
  ask("/a", 2);
  ask("/a", 3);
  const auto death = cache_.on_failure(first.flight, now_, get("/a"));
  EXPECT_EQ(death.stored, nullptr);
  EXPECT_EQ(death.waiters.tickets, (Tickets{2, 3}));
  ASSERT_EQ(death.waiters.release, Release::kDied);
  const auto once = DataCache::Attempt{}.after(Release::kDied);
  const auto second = ask("/a", 2, once);
  EXPECT_EQ(second.what, Do::kFetch);
  EXPECT_EQ(ask("/a", 3, once).what, Do::kWait) << "one more, not one for each";
  const auto again = answer(second.flight, "/a", "", 503);
  EXPECT_EQ(again.what, LandingDo::kRelay) << "a source that says that it is ill";
  EXPECT_EQ(again.waiters.release, Release::kDied);
  EXPECT_EQ(ask("/a", 3, once.after(Release::kDied)).what, Do::kUnavailable);
  EXPECT_EQ(cache_.counts().dead_flights, 2u);
}

TEST_F(DataCacheTest, WaitersOfADeadFlightGetWhatIsStaleIfTheyMay) {
  store("/a", "Cache-Control: max-age=1, stale-if-error=60\r\n");
  now_ += 5s;
  const auto first = ask("/a", 1);
  ask("/a", 2);
  const auto death = cache_.on_failure(first.flight, now_, get("/a"));
  EXPECT_NE(death.stored, nullptr);
  EXPECT_EQ(ask("/a", 2, DataCache::Attempt{}.after(Release::kDied)).what, Do::kServe);
  EXPECT_EQ(ask("/a", 3).what, Do::kFetch) << "who comes later asks again";
}

TEST_F(DataCacheTest, WaitersAreBounded) {
  const auto first = ask("/a", 1);
  for (DataCache::Ticket ticket : {2, 3, 4}) EXPECT_EQ(ask("/a", ticket).what, Do::kWait);
  EXPECT_EQ(ask("/a", 5).what, Do::kFetch);
  EXPECT_EQ(cache_.counts().crowded, 1u);
  cache_.leave(first.flight, 3);
  EXPECT_EQ(cache_.waiters(), 2u);
  EXPECT_EQ(ask("/a", 6).what, Do::kWait);
  answer(first.flight, "/a", kForAll);
  EXPECT_EQ(complete(first.flight, "/a").tickets, (Tickets{2, 4, 6}));
  EXPECT_EQ(cache_.waiters(), 0u);
}

TEST_F(DataCacheTest, WhoWantsTheOriginsWordJoinsNobody) {
  const auto first = ask("/a", 1);
  EXPECT_EQ(ask("/a", 2, {}, "Cache-Control: no-cache\r\n").what, Do::kFetch);
  EXPECT_EQ(ask("/a", 3, {}, "Authorization: x\r\n").what, Do::kFetch);
  EXPECT_EQ(ask("/a", 4, {}, "Range: bytes=0-1\r\n").what, Do::kPass);
  EXPECT_TRUE(cache_.has_waiters(first.flight) == false);
}

TEST_F(DataCacheTest, SelectionsThatAreKnownFlyApart) {
  store("/a", "Cache-Control: max-age=1\r\nVary: Accept\r\n");
  now_ += 2s;
  const auto one = ask("/a", 1, {}, "Accept: x\r\n");
  EXPECT_EQ(ask("/a", 2, {}, "Accept: y\r\n").what, Do::kFetch);
  EXPECT_EQ(ask("/a", 3, {}, "Accept: x\r\n").what, Do::kWait);
  EXPECT_TRUE(cache_.has_waiters(one.flight));
}

TEST_F(DataCacheTest, WhoWaitedForAnotherSelectionAsksForItsOwn) {
  const auto first = ask("/a", 1, {}, "Accept: x\r\n");
  EXPECT_EQ(ask("/a", 2, {}, "Accept: y\r\n").what, Do::kWait);
  answer(first.flight, "/a", std::string(kForAll) + "Vary: Accept\r\n", 200, "Accept: x\r\n");
  cache_.on_complete(first.flight, get("/a", "Accept: x\r\n"),
                     std::make_shared<const std::string>("for x"));
  const auto once = DataCache::Attempt{}.after(Release::kLanded);
  EXPECT_EQ(ask("/a", 2, once, "Accept: y\r\n").what, Do::kFetch);
  EXPECT_EQ(ask("/a", 3, once, "Accept: x\r\n").what, Do::kServe);
}

TEST_F(DataCacheTest, AnInvalidationDetachesWhatIsUnderWay) {
  const auto first = ask("/a", 1);
  ask("/a", 2);
  cache_.invalidate(ItemKey::of("/a"));
  const auto later = ask("/a", 3);
  EXPECT_EQ(later.what, Do::kFetch) << "what is under way may be from before the write";
  EXPECT_EQ(answer(first.flight, "/a", kForAll).what, LandingDo::kRelay);
  EXPECT_EQ(cache_.store().size(), 0u);
  EXPECT_EQ(answer(later.flight, "/a", kForAll).what, LandingDo::kCollect);
  cache_.invalidate(ItemKey::of("/a"));
  complete(later.flight, "/a");
  EXPECT_EQ(cache_.store().size(), 0u) << "nor what was half there";
}

TEST_F(DataCacheTest, AValidationThatAnInvalidationOvertookIsNotStored) {
  store("/a", "Cache-Control: max-age=1\r\nETag: \"1\"\r\n");
  now_ += 2s;
  const auto first = ask("/a", 1);
  ASSERT_NE(first.stored, nullptr);
  cache_.invalidate(ItemKey::of("/a"));
  EXPECT_EQ(answer(first.flight, "/a", "Cache-Control: max-age=60\r\n", 304).what,
            LandingDo::kServe);
  EXPECT_EQ(cache_.store().size(), 0u);
}

TEST_F(DataCacheTest, AnItemIsInvalidatedAtAllHosts) {
  store("/a");
  EXPECT_EQ(cache_.store().size(), 1u);
  cache_.invalidate(ItemKey::of("/b"));
  EXPECT_EQ(cache_.store().size(), 1u);
  cache_.invalidate(ItemKey::of("/a"));
  EXPECT_EQ(cache_.store().size(), 0u);
  EXPECT_EQ(cache_.counts().invalidated, 1u);
}

TEST_F(DataCacheTest, ForgetsByTarget) {
  store("/news/1");
  store("/news/2");
  store("/map/1");
  const auto flight = ask("/news/3", 1);
  cache_.forget([](std::string_view target) { return target.starts_with("/news/"); });
  EXPECT_EQ(cache_.store().size(), 1u);
  EXPECT_EQ(cache_.counts().forgotten, 2u);
  EXPECT_EQ(ask("/map/1", 2).what, Do::kServe);
  EXPECT_EQ(answer(flight.flight, "/news/3", kForAll).what, LandingDo::kRelay);
}

TEST_F(DataCacheTest, BytesAreBoundedTheLeastRecentlyUsedGoing) {
  for (const char* target : {"/1", "/2", "/3", "/4", "/5", "/6"}) {
    store(target, kForAll, std::string(900, 'x'));
  }
  EXPECT_EQ(ask("/1", 1).what, Do::kServe) << "it is used";
  store("/7", kForAll, std::string(900, 'x'));
  EXPECT_EQ(cache_.store().evicted(), 1u);
  EXPECT_LE(cache_.store().bytes(), options().bytes_max);
  EXPECT_EQ(ask("/1", 1).what, Do::kServe);
  EXPECT_EQ(ask("/2", 1).what, Do::kFetch);
}

TEST_F(DataCacheTest, VariantsOfOneItemAreBounded) {
  DataCacheOptions roomy = options();
  roomy.bytes_max = 1 << 20;
  DataCache cache{roomy};
  for (std::size_t i = 0; i <= CacheStore::kVariantsMax; ++i) {
    const std::string field = "Accept: " + std::to_string(i) + "\r\n";
    const auto verdict = cache.on_request({now_, get("/a", field), {}}, 1, {});
    http::ResponseHead head;
    http::HeadParser parser;
    texts_.push_back("HTTP/1.1 200 X\r\nVary: Accept\r\nContent-Length: 1\r\n" +
                     std::string(kForAll) + "\r\n");
    ASSERT_EQ(parser.parse(texts_.back(), head), http::Progress::kDone);
    cache.on_response(verdict.flight, now_, kWall, get("/a", field), head,
                      {http::BodyKind::kLength, 1});
    cache.on_complete(verdict.flight, get("/a", field), std::make_shared<const std::string>("x"));
  }
  EXPECT_EQ(cache.store().size(), CacheStore::kVariantsMax);
  EXPECT_EQ(cache.store().evicted(), 1u);
}

TEST_F(DataCacheTest, ALargeBodyIsNotStored) {
  const auto told = ask("/a", 1);
  http::ResponseHead head;
  http::HeadParser parser;
  texts_.push_back("HTTP/1.1 200 X\r\nContent-Length: 1001\r\n" + std::string(kForAll) + "\r\n");
  ASSERT_EQ(parser.parse(texts_.back(), head), http::Progress::kDone);
  EXPECT_EQ(
      cache_.on_response(told.flight, now_, kWall, get("/a"), head, {http::BodyKind::kLength, 1001})
          .what,
      LandingDo::kRelay);
  const auto untold = ask("/b", 1);
  ask("/b", 2);
  EXPECT_EQ(
      cache_.on_response(untold.flight, now_, kWall, get("/b"), head, {http::BodyKind::kChunked, 0})
          .what,
      LandingDo::kCollect);
  const auto waiters = cache_.on_too_large(untold.flight, now_);
  EXPECT_EQ(waiters.tickets, Tickets{2});
  EXPECT_EQ(waiters.release, Release::kAlone);
  EXPECT_EQ(ask("/b", 3).what, Do::kFetch);
  EXPECT_EQ(ask("/b", 4).what, Do::kFetch) << "it is remembered";
}

TEST_F(DataCacheTest, ABodyThatEndsWithItsConnectionIsNotStored) {
  const auto first = ask("/a", 1);
  http::ResponseHead head;
  http::HeadParser parser;
  texts_.push_back("HTTP/1.1 200 X\r\n" + std::string(kForAll) + "\r\n");
  ASSERT_EQ(parser.parse(texts_.back(), head), http::Progress::kDone);
  EXPECT_EQ(
      cache_
          .on_response(first.flight, now_, kWall, get("/a"), head, {http::BodyKind::kUntilClose, 0})
          .what,
      LandingDo::kRelay);
}

TEST_F(DataCacheTest, StaleWhileRevalidateBeginsOneFlight) {
  store("/a", "Cache-Control: max-age=1, stale-while-revalidate=60\r\n");
  now_ += 5s;
  const auto first = ask("/a", 1);
  EXPECT_EQ(first.what, Do::kServe);
  EXPECT_NE(first.flight, 0u);
  const auto second = ask("/a", 2);
  EXPECT_EQ(second.what, Do::kServe);
  EXPECT_EQ(second.flight, 0u) << "one is on its way";
  cache_.on_failure(first.flight, now_, get("/a"));
  EXPECT_NE(ask("/a", 3).flight, 0u);
}

TEST_F(DataCacheTest, WithVersionsOfTheSourceAnItemIsFreshWhileItIsTheSame) {
  version_ = 7;
  store("/a", "");
  now_ += 24h;
  EXPECT_EQ(ask("/a", 1).what, Do::kServe);
  version_ = 8;
  EXPECT_EQ(ask("/a", 2).what, Do::kFetch);
  version_.reset();
  EXPECT_EQ(ask("/a", 3).what, Do::kWait) << "the source cannot say";
}

// By the time it would be served long after the source has another version.
TEST_F(DataCacheTest, WhatCameWhileTheSourceCouldNotTellItsVersionIsNotStored) {
  versioned_ = true;
  version_ = 7;
  store("/a", "Cache-Control: max-age=60, stale-if-error=60\r\nETag: \"1\"\r\n");
  version_.reset();
  const auto first = ask("/a", 1), other = ask("/b", 2);
  ASSERT_EQ(first.what, Do::kFetch);
  EXPECT_EQ(ask("/b", 3).what, Do::kWait);
  EXPECT_EQ(answer(first.flight, "/a", "ETag: \"1\"\r\n", 304).what, LandingDo::kServe);
  const auto landing = answer(other.flight, "/b", kForAll);
  EXPECT_EQ(landing.what, LandingDo::kRelay);
  EXPECT_EQ(landing.waiters.tickets, Tickets{3});
  EXPECT_EQ(landing.waiters.release, Release::kLanded);
  version_ = 8;
  EXPECT_EQ(ask("/a", 4).what, Do::kFetch);
  EXPECT_EQ(ask("/b", 5).what, Do::kFetch);
  EXPECT_EQ(ask("/b", 6).what, Do::kWait) << "it is for others";
  version_ = 7;
  EXPECT_EQ(ask("/a", 7).what, Do::kServe) << "that one was not dropped either";
}

TEST_F(DataCacheTest, WhatHadTheSourcesVersionIsStaleOnlySinceTheSourceIsGone) {
  version_ = 7;
  store("/a", "Cache-Control: max-age=0, stale-if-error=60\r\n");
  now_ += 1h;
  const auto fresh = ask("/a", 1);
  ASSERT_EQ(fresh.what, Do::kServe);
  EXPECT_EQ(fresh.outcome.age, Duration{0}) << "the source has just said so";
  version_.reset();
  for (const auto& [later, serves] : {std::pair(59s, true), std::pair(2s, false)}) {
    now_ += later;
    const auto fetch = ask("/a", 2);
    ASSERT_EQ(fetch.what, Do::kFetch);
    const auto death = cache_.on_failure(fetch.flight, now_, get("/a"));
    EXPECT_EQ(death.stored != nullptr, serves);
    EXPECT_EQ(death.outcome.age == Duration{59s}, serves);
  }
}

TEST_F(DataCacheTest, TheLimitOfPassesHolds) {
  for (const char* target : {"/1", "/2", "/3"}) {
    const auto verdict = ask(target, 1);
    answer(verdict.flight, target, "Cache-Control: private\r\n");
  }
  ask("/1", 1);
  EXPECT_EQ(ask("/1", 2).what, Do::kWait) << "the longest remembered went";
  ask("/3", 1);
  EXPECT_EQ(ask("/3", 2).what, Do::kFetch);
}

TEST_F(DataCacheTest, ACancelledFlightIsGone) {
  const auto first = ask("/a", 1);
  cache_.on_cancelled(first.flight);
  EXPECT_EQ(cache_.flights(), 0u);
  EXPECT_EQ(ask("/a", 2).what, Do::kFetch);
}

}  // namespace
}  // namespace tandem
