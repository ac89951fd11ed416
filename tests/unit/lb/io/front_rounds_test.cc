// The front on the test's own thread, round by round: what it does when several of its connections
// have something to tell in the same round.
#include <algorithm>

#include "common/net/event_loop.h"
#include "lb/io/front.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontRounds : public FrontTest {
 protected:
  void serve(const std::vector<Origin*>& origins) {
    front_ = std::make_unique<Front>(loop_, options_, *this);
    const auto bound = front_->listen(SocketAddress::loopback(0), false, false);
    ASSERT_TRUE(bound) << bound.error().message;
    port_ = bound->port();
    show(origins);
  }
  void show(const std::vector<Origin*>& origins, const Origin* offline = nullptr) {
    auto view = std::make_shared<View>();
    RoutedView routed;
    view->version = ++version_;
    for (Origin* origin : origins) {
      view->servers.push_back(origin->record(origin != offline));
      routed.addresses.push_back(origin->address());
    }
    routed.view = view;
    front_->set_view(routed);
  }
  // One round, with what is there; it waits for nothing.
  void round() {
    loop_.post([this] { loop_.stop(); });
    loop_.run();
  }
  template <class Condition>
  bool until(Condition condition) {
    for (const Instant end = loop_.now() + std::chrono::seconds(kPatienceSeconds); !condition();) {
      if (loop_.now() > end) return false;
      round();
    }
    return true;
  }
  Peer accept(Origin& origin) {
    EXPECT_TRUE(until([&] { return origin.asked(); })) << origin.name() << " got no connection";
    return origin.accept();
  }
  static bool readable(const Peer& peer) {
    pollfd one{peer.fd(), POLLIN, 0};
    return ::poll(&one, 1, 0) > 0;
  }
  // What has come, being some bytes that were sent in one piece.
  std::string head(Peer& peer) {
    EXPECT_TRUE(until([&] { return readable(peer); }));
    return peer.read_head();
  }
  std::string response(Peer& peer) {
    EXPECT_TRUE(until([&] { return readable(peer); }));
    return peer.read_response();
  }

  EventLoop loop_;
  std::unique_ptr<Front> front_;
  std::uint64_t version_ = 0;
  Origin a_{"a"};
  Origin b_{"b"};
};

// --- connections that are turned away
// -----------------------------------------------------------

std::string no_room(std::string_view fields = "Retry-After: 1\r\n") {
  return "HTTP/1.1 503 Service Unavailable\r\n" + std::string(fields) +
         "Content-Length: 0\r\nConnection: close\r\n\r\n";
}

// It is said before the request was sent, and with the connection's end.
TEST_F(FrontRounds, AServerThatIsFullIsNotTakenOver) {
  Origin primary{"p", ServerKind::kTandem}, alternate{"q", ServerKind::kTandem};
  serve({&primary, &alternate});
  Peer client = this->client();
  for (int i = 0; i < 2; ++i) {
    client.send(get("/x", cookie(token(primary, &alternate))));
    Peer server = accept(primary);
    server.send(no_room());
    server.close();
    const std::string answer = response(client);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
    EXPECT_EQ(field(answer, "Retry-After"), "1");
    EXPECT_EQ(field(answer, "Connection"), "");
  }
  EXPECT_FALSE(alternate.asked());
  EXPECT_EQ(front_->counts().takeovers.value(), 0u);
}

TEST_F(FrontRounds, AServerThatEndsAFreshConnectionWithoutARefusalIsTakenOver) {
  serve({&a_, &b_});
  for (const std::string& said : {std::string(), ok("not asked for"), std::string("HTTP/1.1 50"),
                                  std::string("220 smtp\r\n")}) {
    Peer client = this->client();
    client.send("POST /x HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n" + cookie(token(a_, &b_)) +
                "\r\n");
    Peer server = accept(a_);
    server.send(said);
    server.close();
    server = accept(b_);
    head(server);
    server.send(ok("b", "Connection: close\r\n"));
    EXPECT_TRUE(response(client).ends_with("\r\n\r\nb")) << said;
  }
}

// --- turns
// ------------------------------------------------------------------------------------------

class FrontTurns : public FrontRounds {
 protected:
  static constexpr std::size_t kTurn = 32 * 1024;
  // Once for each end that has something to tell, and once more because there is more.
  static constexpr std::size_t kInOneRoundMax = 3 * (kTurn + EventLoop::kScratchBytes);
  static constexpr std::size_t kMoved = 3 * kInOneRoundMax;

