#include "common/base/address.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Address, ReadsWhatItWrites) {
  for (const char* text : {"127.0.0.1:8080", "app.example:80", "[::1]:0", "[fe80::1%eth0]:65535"}) {
    const auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
  EXPECT_EQ(Address::parse("[::1]:443")->host, "::1");
}

TEST(Address, RefusesAllElse) {
  for (const char* text : {"", ":", ":80", "host", "host:", "host:65536", "host:-1", "host:80x",
                           "::1:80", "[::1]", "[::1]80", "[host]:80", "ho st:80", "a/b:80"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

}  // namespace
}  // namespace tandem
