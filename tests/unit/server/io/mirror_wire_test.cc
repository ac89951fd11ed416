// What mirroring costs on the wire, measured as bytes through real sockets: TLS records, frames and
// acknowledgements in both directions, between two servers on one loop.
#include <gtest/gtest.h>

#include <functional>

#include "common/net/stream.h"
#include "server/io/peers.h"

namespace tandem::server {
namespace {

constexpr double kBytesPerItemMax = 48;  // beyond first contents

const TlsPsk kKey{"k", std::string(32, 'k')};

struct Member {
  Member(EventLoop& loop, Resolver& resolver, const std::string& with_name, bool contents)
      : name(with_name),
        driver(loop, node_options(contents)),
        peers(loop, resolver, driver, options()) {
    EXPECT_TRUE(peers.listen(SocketAddress::loopback(0)));
  }
  NodeOptions node_options(bool contents) const {
    NodeOptions made;
    made.name = name;
    made.capacity = made.threshold = 1 << 20;
    if (!contents) made.mirror.content_sent_max = 0;
    return made;
  }
  PeersOptions options() const {
    PeersOptions made;
    made.self.name = name;
    made.self.incarnation = 1;
    made.accepting = TlsContext::psk_server({kKey});
    made.connecting = always(TlsContext::psk_client(kKey));
    return made;
  }
  ServerRecord record(bool online = true) const {
    ServerRecord made;
    made.id = ServerId::of(name);
    made.name = name;
    made.peer_address = peers.address().text();
    made.incarnation = 1;
    made.online = online;
    made.status.capacity = made.status.threshold = 1 << 20;
    return made;
  }
  const NodeGauges gauges() const { return driver.node().gauges(); }

  std::string name;
  NodeDriver driver;
  Peers peers;
};

struct MirrorWireTest : ::testing::Test {
  MirrorWireTest() : resolver(loop) {}