  FrontTurns() { loop_.set_turn_bytes(kTurn); }
  // Sends as much as the kernel takes.
  static void fill(const Peer& peer) {
    static const std::string bytes(64 * 1024, 'x');
    while (::send(peer.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
  }
  static void drain(const Peer& peer) {
    static std::string bytes(64 * 1024, ' ');
    while (::recv(peer.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
    }
  }
  // The most bytes that `counter` counts in one round, until it has counted many.
  std::size_t most_in_one_round(const SingleWriterCounter& counter, const Peer& from,
                                const Peer& to) {
    std::uint64_t most = 0;
    const std::uint64_t end = counter.value() + kMoved;
    EXPECT_TRUE(until([&, last = counter.value()]() mutable {
      most = std::max(most, counter.value() - last);
      last = counter.value();
      fill(from);
      drain(to);
      return last >= end;
    }));
    return most;
  }
};

TEST_F(FrontTurns, AFastResponseLeavesOthersTheirTurn) {
  serve({&a_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = accept(a_);
  head(server);
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
  head(client);
  EXPECT_LE(most_in_one_round(front_->counts().bytes_out, server, client), kInOneRoundMax);
}

TEST_F(FrontTurns, AFastRequestLeavesOthersTheirTurn) {
  serve({&a_});
  Peer client = this->client();
  client.send("POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 1000000000\r\n\r\n");
  Peer server = accept(a_);
  head(server);
  EXPECT_LE(most_in_one_round(front_->counts().bytes_in, client, server), kInOneRoundMax);
}

// --- views
// ------------------------------------------------------------------------------------------

TEST_F(FrontRounds, ATakeoverGoesToWhereTheSameViewSaysThatTheAlternateIs) {
  Origin moved{"b"};
  serve({&a_, &b_});
  Peer client = this->client();
  client.send(get("/x", cookie(token(a_, &b_))));
  Peer frozen = accept(a_);
  head(frozen);
  show({&a_, &moved}, &a_);
  Peer server = accept(moved);
  head(server);
  server.send(ok("b"));
  EXPECT_TRUE(response(client).ends_with("\r\n\r\nb"));
  EXPECT_FALSE(b_.asked());
}

// A connection that carried an exchange meanwhile goes to the old address, too.
TEST_F(FrontRounds, NoRequestIsSentToAServersFormerAddress) {
  Origin moved{"a"};
  serve({&a_});
  Peer client = this->client();
  client.send(get("/1"));
  Peer server = accept(a_);
  head(server);
  show({&moved});
  server.send(ok("1"));
  EXPECT_TRUE(response(client).ends_with("\r\n\r\n1"));
  client.send(get("/2"));
  Peer other = accept(moved);
  head(other);
  other.send(ok("2"));
  EXPECT_TRUE(response(client).ends_with("\r\n\r\n2"));
}

// --- answers of our own
// -------------------------------------------------------------------------

// What the broken server has not taken of the request says nothing of the client, which has sent
// all of it: the next request is not dropped.
TEST_F(FrontRounds, AKeptPromiseAfterAServerThatBroke) {
  serve({&a_});
  Peer client = this->client();
  client.send("POST /1 HTTP/1.1\r\nHost: s\r\nContent-Length: 10\r\n\r\n01234");
  Peer server = accept(a_);
  head(server);
  EXPECT_EQ(server.read(5), "01234");
  client.send("56789" + get("/2"));
  server.reset();
  const std::string answer = response(client);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 502 ")) << answer;
  EXPECT_EQ(field(answer, "Connection"), "");
  server = accept(a_);
  EXPECT_TRUE(head(server).starts_with("GET /2 "));
  server.send(ok("2"));
  EXPECT_TRUE(response(client).ends_with("\r\n\r\n2"));
}

// --- the scratch buffer
// -------------------------------------------------------------------------

// Longer than what it must not be mixed up with.
std::string half_a_head() { return "HTTP/1.1 200 OK\r\nX-Much: " + std::string(500, 'x'); }

TEST_F(FrontRounds, WhatAServerSaysAtItsEndIsNotTakenForAPipelinedRequest) {
  serve({&a_});
  Peer client = this->client();
  client.send(get("/0"));
  Peer server = accept(a_);
  head(server);
  server.send(ok("0"));
  response(client);
  client.send(get("/1") + get("/2"));
  server.send(half_a_head());
  server.reset();
  server = accept(a_);
  for (const std::string n : {"1", "2"}) {
    EXPECT_TRUE(head(server).starts_with("GET /" + n + " "));
    server.send(ok(n));
    EXPECT_TRUE(response(client).ends_with("\r\n\r\n" + n));
  }
}

TEST_F(FrontRounds, NorBehindARequestsBody) {
  serve({&a_, &b_});
  Peer client = this->client();
  client.send("PUT /1 HTTP/1.1\r\nHost: s\r\nContent-Length: 10\r\n" + cookie(token(a_, &b_)) +
              "\r\n01234");
  Peer server = accept(a_);
  head(server);
  EXPECT_EQ(server.read(5), "01234");
  client.send("56789" + get("/2", cookie(token(b_, &a_))));
  server.send(half_a_head());
  server.reset();
  server = accept(b_);
  EXPECT_TRUE(head(server).starts_with("PUT /1 "));
  EXPECT_EQ(server.read(10), "0123456789");
  server.send(ok("1"));
  EXPECT_TRUE(response(client).ends_with("\r\n\r\n1"));
  EXPECT_TRUE(head(server).starts_with("GET /2 "));
  server.send(ok("2"));
  EXPECT_TRUE(response(client).ends_with("\r\n\r\n2"));
}

}  // namespace
}  // namespace tandem
