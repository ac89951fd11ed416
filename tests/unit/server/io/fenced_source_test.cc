// The source before cache and data source, as a server that shares out its data has it: one that
// acts for /a/ before an origin on a real socket, and another server that may hold a lease.
#include "server/io/fenced_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "common/net/http_fetch.h"
#include "server/io/source_http.h"
#include "tests/support/blocking.h"

namespace tandem::server {
namespace {

using test::field;
using test::Origin;
using test::Talk;

const ServerId kOther = ServerId::of("b");

struct Sent final : PeerCarrier {
  void send(ServerId to, const Message& message) override {
    EXPECT_EQ(to, kOther);
    messages.push_back(message);
  }
  template <class Kind>
  std::optional<Kind> last() const {
    for (auto at = messages.rbegin(); at != messages.rend(); ++at) {
      if (const auto* one = std::get_if<Kind>(&*at)) return *one;
    }
    return std::nullopt;
  }
  std::vector<Message> messages;
};

// Insists on the order in which it is told, as a front does.
struct Client final : HttpCallHandler {
  void on_response(const http::ResponseHead& head, const http::Framing&) override {
    EXPECT_EQ(status, 0) << "a second answer";
    status = head.status();
    if (pauses) call->pause();
  }
  void on_body(std::string_view bytes) override {
    EXPECT_NE(status, 0) << "a body before its head";
    body += bytes;
  }
  void on_complete() override {
    EXPECT_NE(status, 0) << "the end before the head";
    done = true;
  }
  void on_failure(const HttpFailure& failure) override {
    EXPECT_FALSE(done);
    failed = failure.kind;
    sent = failure.sent;
    done = true;
  }
  int status = 0;
  std::string body;
  bool done = false, pauses = false, sent = false;
  std::optional<HttpFailure::Kind> failed;
  std::unique_ptr<SourceCall> call;
};

NodeOptions node_options() {
  NodeOptions made;
  made.name = "a";
  return made;
}

Ownership ownership() { return Ownership(Types({{"/a/", "a"}, {"/b/", "b"}}, 16), "default"); }

ServerRecord record(const std::string& name) {
  ServerRecord made;
  made.id = ServerId::of(name);
  made.name = name;
  made.group = "default";
  made.incarnation = 1;
  made.online = true;
  made.status.capacity = 100;
  return made;
}

struct Fenced {
  explicit Fenced(const std::string& answer)
      : origin([this, answer](Talk& talk, int) {
          while (!talk.head().empty()) {
            ++asked;
            if (!talk.send(answer) || field(answer, "Connection") == "close") return;
          }
        }),
        source(loop, resolver, HttpDestination{Address{"127.0.0.1", origin.port()}}, {}),
        fenced(loop, driver, ownership(), source, nullptr, {}) {
    fenced.set_peers(&sent);
    View view;
    view.version = 1;
    view.servers = {record("a"), record("b")};
    fenced.on_view(std::make_shared<const View>(view));
  }
  void run_until(const std::function<bool()>& condition) {
    const Instant give_up = loop.now() + 20s;
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop, [&] {
      if (condition() || loop.now() > give_up) return loop.stop();
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop.run();
    EXPECT_TRUE(condition()) << "in vain";
  }
  void ask(Client& client, const char* method, const char* target) {
    client.call = fenced.start(make_request(method, target, Address{"h", 80}), client);
  }
  void give_lease() {
    const Types types({{"/a/", "a"}, {"/b/", "b"}}, 16);
    fenced.on_peer_message(kOther, LeaseAsk{1, types.key(types.type_of("/a/x"))});
    EXPECT_TRUE(sent.last<LeaseGrant>());
  }
  std::atomic<int> asked = 0;
  Origin origin;
  EventLoop loop;
  Resolver resolver{loop};
  Sent sent;
  NodeDriver driver{loop, node_options()};
  HttpSource source;
  FencedSource fenced;
};

TEST(FencedSource, AnAnswerWithoutABodyIsGivenInItsOrder) {
  for (const char* answer :
       {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"}) {
    Fenced fenced(answer);
    for (const char* method : {"PUT", "DELETE"}) {
      Client client;
      fenced.ask(client, method, "/a/x");
      fenced.run_until([&] { return client.done; });
      EXPECT_EQ(client.status, std::atoi(answer + 9));
      EXPECT_EQ(client.body, client.status == 200 ? "body" : "");
    }
  }
}

TEST(FencedSource, ItWaitsForWhoeverHoldsALease) {
  Fenced fenced("HTTP/1.1 204 No Content\r\n\r\n");
  fenced.give_lease();
  Client client;
  client.pauses = true;
  fenced.ask(client, "PUT", "/a/x");
  fenced.run_until([&] { return fenced.sent.last<Invalidate>().has_value(); });
  EXPECT_EQ(client.status, 0);
  fenced.fenced.on_peer_message(kOther, Invalidated{fenced.sent.last<Invalidate>()->number});
  fenced.run_until([&] { return client.status != 0; });
  EXPECT_EQ(client.status, 204);
  EXPECT_FALSE(client.done) << "it has been paused";
  client.call->resume();
  fenced.run_until([&] { return client.done; });
}

TEST(FencedSource, AnAnswerThatIsCutIsAFailureAndNothingComesAfterIt) {
  for (const bool held : {true, false}) {
    Fenced fenced("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf");
    if (held) fenced.give_lease();
    Client client;
    fenced.ask(client, "PUT", "/a/x");
    fenced.run_until([&] { return fenced.sent.last<Invalidate>().has_value(); });
    if (held) {
      fenced.fenced.on_peer_message(kOther, Invalidated{fenced.sent.last<Invalidate>()->number});
    }
    fenced.run_until([&] { return client.done; });
    EXPECT_TRUE(client.failed);
    EXPECT_TRUE(client.sent);
  }
}

// The one that acts would go on with what it has cached.
TEST(FencedSource, NothingIsWrittenForWhichAnotherActs) {
  Fenced fenced("HTTP/1.1 204 No Content\r\n\r\n");
  Client client;
  fenced.ask(client, "PUT", "/b/x");
  fenced.run_until([&] { return client.done; });
  EXPECT_EQ(client.failed, HttpFailure::Kind::kShortage);
  EXPECT_FALSE(client.sent);
  EXPECT_EQ(fenced.asked, 0);
  Client reader;
  fenced.ask(reader, "GET", "/b/x");
  fenced.run_until([&] { return reader.done; });
  EXPECT_EQ(reader.status, 204);
}

}  // namespace
}  // namespace tandem::server
