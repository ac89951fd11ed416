#include "client/cli/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "client/include/tandem/async_client.h"
#include "common/net/clock.h"

namespace tandem {
namespace {

constexpr unsigned kQueueMax = 100'000;  // calls that are due and wait, in an open loop

double ms(Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

class Run {
 public:
  Run(const ClientOptions& client, const std::vector<std::string>& targets,
      const HeaderFields& headers, const BenchOptions& options)
      : targets_(targets), headers_(headers), options_(options), client_(client) {}

  BenchResult go() {
    begun_ = monotonic_now();
    ends_ = begun_ + options_.duration;
    options_.rate > 0 ? open_loop() : closed_loop();
    {
      std::unique_lock lock(mutex_);
      idle_.wait(lock, [this] { return open_ == 0; });
    }
    result_.elapsed = monotonic_now() - begun_;
    result_.client = client_.stats();
    client_.close();
    return std::move(result_);
  }

 private:
  bool may_start(Instant at) const {
    return at < ends_ && (options_.requests_max == 0 || started_ < options_.requests_max);
  }

  // Each call starts the next on the client's thread.
  void closed_loop() {
    const std::lock_guard lock(mutex_);
    for (std::uint32_t i = 0; i < options_.concurrency && may_start(begun_); ++i) {
      start(monotonic_now());
    }
  }

  void open_loop() {
    for (std::uint64_t i = 0;; ++i) {
      const auto after = std::chrono::duration<double>(static_cast<double>(i) / options_.rate);
      const Instant due = begun_ + std::chrono::duration_cast<Duration>(after);
      std::this_thread::sleep_for(due - monotonic_now());
      const std::unique_lock lock(mutex_);
      if (!may_start(due)) return;
      start(due);
    }
  }

  // With the lock; the queue never fills up but in an open loop, where that is told on this thread.
  void start(Instant due) {
    ++open_;
    const std::string& target = targets_[started_++ % targets_.size()];
    const auto thread = std::this_thread::get_id();
    client_.start({"GET", target, {}, headers_}, [this, due, thread](Reply reply) {
      if (reply.failure == ClientFailure::kQueueFull && thread == std::this_thread::get_id()) {
        return over(due, reply);  // the lock is held
      }
      const std::lock_guard lock(mutex_);
      over(due, reply);
    });
  }

  void over(Instant due, const Reply& reply) {
    const Instant now = monotonic_now();
    ++result_.calls;
    if (!reply) {
      if (result_.no_response++ == 0) result_.first_failure = reply.message;
    } else {
      result_.bad_status += reply.status >= 400;
      result_.latency.add(now - due);
    }
    if (options_.rate <= 0 && may_start(now)) start(now);
    if (--open_ == 0) idle_.notify_all();
  }

  const std::vector<std::string>& targets_;
  const HeaderFields& headers_;
  const BenchOptions& options_;
  Instant begun_{};
  Instant ends_{};
  std::mutex mutex_;
  std::condition_variable idle_;
  std::uint64_t started_ = 0;
  std::uint64_t open_ = 0;
  BenchResult result_;
  AsyncClient client_;  // after what its callbacks use
};

}  // namespace

BenchResult run_bench(ClientOptions client, const std::vector<std::string>& targets,
                      const HeaderFields& headers, const BenchOptions& options) {
  client.connections_max = options.concurrency;
  client.queue_max = options.rate > 0 ? kQueueMax : options.concurrency;
  return Run(client, targets, headers, options).go();
}

void say_bench(std::FILE* out, const BenchOptions& options, const BenchResult& result) {
  const double seconds = std::max(std::chrono::duration<double>(result.elapsed).count(), 1e-9);
  if (options.rate > 0) {
    fmt::print(out, "open loop, {} calls a second, {} connections, {:.1f} s\n", options.rate,
               options.concurrency, seconds);
  } else {
    fmt::print(out, "closed loop, {} calls at a time, {:.1f} s\n", options.concurrency, seconds);
  }
  fmt::print(out, "  calls         {:>12}  {:.1f} a second\n", result.calls,
             static_cast<double>(result.calls) / seconds);
  fmt::print(out, "  no response   {:>12}{}{}\n", result.no_response,
             result.first_failure.empty() ? "" : "  ", result.first_failure);
  fmt::print(out, "  status >= 400 {:>12}\n", result.bad_status);
  fmt::print(out, "  bytes         {:>12}  received\n", result.client.bytes_received);
  fmt::print(out, "  latency, ms{}\n", options.rate > 0 ? ", from when a call was due" : "");
  const auto line = [&](const std::string& name, Duration latency) {
    fmt::print(out, "    {:<10} {:>12.3f}\n", name, ms(latency));
  };
  line("least", result.latency.least());
  line("mean", result.latency.mean());
  for (const double percent : {50.0, 90.0, 99.0, 99.9, 99.99}) {
    line(fmt::format("{} %", percent), result.latency.percentile(percent));
  }
  line("most", result.latency.most());
}

void say_stats(std::FILE* out, const std::string& origin, const ClientStats& stats) {
  fmt::print(out, "{}\n", origin);
  fmt::print(out, "  {} calls, {} without a response, {} attempts, {} bytes received\n",
             stats.calls, stats.failed, stats.attempts, stats.bytes_received);
  fmt::print(out, "  {} fetched, {} reused by mirror, {} by validator, {} without asking\n",
             stats.fetched, stats.by_mirror, stats.by_validator, stats.local);
  fmt::print(out, "  {} answered directly, {} referrals followed, {} connections\n", stats.direct,
             stats.referrals, stats.connections);
  if (stats.maps_fetched == 0) return;
  fmt::print(out, "  {} servers in view {}, primary {}, alternate {}\n", stats.servers,
             stats.map_version, stats.primary.empty() ? "-" : stats.primary,
             stats.alternate.empty() ? "-" : stats.alternate);
  fmt::print(out, "  failover mode entered {} times, left {}; {} notices taken, {} not\n",
             stats.failovers_entered, stats.failovers_left, stats.notices_sent,
             stats.notices_failed);
}

}  // namespace tandem
