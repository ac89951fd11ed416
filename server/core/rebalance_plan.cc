#include "server/core/rebalance_plan.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/base/hash.h"

namespace tandem {
namespace {

constexpr double kDeviations = 4;

struct Share {
  ServerId server;
  double sessions = 0;
  double capacity = 0;
  double load() const { return sessions / capacity; }
};

Share share_of(ServerId server, const Status& status) {
  return {server, static_cast<double>(status.primaries), static_cast<double>(status.capacity)};
}

struct Field {
  std::vector<Share> shares;  // our own is the first
  double mean = 0;            // sessions for each place
};

Field survey(ServerId self, const Status& own, std::span<const ServerRecord> servers) {
  Field field;
  field.shares.push_back(share_of(self, own));
  for (const ServerRecord& server : servers) {
    if (server.id == self || !server.takes_sessions() || server.status.capacity == 0) continue;
    field.shares.push_back(share_of(server.id, server.status));
  }
  double sessions = 0, capacity = 0;
  for (const Share& share : field.shares) {
    sessions += share.sessions;
    capacity += share.capacity;
  }
  field.mean = capacity == 0 ? 0 : sessions / capacity;
  return field;
}

// The whole part, and one more as often as the rest says.
std::uint32_t round_by_dice(double number, std::uint64_t dice) {
  const double whole = std::floor(number);
  const double die = static_cast<double>(dice >> 11) * 0x1p-53;
  return static_cast<std::uint32_t>(whole) + (die < number - whole ? 1 : 0);
}

}  // namespace

RebalancePlan plan_rebalance(ServerId self, const Status& own,
                             std::span<const ServerRecord> servers, std::uint64_t dice) {
  RebalancePlan plan;
  if (own.capacity == 0) return plan;
  const Field field = survey(self, own, servers);
  const Share& ours = field.shares.front();
  if (field.mean == 0 || field.shares.size() < 2) return plan;
  double most = 0, least = ours.load(), lacking = 0;
  for (const Share& share : field.shares) {
    const double target = field.mean * share.capacity;
    most = std::max(most, share.load());
    least = std::min(least, share.load());
    lacking += std::max(0.0, target - share.sessions);
    if (std::abs(share.sessions - target) > kDeviations * std::sqrt(target)) {
      plan.beyond_chance = true;
    }
  }
  plan.spread = (most - least) / field.mean;
  const double surplus = ours.sessions - field.mean * ours.capacity;
  if (surplus <= 0) return plan;
  double left = ours.sessions;
  for (const Share& share : field.shares) {
    const double lack = field.mean * share.capacity - share.sessions;
    if (lack <= 0) continue;
    std::uint32_t gift = round_by_dice(surplus * lack / lacking,
                                       mix64(dice ^ self.value ^ mix64(share.server.value)));
    const auto helps = [&](double n) {
      return (left - n) * share.capacity >= (share.sessions + n) * ours.capacity;
    };
    while (gift > 0 && !helps(gift)) --gift;
    if (gift == 0) continue;
    plan.gifts.emplace(share.server, gift);
    left -= gift;
  }
  return plan;
}

bool takes_gift(ServerId self, const Status& own, std::span<const ServerRecord> servers) {
  if (own.draining || own.primaries >= own.capacity) return false;
  const Field field = survey(self, own, servers);
  return own.primaries < field.mean * own.capacity;
}

}  // namespace tandem
