#include "common/net/tunnel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "common/net/tls.h"

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

// Both sides have ended, and one takes slowly what is sealed for it.
TEST(Tunnel, WhatIsSealedGoesOutBeforeTheEnd) {
  EventLoop loop;
  Pair left(loop), right(loop);
  const TlsPsk key{"k", std::string(32, 'k')};
  const auto server = TlsContext::psk_server({key}), client = TlsContext::psk_client(key);
  const int small = 4096;
  ::setsockopt(right.inner->fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  right.inner->start_tls(*server);
  struct Reader final : StreamHandler {
    void on_stream(bool, bool) override {
      char buffer[1000];
      while (!hold && !ended) {
        const IoResult got = stream->read(buffer);
        if (got.would_block()) break;
        if (!got.ok()) ended = true;
        bytes += got.bytes;
      }
    }
    std::unique_ptr<Stream> stream;
    std::size_t bytes = 0;
    bool hold = false, ended = false;
  } reader;
  reader.stream = std::make_unique<Stream>(loop, std::move(right.outer), &reader);
  reader.stream->start_tls(*client);
  const auto rounds = [&] {
    for (int round = 0; round < 5; ++round) {
      loop.post([&] { loop.stop(); });
      loop.run();
    }
  };
  std::unique_ptr<Tunnel> tunnel;
  tunnel = std::make_unique<Tunnel>(loop, Tunnel::End{std::move(left.inner), {}},
                                    Tunnel::End{std::move(right.inner), {}}, 10s,
                                    [&] { tunnel.reset(); });
  rounds();
  ASSERT_TRUE(reader.stream->ready());
  reader.hold = true;
  const std::size_t sent = 30'000;
  ASSERT_EQ(::send(left.outer.get(), std::string(sent, 'x').data(), sent, 0), ssize_t{sent});
  ::shutdown(left.outer.get(), SHUT_WR);
  reader.stream->shutdown_write();
  rounds();
  reader.hold = false;
  for (int round = 0; round < 1000 && !reader.ended; ++round) {
    reader.on_stream(true, false);
    rounds();
  }
  EXPECT_EQ(reader.bytes, sent);
  EXPECT_TRUE(tunnel == nullptr);
}

}  // namespace
}  // namespace tandem