  void start(bool contents) {
    a = std::make_unique<Member>(loop, resolver, "a", contents);
    b = std::make_unique<Member>(loop, resolver, "b", contents);
    link();
  }
  void link() {
    show(a->record(), b->record());
    run_until([&] { return a->peers.links() == 1 && b->peers.links() == 1; });
  }
  void part() {
    show(a->record(), b->record(false));
    run_until([&] { return b->peers.links() == 0; });
  }
  void show(const ServerRecord& one, const ServerRecord& other) {
    View view;
    view.version = ++version;
    view.servers = {one, other};
    const auto shared = std::make_shared<const View>(std::move(view));
    a->peers.on_view(shared);
    if (other.online) b->peers.on_view(shared);
  }
  void run_until(std::function<bool()> condition) {
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop, [&] {
      if (condition()) return loop.stop();
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop.run();
  }
  void run_until_equal() {
    run_until([&] { return a->gauges().lag_sessions + b->gauges().lag_sessions == 0; });
  }
  // A session that is served at the member and has its alternate.
  void confirm(Member& at, SessionId session) {
    Node& node = at.driver.node();
    RequestInfo request;
    request.cache = CacheId{session.high | 1};
    request.token.session = session;
    request.token.primary = node.self();
    request.token.flags = kNewSession;
    ASSERT_EQ(node.on_request(loop.now(), 1000, request).kind, Decision::Kind::kServe);
    request.token = node.token_to_set(1000, request.token).value();
    ASSERT_EQ(node.on_request(loop.now(), 1000, request).kind, Decision::Kind::kServe);
    at.driver.touched();
  }
  void retrieve(Member& at, SessionId session, std::uint64_t item, const std::string& text) {
    const auto content = std::make_shared<const std::string>(text);
    Node& node = at.driver.node();
    Retrieved retrieved{session, CacheId{session.high | 1}, ItemKey{mix64(item)}, {}, content,
                        true};
    retrieved.promised = {loop.now(), node.freshness().mark(), 7, {1h, {}}};
    node.on_retrieved(loop.now(), retrieved);
    at.driver.touched();
  }
  std::uint64_t bytes() const {
    return a->peers.traffic().bytes_sent + b->peers.traffic().bytes_sent;
  }
  std::uint64_t items() const {
    return a->driver.node().counters().mirror_items_sent +
           b->driver.node().counters().mirror_items_sent;
  }
  std::uint64_t contents() const {
    return a->driver.node().counters().mirror_contents_sent +
           b->driver.node().counters().mirror_contents_sent;
  }
  static SessionId session(std::uint64_t n) { return {mix64(n), mix64(n + (1u << 20))}; }

  EventLoop loop;
  Resolver resolver;
  std::uint64_t version = 0;
  std::unique_ptr<Member> a, b;
};

TEST_F(MirrorWireTest, ASnapshotOfManyItems) {
  start(false);
  constexpr std::uint64_t kItems = 4000;
  confirm(*a, session(1));
  run_until_equal();
  part();
  for (std::uint64_t i = 0; i < kItems; ++i) {
    retrieve(*a, session(1), i, "text " + std::to_string(i));
  }
  const std::uint64_t bytes_before = bytes(), items_before = items();
  link();
  run_until_equal();
  const double sent = static_cast<double>(items() - items_before);
  EXPECT_EQ(sent, kItems);
  EXPECT_EQ(b->driver.node().report(session(1))->mirror_entries, kItems);
  EXPECT_EQ(b->driver.node().counters().promises_learned, kItems);
  const double each = static_cast<double>(bytes() - bytes_before) / sent;
  RecordProperty("bytes_per_item", std::to_string(each));
  EXPECT_LE(each, kBytesPerItemMax);
}

// Many sessions; what changes has a content that was never seen before.
TEST_F(MirrorWireTest, TheTrickleOfABusyServer) {
  start(false);
  constexpr std::uint64_t kSessions = 2000, kItems = 200, kPerTick = 20;
  for (std::uint64_t s = 0; s < kSessions; ++s) {
    confirm(*a, session(s));
    retrieve(*a, session(s), s % kItems, "first");
  }
  run_until_equal();
  const std::uint64_t bytes_before = bytes(), items_before = items();
  std::uint64_t next = 0;
  std::unique_ptr<Timer> tick;
  tick = std::make_unique<Timer>(loop, [&] {
    for (const std::uint64_t end = next + kPerTick; next < end; ++next) {
      retrieve(*a, session(next * 7 % kSessions), next * 7 % kSessions % kItems,
               "changed " + std::to_string(next));
    }
    if (next < kSessions) tick->set_after(1ms);
  });
  tick->set_after(0ns);
  run_until([&] { return next == kSessions; });
  run_until_equal();
  const double sent = static_cast<double>(items() - items_before);
  EXPECT_EQ(sent, kSessions);
  const double each = static_cast<double>(bytes() - bytes_before) / sent;
  RecordProperty("bytes_per_item", std::to_string(each));
  EXPECT_LE(each, kBytesPerItemMax);
}

// What a server has, from its own source or from anyone, does not cross the wire, in neither
// direction; what it lacks crosses once.
TEST_F(MirrorWireTest, AContentCrossesTheWireOncePerServer) {
  start(true);
  constexpr std::uint64_t kItems = 50;
  const auto text = [](std::uint64_t item) { return std::string(500, 'x') + std::to_string(item); };
  const auto settle = [&] {
    run_until_equal();
    run_until([&] {
      return a->gauges().contents_awaited + b->gauges().contents_awaited +
                 a->gauges().contents_owed + b->gauges().contents_owed ==
             0;
    });
  };
  for (std::uint64_t s = 0; s < 20; ++s) confirm(*a, session(s));
  for (std::uint64_t s = 100; s < 120; ++s) confirm(*b, session(s));
  for (std::uint64_t s = 0; s < 20; ++s) {
    for (std::uint64_t item = 0; item < kItems; ++item) retrieve(*a, session(s), item, text(item));
  }
  settle();
  EXPECT_EQ(contents(), kItems);
  EXPECT_EQ(b->gauges().contents, kItems);
  for (std::uint64_t s = 100; s < 120; ++s) {  // b's own: a has sent them
    for (std::uint64_t item = 0; item < kItems; ++item) retrieve(*b, session(s), item, text(item));
  }
  settle();
  EXPECT_EQ(contents(), kItems) << "they are not sent back";
  retrieve(*a, session(1), kItems, text(kItems));  // at the same time from both sources
  retrieve(*b, session(101), kItems, text(kItems));
  settle();
  EXPECT_EQ(contents(), kItems) << "both have it";
  part();
  link();
  settle();
  EXPECT_EQ(contents(), kItems) << "a link that comes back changes nothing";
}

// Bytes that make no sense end the link, and are counted.
TEST_F(MirrorWireTest, GarbageEndsTheLink) {
  a = std::make_unique<Member>(loop, resolver, "a", true);
  struct Liar final : StreamHandler {
    void on_stream(bool, bool) override {
      if (stream->ready() && !std::exchange(sent, true)) stream->write(bytes);
      char ignored[4096];
      while (stream->read(ignored).ok()) {
      }
    }
    std::unique_ptr<Stream> stream;
    std::string bytes;
    bool sent = false;
  };
  using namespace std::string_literals;
  const auto lying = TlsContext::psk_client(kKey);
  std::uint64_t garbled = 0;
  for (const std::string& packed : {"\x02"s, "\x03"s, "\x00\x00"s, "\x0c"s}) {
    Liar liar;
    ASSERT_TRUE(encode(Hello{.name = "b", .incarnation = 1}, liar.bytes));
    liar.bytes += "\0\0\0"s + static_cast<char>(packed.size() + 3) + "\xa2\x01"s +
                  static_cast<char>(packed.size()) + packed;
    auto stream = Stream::connect(loop, a->peers.address(), &liar);
    ASSERT_TRUE(stream);
    liar.stream = std::move(*stream);
    liar.stream->start_tls(*lying);
    run_until([&] { return a->peers.garbled() > garbled; });
    EXPECT_EQ(a->peers.garbled(), ++garbled);
    EXPECT_EQ(a->peers.links(), 0u);
  }
}

}  // namespace
}  // namespace tandem::server
