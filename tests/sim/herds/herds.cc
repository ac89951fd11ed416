#include "tests/sim/herds/herds.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>

#include "lb/core/assignment.h"
#include "tests/sim/event_heap.h"

namespace tandem::sim {
namespace {

constexpr Duration kInterval = 1s;

Duration intervals(double count) {
  return std::chrono::duration_cast<Duration>(count * std::chrono::duration<double>(kInterval));
}
double exponential(Random& random, double mean) { return -mean * std::log(1 - random.unit()); }

// One worker of a balancer.
class Assigner {
 public:
  Assigner(HerdPolicy policy, Random random, std::uint32_t workers, const View& view)
      : policy_(policy), assignment_(random.fork(1), workers), view_(view) {
    assignment_.on_view(view);
    turn_ = random.below(view.servers.size());
    weighted_.resize(view.servers.size());
  }

  void on_status(std::size_t server, const Status& status) {
    view_.servers[server].status = status;
    if (policy_ == HerdPolicy::kAssignment) {
      assignment_.on_status(view_.servers[server].id, status);
    }
  }

  // The server's place; its number if nobody takes the session.
  std::size_t choose() {
    switch (policy_) {
      case HerdPolicy::kAssignment:
        return place_of(assignment_.choose());
      case HerdPolicy::kWeightedRoundRobin:
        return next_weighted();
      case HerdPolicy::kRoundRobin:
        return turn_++ % view_.servers.size();
      case HerdPolicy::kLeastByStatus:
      case HerdPolicy::kPerfect:
        break;
    }
    const auto least = std::min_element(
        view_.servers.begin(), view_.servers.end(),
        [](const auto& a, const auto& b) { return less_loaded(a.status, b.status); });
    return static_cast<std::size_t>(least - view_.servers.begin());
  }

 private:
  std::size_t place_of(const std::optional<Choice>& choice) const {
    const auto found =
        std::find_if(view_.servers.begin(), view_.servers.end(),
                     [&](const auto& server) { return choice && server.id == choice->server; });
    return static_cast<std::size_t>(found - view_.servers.begin());
  }
  std::size_t next_weighted() {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < weighted_.size(); ++i) {
      weighted_[i] += view_.servers[i].status.capacity;
      sum += view_.servers[i].status.capacity;
    }
    const auto next = std::max_element(weighted_.begin(), weighted_.end());
    *next -= sum;
    return static_cast<std::size_t>(next - weighted_.begin());
  }

  HerdPolicy policy_;
  Assignment assignment_;
  View view_;
  std::uint64_t turn_ = 0;
  std::vector<std::int64_t> weighted_;
};

struct Server {
  std::int64_t sessions = 0;
  std::int64_t confirmed = 0;
  std::uint64_t sequence = 1;
  double phase = 0;
};

class Herd {
 public:
  explicit Herd(const HerdOptions& options)
      : options_(options),
        dice_(options.seed),
        arrivals_dice_(dice_.fork(1)),
        lives_dice_(dice_.fork(2)),
        phases_dice_(dice_.fork(3)) {
    make_servers();
    for (std::uint32_t i = 0; i < options.balancers; ++i) {
      shares_.push_back(std::pow(i + 1, -options.skew));
      for (std::uint32_t w = 0; w < options.workers; ++w) {
        assigners_.emplace_back(options.policy, dice_.fork(100 + assigners_.size()),
                                options.workers, view_);
      }
      for (std::uint32_t s = 0; s < options.servers; ++s) {
        lags_.push_back(options.lag * phases_dice_.unit());
      }
    }
    std::partial_sum(shares_.begin(), shares_.end(), shares_.begin());
  }

  HerdReport run() {
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      heap_.after(intervals(servers_[i].phase), [this, i] { tell(i); });
    }
    heap_.after(intervals(exponential(arrivals_dice_, 1 / options_.arrivals)),
                [this] { arrive(); });
    heap_.after(intervals(options_.warm_up), [this] { sample(); });
    const Instant end = heap_.now() + intervals(options_.warm_up + options_.intervals);
    while (heap_.step(end)) {
    }
    return conclude();
  }

 private:
  void make_servers() {
    const double sessions = options_.arrivals * options_.lifetime;
    double units = 0;
    for (std::uint32_t i = 0; i < options_.servers; ++i) units += proportion(i);
    view_.balancers = options_.balancers;
    for (std::uint32_t i = 0; i < options_.servers; ++i) {
      const double share = sessions * proportion(i) / units;
      ServerRecord record;
      record.name = "s" + std::to_string(100 + i);
      record.id = ServerId::of(record.name);
      record.online = true;
      record.incarnation = 1;
      record.status.sequence = 1;
      record.status.capacity =
          static_cast<std::uint32_t>(std::lround(share / options_.utilisation));
      record.status.threshold =
          static_cast<std::uint32_t>(std::lround(options_.threshold * record.status.capacity));
      capacity_ += record.status.capacity;
      Server& server = servers_.emplace_back();
      server.phase = options_.own_phases ? phases_dice_.unit() : 0;
      record.status.primaries = static_cast<std::uint32_t>(std::lround(share));
      view_.servers.push_back(record);
      for (std::uint32_t n = 0; n < record.status.primaries; ++n) begin_session(i, true);
    }
  }
  double proportion(std::uint32_t server) const {
    return options_.capacities[server % options_.capacities.size()];
  }

