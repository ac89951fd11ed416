#include "lb/core/replaced_tokens.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

SessionToken token(std::uint64_t session) {
  SessionToken made;
  made.session = SessionId{session, 1};
  made.epoch = Epoch{1, ServerId{7}};
  made.issued = 1000;
  return made;
}

TEST(ReplacedTokens, EachIsTheFirstOnce) {
  ReplacedTokens replaced;
  for (std::uint64_t session = 1; session <= 100; ++session) {
    EXPECT_TRUE(replaced.first(token(session)));
    EXPECT_FALSE(replaced.first(token(session)));
  }
}

// What a takeover or a renewal makes of it is another one.
TEST(ReplacedTokens, WhatDiffersInAnythingIsAnotherToken) {
  ReplacedTokens replaced;
  SessionToken changed = token(1);
  EXPECT_TRUE(replaced.first(changed));
  changed.epoch.counter = 2;
  EXPECT_TRUE(replaced.first(changed));
  changed.epoch.server = ServerId{8};
  EXPECT_TRUE(replaced.first(changed));
  changed.alternate = ServerId{7};
  EXPECT_TRUE(replaced.first(changed));
  changed.issued = 1001;
  EXPECT_TRUE(replaced.first(changed));
  EXPECT_FALSE(replaced.first(changed));
}

TEST(ReplacedTokens, TheOldestGiveWay) {
  ReplacedTokens replaced;
  for (std::uint64_t session = 1; session <= 20 * ReplacedTokens::kRememberedMax; ++session) {
    EXPECT_TRUE(replaced.first(token(session)));
  }
  EXPECT_TRUE(replaced.first(token(1)));
  EXPECT_FALSE(replaced.first(token(1)));
}

}  // namespace
}  // namespace tandem
