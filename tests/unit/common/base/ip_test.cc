#include "common/base/ip.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }
bool contains(const char* network, const char* address) {
  return IpNetwork::parse(network).value().contains(ip(address));
}

TEST(IpAddress, ReadsWhatItWrites) {
  for (const char* text : {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "fd00::a:1"}) {
    EXPECT_EQ(ip(text).text(), text);
  }
}

TEST(IpAddress, OneOfBothFamiliesIsOne) {
  EXPECT_EQ(ip("::ffff:127.0.0.1"), ip("127.0.0.1"));
  EXPECT_EQ(ip("::ffff:127.0.0.1").text(), "127.0.0.1");
  EXPECT_TRUE(ip("127.0.0.1").is_v4());
  EXPECT_FALSE(ip("::127.0.0.1").is_v4());
}

TEST(IpAddress, RefusesAllElse) {
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", " 1.2.3.4",
                           "1.2.3.4 ", "[::1]", "::1%lo", "localhost", ":::", "1.2.3.4/32"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string(5000, '1')));
}

TEST(IpNetwork, ReadsWhatItWrites) {
  for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "127.0.0.1/32", "fd00::/8", "::/0", "::1/128",
                           "10.0.0.128/25"}) {
    EXPECT_EQ(IpNetwork::parse(text).value().text(), text);
  }
  EXPECT_EQ(IpNetwork::parse("10.1.2.3").value().text(), "10.1.2.3/32");
  EXPECT_EQ(IpNetwork::parse("::1").value().text(), "::1/128");
  EXPECT_EQ(IpNetwork::parse("::ffff:10.0.0.0/104"), IpNetwork::parse("10.0.0.0/8"));
}

TEST(IpNetwork, RefusesAllElse) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1",
                           "10.0.0.0/8x", "10.0.0.1/8", "10.0.0.64/25", "fd00::1/8", "a/8"}) {
    EXPECT_FALSE(IpNetwork::parse(text)) << text;
  }
}

TEST(IpNetwork, Contains) {
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(contains("10.0.0.128/25", "10.0.0.128"));
  EXPECT_FALSE(contains("10.0.0.128/25", "10.0.0.127"));
  EXPECT_TRUE(contains("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(contains("10.1.2.3", "10.1.2.2"));
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.1.1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "1.2.3.4"));
  EXPECT_FALSE(contains("0.0.0.0/0", "::1"));
  EXPECT_TRUE(contains("::/0", "1.2.3.4"));
  EXPECT_TRUE(contains("fd00::/8", "fdff::1"));
  EXPECT_FALSE(contains("fd00::/8", "fe00::1"));
}

}  // namespace
}  // namespace tandem