  void arrive() {
    heap_.after(intervals(exponential(arrivals_dice_, 1 / options_.arrivals)),
                [this] { arrive(); });
    const double at = arrivals_dice_.unit() * shares_.back();
    const auto balancer = std::min<std::size_t>(
        static_cast<std::size_t>(std::upper_bound(shares_.begin(), shares_.end(), at) -
                                 shares_.begin()),
        shares_.size() - 1);
    const std::size_t worker = arrivals_dice_.below(options_.workers);
    Assigner& assigner = assigners_[balancer * options_.workers + worker];
    if (options_.policy == HerdPolicy::kPerfect) tell_truth(assigner);
    const std::size_t server = assigner.choose();
    ++report_.arrivals;
    if (server == servers_.size()) {
      ++report_.refused;
      return;
    }
    begin_session(server, false);
  }

  void begin_session(std::size_t server, bool confirmed) {
    ++servers_[server].sessions;
    if (!confirmed && lives_dice_.chance(options_.bots)) {
      heap_.after(intervals(HerdOptions::kBotStay),
                  [this, server] { --servers_[server].sessions; });
      return;
    }
    const double life = exponential(lives_dice_, options_.lifetime);
    const double wait = confirmed ? 0 : exponential(lives_dice_, options_.confirm);
    if (wait > 0) {
      heap_.after(intervals(wait), [this, server] { ++servers_[server].confirmed; });
    } else {
      ++servers_[server].confirmed;
    }
    heap_.after(intervals(life), [this, server] { --servers_[server].sessions; });
    heap_.after(intervals(std::max(wait, life)), [this, server] { --servers_[server].confirmed; });
  }

  Status status_of(std::size_t i, std::int64_t primaries) const {
    Status status = view_.servers[i].status;
    status.sequence = servers_[i].sequence;
    status.primaries = static_cast<std::uint32_t>(std::max<std::int64_t>(primaries, 0));
    return status;
  }

  void tell(std::size_t i) {
    heap_.after(kInterval, [this, i] { tell(i); });
    ++servers_[i].sequence;
    const Status status = status_of(i, servers_[i].confirmed);
    for (std::uint32_t balancer = 0; balancer < options_.balancers; ++balancer) {
      heap_.after(intervals(lags_[balancer * servers_.size() + i]), [this, i, balancer, status] {
        for (std::uint32_t w = 0; w < options_.workers; ++w) {
          assigners_[balancer * options_.workers + w].on_status(i, status);
        }
      });
    }
  }

  void tell_truth(Assigner& assigner) {
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      assigner.on_status(i, status_of(i, servers_[i].sessions));
    }
  }

  void sample() {
    heap_.after(intervals(1.0 / options_.samples), [this] { sample(); });
    double peak = 0, sessions = 0;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      const auto count = static_cast<double>(servers_[i].sessions);
      sessions += count;
      peak = std::max(peak, count / view_.servers[i].status.capacity);
    }
    peaks_.push_back(peak / (sessions / capacity_));
    report_.mean_sessions += sessions;
  }

  HerdReport conclude() {
    const auto count = static_cast<double>(peaks_.size());
    report_.mean_sessions /= count;
    report_.mean_peak = std::accumulate(peaks_.begin(), peaks_.end(), 0.0) / count;
    std::sort(peaks_.begin(), peaks_.end());
    report_.p99_peak = peaks_[peaks_.size() * 99 / 100];
    return report_;
  }

  HerdOptions options_;
  Random dice_, arrivals_dice_, lives_dice_, phases_dice_;
  EventHeap heap_;
  View view_;
  double capacity_ = 0;
  std::vector<Server> servers_;
  std::vector<double> shares_;  // of the arrivals, summed up
  std::vector<double> lags_;    // of a server's status on its way to a balancer
  std::vector<Assigner> assigners_;
  std::vector<double> peaks_;
  HerdReport report_;
};

}  // namespace

std::string_view to_text(HerdPolicy policy) {
  switch (policy) {
    case HerdPolicy::kAssignment:
      return "tandem";
    case HerdPolicy::kWeightedRoundRobin:
      return "weighted-rr";
    case HerdPolicy::kRoundRobin:
      return "round-robin";
    case HerdPolicy::kLeastByStatus:
      return "least-status";
    case HerdPolicy::kPerfect:
      return "perfect";
  }
  return {};
}

HerdReport run_herd(const HerdOptions& options) { return Herd(options).run(); }

}  // namespace tandem::sim
