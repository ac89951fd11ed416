// Sources of several servers with real channels between them, all on one loop.
#include "server/io/type_source.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "common/http/head_parser.h"
#include "common/net/http_fetch.h"
#include "server/io/peers.h"

namespace tandem::server {
namespace {

const TlsPsk kKey{"k", std::string(32, 'k')};

// Answers what the test wants, when it wants.
class FakeSource final : public Source {
 public:
  class Call;
  struct Seen {
    std::string head;
    std::string body;
    bool ended = false;
  };
  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;
  void forget(const Targets& targets) override {
    for (const std::string& one : watched) forgotten += targets(one) ? one + " " : "";
  }
  std::map<int, Call*> calls;  // under way, by number
  std::vector<Seen> seen;
  std::string content = "content";
  bool holds = false;  // answers never
  bool fails = false;
  std::vector<std::string> watched;
  std::string forgotten;
  int paused = 0;
  explicit FakeSource(EventLoop& on) : loop(on) {}
  EventLoop& loop;
};

class FakeSource::Call final : public SourceCall {
 public:
  Call(FakeSource& source, HttpRequest request, HttpCallHandler& handler)
      : source_(source), request_(std::move(request)), handler_(handler) {
    number_ = static_cast<int>(source_.seen.size());
    source_.calls[number_] = this;
    source_.seen.push_back({request_.head, request_.body, !request_.streams});
    if (!request_.streams) begin();
  }
  ~Call() override {
    *alive_ = false;
    source_.calls.erase(number_);
  }
  bool send_body(std::string_view bytes) override {
    source_.seen[number_].body += bytes;
    return true;
  }
  void end_body() override {
    source_.seen[number_].ended = true;
    begin();
  }
  void pause() override {
    ++source_.paused;
    paused_ = true;
  }
  void resume() override {
    paused_ = false;
    go_on();
  }
  HttpCall::Tunnel take_tunnel() override { return {}; }
  void begin() {
    if (!source_.holds) go_on();
  }
  void go_on() {
    source_.loop.defer([this, alive = alive_] {
      if (*alive) step();
    });
  }

