// Sources of several servers with real channels between them, all on one loop.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "common/http/head_parser.h"
#include "common/net/http_fetch.h"
#include "server/io/peers.h"
#include "server/io/type_source.h"

namespace tandem::server::type_bench {

inline const TlsPsk kKey{"k", std::string(32, 'k')};

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
  std::optional<std::uint64_t> version() override { return versioned ? number : std::nullopt; }
  bool has_versions() const override { return versioned; }
  bool versioned = false;
  std::optional<std::uint64_t> number = 7;
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

inline std::unique_ptr<SourceCall> FakeSource::start(HttpRequest request,
                                                     HttpCallHandler& handler) {
  return std::make_unique<Call>(*this, std::move(request), handler);
}

// Who asked.
struct Client final : HttpCallHandler {
  void on_response(const http::ResponseHead& head, const http::Framing&) override {
    status = head.status();
    from = std::string(head.value(http::FieldId::kServer));
    const http::Field* passed = head.find("Cache-Status");
    if (passed != nullptr) cache_status = head.value(*passed);
  }
  void on_body(std::string_view bytes) override {
    body += bytes;
    if (pause_each) {
      call->pause();
      paused = true;
    }
  }
  void on_complete() override {
    done = true;
    if (completed) completed();
  }
  void on_failure(const HttpFailure& failure) override {
    failed = failure.kind;
    done = true;
  }
  int status = 0;
  std::string from, body, cache_status;
  std::function<void()> completed;
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
  // As a front does it whose session mirrors keep the content.
  Client get_for_session(const std::string& target, Member& at) {
    Client client;
    client.completed = [&] {
      const Validator validator = Validator::of(client.body);
      at.contents.put(validator, std::make_shared<const std::string>(client.body));
      at.types.note_content(ItemKey::of(target), validator);
    };
    get(client, target, at);
    run_until([&] { return client.done; });
    client.call.reset();
    client.completed = nullptr;
    return client;
  }
  void kill_b() {
    dead = b.record(false);
    b_lives = false;
    b.peers.stop();
    tell({a.record(), dead});
  }
  // With nothing; there is no link with it yet.
  void return_b() {
    dead.online = true;
    tell({a.record(), dead});
  }
  static std::uint64_t count(const Member& at, const std::string& name) {
    for (const auto& one : at.types.counts()) {
      if (one.name == name) return one.value;
    }
    ADD_FAILURE() << name;
    return 0;
  }
  EventLoop loop;
  Resolver resolver;
  std::uint64_t version = 0;
  ServerRecord dead;
  bool b_lives = true;
  Member a{loop, resolver, "a"}, b{loop, resolver, "b"};
};

}  // namespace tandem::server::type_bench
