// A direct client and a server that says nothing, with real sockets: frozen, or only slow.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "client/include/tandem/client.h"
#include "common/base/json_writer.h"
#include "common/cluster/server_list.h"
#include "common/net/event_loop.h"
#include "common/net/http_server.h"

namespace tandem {
namespace {

using namespace std::chrono_literals;

// A balancer and two servers: every session is on `a`, its alternate is `b`.
class Site {
 public:
  enum class Mood { kWell, kSlow, kBusy, kFrozen };  // of a

  Site() : balancer_(*this, ""), a_(*this, "a"), b_(*this, "b") {
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Site() {
    loop_.stop();
    thread_.join();
  }
  ClientOptions options() const {
    return {.balancer = "http://" + balancer_.address,
            .direct = true,
            .timeout = 10s,
            .attempt_timeout = 1s};
  }
  // Slow: it answers for the first time after so many looks. Busy: looks alone. Frozen: not at all.
  void a_is(Mood mood) { mood_ = mood; }
  int requests_of_a() const { return requests_of_a_; }
  int looks_at_a() const { return looks_at_a_; }
  static constexpr int kLooks = 2;
  static constexpr std::size_t kLargeBytes = 4 << 10;  // of /large

 private:
  struct Server final : HttpServerHandler, HttpExchangeHandler {
    Server(Site& owner, std::string called)
        : site(owner), name(std::move(called)), server(owner.loop_, {}, *this) {
      const auto at = server.listen(SocketAddress::loopback(0));
      EXPECT_TRUE(at);
      address = "127.0.0.1:" + std::to_string(at->port());
    }
    void on_request(HttpExchange& exchange, const http::RequestHead& head,
                    const http::Framing& framing) override {
      exchange.set_handler(this);
      if (framing.kind != http::BodyKind::kNone) exchange.resume_body();
      site.serve(*this, exchange, head.path());
    }
    void on_request_body(std::string_view) override {}
    void on_request_end() override {}
    void on_aborted() override { waiting = nullptr; }

    Site& site;
    const std::string name;
    HttpServer server;
    std::string address;
    HttpExchange* waiting = nullptr;
  };

  void serve(Server& at, HttpExchange& exchange, std::string_view path) {
    if (path == kServerListPath) return exchange.respond(200, {}, list());
    if (&at != &a_ || mood_ == Mood::kWell) {
      return answer(at, exchange, path == "/large" ? std::string(kLargeBytes, 'x') : "");
    }
    const bool look = path == kHealthPath;
    ++(look ? looks_at_a_ : requests_of_a_);
    if (mood_ == Mood::kFrozen) return;
    if (!look && mood_ == Mood::kBusy) return;
    if (!look) {
      a_.waiting = &exchange;
      return;
    }
    exchange.respond(200, {}, "ok\n");
    if (mood_ == Mood::kSlow && looks_at_a_ == kLooks && a_.waiting != nullptr)
      answer(a_, *a_.waiting);
  }

  void answer(const Server& by, HttpExchange& exchange, std::string body = {}) {
    const std::string name = by.name.empty() ? "a" : by.name;
    exchange.respond(
        200,
        "Tandem-Session: T\r\nTandem-Server: " + name +
            "\r\nTandem-Where: view=1;primary=" + (name == "a" ? "a;alternate=b" : "b") + "\r\n",
        body.empty() ? "from " + name : std::move(body));
  }

  std::string list() const {
    JsonWriter json;
    json.begin_object().member("version", std::uint64_t{1}).key("servers").begin_array();
    for (const Server* one : {&a_, &b_}) {
      json.begin_object().member("name", one->name).member("address", one->address);
      json.member("online", true).end_object();
    }
    return json.end_array().end_object().text();
  }

  EventLoop loop_;
  std::atomic<Mood> mood_{Mood::kWell};
  std::atomic<int> requests_of_a_{0};
  std::atomic<int> looks_at_a_{0};
  Server balancer_, a_, b_;
  std::thread thread_;
};

TEST(SilentServer, AFrozenPrimaryCostsTheTimeOfAnAttemptAndNotOfTheCall) {
  Site site;
  Client client(site.options());
  ASSERT_EQ(client.get("/").body(), "from a");
  site.a_is(Site::Mood::kFrozen);
  const Reply reply = client.get("/x");
  EXPECT_EQ(reply.body(), "from b") << reply.message;
  EXPECT_EQ(reply.attempts, 2u);
  EXPECT_GE(reply.elapsed, 1s);
  EXPECT_LT(reply.elapsed, 5s);
  EXPECT_EQ(client.stats().failovers_entered, 1u) << "the attempt and the look have failed";
  EXPECT_EQ(site.requests_of_a(), 1);
  EXPECT_EQ(client.get("/y").attempts, 1u) << "it is left alone now";
}

TEST(SilentServer, ASlowOneIsWaitedForAndNothingIsSentTwice) {
  Site site;
  Client client(site.options());
  ASSERT_TRUE(client.get("/"));
  site.a_is(Site::Mood::kSlow);
  const Reply reply = client.get("/x");
  EXPECT_EQ(reply.body(), "from a") << reply.message;
  EXPECT_EQ(reply.attempts, 1u);
  EXPECT_EQ(site.requests_of_a(), 1);
  EXPECT_EQ(site.looks_at_a(), Site::kLooks);
  EXPECT_EQ(client.stats().failovers_entered, 0u);
}

TEST(SilentServer, WhatIsNotIdempotentHasTheWholeTimeAndIsNotSentAgain) {
  Site site;
  ClientOptions options = site.options();
  options.timeout = 1s;
  options.attempt_timeout = 200ms;
  Client client(options);
  ASSERT_TRUE(client.get("/"));
  site.a_is(Site::Mood::kFrozen);
  const Reply reply = client.post("/x", "body");
  EXPECT_EQ(reply.failure, ClientFailure::kTimeout);
  EXPECT_EQ(reply.attempts, 1u);
  EXPECT_GE(reply.elapsed, 1s);
  EXPECT_EQ(site.looks_at_a(), 0);
}

// The call's own limits say nothing about who serves it.
TEST(SilentServer, WhoseAnswersAreTooLargeOrTakeTooLongIsNotLeftAlone) {
  Site site;
  ClientOptions options = site.options();
  options.retries = 1;
  options.timeout = 500ms;
  options.attempt_timeout = 2s;
  options.body_bytes_max = Site::kLargeBytes - 1;
  Client client(options);
  ASSERT_EQ(client.get("/").body(), "from a");
  EXPECT_EQ(client.get("/large").failure, ClientFailure::kProtocol);
  EXPECT_EQ(client.get("/").body(), "from a");
  site.a_is(Site::Mood::kBusy);
  EXPECT_EQ(client.get("/x").failure, ClientFailure::kTimeout);
  EXPECT_EQ(client.post("/x", "body").failure, ClientFailure::kTimeout);
  EXPECT_EQ(client.post("/x", "body").failure, ClientFailure::kTimeout);
  site.a_is(Site::Mood::kWell);
  EXPECT_EQ(client.get("/").body(), "from a");
  EXPECT_EQ(client.stats().failovers_entered, 0u);
}

// A request that may not be sent again is not left; the next one finds out.
TEST(SilentServer, WhereNoAnswerCameInTimeTheNextCallLooks) {
  Site site;
  ClientOptions options = site.options();
  options.retries = 1;
  options.timeout = 500ms;
  options.attempt_timeout = 200ms;
  Client client(options);
  ASSERT_EQ(client.get("/").body(), "from a");
  site.a_is(Site::Mood::kFrozen);
  EXPECT_EQ(client.post("/x", "body").failure, ClientFailure::kTimeout);
  EXPECT_EQ(client.stats().failovers_entered, 0u);
  EXPECT_EQ(client.post("/x", "body").failure, ClientFailure::kTimeout);
  EXPECT_EQ(client.stats().failovers_entered, 1u);
  EXPECT_EQ(client.post("/x", "body").body(), "from b");
}

}  // namespace
}  // namespace tandem
