#include "common/crypto/digest.h"

#include <gtest/gtest.h>

#include "common/crypto/base64url.h"

namespace tandem {
namespace {

TEST(Sha256, OfAbcIsThatOfFips180) {
  const Digest256 expected = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                              0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                              0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  EXPECT_EQ(sha256("abc"), expected);
  EXPECT_EQ(sha256("abc"), expected);  // the reused context begins afresh
  const Digest128 cut = sha256_128("abc");
  EXPECT_TRUE(std::equal(cut.begin(), cut.end(), expected.begin()));
}

TEST(Sha256, OfNothing) { EXPECT_EQ(sha256("")[0], 0xe3); }

TEST(Crc32, IsThatOfZlib) {
  EXPECT_EQ(crc32_of("123456789"), 0xcbf43926u);
  EXPECT_EQ(crc32_of(""), 0u);
  EXPECT_EQ(crc32_of("6789", crc32_of("12345")), 0xcbf43926u);
}

TEST(Base64url, EncodesWhatRfc4648Lists) {
  const auto encode = [](std::string_view bytes) {
    return base64url_encode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  };
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg");
  EXPECT_EQ(encode("fo"), "Zm8");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foob"), "Zm9vYg");
  EXPECT_EQ(encode("\xff\xef\xfe"), "_-_-");
}

TEST(Base64url, DecodesOnlyTheOneText) {
  std::array<std::uint8_t, 2> two{};
  EXPECT_TRUE(base64url_decode("Zm8", two));
  EXPECT_EQ(two[0], 'f');
  EXPECT_EQ(two[1], 'o');
  EXPECT_FALSE(base64url_decode("Zm9", two));   // spare bits
  EXPECT_FALSE(base64url_decode("Zm8=", two));  // padding
  EXPECT_FALSE(base64url_decode("Zm", two));    // too short
  EXPECT_FALSE(base64url_decode("Z+8", two));   // the other alphabet
  EXPECT_FALSE(
      base64url_decode("Z\xff"
                       "8",
                       two));
}

}  // namespace
}  // namespace tandem
