#include "common/session/token_codec.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem {
namespace {

constexpr UnixSeconds kNow = 1'700'000'000;
constexpr UnixSeconds kTtl = 1800;

ClusterKey key_of(std::uint8_t fill, UnixSeconds seals_from = 0) {
  ClusterKey key;
  key.secret.fill(fill);
  key.seals_from = seals_from;
  return key;
}

SessionToken token_of(std::uint8_t flags = kNoFlags) {
  return SessionToken{.session = {0x0123456789abcdef, 0xfedcba9876543210},
                      .epoch = {7, ServerId{0xaabbccdd}},
                      .primary = ServerId{0x11223344},
                      .alternate = ServerId{0x55667788},
                      .issued = kNow,
                      .flags = flags};
}

TEST(TokenCodec, OpensWhatItSealed) {
  TokenCodec codec{ClusterKeys({key_of(1)})};
  for (const std::uint8_t flags : {0, 1, 2, 4, 7}) {
    const SealedToken sealed = codec.seal(token_of(flags), kNow);
    const auto opened = codec.open(sealed.view(), kNow, kTtl);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened.token, token_of(flags));
  }
}

TEST(TokenCodec, IssuesAtTheTimeOfSealing) {
  TokenCodec codec{ClusterKeys({key_of(1)})};
  const SealedToken sealed = codec.seal(token_of(), kNow + 77);
  EXPECT_EQ(codec.open(sealed.view(), kNow + 77, kTtl).token.issued, kNow + 77);
}

TEST(TokenCodec, RefusesEveryFlippedBit) {
  TokenCodec codec{ClusterKeys({key_of(1), key_of(2)})};
  const SealedToken sealed = codec.seal(token_of(), kNow);
  for (std::size_t bit = 0; bit < kTokenLength * 8; ++bit) {
    SealedToken flipped = sealed;
    flipped.text[bit / 8] = static_cast<char>(flipped.text[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(codec.open(flipped.view(), kNow, kTtl)) << bit;
  }
}

TEST(TokenCodec, RefusesEveryTruncationAndAppendix) {
  TokenCodec codec{ClusterKeys({key_of(1)})};
  const SealedToken sealed = codec.seal(token_of(), kNow);
  for (std::size_t length = 0; length < kTokenLength; ++length) {
    EXPECT_EQ(codec.open(sealed.view().substr(0, length), kNow, kTtl).fault,
              TokenFault::kMalformed);
  }
  EXPECT_FALSE(codec.open(std::string(sealed.view()) + "A", kNow, kTtl));
  EXPECT_FALSE(codec.open(std::string(sealed.view()) + "=", kNow, kTtl));
}

TEST(TokenCodec, RefusesAnotherClustersToken) {
  TokenCodec ours{ClusterKeys({key_of(1)})};
  TokenCodec theirs{ClusterKeys({key_of(2)})};
  const SealedToken sealed = theirs.seal(token_of(), kNow);
  EXPECT_EQ(ours.open(sealed.view(), kNow, kTtl).fault, TokenFault::kForged);
}

TEST(TokenCodec, KeysRotateWithoutLoss) {
  const ClusterKey before = key_of(1, 0);
  const ClusterKey after = key_of(2, kNow);
  TokenCodec old_only{ClusterKeys({before})};
  TokenCodec both{ClusterKeys({before, after})};
  TokenCodec new_only{ClusterKeys({after})};
  const SealedToken early = both.seal(token_of(), kNow - 1);
  const SealedToken late = both.seal(token_of(), kNow);
  EXPECT_TRUE(old_only.open(early.view(), kNow, kTtl));
  EXPECT_TRUE(both.open(early.view(), kNow, kTtl));
  EXPECT_TRUE(both.open(late.view(), kNow, kTtl));
  EXPECT_TRUE(new_only.open(late.view(), kNow, kTtl));
  EXPECT_FALSE(new_only.open(early.view(), kNow, kTtl));
  EXPECT_EQ(both.generation(), 1u);
  both.replace_keys(ClusterKeys({after}));
  EXPECT_EQ(both.generation(), 2u);
  EXPECT_FALSE(both.open(early.view(), kNow, kTtl));
}

TEST(TokenCodec, TokensExpire) {
  TokenCodec codec{ClusterKeys({key_of(1)})};
  const SealedToken own = codec.seal(token_of(), kNow);
  EXPECT_TRUE(codec.open(own.view(), kNow + kTtl + kClockSkewMax, kTtl));
  EXPECT_EQ(codec.open(own.view(), kNow + kTtl + kClockSkewMax + 1, kTtl).fault,
            TokenFault::kExpired);
  const SealedToken request = codec.seal(token_of(kTakeover), kNow);
  const UnixSeconds last = kNow + kRequestTokenLife + kClockSkewMax;
  EXPECT_TRUE(codec.open(request.view(), last, kTtl));
  EXPECT_FALSE(codec.open(request.view(), last + 1, kTtl));
}

TEST(TokenCodec, ClocksMayDifferALittle) {
  TokenCodec codec{ClusterKeys({key_of(1)})};
  const SealedToken sealed = codec.seal(token_of(), kNow);
  EXPECT_TRUE(codec.open(sealed.view(), kNow - kClockSkewMax, kTtl));
  EXPECT_FALSE(codec.open(sealed.view(), kNow - kClockSkewMax - 1, kTtl));
}

TEST(TokenCodec, ALastingTokenEndsWithItsKeyOnly) {
  TokenCodec codec{ClusterKeys({key_of(1)})};
  const SealedToken sealed = codec.seal(token_of(kLasting), kNow);
  EXPECT_TRUE(codec.open(sealed.view(), kNow + 1000 * kTtl, kTtl));
  EXPECT_FALSE(codec.open(sealed.view(), kNow - kClockSkewMax - 1, kTtl));
  codec.replace_keys(ClusterKeys({key_of(2)}));
  EXPECT_EQ(codec.open(sealed.view(), kNow, kTtl).fault, TokenFault::kForged);
  // For one request it is as short-lived as any.
  const SealedToken request = codec.seal(token_of(kLasting | kTakeover), kNow);
  EXPECT_FALSE(codec.open(request.view(), kNow + kRequestTokenLife + kClockSkewMax + 1, kTtl));
}

}  // namespace
}  // namespace tandem
