// A client's connection without a front around it, over TLS: its socket takes a little of a
// response, and the whole of it is sealed.
#include "lb/io/client_connection.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "common/cluster/server_list.h"
#include "common/net/tls.h"
#include "lb/io/relay.h"
#include "lb/io/server_pool.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class SealedResponse : public FrontTest, private StreamHandler {
 protected:
  SealedResponse() {
    const TlsPsk key{"k", std::string(32, 'k')};
    psk_ = TlsContext::psk_client(key);
    options_.tls = TlsContext::psk_server({key});
    options_.server_list = true;
    state_ = std::make_unique<FrontState>(loop_, options_, *this, nullptr);
    auto view = std::make_shared<View>();
    for (int i = 0; i < 400; ++i) {
      ServerRecord server;
      server.name = fmt::format("a-server-with-quite-a-long-name-{}", i);
      server.id = ServerId::of(server.name);
      server.data_address = "127.0.0.1:1";
      view->servers.push_back(server);
    }
    state_->index = ViewIndex(view);
    whole_ = state_->server_list();
    EXPECT_LT(whole_.size(), 60'000u) << "it is to be sealed at once";
    EXPECT_GT(whole_.size(), 10'000u);

    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const int small = 4096;
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    client_ =
        new ClientConnection(*state_, Descriptor(ends[0]), SocketAddress::loopback(1), true, false);
    stream_ =
        std::make_unique<Stream>(loop_, Descriptor(ends[1]), static_cast<StreamHandler*>(this));
    stream_->start_tls(*psk_);
    to_send_ = "GET " + std::string(kServerListPath) + " HTTP/1.1\r\nHost: s\r\n\r\n";
    for (int i = 0; i < 1000 && state_->counts.status_2xx.value() == 0; ++i) round();
    EXPECT_EQ(state_->counts.status_2xx.value(), 1u);
    EXPECT_FALSE(client_->blocked());
    EXPECT_TRUE(client_->owes());
  }
  ~SealedResponse() override {
    stream_.reset();
    while (!state_->clients.empty()) state_->clients.back()->abort();
    round();
  }
  void round() {
    loop_.post([this] { loop_.stop(); });
    loop_.run();
  }
  void on_stream(bool, bool) override {
    if (!to_send_.empty()) {
      const IoResult put = stream_->write(to_send_);
      if (put.ok()) to_send_.erase(0, put.bytes);
    }
    char buffer[4096];
    while (reads_ && !ended_) {
      const IoResult got = stream_->read(buffer);
      if (got.would_block()) return;
      ended_ = !got.ok();
      got_.append(buffer, got.bytes);
    }
  }
  void read_on() {
    reads_ = true;
    on_stream(true, false);
    for (int i = 0; i < 1000 && !ended_ && !got_.ends_with(whole_); ++i) round();
    EXPECT_TRUE(got_.ends_with(whole_)) << got_.size() << " of " << whole_.size();
  }

  EventLoop loop_;
  std::unique_ptr<FrontState> state_;
  std::shared_ptr<const TlsContext> psk_;
  std::string whole_;
  ClientConnection* client_ = nullptr;  // owns itself
  std::unique_ptr<Stream> stream_;
  std::string to_send_, got_;
  bool reads_ = false, ended_ = false;
};

TEST_F(SealedResponse, IsSentBeforeADrainCloses) {
  state_->draining = true;
  client_->drain();
  round();
  read_on();
  for (int i = 0; i < 10; ++i) round();
  EXPECT_TRUE(ended_);
}

TEST_F(SealedResponse, IsSentThoughTheClientHasEndedItsSide) {
  stream_->shutdown_write();
  for (int i = 0; i < 5; ++i) round();
  read_on();
}

// Nothing has left since: only then is it over.
TEST_F(SealedResponse, IsNotCutWhileTheClientTakesIt) {
  const Instant later = loop_.now() + options_.limits.keepalive_timeout + 1h;
  client_->sweep(later);
  ASSERT_FALSE(state_->clients.empty());
  client_->sweep(later + options_.limits.body_timeout - 1ms);
  ASSERT_FALSE(state_->clients.empty());
  client_->sweep(later + options_.limits.body_timeout);
  EXPECT_TRUE(state_->clients.empty());
}

}  // namespace
}  // namespace tandem
