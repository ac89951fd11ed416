#include "common/http/scan.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem::http::internal {
namespace {

// Every byte at every place of a text longer than two blocks: the scans by blocks find just what
// the table says.
TEST(Scan, BlocksAgreeWithTheTable) {
  for (std::size_t size : {1, 15, 16, 17, 40}) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(c);
        const char* const begin = text.data();
        const char* const end = begin + size;
        ASSERT_EQ(skip_value(begin, end), skip(kValueChar, begin, end)) << c << " at " << at;
        ASSERT_EQ(skip_target(begin, end), skip(kTargetChar, begin, end)) << c << " at " << at;
      }
    }
  }
}

TEST(Scan, ClassesOfBytes) {
  EXPECT_TRUE(is_token("!#$%&'*+-.^_`|~azAZ09"));
  for (char c : std::string_view("\0\t ()<>@,;:\\\"/[]?={}\x7f\x80\xff", 24)) {
    EXPECT_FALSE(is(kTokenChar, c)) << static_cast<int>(c);
  }
  EXPECT_FALSE(is_token(""));
  EXPECT_TRUE(is(kValueChar, '\t') && is(kValueChar, ' ') && is(kValueChar, '\xff'));
  EXPECT_FALSE(is(kValueChar, '\0') || is(kValueChar, '\x1f') || is(kValueChar, '\x7f'));
  EXPECT_FALSE(is(kTargetChar, ' ') || is(kTargetChar, '#') || is(kTargetChar, '\x80'));
  EXPECT_FALSE(is(kEtagChar, '"') || is(kEtagChar, ' ') || is(kEtagChar, '\x7f'));
  EXPECT_TRUE(is(kEtagChar, '!') && is(kEtagChar, '#') && is(kEtagChar, '\x80'));
}

}  // namespace
}  // namespace tandem::http::internal