 private:
  void step() {
    const auto alive = alive_;
    if (source_.fails) {
      return handler_.on_failure({HttpFailure::Kind::kTimeout, true, Error::peer("asleep")});
    }
    if (!told_) {
      told_ = true;
      const std::string text =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(source_.content.size()) +
          "\r\nServer: source\r\n\r\n";
      http::HeadParser parser;
      http::ResponseHead head;
      EXPECT_EQ(parser.parse(text, head), http::Progress::kDone);
      handler_.on_response(head, *http::response_framing(head, request_.method, false));
    }
    while (*alive && !paused_ && sent_ < source_.content.size()) {
      const std::string part = source_.content.substr(sent_, 100000);
      sent_ += part.size();
      handler_.on_body(part);
    }
    if (*alive && !paused_ && !done_) {
      done_ = true;
      handler_.on_complete();
    }
  }
  FakeSource& source_;
  HttpRequest request_;
  HttpCallHandler& handler_;
  int number_ = 0;
  bool told_ = false, paused_ = false, done_ = false;
  std::size_t sent_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

std::unique_ptr<SourceCall> FakeSource::start(HttpRequest request, HttpCallHandler& handler) {
  return std::make_unique<Call>(*this, std::move(request), handler);
}

// Who asked.
struct Client final : HttpCallHandler {
  void on_response(const http::ResponseHead& head, const http::Framing&) override {
    status = head.status();
    from = std::string(head.value(http::FieldId::kServer));
  }
  void on_body(std::string_view bytes) override {
    body += bytes;
    if (pause_each) {
      call->pause();
      paused = true;
    }
  }
  void on_complete() override { done = true; }
  void on_failure(const HttpFailure& failure) override {
    failed = failure.kind;
    done = true;
  }
  int status = 0;
  std::string from, body;
  bool done = false, pause_each = false, paused = false;
  std::optional<HttpFailure::Kind> failed;
  std::unique_ptr<SourceCall> call;
};

struct Balancers final : BalancerCarrier {
  void tell_all(const Message& message) override {
    if (const auto* report = std::get_if<FailureReport>(&message)) reports.push_back(*report);
  }
  std::vector<FailureReport> reports;
};

struct Member {
  Member(EventLoop& loop, Resolver& resolver, const std::string& with_name, Duration within = 1s)
      : name(with_name),
        driver(loop, node_options()),
        inner(loop),
        types(loop, inner, contents, type_options(within)),
        peers(loop, resolver, driver, options()) {
    EXPECT_TRUE(peers.listen(SocketAddress::loopback(0)));
    types.set_peers(&peers);
    types.set_balancers(&balancers);
    peers.add_listener(types);
  }
  ~Member() { types.set_peers(nullptr); }
  NodeOptions node_options() const {
    NodeOptions made;
    made.name = name;
    return made;
  }
  TypeSourceOptions type_options(Duration within) const {
    TypeSourceOptions made;
    made.name = name;
    made.rules = {{"/a/", "a"}, {"/b/", "b"}, {"/c/", "c"}};
    made.access.answer_within = within;
    return made;
  }
  PeersOptions options() const {
    PeersOptions made;
    made.self.name = name;
    made.self.incarnation = 1;
    made.self.types = types.ownership().types().fingerprint();
    made.accepting = TlsContext::psk_server({kKey});
    made.connecting = always(TlsContext::psk_client(kKey));
    return made;
  }
  ServerRecord record(bool online = true) const {
    ServerRecord made;
    made.id = ServerId::of(name);
    made.name = name;
    made.group = "default";
    made.peer_address = peers.address().text();
    made.incarnation = 1;
    made.online = online;
    made.status.capacity = 100;
    made.status.threshold = 80;
    return made;
  }
  void tell(const ViewPtr& view) {
    types.on_view(view);
    peers.on_view(view);
  }
  std::string name;
  NodeDriver driver;
  FakeSource inner;
  ContentStore contents{1 << 20};
  Balancers balancers;
  TypeSource types;
  Peers peers;
};

struct TypeSourceTest : ::testing::Test {
  TypeSourceTest() : resolver(loop) {}
  void run_until(std::function<bool()> condition) {
    Instant give_up = loop.now() + 20s;
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop, [&] {
      if (condition()) return loop.stop();
      if (loop.now() > give_up) {
        ADD_FAILURE() << "in vain";
        return loop.stop();
      }
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop.run();
  }
  void link() {
    tell({a.record(), b.record()});
    run_until([&] { return a.peers.links() == 1 && b.peers.links() == 1; });
  }
  void tell(std::vector<ServerRecord> records) {
    View view;
    view.version = ++version;
    view.servers = std::move(records);
    const auto shared = std::make_shared<const View>(std::move(view));
    a.tell(shared);
    if (b_lives) b.tell(shared);
  }
  void get(Client& client, const std::string& target, Member& at) {
    client.call = at.types.start(make_request("GET", target, Address{"h", 80}), client);
  }
  EventLoop loop;
  Resolver resolver;
  std::uint64_t version = 0;
  bool b_lives = true;
  Member a{loop, resolver, "a"}, b{loop, resolver, "b"};
};

TEST_F(TypeSourceTest, TheOwnerIsAskedAndTheAskerDoesNothing) {
  link();
  Client client;
  get(client, "/b/1", a);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.status, 200);
  EXPECT_EQ(client.from, "source");
  EXPECT_EQ(client.body, "content");
  EXPECT_TRUE(a.inner.seen.empty());
  ASSERT_EQ(b.inner.seen.size(), 1U);
  EXPECT_EQ(b.inner.seen[0].head.substr(0, 14), "GET /b/1 HTTP/");
  EXPECT_EQ(a.types.machine().under_way(), 0U);
}

TEST_F(TypeSourceTest, OwnItemsAreProcessedHere) {
  link();
  Client client;
  get(client, "/a/1", a);
  run_until([&] { return client.done; });
  EXPECT_EQ(a.inner.seen.size(), 1U);
  EXPECT_TRUE(b.inner.seen.empty());
}

TEST_F(TypeSourceTest, LargeBodiesGoBothWaysHoweverSlowTheReader) {
  link();
  b.inner.content.assign(3'000'000, 'x');
  b.inner.content[2'999'999] = 'y';
  Client client;
  client.pause_each = true;
  get(client, "/b/1", a);
  run_until([&] {
    if (std::exchange(client.paused, false)) client.call->resume();
    return client.done;
  });
  EXPECT_EQ(client.body, b.inner.content);
  EXPECT_GT(b.inner.paused, 0);

  Client writer;
  HttpRequest put = make_request("PUT", "/b/2", Address{"h", 80});
  put.streams = true;
  writer.call = a.types.start(std::move(put), writer);
  const std::string part(50'000, 'p');
  for (int i = 0; i < 20; ++i) writer.call->send_body(part);
  writer.call->end_body();
  run_until([&] { return writer.done; });
  EXPECT_FALSE(writer.failed);
  EXPECT_EQ(b.inner.seen.at(1).body.size(), 1'000'000U);
}

TEST_F(TypeSourceTest, ManyAtOnceStayWithinTheLinksWindow) {
  link();
  b.inner.content.assign(200'000, 'z');
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 100; ++i) {
    get(*clients.emplace_back(std::make_unique<Client>()), "/b/" + std::to_string(i), a);
  }
  run_until([&] {
    for (const auto& one : clients) {
      if (!one->done) return false;
    }
    return true;
  });
  for (const auto& one : clients) EXPECT_EQ(one->body.size(), 200'000U);
}

TEST_F(TypeSourceTest, WhatTheAskerHoldsDoesNotCross) {
  link();
  b.inner.content.assign(90'000, 'k');
  const Validator validator = Validator::of(b.inner.content);
  a.contents.put(validator, std::make_shared<const std::string>(b.inner.content));
  a.types.note_content(ItemKey::of("/b/1"), validator);
  Client client;
  get(client, "/b/1", a);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.body, b.inner.content);
  EXPECT_EQ(client.from, "source");
  b.inner.content[5] = 'l';  // of the same length
  Client other;
  get(other, "/b/1", a);
  run_until([&] { return other.done; });
  EXPECT_EQ(other.body, b.inner.content);
  std::uint64_t held = 0, received = 0;
  for (const auto& count : a.types.counts()) {
    if (count.name == "types_held_total") held = count.value;
    if (count.name == "types_body_bytes_received_total") received = count.value;
  }
  EXPECT_EQ(held, 1U);
  EXPECT_EQ(received, 90'000U);
}

TEST_F(TypeSourceTest, TheFailureOfTheOwnersSourceIsNoFailureOfAsking) {
  link();
  b.inner.fails = true;
  Client client;
  get(client, "/b/1", a);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.failed, HttpFailure::Kind::kTimeout);
  EXPECT_TRUE(a.inner.seen.empty());
  EXPECT_TRUE(a.balancers.reports.empty());
}

TEST_F(TypeSourceTest, WhoGoesAwayCancelsAtTheOwner) {
  link();
  b.inner.holds = true;
  Client client;
  get(client, "/b/1", a);
  run_until([&] { return b.inner.calls.size() == 1; });
  client.call.reset();
  run_until([&] { return b.inner.calls.empty(); });
  EXPECT_EQ(a.types.machine().under_way(), 0U);
}

TEST_F(TypeSourceTest, IfTheOwnerDiesTheStandInFetchesOnceMoreAndItIsDroppedLater) {
  link();
  b.inner.holds = true;
  a.inner.watched = {"/b/1", "/a/1"};
  Client client, writer;
  get(client, "/b/1", a);
  writer.call = a.types.start(make_request("POST", "/b/1", Address{"h", 80}), writer);
  run_until([&] { return b.inner.calls.size() == 2; });
  ServerRecord record = b.record();
  b_lives = false;
  b.peers.stop();
  run_until([&] { return !a.balancers.reports.empty(); });
  EXPECT_EQ(a.balancers.reports[0], (FailureReport{ServerId::of("b"), 1, Seen::kClosed}));
  record.online = false;
  tell({a.record(), record});
  run_until([&] { return client.done && writer.done; });
  EXPECT_EQ(client.body, "content");
  EXPECT_EQ(a.inner.seen.size(), 1U);
  EXPECT_EQ(writer.failed, HttpFailure::Kind::kReset) << "a POST is never executed twice";
  EXPECT_EQ(a.inner.forgotten, "");
  record.online = true;
  tell({a.record(), record});
  EXPECT_EQ(a.inner.forgotten, "/b/1 ");
}

// It may have been done, and would fail by itself: 412 for a write that is in.
TEST_F(TypeSourceTest, AWriteWithConditionsIsNotDoneAgain) {
  link();
  b.inner.holds = true;
  Client plain, conditional;
  const auto put = [&](Client& client, const std::string& fields) {
    HttpRequest request = make_request("PUT", "/b/1", Address{"h", 80});
    request.head.insert(request.head.size() - 2, fields);
    client.call = a.types.start(std::move(request), client);
  };
  put(plain, "");
  put(conditional, "If-Match: \"1\"\r\n");
  run_until([&] { return b.inner.calls.size() == 2; });
  ServerRecord record = b.record(false);
  b_lives = false;
  b.peers.stop();
  run_until([&] { return !a.balancers.reports.empty(); });
  tell({a.record(), record});
  run_until([&] { return plain.done && conditional.done; });
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(conditional.failed, HttpFailure::Kind::kReset);
  EXPECT_EQ(a.inner.seen.size(), 1U);
}

TEST_F(TypeSourceTest, ASilentOwnerIsNotWaitedForAndTheMasterIsTold) {
  Member c(loop, resolver, "c", 30ms);
  b.peers.remove_listener(b.types);  // it hears, and says nothing
  View view;
  view.version = 1;
  view.servers = {b.record(), c.record()};
  const auto shared = std::make_shared<const View>(std::move(view));
  b.tell(shared);
  c.tell(shared);
  run_until([&] { return c.peers.links() == 1 && b.peers.links() == 1; });
  Client client;
  get(client, "/b/1", c);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.body, "content");
  EXPECT_EQ(c.inner.seen.size(), 1U);
  EXPECT_EQ(c.balancers.reports,
            (std::vector<FailureReport>{{ServerId::of("b"), 1, Seen::kSilent}}));
}

}  // namespace
}  // namespace tandem::server
