#include "common/crypto/sealer.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/crypto/hkdf.h"

namespace tandem {
namespace {

using Bytes = std::vector<std::uint8_t>;

Sealer::Key key_of(std::uint8_t seed) {
  Sealer::Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(seed + i);
  return key;
}

Bytes bytes_of(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  return bytes;
}

TEST(Hkdf, IsThatOfRfc5869TestCase1) {
  const Bytes secret(22, 0x0b);
  const Bytes salt = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::string info = "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9";
  const Bytes expected = {0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f,
                          0x64, 0xd0, 0x36, 0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf, 0x1a,
                          0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf, 0x34,
                          0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65};
  Bytes derived(expected.size());
  hkdf_sha256(secret, salt, info, derived);
  EXPECT_EQ(derived, expected);
}

TEST(Hkdf, LabelsSeparate) {
  const Bytes secret(32, 1);
  Bytes a(32), b(32);
  hkdf_sha256(secret, "a", a);
  hkdf_sha256(secret, "b", b);
  EXPECT_NE(a, b);
}

TEST(Sealer, OpensWhatItSealedAgainAndAgain) {
  Sealer sealer(key_of(1));
  for (const std::size_t size : {1u, 15u, 16u, 17u, 37u, 200u}) {
    const Bytes plain = bytes_of(size);
    Bytes first(size + Sealer::kTagBytes), second(first.size()), opened(size);
    sealer.seal(plain, first);
    sealer.seal(plain, second);
    EXPECT_EQ(first, second);  // SIV is deterministic: nothing is left over from the use before
    EXPECT_TRUE(sealer.open(first, opened));
    EXPECT_EQ(opened, plain);
    EXPECT_TRUE(sealer.open(second, opened));
  }
}

TEST(Sealer, RefusesAnotherKeyAndEveryFlippedBit) {
  Sealer sealer(key_of(1)), other(key_of(2));
  const Bytes plain = bytes_of(37);
  Bytes sealed(plain.size() + Sealer::kTagBytes), opened(plain.size());
  sealer.seal(plain, sealed);
  EXPECT_FALSE(other.open(sealed, opened));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    sealed[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(sealer.open(sealed, opened)) << bit;
    sealed[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
  }
  EXPECT_TRUE(sealer.open(sealed, opened));  // and a failure leaves nothing behind
}

// Computed by another implementation of RFC 5297 (S2V and CTR written out over single AES blocks).
TEST(Sealer, SealsAsRfc5297Says) {
  const Bytes expected = {0x9f, 0xac, 0x59, 0xd7, 0x1a, 0x97, 0x4d, 0xbc, 0x5f, 0xe8, 0x34,
                          0x59, 0x89, 0xa7, 0x24, 0xa8, 0xef, 0x9b, 0xb0, 0x0c, 0x6a, 0xe7,
                          0xa7, 0xeb, 0x7e, 0x6d, 0x47, 0x04, 0x61, 0x3a, 0x09, 0xe2, 0xb4,
                          0x8d, 0xdc, 0x2c, 0x0b, 0x37, 0x97, 0x7a, 0x5e, 0x72, 0x75, 0xe6,
                          0x62, 0x42, 0x78, 0x0a, 0xca, 0x63, 0x36, 0x19, 0xfa};
  Sealer sealer(key_of(1));
  Bytes sealed(expected.size());
  sealer.seal(bytes_of(37), sealed);
  EXPECT_EQ(sealed, expected);
}

TEST(Sealer, RefusesAWrongLength) {
  Sealer sealer(key_of(1));
  Bytes sealed(17), plain(2);
  EXPECT_FALSE(sealer.open(sealed, plain));
}

}  // namespace
}  // namespace tandem
