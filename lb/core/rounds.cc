#include "lb/core/rounds.h"

#include <utility>

namespace tandem {

void Rounds::confirm(Instant now, ServerId server, bool may_wait) {
  if (gathered_.count(server) != 0 || found_.count(server) != 0) return;
  ++held_;
  const auto awaited = awaited_.find(server);
  if (awaited == awaited_.end() && may_wait && calling_ != 0) {
    Round& round = rounds_.find(calling_)->second;
    round.dead.insert(server);
    round.walks.push_back({server, false, 1});
    round.walks.push_back({server, true, 1});
    found_.emplace(server, calling_);
    return;
  }
  if (awaited == awaited_.end()) {
    if (gathered_.empty()) gather_until_ = now + kGather;
    gathered_.insert(server);
    return;
  }
  Round& round = rounds_.find(awaited->second)->second;
  round.awaited.erase(server);
  round.dead.insert(server);
  found_.emplace(server, awaited->second);
  awaited_.erase(awaited);
}

void Rounds::settle(ServerId server) {
  held_ -= gathered_.erase(server);
  if (const auto found = found_.find(server); found != found_.end()) {
    held_ -= rounds_.find(found->second)->second.dead.erase(server);
    found_.erase(found);
  }
  const auto awaited = awaited_.find(server);
  if (awaited == awaited_.end()) return;
  rounds_.find(awaited->second)->second.awaited.erase(server);
  awaited_.erase(awaited);
}

std::vector<ServerId> Rounds::absent(const std::vector<ServerId>& servers) {
  std::vector<ServerId> verify;
  const auto it = rounds_.find(std::exchange(calling_, 0));
  if (it == rounds_.end()) return verify;
  for (const ServerId server : servers) {
    if (gathered_.count(server) != 0 || found_.count(server) != 0 || awaits(server)) continue;
    if (!it->second.seen.insert(server).second) continue;  // judged already, for a walk
    it->second.awaited.insert(server);
    awaited_.emplace(server, it->first);
    verify.push_back(server);
  }
  return verify;
}

Rounds::Orders Rounds::next(Instant now, bool others) {
  Orders orders;
  if (!gathered_.empty() && (!others || now >= gather_until_)) first_transaction(orders);
  for (auto it = rounds_.begin(); it != rounds_.end();) {
    Round& round = it->second;
    if (!round.awaited.empty() || go_on(it->first, round, orders) || it->first == calling_) {
      ++it;
      continue;
    }
    if (!round.dead.empty()) {
      const std::vector<ServerId> dead(round.dead.begin(), round.dead.end());
      ring_.remove(dead);
      held_ -= dead.size();
      ++transactions_;
      for (const ServerId server : dead) found_.erase(server);
      orders.remove.insert(orders.remove.end(), dead.begin(), dead.end());
    }
    it = rounds_.erase(it);
  }
  return orders;
}

void Rounds::first_transaction(Orders& orders) {
  const std::vector<ServerId> dead(gathered_.begin(), gathered_.end());
  gathered_.clear();
  held_ -= dead.size();
  ++transactions_;
  orders.remove.insert(orders.remove.end(), dead.begin(), dead.end());
  Round round;
  for (const Ring::Closing& closing : ring_.remove(dead)) {
    round.walks.push_back({closing.before, false, 1});
    round.walks.push_back({closing.after, true, 1});
  }
  const std::uint64_t number = ++last_;
  if (calling_ == 0) {
    calling_ = number;
    orders.call = true;
  }
  wave(number, rounds_.emplace(number, std::move(round)).first->second, orders);
}

// Asks for the next servers of each walk. One that comes to a server which was seen already, in
// this round or another, ends: that one's own walk goes on.
void Rounds::wave(std::uint64_t number, Round& round, Orders& orders) {
  std::vector<Walk> walks;
  for (Walk walk : round.walks) {
    ServerId at = walk.at;
    bool any = false;
    for (std::size_t i = 0; i < walk.span; ++i, at = ring_.step(at, walk.forward)) {
      if (gathered_.count(at) != 0 || found_.count(at) != 0 || awaits(at)) break;
      if (!round.seen.insert(at).second) break;
      round.awaited.insert(at);
      awaited_.emplace(at, number);
      orders.verify.push_back(at);
      walk.at = at;
      any = true;
    }
    if (any) walks.push_back(walk);
  }
  round.walks = std::move(walks);
}

// The wave is over. Is there another? Where the outermost is dead, twice as far.
bool Rounds::go_on(std::uint64_t number, Round& round, Orders& orders) {
  std::vector<Walk> walks;
  for (Walk walk : round.walks) {
    if (round.dead.count(walk.at) == 0 || !ring_.has(walk.at)) continue;
    walk.at = ring_.step(walk.at, walk.forward);
    walk.span *= 2;
    walks.push_back(walk);
  }
  round.walks = std::move(walks);
  wave(number, round, orders);
  return !round.awaited.empty();
}

}  // namespace tandem
