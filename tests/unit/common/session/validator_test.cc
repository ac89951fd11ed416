#include "common/session/validator.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Validator, IsWrittenAsAStrongEntityTag) {
  EXPECT_EQ(Validator::of("abc").etag(), "\"352441c2-3-ungWv48Bz-pBQUDeXa4iIw\"");
  EXPECT_EQ(Validator::of("abc", false).etag(), "\"352441c2-3-\"");
  EXPECT_EQ(Validator::of("", false).etag(), "\"00000000-0-\"");
}

TEST(Validator, ReadsWhatItWrites) {
  for (const bool with_digest : {true, false}) {
    for (const std::string content : {"", "a", "abc"}) {
      const Validator validator = Validator::of(content, with_digest);
      EXPECT_EQ(Validator::parse(validator.etag()), validator);
    }
  }
  Validator longest;
  longest.length = ~std::uint64_t{0} - 1;
  longest.has_digest = true;
  EXPECT_EQ(longest.etag().size(), Validator::kEtagBytesMax);
  EXPECT_EQ(Validator::parse(longest.etag()), longest);
}

TEST(Validator, TakesNothingElseForOneOfOurs) {
  for (const char* etag : {"",
                           "\"",
                           "\"\"",
                           "352441c2-3",
                           "W/\"352441c2-3-\"",
                           "\"352441c2\"",
                           "\"352441c2-\"",
                           "\"352441c2-3\"",    // an nginx has such ones
                           "\"6592b3f1-400\"",  // of modification time and length
                           "\"352441c2-3--\"",
                           "\"352441C2-3-\"",
                           "\"352441c-3-\"",
                           "\"0x2441c2-3-\"",
                           "\"352441c2-03-\"",
                           "\"352441c2-+3-\"",
                           "\"352441c2--3-\"",
                           "\"352441c2-99999999999999999999-\"",
                           "\"352441c2-3-ungWv48Bz-pBQUDeXa4iI\"",
                           "\"352441c2-3-ungWv48Bz-pBQUDeXa4iIx\"",
                           "\"352441c2-3-ungWv48Bz+pBQUDeXa4iIw\"",
                           "\"352441c2-3x\"",
                           "\"-3-\""}) {
    EXPECT_FALSE(Validator::parse(etag)) << etag;
  }
}

TEST(Validator, MatchesItsContentAlone) {
  for (const bool with_digest : {true, false}) {
    const Validator validator = Validator::of("content", with_digest);
    EXPECT_TRUE(matches(validator, "content"));
    EXPECT_FALSE(matches(validator, "Content"));
    EXPECT_FALSE(matches(validator, "content "));
  }
}

TEST(Validator, TheDigestConfirmsAnEqualCrc) {
  // Two texts of equal length and equal CRC-32.
  const std::string a = "plumless";
  const std::string b = "buckeroo";
  EXPECT_TRUE(matches(Validator::of(a, false), b));
  EXPECT_FALSE(matches(Validator::of(a, true), b));
}

}  // namespace
}  // namespace tandem
