#include "common/http/cache_control.h"

#include <gtest/gtest.h>

#include "common/http/chars.h"
#include "common/http/number.h"
#include "tests/unit/common/http/heads.h"

namespace tandem::http {
namespace {

TEST(CacheControl, Directives) {
  const CacheControl all = cache_control(
      "No-Store,no-cache , private=\"Set-Cookie, X\", public, must-revalidate, no-transform, "
      "only-if-cached, max-age=60, s-maxage=\"70\"");
  EXPECT_TRUE(all.no_store && all.no_cache && all.is_private && all.is_public);
  EXPECT_TRUE(all.must_revalidate && all.no_transform && all.only_if_cached);
  EXPECT_EQ(all.max_age, 60u);
  EXPECT_EQ(all.s_maxage, 70u);
  const CacheControl none = cache_control("");
  EXPECT_FALSE(none.no_store || none.no_cache || none.is_private || none.is_public);
  EXPECT_FALSE(none.max_age.has_value());
}

TEST(CacheControl, Seconds) {
  EXPECT_EQ(cache_control("max-age=0").max_age, 0u);
  EXPECT_EQ(cache_control("max-age=60, max-age=30").max_age, 30u);
  EXPECT_EQ(cache_control("max-age=-1").max_age, 0u);
  EXPECT_EQ(cache_control("max-age").max_age, 0u);
  EXPECT_EQ(cache_control("max-age=1.5").max_age, 0u);
  EXPECT_EQ(cache_control("max-age=99999999999999999999").max_age, std::uint64_t{INT64_MAX});
}

TEST(CacheControl, WhatARequestTakesOrWants) {
  EXPECT_EQ(cache_control("max-stale=5").max_stale, 5u);
  EXPECT_EQ(cache_control("max-stale").max_stale, kLengthMax) << "however stale";
  EXPECT_EQ(cache_control("max-stale, max-stale=5").max_stale, 5u);
  EXPECT_EQ(cache_control("max-stale=").max_stale, 0u);
  EXPECT_EQ(cache_control("min-fresh=5, min-fresh=9").min_fresh, 9u);
  EXPECT_EQ(cache_control("min-fresh=soon").min_fresh, kLengthMax) << "never fresh enough";
  const CacheControl stale =
      cache_control("stale-if-error=60, stale-while-revalidate=x, must-understand");
  EXPECT_EQ(stale.stale_if_error, 60u);
  EXPECT_EQ(stale.stale_while_revalidate, 0u);
  EXPECT_TRUE(stale.must_understand);
}

TEST(CacheControl, QuotedTextIsNoDirective) {
  EXPECT_FALSE(cache_control("x=\"no-store, no-cache\"").no_store);
  EXPECT_FALSE(cache_control("x=\"a\\\", no-store, \"").no_store);
  EXPECT_TRUE(cache_control("x=\"a\", no-store").no_store);
  EXPECT_FALSE(cache_control("no-stored, xno-store").no_store);
}

TEST(CacheControl, OfAllFields) {
  const Response response(
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=5\r\nA: b\r\ncache-control: no-cache\r\n\r\n");
  const CacheControl control = cache_control(response.head);
  EXPECT_TRUE(control.no_cache);
  EXPECT_EQ(control.max_age, 5u);
}

}  // namespace
}  // namespace tandem::http
