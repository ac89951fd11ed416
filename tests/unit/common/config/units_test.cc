#include "common/config/units.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Units, ReadsDurations) {
  EXPECT_EQ(parse_duration("500ms"), Duration(500ms));
  EXPECT_EQ(parse_duration("30s"), Duration(30s));
  EXPECT_EQ(parse_duration("30m"), Duration(30min));
  EXPECT_EQ(parse_duration("1h"), Duration(1h));
  EXPECT_EQ(parse_duration("7d"), Duration(7 * 24h));
  EXPECT_EQ(parse_duration("0s"), Duration(0s));
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(parse_size("512B"), 512u);
  EXPECT_EQ(parse_size("64KiB"), 64u * 1024);
  EXPECT_EQ(parse_size("1MiB"), 1024u * 1024);
  EXPECT_EQ(parse_size("3GiB"), 3ull * 1024 * 1024 * 1024);
}

TEST(Units, SaysWhatIsWrong) {
  EXPECT_EQ(parse_duration("10").error(), "\"10\" lacks a unit; write ms, s, m, h or d");
  EXPECT_EQ(parse_duration("10sec").error(), "unknown unit \"sec\"; write ms, s, m, h or d");
  EXPECT_EQ(parse_duration("1.5s").error(), "unknown unit \".5s\"; write ms, s, m, h or d");
  EXPECT_EQ(parse_duration("-1s").error(),
            "\"-1s\" is not a whole number with a unit (ms, s, m, h or d)");
  EXPECT_EQ(parse_duration("").error(),
            "\"\" is not a whole number with a unit (ms, s, m, h or d)");
  EXPECT_EQ(parse_size("64KB").error(), "unknown unit \"KB\"; write B, KiB, MiB or GiB");
}

TEST(Units, NeverOverflows) {
  EXPECT_EQ(parse_duration("99999999999999999999s").error(),
            "\"99999999999999999999s\" is too large");
  EXPECT_EQ(parse_duration("9223372036854775807h").error(),
            "\"9223372036854775807h\" is too large");
  EXPECT_EQ(parse_duration("9223372036854ms"), Duration(9223372036854ms));
  EXPECT_FALSE(parse_duration("9223372036855ms"));
  EXPECT_FALSE(parse_size("9223372036854775807GiB"));
}

TEST(Units, ShowsInTheLargestUnitThatDivides) {
  EXPECT_EQ(show_duration(90s), "90s");
  EXPECT_EQ(show_duration(60s), "1m");
  EXPECT_EQ(show_duration(24h), "1d");
  EXPECT_EQ(show_duration(0s), "0s");
  EXPECT_EQ(show_size(1000), "1000B");
  EXPECT_EQ(show_size(256 * 1024 * 1024), "256MiB");
  EXPECT_EQ(show_size(0), "0B");
}

}  // namespace
}  // namespace tandem
