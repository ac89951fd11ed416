#include "lb/core/assignment.h"

#include <algorithm>
#include <cmath>
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
    const ServerRecord& old = view_.servers[*known];
    if (old.incarnation != server.incarnation || old.status.sequence < server.status.sequence) {
      settle(*known);
    }
    entries[i] = std::move(entries_[*known]);
  }
  weighed_ = false;
  view_ = view;
  believed_ = view_.servers;
  entries_ = std::move(entries);
  for (std::size_t i = 0; i < entries_.size(); ++i) refresh(i);
  one_group_ = std::all_of(view_.servers.begin(), view_.servers.end(), [&](const auto& server) {
    return server.group == view_.servers.front().group;
  });
  if (started_ || entries_.empty()) return;
  started_ = true;
  for (std::uint64_t skip = random_.below(entries_.size()); skip > 0; --skip) next_turn({});
}

void Assignment::on_status(ServerId server, const Status& status) {
  const auto index = index_of(server);
  if (!index || status.sequence < view_.servers[*index].status.sequence) return;
  if (status.sequence > view_.servers[*index].status.sequence) settle(*index);
  weighed_ = false;
  view_.servers[*index].status = status;
  refresh(*index);
}

std::optional<Choice> Assignment::choose(std::span<const ServerId> tried) {
  const auto first = next_turn(tried);
  if (!first) return std::nullopt;
  const bool will_do =
      !over_threshold(believed_[*first].status) && !at_capacity(view_.servers[*first].status);
  if (will_do && safe(*first)) return take(*first);
  auto second = choose_second(believed_, tried);
  if (will_do && !(second && second->safe && !second->over_threshold)) return take(*first);
  // What is believed never refuses a session, only what the servers say.
  if (!second) second = choose_second(view_.servers, tried);
  if (!second) return std::nullopt;
  assigned(*index_of(second->server));
  return Choice{second->server, second->over_threshold};
}

Choice Assignment::take(std::size_t index) {
  assigned(index);
  return Choice{view_.servers[index].id, false};
}

// Does one more session there leave every server within its capacity after the death of any other,
// or is that not to be had anywhere?
bool Assignment::safe(std::size_t index) const {
  if (entries_[index].slack && keeps_reserve(believed_[index].status)) return true;
  return !any_slack_;
}

std::optional<ServerId> Assignment::choose_takeover(std::span<const ServerId> tried,
                                                    std::string_view group) {
  if (!one_group_ && !group.empty()) {
    if (const auto member = least_loaded(tried, group)) return member;
  }
  if (const auto choice = choose(tried)) return choice->server;
  return least_loaded(tried, {});
}

// Of a group; empty: of all.
std::optional<ServerId> Assignment::least_loaded(std::span<const ServerId> tried,
                                                 std::string_view group) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < believed_.size(); ++i) {
    if (!believed_[i].takes_sessions() || contains(tried, believed_[i].id)) continue;
    if (!group.empty() && believed_[i].group != group) continue;
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

// Each server gains its weight, the richest has the turn and pays the sum of all gains: over one
// round each has its share of the turns, spread evenly. Weights are parts of one session, so that
// what a server has gained counts as much when they change.
std::optional<std::size_t> Assignment::next_turn(std::span<const ServerId> tried) {
  if (!weighed_) weigh();
  std::optional<std::size_t> best;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const ServerRecord& server = view_.servers[i];
    if (!server.takes_sessions() || contains(tried, server.id)) continue;
    sum += entries_[i].weight;
    entries_[i].turn += entries_[i].weight;
    if (!best || entries_[i].turn > entries_[*best].turn) best = i;
  }
  if (best) entries_[*best].turn -= sum;
  return best;
}

void Assignment::weigh() {
  weighed_ = true;
  find_slack();
  const double arrivals = kHorizon * expected();
  const double line = level(arrivals);
  double capacity = 0, sum = 0;
  for (const ServerRecord& server : view_.servers) {
    if (server.takes_sessions()) capacity += server.status.capacity;
  }
  const auto room = [&](const Status& status) -> double {
    if (arrivals == 0 || capacity == 0) return status.capacity;
    const double most = kFillMax * arrivals * status.capacity / capacity;
    return std::clamp(line * status.capacity - status.primaries, 0.0, most);
  };
  for (const ServerRecord& server : view_.servers) {
    if (server.takes_sessions()) sum += room(server.status);
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const double part = sum > 0 ? room(view_.servers[i].status) / sum : 0;
    entries_[i].weight = view_.servers[i].takes_sessions() ? std::llround(kTurn * part) : 0;
  }
}

void Assignment::find_slack() {
  any_slack_ = false;
  const ServerRecord* judged = nullptr;  // whose kind and group `slack` is of
  bool slack = false;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const ServerRecord& server = view_.servers[i];
    if (judged == nullptr || !stand_in_for_each_other(*judged, server)) {
      judged = &server;
      slack = has_slack(view_.servers, server);
    }
    entries_[i].slack = slack;
    any_slack_ = any_slack_ || slack;
  }
}

// The sessions that all assigners together will be given until the next status; 0: not known yet.
double Assignment::expected() const {
  double sum = 0, known = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].pace < 0 || !view_.servers[i].takes_sessions()) continue;
    sum += entries_[i].pace;
    ++known;
  }
  if (known == 0) return 0;
  return std::max(sum / known * workers_ * std::max(view_.balancers, 1U), 1.0);
}

// The sessions for capacity to which `arrivals` fill the servers, those above it left as they are.
double Assignment::level(double arrivals) const {
  double line = 0;
  for (int pass = 0; pass < kLevelPassesMax; ++pass) {
    double sessions = arrivals, capacity = 0;
    for (const ServerRecord& server : view_.servers) {
      const Status& status = server.status;
      if (!server.takes_sessions() || status.capacity == 0) continue;
      if (pass > 0 && status.primaries > line * status.capacity) continue;  // above it
      sessions += status.primaries;
      capacity += status.capacity;
    }
    if (capacity == 0) break;
    line = sessions / capacity;
  }
  return line;
}

void Assignment::assigned(std::size_t index) {
  ++assigned_;
  ++entries_[index].own;
  refresh(index);
}

// A newer status has come: what was assigned here until now is in it, or soon in the next.
void Assignment::settle(std::size_t index) {
  Entry& entry = entries_[index];
  entry.own = 0;
  const auto before = std::exchange(entry.told, assigned_);
  if (!before) return;
  const auto interval = static_cast<double>(assigned_ - *before);
  entry.pace = entry.pace < 0 ? interval : entry.pace + (interval - entry.pace) / kPaceMemory;
}

void Assignment::refresh(std::size_t index) {
  believed_[index].status = view_.servers[index].status;
  const std::uint64_t assigners = std::uint64_t{workers_} * std::max(view_.balancers, 1U);
  believed_[index].status.primaries =
      saturate(view_.servers[index].status.primaries + entries_[index].own * assigners);
}

}  // namespace tandem
