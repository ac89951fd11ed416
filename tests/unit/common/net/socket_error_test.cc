#include "common/net/socket_error.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(SocketError, WhatWeHaveRunOutOfIsOurs) {
  for (const int number : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EAGAIN}) {
    EXPECT_EQ(socket_error(number, "").side, Side::kSystem) << number;
  }
}

// "ip route add prohibit", a firewall that rejects, a hook that forbids: the peer is not reached.
TEST(SocketError, AWayThatIsForbiddenIsThePeers) {
  for (const int number : {EACCES, EPERM, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT}) {
    EXPECT_EQ(socket_error(number, "").side, Side::kPeer) << number;
  }
}

TEST(SocketError, OfSeveralAddressesThatOfThePeerIsTold) {
  const Error refused = socket_error(ECONNREFUSED, "");
  const Error silent = socket_error(ETIMEDOUT, "");
  const Error no_address = socket_error(EADDRNOTAVAIL, "");
  EXPECT_EQ(telling_error(refused, no_address).message, refused.message);
  EXPECT_EQ(telling_error(no_address, refused).message, refused.message);
  EXPECT_EQ(telling_error(refused, silent).message, silent.message);
  EXPECT_EQ(telling_error(no_address, no_address).side, Side::kSystem);
}

}  // namespace
}  // namespace tandem
