#include "lb/app/worker_group.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tandem {
namespace {

std::uint32_t count_of(std::int64_t sum) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(sum, 0, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

// One worker and what it has reported. Reports come on the worker's thread and go on to control's.
class WorkerGroup::Member final : public FrontReports {
 public:
  Member(WorkerGroup& group, const FrontOptions& options, AccessLog* log)
      : group_(group), worker(options, *this, log) {}

  std::vector<TokenCounter::Sessions> sessions;  // control's thread alone

 private:
  void on_server_failed(ServerId server) override {
    group_.control_.post([this, server] { group_.owner_.on_server_failed(server); });
  }
  void on_plain_sessions(const std::vector<TokenCounter::Sessions>& counted) override {
    group_.control_.post([this, counted] {
      sessions = counted;
      group_.owner_.on_plain_sessions();
    });
  }
  void on_drained() override {
    group_.control_.post([this] {
      if (++group_.drained_ == group_.members_.size()) group_.owner_.on_drained();
    });
  }

  WorkerGroup& group_;

 public:
  Worker worker;  // last: it stops before what it reports to is gone
};

WorkerGroup::WorkerGroup(EventLoop& control, const FrontOptions& options, AccessLog* log,
                         Owner& owner)
    : control_(control), owner_(owner) {
  for (std::uint32_t i = 0; i < std::max(options.workers, 1U); ++i) {
    members_.push_back(std::make_unique<Member>(*this, options, log));
  }
}
WorkerGroup::~WorkerGroup() { stop(); }

Result<SocketAddress> WorkerGroup::listen(const SocketAddress& at, bool tls) {
  auto bound = members_.front()->worker.listen(at, tls, false);
  for (std::size_t i = 1; bound && i < members_.size(); ++i) {
    auto joined = members_[i]->worker.listen(*bound, tls, true);
    if (!joined) return joined;
  }
  return bound;
}

void WorkerGroup::start() {
  for (auto& member : members_) member->worker.start();
}
void WorkerGroup::post_view(const RoutedViewPtr& view) {
  for (auto& member : members_) member->worker.post_view(view);
}
void WorkerGroup::post_status(const StatusUpdate& update) {
  for (auto& member : members_) {
    for (const auto& entry : update.entries) member->worker.post_status(entry.server, entry.status);
  }
}
void WorkerGroup::post_keys(const ClusterKeys& keys) {
  for (auto& member : members_) member->worker.post_keys(keys);
}
void WorkerGroup::drain() {
  for (auto& member : members_) member->worker.drain();
}
void WorkerGroup::stop() {
  for (auto& member : members_) member->worker.stop();
}

std::vector<AdminSnapshot::Count> WorkerGroup::counts() const {
  std::vector<AdminSnapshot::Count> sums;
  for (const auto& member : members_) {
    std::size_t i = 0;
    for (const auto& row : member->worker.counts().rows()) {
      if (i == sums.size()) sums.push_back({row.name, row.help, 0});
      sums[i++].value += row.value;
    }
  }
  return sums;
}

std::map<ServerId, WorkerGroup::Sessions> WorkerGroup::plain_sessions() const {
  // One worker's count may be negative: a session that another had counted was renewed there.
  std::map<ServerId, std::pair<std::int64_t, std::int64_t>> sums;
  for (const auto& member : members_) {
    for (const auto& sessions : member->sessions) {
      sums[sessions.server].first += sessions.primaries;
      sums[sessions.server].second += sessions.alternates;
    }
  }
  std::map<ServerId, Sessions> counts;
  for (const auto& [server, sum] : sums) {
    counts[server] = {count_of(sum.first), count_of(sum.second)};
  }
  return counts;
}

std::uint64_t WorkerGroup::assigned() const {
  std::uint64_t sum = 0;
  for (const auto& member : members_) {
    sum += member->worker.counts().sessions_new.value() + member->worker.counts().lost.value();
  }
  return sum;
}

}  // namespace tandem
