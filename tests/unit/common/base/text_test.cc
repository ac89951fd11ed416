#include "common/base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem {
namespace {

TEST(Text, Utf8) {
  for (const char* text : {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "a\xc3\xa4z"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const char* text :
       {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Text, Names) {
  EXPECT_TRUE(is_name("a-B_9.c"));
  EXPECT_TRUE(is_name(""));
  EXPECT_TRUE(is_name(std::string(kNameBytesMax, 'a')));
  EXPECT_FALSE(is_name(std::string(kNameBytesMax + 1, 'a')));
  for (const char* text : {"a b", "a\r\nb", "a;b", "a,b", "a/b", "\xc3\xa4"})
    EXPECT_FALSE(is_name(text));
}

}  // namespace
}  // namespace tandem
