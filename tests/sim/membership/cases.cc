#include "tests/sim/membership/cases.h"

#include <algorithm>
#include <cstddef>

namespace tandem::sim {
namespace {

constexpr double kPatience = 20;  // periods until all are offline
constexpr double kAfterwards = 4;

// Both ways.
bool is_ring(const Ring& ring, std::vector<ServerId> order) {
  std::rotate(order.begin(), std::min_element(order.begin(), order.end()), order.end());
  if (ring.in_order() != order) return false;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (ring.step(order[(i + 1) % order.size()], false) != order[i]) return false;
  }
  return true;
}

std::string die(RingCluster& cluster, const std::vector<ServerId>& order,
                const std::set<ServerId>& victims, std::uint64_t transactions_most) {
  const std::uint64_t before = cluster.master_counts().transactions;
  for (const ServerId victim : victims) cluster.kill(victim.value - 1);
  const auto any_online = [&] {
    return std::any_of(victims.begin(), victims.end(),
                       [&](ServerId victim) { return cluster.online(victim.value - 1); });
  };
  for (double waited = 0; waited < kPatience && any_online(); waited += 0.5) cluster.run(0.5);
  cluster.run(kAfterwards);

  std::string wrong;
  const std::uint64_t transactions = cluster.master_counts().transactions - before;
  if (transactions > transactions_most) wrong = std::to_string(transactions) + " transactions; ";
  for (const ServerId server : order) {
    const unsigned offlines = cluster.offlines(server.value - 1);
    if (offlines == victims.count(server)) continue;
    wrong += std::to_string(server.value) + " was offline " + std::to_string(offlines) + " times; ";
  }
  std::vector<ServerId> left = order;
  std::erase_if(left, [&](ServerId server) { return victims.count(server) != 0; });
  if (!is_ring(cluster.ring(), left)) wrong += "the ring is not whole; ";
  return wrong;
}

std::string titled(std::uint32_t n, std::uint32_t dead, std::uint64_t seed, std::string wrong) {
  if (wrong.empty()) return wrong;
  return std::to_string(dead) + " of " + std::to_string(n) + ", seed " + std::to_string(seed) +
         ": " + wrong;
}

// --- one server that is ill ---------------------------------------------------------------------

constexpr std::uint32_t kIll = 1;
constexpr double kIllPeriods = 1800, kTurnPeriods = 20;
constexpr double kWellPeriods = 1200;  // longer than anybody is held back
constexpr unsigned kReportsLeast = 10;

void suffer(RingCluster& cluster, Illness illness) {
  switch (illness) {
    case Illness::kHearsNothing:
      cluster.lose(kIll, {.in = 1});
      return cluster.run(kIllPeriods);
    case Illness::kIsNotHeard:
      cluster.lose(kIll, {.out = 1});
      return cluster.run(kIllPeriods);
    case Illness::kLosesMost:
      cluster.lose(kIll, {.in = 0.8, .out = 0.8});
      return cluster.run(kIllPeriods);
    case Illness::kLosesMostAmong:
      cluster.lose(kIll, {.in = 0.8, .out = 0.8, .of_master = false});
      return cluster.run(kIllPeriods);
    case Illness::kFreezes:
    case Illness::kIsCutOff:
      break;
  }
  for (double passed = 0; passed < kIllPeriods; passed += 2 * kTurnPeriods) {
    for (const bool is_ill : {true, false}) {
      if (illness == Illness::kIsCutOff) {
        const double loss = is_ill ? 1 : 0;
        cluster.lose(kIll, {.in = loss, .out = loss});
      } else if (is_ill) {
        cluster.freeze(kIll);
      } else {
        cluster.thaw(kIll);
      }
      cluster.run(kTurnPeriods);
    }
  }
}

// Of how it fares while it is ill.
unsigned times_offline(Illness illness, std::uint32_t returns_free) {
  switch (illness) {
    case Illness::kHearsNothing:
    case Illness::kIsNotHeard:
      return 1;
    case Illness::kLosesMostAmong:
      return 0;
    case Illness::kLosesMost:
    case Illness::kFreezes:
    case Illness::kIsCutOff:
      break;
  }
  return 1 + returns_free;
}

}  // namespace

