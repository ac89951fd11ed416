// What is measured, of the ring and of the model of SWIM alike.
#pragma once

#include <algorithm>
#include <numeric>

#include "tests/sim/membership/ring_cluster.h"
#include "tests/sim/membership/swim.h"

namespace tandem::sim {

struct Detection {
  double mean = 0, most = 0;  // periods
  std::size_t deaths = 0, found = 0;
};

// Silent deaths, one after the other, of random servers at random instants; each dead server is
// revived, and the cluster settles again. Messages are not lost.
template <class Cluster>
Detection measure_deaths(Cluster& cluster, unsigned deaths, double patience, double settle) {
  Detection result;
  cluster.take();
  double sum = 0;
  for (unsigned i = 0; i < deaths; ++i) {
    const auto victim = static_cast<std::uint32_t>(cluster.dice().below(cluster.size()));
    cluster.run(settle + cluster.dice().unit());
    cluster.kill(victim);
    ++result.deaths;
    for (double waited = 0; waited < patience && cluster.online(victim); waited += 0.5) {
      cluster.run(0.5);
    }
    for (const double time : cluster.take().detections) {
      ++result.found;
      sum += time;
      result.most = std::max(result.most, time);
    }
    cluster.revive(victim);
  }
  result.mean = result.found == 0 ? 0 : sum / static_cast<double>(result.found);
  return result;
}

// Until so many server-periods have passed, of servers that run and are online.
template <class Cluster>
Findings measure(Cluster& cluster, double server_periods, double settle) {
  cluster.run(settle);
  cluster.take();
  Findings sum;
  while (sum.server_periods < server_periods) {
    cluster.run(10);
    const Findings part = cluster.take();
    sum.server_periods += part.server_periods;
    sum.messages += part.messages;
    sum.offlines += part.offlines;
    sum.false_offlines += part.false_offlines;
    sum.in_flight += part.in_flight;
    sum.false_suspicions += part.false_suspicions;
    sum.transactions += part.transactions;
  }
  return sum;
}

inline RingCluster::Options ring_of(std::uint32_t servers, std::uint64_t seed) {
  RingCluster::Options options;
  options.servers = servers;
  options.wire.seed = options.master.seed = seed;
  return options;
}
inline SwimCluster::Options swim_of(std::uint32_t servers, std::uint64_t seed) {
  SwimCluster::Options options;
  options.servers = servers;
  options.wire.seed = seed;
  return options;
}

// Servers that go and come all the time are to come back at once: while they are held back nobody
// could mark them in error.
inline RingCluster::Options with_pauses(RingCluster::Options options, double share) {
  options.pauses.share = share;
  options.master.returns_free = 1'000'000'000;
  return options;
}

}  // namespace tandem::sim
