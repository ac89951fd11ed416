#include "common/net/listener.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <functional>
#include <vector>

#include "common/net/stream.h"

namespace tandem {
namespace {

struct Accepted final : AcceptHandler {
  void on_accept(Descriptor socket, const SocketAddress& peer) override {
    EXPECT_EQ(peer.host(), "127.0.0.1");
    sockets.push_back(std::move(socket));
    if (told) told();
  }
  std::vector<Descriptor> sockets;
  std::function<void()> told;
};

TEST(Listener, TellsThePortThatTheSystemChose) {
  EventLoop loop;
  Accepted accepted;
  const auto listener = Listener::open(loop, SocketAddress::loopback(0), {}, accepted);
  ASSERT_TRUE(listener);
  EXPECT_NE((*listener)->address().port(), 0);
}

TEST(Listener, APausedOneLeavesConnectionsWaiting) {
  EventLoop loop;
  Accepted accepted;
  const auto listener = Listener::open(loop, SocketAddress::loopback(0), {}, accepted);
  (*listener)->pause();
  const auto client = Stream::connect(loop, (*listener)->address(), nullptr);
  Timer later(loop, [&] {
    EXPECT_TRUE(accepted.sockets.empty());
    (*listener)->resume();
  });
  later.set_after(10ms);
  accepted.told = [&] { loop.stop(); };
  loop.run();
  EXPECT_EQ(accepted.sockets.size(), 1u);
}

TEST(Listener, AHundredConnectionsAtOnceAllArrive) {
  EventLoop loop;
  Accepted accepted;
  const auto listener = Listener::open(loop, SocketAddress::loopback(0), {}, accepted);
  std::vector<std::unique_ptr<Stream>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(*Stream::connect(loop, (*listener)->address(), nullptr));
  }
  accepted.told = [&] {
    if (accepted.sockets.size() == 100) loop.stop();
  };
  loop.run();
}

// Out of descriptors: it waits, and goes on when there are some again.
TEST(Listener, OutOfDescriptorsItPausesAndGoesOn) {
  EventLoop loop;
  Accepted accepted;
  const auto listener = Listener::open(loop, SocketAddress::loopback(0), {}, accepted);
  const auto client = Stream::connect(loop, (*listener)->address(), nullptr);
  ASSERT_TRUE(client);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const Descriptor lowest_free(::dup(0));
  const rlimit none{static_cast<rlim_t>(lowest_free.get()) + 1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  std::unique_ptr<Timer> look;
  look = std::make_unique<Timer>(loop, [&] {
    if ((*listener)->shortages() == 0) return look->set_after(1ms);
    ::setrlimit(RLIMIT_NOFILE, &before);
  });
  look->set_after(1ms);
  accepted.told = [&] { loop.stop(); };
  loop.run();
  EXPECT_EQ((*listener)->shortages(), 1u);
  EXPECT_EQ(accepted.sockets.size(), 1u);
}

}  // namespace
}  // namespace tandem
