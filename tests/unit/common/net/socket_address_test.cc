#include "common/net/socket_address.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(SocketAddress, NumbersAreUnderstoodAndNamesAreNot) {
  const auto v4 = SocketAddress::numeric({"127.0.0.1", 80});
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->text(), "127.0.0.1:80");
  EXPECT_EQ(*v4, SocketAddress::loopback(80));
  const auto v6 = SocketAddress::numeric({"::1", 443});
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->text(), "[::1]:443");
  EXPECT_EQ(v6->port(), 443);
  EXPECT_FALSE(*v6 == *v4);
  EXPECT_FALSE(SocketAddress::numeric({"localhost", 80}));
  EXPECT_FALSE(SocketAddress());
}

TEST(SocketAddress, EqualityLooksAtHostAndPort) {
  EXPECT_FALSE(SocketAddress::loopback(1) == SocketAddress::loopback(2));
  EXPECT_FALSE(*SocketAddress::numeric({"::1", 1}) == *SocketAddress::numeric({"::2", 1}));
  SocketAddress copy = SocketAddress::from(SocketAddress::loopback(7).raw());
  EXPECT_EQ(copy, SocketAddress::loopback(7));
  copy.set_port(8);
  EXPECT_EQ(copy, SocketAddress::loopback(8));
}

}  // namespace
}  // namespace tandem
