// Peers with real channels between them, all on one loop.
#include "server/io/peers.h"

#include <gtest/gtest.h>

#include <functional>

namespace tandem::server {
namespace {

const TlsPsk kKey{"k", std::string(32, 'k')};

// A server as far as its peers see it.
struct Member {
  Member(EventLoop& loop, Resolver& resolver, const std::string& with_name)
      : name(with_name), driver(loop, node_options()), peers(loop, resolver, driver, options()) {
    EXPECT_TRUE(peers.listen(SocketAddress::loopback(0)));
  }
  NodeOptions node_options() const {
    NodeOptions made;
    made.name = name;
    return made;
  }
  PeersOptions options() const {
    PeersOptions made;
    made.self.name = name;
    made.self.incarnation = 1;
    made.accepting = TlsContext::psk_server({kKey});
    made.connecting = always(TlsContext::psk_client(kKey));
    made.misled_pause = 1ms;
    return made;
  }
  ServerRecord record(bool online = true) const {
    ServerRecord made;
    made.id = ServerId::of(name);
    made.name = name;
    made.peer_address = peers.address().text();
    made.incarnation = 1;
    made.online = online;
    made.status.capacity = 100;
    made.status.threshold = 80;
    return made;
  }
  std::string name;
  NodeDriver driver;
  Peers peers;
};

struct PeersTest : ::testing::Test {
  PeersTest() : resolver(loop) {}
  void run_until(std::function<bool()> condition) {
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop, [&] {
      if (condition()) return loop.stop();
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop.run();
  }
  void tell(std::initializer_list<Member*> all, std::vector<ServerRecord> records) {
    View view;
    view.version = ++version;
    view.servers = std::move(records);
    const auto shared = std::make_shared<const View>(std::move(view));
    for (Member* member : all) member->peers.on_view(shared);
  }
  EventLoop loop;
  Resolver resolver;
  std::uint64_t version = 0;
};

TEST_F(PeersTest, EachPairHasOneLinkAndTheNodesKnow) {
  Member a(loop, resolver, "a"), b(loop, resolver, "b"), c(loop, resolver, "c");
  tell({&a, &b, &c}, {a.record(), b.record(), c.record()});
  run_until([&] { return a.peers.links() + b.peers.links() + c.peers.links() == 6; });
  for (Member* member : {&a, &b, &c}) EXPECT_EQ(member->driver.node().gauges().links, 2u);
}

// A confirmed session is mirrored over the link, and its alternate takes over.
TEST_F(PeersTest, ASessionReachesItsAlternate) {
  Member a(loop, resolver, "a"), b(loop, resolver, "b");
  tell({&a, &b}, {a.record(), b.record()});
  run_until([&] { return a.peers.links() == 1 && b.peers.links() == 1; });
  RequestInfo request;
  request.token.session = SessionId{1, 2};
  request.token.primary = a.driver.node().self();
  request.token.flags = kNewSession;
  Node& node = a.driver.node();
  ASSERT_EQ(node.on_request(loop.now(), 1000, request).kind, Decision::Kind::kServe);
  request.token = node.token_to_set(1000, request.token).value();
  loop.post([&] {
    ASSERT_EQ(node.on_request(loop.now(), 1000, request).kind, Decision::Kind::kServe);
    a.driver.touched();
  });
  run_until([&] { return b.driver.node().gauges().sessions_alternate == 1; });
  const auto report = b.driver.node().report(SessionId{1, 2});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->primary, ServerId::of("a"));
}

TEST_F(PeersTest, AnOfflineServerIsLeftAndComesBack) {
  Member a(loop, resolver, "a"), b(loop, resolver, "b");
  tell({&a, &b}, {a.record(), b.record()});
  run_until([&] { return a.peers.links() == 1 && b.peers.links() == 1; });
  tell({&a}, {a.record(), b.record(false)});
  EXPECT_EQ(a.peers.links(), 0u);
  EXPECT_EQ(a.driver.node().gauges().links, 0u);
  run_until([&] { return b.peers.links() == 0; });
  tell({&a}, {a.record(), b.record()});
  run_until([&] { return a.peers.links() == 1 && b.peers.links() == 1; });
}

// Whichever end closes: who is given up is told so before.
TEST_F(PeersTest, WhoeverIsLeftIsToldThatItWasGivenUp) {
  struct Told final : PeerListener {
    void on_peer_linked(const Hello&, const SocketAddress&) override {}
    void on_peer_message(ServerId, const Message& message) override {
      const auto* suspect = std::get_if<Suspect>(&message);
      if (suspect != nullptr) given_up = suspect->suspect;
    }
    void on_peer_unlinked(ServerId) override { after_it = given_up; }
    ServerId given_up, after_it;
  };
  for (const bool by_the_connecting : {true, false}) {
    Member a(loop, resolver, "a"), b(loop, resolver, "b");
    Member& by = by_the_connecting ? a : b;
    Member& left = by_the_connecting ? b : a;
    tell({&a, &b}, {a.record(), b.record()});
    run_until([&] { return a.peers.links() == 1 && b.peers.links() == 1; });
    Told told;
    left.peers.add_listener(told);
    loop.post([&] { tell({&by}, {a.record(&left != &a), b.record(&left != &b)}); });
    run_until([&] { return left.peers.links() == 0; });
    EXPECT_EQ(told.after_it, ServerId::of(left.name)) << by_the_connecting;
    left.peers.remove_listener(told);
  }
}

TEST_F(PeersTest, AServerThatDiedIsMetAgainAtItsNewAddress) {
  Member a(loop, resolver, "a");
  auto b = std::make_unique<Member>(loop, resolver, "b");
  tell({&a, b.get()}, {a.record(), b->record()});
  run_until([&] { return a.peers.links() == 1; });
  b.reset();
  run_until([&] { return a.peers.links() == 0; });
  b = std::make_unique<Member>(loop, resolver, "b");
  tell({&a, b.get()}, {a.record(), b->record()});
  run_until([&] { return a.peers.links() == 1 && b->peers.links() == 1; });
}

// The view has b where c is. A link with c that b's client kept would end with b.
TEST_F(PeersTest, WhoAnswersInAnothersPlaceIsNotLinked) {
  Member a(loop, resolver, "a"), b(loop, resolver, "b"), c(loop, resolver, "c");
  ServerRecord wrong = b.record();
  wrong.peer_address = c.peers.address().text();
  tell({&a}, {a.record(), wrong});
  run_until([&] { return a.peers.misdirected() >= 2 || a.peers.links() > 0; });
  EXPECT_EQ(a.peers.links(), 0u);
  EXPECT_EQ(a.driver.node().gauges().links, 0u);
  const SocketAddress at = c.peers.address();
  c.peers.stop();
  b.peers.stop();
  ASSERT_TRUE(b.peers.listen(at));  // whom the view means has come
  run_until([&] { return a.peers.links() == 1; });
  tell({&a}, {a.record()});
  EXPECT_EQ(a.peers.links(), 0u);
}

// A channel by a living name: the newer incarnation has it, an older one is refused.
TEST_F(PeersTest, OfTwoByOneNameTheNewerIsHeard) {
  Member b(loop, resolver, "b");
  struct Silent final : ChannelHandler {
    void on_channel_open(Channel&) override {}
    void on_channel_message(Channel&, Message) override {}
    void on_channel_closed(Channel&, const Error&) override { ++closed; }
    int closed = 0;
  };
  Silent first, second, third;
  const auto client = [&](std::uint64_t incarnation, ChannelHandler& handler) {
    ChannelOptions options;
    options.self.name = "a";
    options.self.incarnation = incarnation;
    return std::make_unique<ChannelClient>(
        loop, resolver, Random(1), *Address::parse(b.peers.address().text()),
        always(TlsContext::psk_client(kKey)), options, handler, Backoff{10s, 10s});
  };
  auto older = client(5, first);
  older->start();
  run_until([&] { return b.peers.links() == 1; });
  auto newer = client(6, second);
  newer->start();
  run_until([&] { return first.closed == 1; });
  EXPECT_EQ(b.peers.links(), 1u);
  auto oldest = client(4, third);
  oldest->start();
  run_until([&] { return third.closed == 1; });
  EXPECT_EQ(second.closed, 0);
  EXPECT_EQ(b.peers.refused(), 1u);
  EXPECT_EQ(b.peers.links(), 1u);
}

}  // namespace
}  // namespace tandem::server
