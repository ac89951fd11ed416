#include "client/core/cache_rules.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(CacheRules, KeepsWhatHasAValidatorAndMayBeStored) {
  EXPECT_TRUE(may_keep({}, {{"etag", "\"a\""}}));
  EXPECT_TRUE(may_keep({}, {{"ETag", "\"a\""}, {"Cache-Control", "private, no-cache"}}));
  EXPECT_FALSE(may_keep({}, {}));
  EXPECT_FALSE(may_keep({}, {{"ETag", "\"a\""}, {"Cache-Control", "max-age=5, No-Store"}}));
  EXPECT_FALSE(may_keep({{"cache-control", "no-store"}}, {{"ETag", "\"a\""}}));
  EXPECT_FALSE(may_keep({}, {{"ETag", "\"a\""}, {"Vary", "*"}}));
}

TEST(CacheRules, ACallerWhoSetsConditionsGetsTheAnswerToThem) {
  EXPECT_TRUE(may_announce({{"Accept", "text/html"}}));
  for (const char* name : {"If-None-Match", "if-match", "If-Modified-Since", "Range"}) {
    EXPECT_FALSE(may_announce({{name, "x"}})) << name;
  }
}

TEST(CacheRules, FreshnessIsMaxAgeLessAge) {
  EXPECT_EQ(fresh_for({{"Cache-Control", "public, max-age=60"}}), 60);
  EXPECT_EQ(fresh_for({{"Cache-Control", "max-age=\"60\""}, {"Age", "20"}}), 40);
  EXPECT_EQ(fresh_for({{"Cache-Control", "max-age=60"}, {"Age", "61"}}), 0);
  EXPECT_EQ(fresh_for({{"Cache-Control", "max-age=soon"}}), 0);
  EXPECT_EQ(fresh_for({{"Cache-Control", "max-age=60, no-cache"}}), std::nullopt);
  EXPECT_EQ(fresh_for({{"Cache-Control", "max-age=60"}, {"Vary", "Accept"}}), std::nullopt);
  EXPECT_EQ(fresh_for({{"Cache-Control", "s-maxage=60"}}), std::nullopt);
  EXPECT_EQ(fresh_for({}), std::nullopt);
}

TEST(CacheRules, A304BringsNewFieldsButNotAnotherContent) {
  const HeaderFields kept = {{"Content-Type", "text/html"},
                             {"ETag", "\"a\""},
                             {"Date", "old"},
                             {"Link", "1"},
                             {"Link", "2"}};
  const HeaderFields response = {
      {"date", "new"}, {"Content-Type", "text/plain"}, {"Link", "3"}, {"X", "y"}};
  EXPECT_EQ(refreshed(kept, response), (HeaderFields{{"Content-Type", "text/html"},
                                                     {"ETag", "\"a\""},
                                                     {"date", "new"},
                                                     {"Link", "3"},
                                                     {"X", "y"}}));
}

TEST(CacheRules, WhatIsAboutTheSessionIsNotKept) {
  EXPECT_EQ(kept_fields({{"tandem-session", "t"}, {"A", "b"}, {"Connection", "close"}}),
            (HeaderFields{{"A", "b"}}));
}

}  // namespace
}  // namespace tandem
