// The client without waiting, with real sockets.
#include "client/include/tandem/async_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "common/net/event_loop.h"
#include "common/net/http_server.h"

namespace tandem {
namespace {

using namespace std::chrono_literals;

// Answers requests on many connections at a time with their first lines, but those for /hangs
// never.
class Echo final : private HttpServerHandler {
 public:
  Echo() : server_(loop_, {}, static_cast<HttpServerHandler&>(*this)) {
    const auto at = server_.listen(SocketAddress::loopback(0));
    EXPECT_TRUE(at);
    port_ = at->port();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Echo() {
    loop_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }
  int with_token() const { return with_token_; }
  int connections_most() const { return connections_most_; }

 private:
  void on_request(HttpExchange& exchange, const http::RequestHead& head,
                  const http::Framing&) override {
    ++requests_;
    with_token_ += head.value(http::FieldId::kTandemSession) == "T";
    connections_most_ = std::max<int>(connections_most_, static_cast<int>(server_.connections()));
    if (head.path() == "/hangs") return;
    exchange.respond(200, "Tandem-Session: T\r\n",
                     std::string(head.method_name()) + " " + std::string(head.path()));
  }

  EventLoop loop_;
  HttpServer server_;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_{0};
  std::atomic<int> with_token_{0};
  std::atomic<int> connections_most_{0};
  std::thread thread_;
};

TEST(AsyncClient, FuturesAndCallbacks) {
  Echo origin;
  AsyncClient client({.balancer = origin.url()});
  std::future<Reply> page = client.get("/page");
  std::promise<std::thread::id> called_on;
  client.start({.target = "/other"}, [&](Reply reply) {
    EXPECT_EQ(reply.body(), "GET /other");
    called_on.set_value(std::this_thread::get_id());
  });
  EXPECT_EQ(page.get().body(), "GET /page");
  EXPECT_NE(called_on.get_future().get(), std::this_thread::get_id());
  EXPECT_EQ(client.put("/p", "x").get().body(), "PUT /p");
  EXPECT_EQ(client.post("/p", "x").get().body(), "POST /p");
  EXPECT_EQ(client.remove("/p").get().body(), "DELETE /p");
  const ClientStats stats = client.stats();
  EXPECT_EQ(stats.calls, 5u);
  EXPECT_EQ(stats.failed, 0u);
}

TEST(AsyncClient, CallsOfManyThreadsShareOneSessionAndABoundedPool) {
  Echo origin;
  AsyncClient client({.balancer = origin.url(), .connections_max = 4, .queue_max = 1000});
  constexpr int kThreads = 4, kCalls = 50;
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::pair<std::string, std::future<Reply>>> calls;
      for (int i = 0; i < kCalls; ++i) {
        const std::string target = "/" + std::to_string(t) + "/" + std::to_string(i);
        calls.emplace_back(target, client.get(target));
      }
      for (auto& [target, call] : calls) good += call.get().body() == "GET " + target;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kThreads * kCalls);
  EXPECT_EQ(origin.requests(), kThreads * kCalls);
  EXPECT_EQ(origin.with_token(), kThreads * kCalls - 1) << "the first has begun the session of all";
  EXPECT_LE(origin.connections_most(), 4);
}

TEST(AsyncClient, BeyondTheQueueACallFailsAtOnceWithANameForIt) {
  Echo origin;
  AsyncClient client({.balancer = origin.url(), .connections_max = 1, .queue_max = 2});
  std::vector<std::future<Reply>> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(client.get("/hangs"));
  EXPECT_EQ(calls[3].wait_for(0s), std::future_status::ready);
  EXPECT_EQ(calls[3].get().failure, ClientFailure::kQueueFull);
  client.close();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(calls[i].get().failure, ClientFailure::kCancelled) << i;
}

TEST(AsyncClient, TheTimeoutCoversTheWaitForATurn) {
  Echo origin;
  AsyncClient client({.balancer = origin.url(), .timeout = 50ms, .connections_max = 1});
  auto first = client.get("/hangs"), second = client.get("/hangs");
  EXPECT_EQ(first.get().failure, ClientFailure::kTimeout);
  const Reply reply = second.get();
  EXPECT_EQ(reply.failure, ClientFailure::kTimeout);
  EXPECT_EQ(reply.attempts, 0u);
}

// Begun in one round, both have the same deadline: the end of the one is the other's turn.
TEST(AsyncClient, ACallWhoseTurnComesAtItsDeadlineGivesItBack) {
  Echo origin;
  AsyncClient client({.balancer = origin.url(), .timeout = 500ms, .connections_max = 1});
  std::promise<Reply> first, second;
  client.start({.target = "refused at once"}, [&](Reply) {
    client.start({.target = "/hangs"}, [&](Reply reply) { first.set_value(std::move(reply)); });
    client.start({.target = "/hangs"}, [&](Reply reply) { second.set_value(std::move(reply)); });
  });
  EXPECT_EQ(first.get_future().get().failure, ClientFailure::kTimeout);
  EXPECT_EQ(second.get_future().get().failure, ClientFailure::kTimeout);
  EXPECT_EQ(client.stats().waiting, 0u);
  EXPECT_EQ(client.stats().under_way, 0u);
  EXPECT_EQ(client.get("/").get().body(), "GET /");
}

TEST(AsyncClient, ACancelledCallEndsAndTheNextHasItsPlace) {
  Echo origin;
  AsyncClient client({.balancer = origin.url(), .connections_max = 1});
  std::promise<Reply> cancelled;
  const auto id = client.start({.target = "/hangs"},
                               [&](Reply reply) { cancelled.set_value(std::move(reply)); });
  auto next = client.get("/next");
  client.cancel(id);
  client.cancel(id + 100);  // there is none
  EXPECT_EQ(cancelled.get_future().get().failure, ClientFailure::kCancelled);
  EXPECT_EQ(next.get().body(), "GET /next");
  client.cancel(id);  // it is over
}

TEST(AsyncClient, ACallbackMayStartTheNextCallAndAskHowItStands) {
  Echo origin;
  AsyncClient client({.balancer = origin.url(), .connections_max = 1, .queue_max = 0});
  std::promise<int> done;
  int rounds = 0;
  std::function<void(Reply)> next = [&](Reply reply) {
    EXPECT_TRUE(reply) << reply.message;
    EXPECT_EQ(client.stats().calls, static_cast<unsigned>(rounds + 1));
    if (++rounds == 20) return done.set_value(rounds);
    client.start({.target = "/"}, next);
  };
  client.start({.target = "/"}, next);
  EXPECT_EQ(done.get_future().get(), 20);
}

TEST(AsyncClient, ItsEndCancelsWhatIsUnderWayAndWaits) {
  Echo origin;
  std::vector<std::future<Reply>> calls;
  {
    AsyncClient client({.balancer = origin.url()});
    for (int i = 0; i < 200; ++i) calls.push_back(client.get("/hangs"));
  }
  for (auto& call : calls) EXPECT_EQ(call.get().failure, ClientFailure::kCancelled);
}

TEST(AsyncClient, ClosedWhileOthersStartCallsEveryCallIsAnswered) {
  Echo origin;
  AsyncClient client({.balancer = origin.url()});
  std::atomic<int> answered{0};
  std::thread starter([&] {
    for (int i = 0; i < 500; ++i) client.start({.target = "/"}, [&](Reply) { ++answered; });
  });
  client.close();
  starter.join();
  EXPECT_EQ(answered, 500);
  EXPECT_EQ(client.get("/").get().failure, ClientFailure::kCancelled);
  EXPECT_GE(client.stats().calls, 0u);
}

// A callback that does not end keeps the client's thread alive meanwhile.
TEST(AsyncClient, WhileItEndsAnyThreadMayCloseItAndAskHowItStands) {
  Echo origin;
  AsyncClient client({.balancer = origin.url()});
  std::promise<void> entered, release;
  client.start({.target = "/hangs"}, [&](Reply) {
    entered.set_value();
    release.get_future().wait();
  });
  const auto close = [&] { client.close(); };
  std::vector<std::future<void>> closers;
  closers.push_back(std::async(std::launch::async, close));
  entered.get_future().wait();
  for (int i = 0; i < 3; ++i) closers.push_back(std::async(std::launch::async, close));
  auto stats = std::async(std::launch::async, [&] { return client.stats(); });
  EXPECT_EQ(stats.wait_for(20ms), std::future_status::timeout) << "its last word is not said";
  release.set_value();
  for (auto& closer : closers) EXPECT_NO_THROW(closer.get());
  EXPECT_EQ(stats.get().calls, 1u);
}

TEST(AsyncClient, OptionsThatCannotBeAreToldByEachCall) {
  AsyncClient client({.balancer = "nonsense"});
  EXPECT_EQ(client.get("/").get().failure, ClientFailure::kOptions);
}

}  // namespace
}  // namespace tandem
