#include "lb/core/assignment.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tandem {
namespace {

bool contains(std::span<const ServerId> ids, ServerId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::uint32_t saturate(std::uint64_t count) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(count, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

Assignment::Assignment(Random random, std::uint32_t workers)
    : random_(random), workers_(std::max(workers, 1U)) {}

void Assignment::on_view(const View& view) {
  std::vector<Entry> entries(view.servers.size());
  for (std::size_t i = 0; i < view.servers.size(); ++i) {
    const ServerRecord& server = view.servers[i];
    const auto known = index_of(server.id);
    if (!known) continue;
    ServerRecord& old = view_.servers[*known];
    entries[i] = std::move(entries_[*known]);
    if (old.incarnation != server.incarnation || old.status.sequence < server.status.sequence) {
      entries[i].own = 0;
    }
  }
  view_ = view;
  believed_ = view_.servers;
  entries_ = std::move(entries);
  for (std::size_t i = 0; i < entries_.size(); ++i) refresh(i);
  if (started_ || entries_.empty()) return;
  started_ = true;
  for (std::uint64_t skip = random_.below(entries_.size()); skip > 0; --skip) next_turn({});
}

void Assignment::on_status(ServerId server, const Status& status) {
  const auto index = index_of(server);
  if (!index || status.sequence < view_.servers[*index].status.sequence) return;
  if (status.sequence > view_.servers[*index].status.sequence) entries_[*index].own = 0;
  view_.servers[*index].status = status;
  refresh(*index);
}

std::optional<Choice> Assignment::choose(std::span<const ServerId> tried) {
  const auto first = next_turn(tried);
  if (!first) return std::nullopt;
  if (!over_threshold(believed_[*first].status) && !at_capacity(view_.servers[*first].status)) {
    assigned(*first);
    return Choice{believed_[*first].id, false};
  }
  auto second = choose_second(believed_, tried);
  // What is believed never refuses a session, only what the servers say.
  if (!second) second = choose_second(view_.servers, tried);
  if (!second) return std::nullopt;
  assigned(*index_of(second->server));
  return Choice{second->server, second->over_threshold};
}

std::optional<ServerId> Assignment::choose_takeover(std::span<const ServerId> tried) {
  if (const auto choice = choose(tried)) return choice->server;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < believed_.size(); ++i) {
    if (!believed_[i].takes_sessions() || contains(tried, believed_[i].id)) continue;
    if (!best || less_loaded(believed_[i].status, believed_[*best].status)) best = i;
  }
  if (!best) return std::nullopt;
  assigned(*best);
  return believed_[*best].id;
}

ServerId Assignment::choose_alternate(ServerId primary, std::uint64_t dice) {
  const auto index = index_of(primary);
  if (!index) return tandem::choose_alternate(view_, primary, {}, dice);
  AlternateShares& shares = entries_[*index].shares;
  const ServerId chosen = tandem::choose_alternate(view_, primary, shares, dice);
  if (!chosen) return chosen;
  ++shares[chosen];
  // Sessions end and nobody tells: keep the counts near what the primary really has.
  std::uint64_t sum = 0;
  for (const auto& [server, count] : shares) sum += count;
  const std::uint64_t floor = std::max<std::uint64_t>(kSharesMin, 4 * entries_.size());
  if (sum > std::max<std::uint64_t>(believed_[*index].status.primaries, floor)) {
    for (auto& [server, count] : shares) count /= 2;
  }
  return chosen;
}

std::optional<Status> Assignment::believed(ServerId server) const {
  const auto index = index_of(server);
  if (!index) return std::nullopt;
  return believed_[*index].status;
}

std::optional<std::size_t> Assignment::index_of(ServerId server) const {
  for (std::size_t i = 0; i < view_.servers.size(); ++i) {
    if (view_.servers[i].id == server) return i;
  }
  return std::nullopt;
}

// Each server gains its capacity, the richest has the turn and pays the sum of all gains: over one
// round each has its share of the turns, spread evenly.
std::optional<std::size_t> Assignment::next_turn(std::span<const ServerId> tried) {
  std::optional<std::size_t> best;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const ServerRecord& server = view_.servers[i];
    if (!server.takes_sessions() || contains(tried, server.id)) continue;
    const std::int64_t weight = std::int64_t{server.status.capacity};
    sum += weight;
    entries_[i].turn += weight;
    if (!best || entries_[i].turn > entries_[*best].turn) best = i;
  }
  if (best) entries_[*best].turn -= sum;
  return best;
}

void Assignment::assigned(std::size_t index) {
  ++entries_[index].own;
  refresh(index);
}

void Assignment::refresh(std::size_t index) {
  believed_[index].status = view_.servers[index].status;
  const std::uint64_t assigners = std::uint64_t{workers_} * std::max(view_.balancers, 1U);
  believed_[index].status.primaries =
      saturate(view_.servers[index].status.primaries + entries_[index].own * assigners);
}

}  // namespace tandem
