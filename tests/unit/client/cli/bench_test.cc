#include "client/cli/bench.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/scripted_server.h"

namespace tandem {
namespace {

using test::ScriptedServer;
using Answer = ScriptedServer::Answer;
using Request = ScriptedServer::Request;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(Bench, AClosedLoopHasSoManyCallsAtATime) {
  ScriptedServer server([](const Request&) { return Answer{kOk}; });
  const BenchOptions options{.concurrency = 1, .duration = 10s, .requests_max = 50};
  const BenchResult result = run_bench({.balancer = server.url()}, {"/a", "/b"}, {}, options);
  EXPECT_EQ(result.calls, 50u);
  EXPECT_EQ(result.no_response, 0u) << result.first_failure;
  EXPECT_EQ(result.latency.count(), 50u);
  EXPECT_EQ(server.requests(), 50);
  EXPECT_EQ(result.client.calls, 50u);
}

// One answer that takes long: with one connection all calls that were due meanwhile wait for it,
// and say so; by their own clocks only one was slow.
TEST(Bench, AnOpenLoopCountsTheTimeForWhichACallWasDue) {
  ScriptedServer server([](const Request& request) {
    if (request.number == 10) std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return Answer{kOk};
  });
  const BenchOptions options{.rate = 1000, .concurrency = 1, .duration = 10s, .requests_max = 200};
  const BenchResult result = run_bench({.balancer = server.url()}, {"/"}, {}, options);
  EXPECT_EQ(result.calls, 200u);
  EXPECT_EQ(result.no_response, 0u) << result.first_failure;
  EXPECT_GE(result.latency.percentile(60), 20ms);
  EXPECT_GE(result.elapsed, 190ms) << "not faster than the rate";
}

TEST(Bench, FailuresAreCountedAndTheFirstIsNamed) {
  std::string gone;
  {
    ScriptedServer server([](const Request&) { return Answer{}; });
    gone = server.url();
  }
  const BenchOptions options{.concurrency = 2, .duration = 10s, .requests_max = 4};
  const BenchResult result = run_bench({.balancer = gone, .attempts_max = 1}, {"/"}, {}, options);
  EXPECT_EQ(result.calls, 4u);
  EXPECT_EQ(result.no_response, 4u);
  EXPECT_FALSE(result.first_failure.empty());
  EXPECT_EQ(result.latency.count(), 0u);
}

}  // namespace
}  // namespace tandem