std::string_view words_for(Illness illness) {
  switch (illness) {
    case Illness::kHearsNothing:
      return "hears nothing";
    case Illness::kIsNotHeard:
      return "is not heard";
    case Illness::kLosesMost:
      return "loses 80 %";
    case Illness::kLosesMostAmong:
      return "loses 80 %, not to the master";
    case Illness::kFreezes:
      return "frozen for 20 s, well for 20 s";
    case Illness::kIsCutOff:
      break;
  }
  return "cut off for 20 s, well for 20 s";
}

std::string one_is_ill(Illness illness, std::uint32_t servers, std::uint32_t returns_free,
                       std::uint64_t seed) {
  RingCluster::Options options = ring_of(servers, seed);
  options.master.returns_free = returns_free;
  RingCluster cluster(options);
  cluster.run(5 + cluster.dice().unit());
  suffer(cluster, illness);

  std::string wrong;
  const unsigned expected = times_offline(illness, returns_free);
  for (std::uint32_t i = 0; i < servers; ++i) {
    const unsigned offlines = cluster.offlines(i);
    if (offlines == (i == kIll ? expected : 0)) continue;
    wrong += (i == kIll ? "it" : "another") + std::string(" was offline ") +
             std::to_string(offlines) + " times; ";
  }
  if (cluster.online(kIll) != (expected == 0)) wrong += "it is not offline in the end; ";
  if (expected == 0 && cluster.master_counts().false_suspicions < kReportsLeast) {
    wrong += "it was hardly reported; ";
  }
  cluster.lose(kIll, {});
  cluster.run(kWellPeriods);
  if (!cluster.online(kIll)) wrong += "it is well, but not online; ";
  if (wrong.empty()) return wrong;
  return std::string(words_for(illness)) + ", " + std::to_string(servers) + " servers, seed " +
         std::to_string(seed) + ": " + wrong;
}

std::string neighbours_die(std::uint32_t n, std::uint32_t dead, std::uint64_t seed) {
  RingCluster cluster(ring_of(n, seed));
  cluster.run(3 + cluster.dice().unit());
  const std::vector<ServerId> order = cluster.ring().in_order();
  const std::size_t begin = cluster.dice().below(n);
  std::set<ServerId> victims;
  for (std::uint32_t i = 0; i < dead; ++i) victims.insert(order[(begin + i) % n]);
  return titled(n, dead, seed, die(cluster, order, victims, kTransactionsMost));
}

std::string any_die(std::uint32_t n, std::uint32_t dead, std::uint64_t seed) {
  RingCluster cluster(ring_of(n, seed));
  cluster.run(3 + cluster.dice().unit());
  const std::vector<ServerId> order = cluster.ring().in_order();
  std::set<ServerId> victims;
  while (victims.size() < dead) victims.insert(order[cluster.dice().below(n)]);
  return titled(n, dead, seed, die(cluster, order, victims, kTransactionsMost));
}

std::vector<std::string> all_neighbours_die(std::uint32_t most, std::uint64_t seed) {
  std::vector<std::string> complaints;
  for (std::uint32_t n = 2; n <= most; ++n) {
    for (std::uint32_t dead = 1; dead < n; ++dead) {
      std::string wrong = neighbours_die(n, dead, seed + 100 * n + dead);
      if (!wrong.empty()) complaints.push_back(std::move(wrong));
    }
  }
  return complaints;
}

std::vector<std::string> any_of_few_die(std::uint32_t most, std::uint64_t seed) {
  std::vector<std::string> complaints;
  for (std::uint32_t n = 2; n <= most; ++n) {
    for (std::uint32_t dead = 1; dead < n; ++dead) {
      std::string wrong = any_die(n, dead, seed + 100 * n + dead);
      if (!wrong.empty()) complaints.push_back(std::move(wrong));
    }
  }
  return complaints;
}

std::string any_of_many_die(std::uint64_t seed) {
  Random dice(seed);
  const auto n = static_cast<std::uint32_t>(13 + dice.below(188));
  const auto dead = static_cast<std::uint32_t>(1 + dice.below(n - 1));
  return any_die(n, dead, dice.next());
}

std::string many_neighbours_die(std::uint64_t seed) {
  Random dice(seed);
  const auto n = static_cast<std::uint32_t>(13 + dice.below(988));
  const bool most = dice.below(4) == 0;
  const auto dead =
      static_cast<std::uint32_t>(most ? n - 1 - dice.below(3) : 1 + dice.below(n - 1));
  return neighbours_die(n, dead, dice.next());
}

}  // namespace tandem::sim
