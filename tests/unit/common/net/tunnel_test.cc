#include "common/net/tunnel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace tandem {
namespace {

// The outer end belongs to the test, the inner one to the tunnel.
struct Pair {
  explicit Pair(EventLoop& loop) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    outer = Descriptor(ends[0]);
    inner = std::make_unique<Stream>(loop, Descriptor(ends[1]), nullptr);
  }
  std::size_t fill() {
    const std::string bytes(4096, 'x');
    std::size_t sent = 0;
    for (ssize_t n = 0; (n = ::send(outer.get(), bytes.data(), bytes.size(), 0)) > 0;) {
      sent += static_cast<std::size_t>(n);
    }
    return sent;
  }
  std::size_t drain() {
    std::string bytes(4096, ' ');
    std::size_t got = 0;
    for (ssize_t n = 0; (n = ::recv(outer.get(), bytes.data(), bytes.size(), 0)) > 0;) {
      got += static_cast<std::size_t>(n);
    }
    return got;
  }
  Descriptor outer;
  std::unique_ptr<Stream> inner;
};

TEST(Tunnel, ABusyOneLeavesOthersTheirTurn) {
  constexpr std::size_t kTurn = 4096;
  constexpr std::size_t kInOneRoundMax = kTurn + Tunnel::kWaitingBytesMax;
  EventLoop loop;
  loop.set_turn_bytes(kTurn);
  Pair left(loop), right(loop);
  const std::size_t sent = left.fill();
  ASSERT_GT(sent, kInOneRoundMax);
  Tunnel tunnel(loop, {std::move(left.inner), {}}, {std::move(right.inner), {}}, 10s, [] {});
  std::size_t got = right.drain();
  EXPECT_LE(got, kInOneRoundMax);
  for (int round = 0; round < 1000 && got < sent; ++round) {
    loop.post([&] { loop.stop(); });
    loop.run();
    got += right.drain();
  }
  EXPECT_EQ(got, sent);
}

}  // namespace
}  // namespace tandem
