#include "common/http/list.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/http/number.h"

namespace tandem::http {
namespace {

TEST(TokenList, MembersWithoutSpaceAndWithoutEmptyOnes) {
  std::vector<std::string> members;
  for (TokenList list(" a,,b\t, ,c d ,"); list.next();) members.emplace_back(list.member());
  EXPECT_EQ(members, (std::vector<std::string>{"a", "b", "c d"}));
  EXPECT_FALSE(TokenList("").next());
  EXPECT_FALSE(TokenList(" , ").next());
}

TEST(TokenList, ContainsWithoutRegardToCase) {
  EXPECT_TRUE(list_contains("keep-alive, Upgrade", "upgrade"));
  EXPECT_FALSE(list_contains("keep-alive, Upgrades", "upgrade"));
  EXPECT_FALSE(list_contains("", "upgrade"));
}

TEST(Decimal, DigitsAlone) {
  std::uint64_t n = 7;
  EXPECT_TRUE(parse_decimal("0", n) && n == 0);
  EXPECT_TRUE(parse_decimal("9223372036854775807", n) && n == kLengthMax);
  for (const char* text : {"", "+1", "-1", " 1", "1 ", "1a", "9223372036854775808",
                           "18446744073709551616", "99999999999999999999"}) {
    n = 7;
    EXPECT_FALSE(parse_decimal(text, n)) << text;
    EXPECT_EQ(n, 7u);
  }
}

}  // namespace
}  // namespace tandem::http
