#include "common/http/date.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem::http {
namespace {

std::string text_of(UnixSeconds when) {
  const DateText text = format_date(when);
  return {text.data(), text.size()};
}

TEST(Date, FormattedAndReadBack) {
  struct Row {
    UnixSeconds when;
    const char* text;
  };
  for (const Row& row : {
           Row{784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
           Row{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
           Row{951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
           Row{4107542399, "Sun, 28 Feb 2100 23:59:59 GMT"},
           Row{253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
       }) {
    EXPECT_EQ(text_of(row.when), row.text);
    EXPECT_EQ(parse_date(row.text), row.when);
  }
  EXPECT_EQ(text_of(-5), text_of(0));
  EXPECT_EQ(text_of(INT64_MAX), text_of(253402300799));
}

TEST(Date, ObsoleteForms) {
  EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994"), 784111777);
  EXPECT_EQ(parse_date("Sun Nov 16 08:49:37 1994"), 784111777 + 10 * 86400);
  EXPECT_EQ(parse_date("Friday, 01-Jan-38 00:00:00 GMT"), 2145916800);
}

TEST(Date, OtherTextIsNoDate) {
  for (const char* text :
       {"", "0", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 29 Feb 2100 00:00:00 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Xun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94"}) {
    EXPECT_FALSE(parse_date(text).has_value()) << text;
  }
}

TEST(DateCache, FollowsTheSecond) {
  DateCache cache;
  EXPECT_EQ(cache.at(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(cache.at(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(cache.at(784111778), "Sun, 06 Nov 1994 08:49:38 GMT");
}

}  // namespace
}  // namespace tandem::http
