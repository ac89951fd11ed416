// When a client is told that its copy is current: only ever of equal content.
#include "server/core/comparison.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "common/crypto/digest.h"

namespace tandem {
namespace {

using Answer = Comparison::Answer;

// Another text of the same length and CRC-32. The sum is linear: what differs is the polynomial
// itself, whose remainder is nought.
std::string twin_of(std::string text) {
  constexpr std::array<unsigned char, 5> kPolynomial{0x41, 0x06, 0x71, 0xdb, 0x01};
  for (std::size_t i = 0; i < kPolynomial.size(); ++i) {
    text[i] = static_cast<char>(static_cast<unsigned char>(text[i]) ^ kPolynomial[i]);
  }
  return text;
}

Answer answer_to(const std::string& content, const Validator& announced, bool with_digest) {
  return compare(content, {&announced, 1}, nullptr, with_digest).answer;
}

TEST(ComparisonTest, EqualSumsAndLengthsOfOtherContentsAreToldApartByTheDigest) {
  const std::string content(64, 'x'), twin = twin_of(content);
  ASSERT_NE(content, twin);
  ASSERT_EQ(crc32_of(content), crc32_of(twin));
  for (const bool with_digest : {true, false}) {
    EXPECT_EQ(answer_to(content, Validator::of(twin, true), with_digest), Answer::kSend);
    EXPECT_EQ(answer_to(content, Validator::of(content, true), with_digest),
              Answer::kReuseByValidator);
  }
}

TEST(ComparisonTest, AnEqualSumOfAnotherLengthIsAnotherContent) {
  const std::string content(64, 'x');
  Validator announced = Validator::of(content, false);
  EXPECT_EQ(answer_to(content, announced, false), Answer::kReuseByValidator);
  EXPECT_EQ(answer_to(content, announced, true), Answer::kReuseByValidator);
  ++announced.length;
  EXPECT_EQ(answer_to(content, announced, false), Answer::kSend);
  EXPECT_EQ(answer_to(content, announced, true), Answer::kSend);
}

}  // namespace
}  // namespace tandem
