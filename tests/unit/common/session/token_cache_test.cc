#include "common/session/token_cache.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

constexpr UnixSeconds kNow = 1'700'000'000;

ClusterKeys keys_of(std::uint8_t fill) {
  ClusterKey key;
  key.secret.fill(fill);
  return ClusterKeys({key});
}

SessionToken token_of(std::uint64_t number, std::uint8_t flags = kNoFlags) {
  return SessionToken{.session = {number, 1},
                      .epoch = {1, ServerId{1}},
                      .primary = ServerId{1},
                      .alternate = ServerId{2},
                      .issued = kNow,
                      .flags = flags};
}

struct TokenCacheTest : ::testing::Test {
  TokenCodec codec{keys_of(1)};
  TokenCache cache{codec, {.ttl = 100, .entries_max = 64}};
};

TEST_F(TokenCacheTest, DeciphersOnce) {
  const SealedToken sealed = codec.seal(token_of(1), kNow);
  EXPECT_EQ(cache.open(sealed.view(), kNow).token, token_of(1));
  EXPECT_EQ(cache.open(sealed.view(), kNow).token, token_of(1));
  EXPECT_EQ(cache.counts().opened, 1u);
  EXPECT_EQ(cache.counts().hits, 1u);
}

TEST_F(TokenCacheTest, ChecksTheAgeOnEveryHit) {
  const SealedToken sealed = codec.seal(token_of(1), kNow);
  EXPECT_TRUE(cache.open(sealed.view(), kNow));
  EXPECT_EQ(cache.open(sealed.view(), kNow + 100 + kClockSkewMax + 1).fault, TokenFault::kExpired);
}

TEST_F(TokenCacheTest, ChecksTheKeysOnEveryHit) {
  const SealedToken sealed = codec.seal(token_of(1), kNow);
  EXPECT_TRUE(cache.open(sealed.view(), kNow));
  codec.replace_keys(keys_of(2));
  EXPECT_EQ(cache.open(sealed.view(), kNow).fault, TokenFault::kForged);
}

TEST_F(TokenCacheTest, ComparesTheWholeText) {
  const SealedToken sealed = codec.seal(token_of(1), kNow);
  EXPECT_TRUE(cache.open(sealed.view(), kNow));
  for (std::size_t bit = 0; bit < kTokenLength * 8; ++bit) {
    SealedToken flipped = sealed;
    flipped.text[bit / 8] = static_cast<char>(flipped.text[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(cache.open(flipped.view(), kNow)) << bit;
  }
  for (std::size_t length = 0; length < kTokenLength; ++length) {
    EXPECT_FALSE(cache.open(sealed.view().substr(0, length), kNow));
  }
}

TEST_F(TokenCacheTest, TakesNoRequestTokenFromAClient) {
  const SealedToken sealed = codec.seal(token_of(1, kMustServe), kNow);
  EXPECT_EQ(cache.open_from_client(sealed.view(), kNow).fault, TokenFault::kFlagged);
  EXPECT_TRUE(cache.open(sealed.view(), kNow));
  EXPECT_EQ(cache.open_from_client(sealed.view(), kNow).fault, TokenFault::kFlagged);  // a hit, too
  EXPECT_TRUE(cache.open_from_client(codec.seal(token_of(2), kNow).view(), kNow));
}

TEST_F(TokenCacheTest, TakesALastingTokenFromAClientAtAnyAge) {
  const SealedToken sealed = codec.seal(token_of(1, kLasting), kNow);
  for (const UnixSeconds age : {0, 1000, 1000 * 1000}) {
    EXPECT_TRUE(cache.open_from_client(sealed.view(), kNow + age)) << age;
  }
  EXPECT_EQ(cache.counts().hits, 2u);
  const SealedToken request = codec.seal(token_of(2, kLasting | kMustServe), kNow);
  EXPECT_EQ(cache.open_from_client(request.view(), kNow).fault, TokenFault::kFlagged);
}

TEST_F(TokenCacheTest, AFullSetGivesWay) {
  for (std::uint64_t round = 0; round < 2; ++round) {
    for (std::uint64_t i = 0; i < 1000; ++i) {
      EXPECT_EQ(cache.open(codec.seal(token_of(i), kNow).view(), kNow).token, token_of(i));
    }
  }
  EXPECT_GT(cache.counts().opened, 1000u);
}

}  // namespace
}  // namespace tandem
