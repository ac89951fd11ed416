#include "server/core/rebalance.h"

#include <algorithm>
#include <utility>

#include "common/base/hash.h"
#include "server/core/rebalance_plan.h"

namespace tandem {

void Rebalance::on_cluster(Instant now, ServerId self, const Status& own,
                           std::span<const ServerRecord> servers) {
  std::set<ServerId> takers;
  for (const ServerRecord& server : servers) {
    if (server.id != self && server.takes_sessions()) takers.insert(server.id);
  }
  const bool more = !std::includes(takers_.begin(), takers_.end(), takers.begin(), takers.end());
  takers_ = std::move(takers);
  newcomer_ = newcomer_ || more;
  news_ = true;
  on_deadline(now, self, own, servers);
}

void Rebalance::on_deadline(Instant now, ServerId self, const Status& own,
                            std::span<const ServerRecord> servers) {
  if (next_deadline() <= now) look(now, self, own, servers);
}

void Rebalance::look(Instant now, ServerId self, const Status& own,
                     std::span<const ServerRecord> servers) {
  news_ = false;
  gifts_.clear();
  next_look_ = now + options_.rebalance_pause;
  if (!options_.rebalances || own.draining) {
    running_ = beyond_before_ = false;
    return;
  }
  RebalancePlan plan = plan_rebalance(self, own, servers, mix64(++rounds_));
  spread_ = plan.spread;
  const bool over = plan.spread > options_.spread_percent / 100.0;
  const bool beyond = over && plan.beyond_chance;
  if (over && (newcomer_ || (beyond && beyond_before_))) {
    runs_until_ = rounds_ + options_.rebalance_rounds_max;
  }
  newcomer_ = false;
  beyond_before_ = beyond;
  running_ = over && rounds_ < runs_until_ && !plan.gifts.empty();
  if (!running_) return;
  gifts_ = std::move(plan.gifts);
  next_look_ = now + options_.rebalance_round_max;
}

void Rebalance::on_given(Instant now, ServerId to) {
  const auto gift = gifts_.find(to);
  if (gift == gifts_.end()) return;
  if (--gift->second == 0) give_up(now, to);
}

void Rebalance::give_up(Instant now, ServerId to) {
  if (gifts_.erase(to) == 0 || !gifts_.empty()) return;
  next_look_ = now + options_.rebalance_pause;
}

}  // namespace tandem
