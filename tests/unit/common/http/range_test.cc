#include "common/http/range.h"

#include <gtest/gtest.h>

namespace tandem::http {
namespace {

using Kind = ByteRange::Kind;
constexpr ByteRange kWhole{};
constexpr ByteRange kNone{Kind::kUnsatisfiable, 0, 0};

TEST(Range, OnePartOfTheWhole) {
  EXPECT_EQ(parse_range("bytes=0-4", 10), (ByteRange{Kind::kPart, 0, 5}));
  EXPECT_EQ(parse_range("Bytes= 3-3 ", 10), (ByteRange{Kind::kPart, 3, 1}));
  EXPECT_EQ(parse_range("bytes=4-", 10), (ByteRange{Kind::kPart, 4, 6}));
  EXPECT_EQ(parse_range("bytes=4-99", 10), (ByteRange{Kind::kPart, 4, 6}));
  EXPECT_EQ(parse_range("bytes=-3", 10), (ByteRange{Kind::kPart, 7, 3}));
  EXPECT_EQ(parse_range("bytes=-30", 10), (ByteRange{Kind::kPart, 0, 10}));
}

TEST(Range, OutsideOfTheWhole) {
  EXPECT_EQ(parse_range("bytes=10-", 10), kNone);
  EXPECT_EQ(parse_range("bytes=-0", 10), kNone);
  EXPECT_EQ(parse_range("bytes=0-0", 0), kNone);
  EXPECT_EQ(parse_range("bytes=-1", 0), kNone);
}

TEST(Range, WhatIsIgnored) {
  for (const char* value :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=2-1", "lines=0-1", "bytes=0-1,3-4",
        "bytes=--1", "bytes=0x1-2", "bytes=99999999999999999999-"}) {
    EXPECT_EQ(parse_range(value, 10), kWhole) << value;
  }
}

}  // namespace
}  // namespace tandem::http
