// How even assignment keeps the servers while their status is old and several balancers assign.
//
// The model. Time is counted in status intervals. Sessions arrive as a Poisson process of
// `arrivals` an interval, each at a balancer and worker drawn by `skew`, which assigns it at once
// by what it knows. A session lives for an exponential time of mean `lifetime`, so that in steady
// state there are arrivals x lifetime of them; the run starts with as many, in proportion to
// capacity, and `warm_up` intervals pass before anything is measured. Each server tells its status
// once an interval, all at one instant or each in its own phase; it reaches a balancer up to `lag`
// later. A session counts in the status once it is confirmed, an exponential time of mean `confirm`
// after its arrival; bots never are, and stay for `kBotStay`.
//
// The peak: at `samples` instants an interval, the greatest number of living, not only confirmed,
// sessions per capacity of a server, over all sessions per all capacity. 1 is perfectly even.
//
// Servers end sessions at random and nobody knows before the next status: that alone, with every
// arrival placed perfectly at the least loaded server, is the `kPerfect` policy's peak, the floor.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tandem::sim {

enum class HerdPolicy : std::uint8_t {
  kAssignment,          // the one that ships: lb/core/assignment
  kWeightedRoundRobin,  // by capacity alone
  kRoundRobin,          // plain
  kLeastByStatus,       // fewest sessions for its capacity by the last status
  kPerfect,             // the same by the truth, at every instant
};
std::string_view to_text(HerdPolicy policy);

struct HerdOptions {
  static constexpr double kBotStay = 10;  // intervals: the life of a provisional session

  std::uint64_t seed = 1;
  HerdPolicy policy = HerdPolicy::kAssignment;
  std::uint32_t servers = 20;
  std::vector<std::uint32_t> capacities = {1, 1, 2, 4};  // in turn, in proportion
  std::uint32_t balancers = 1;
  std::uint32_t workers = 1;   // of each balancer
  double arrivals = 400;       // an interval, at all balancers together
  double lifetime = 10;        // intervals
  double utilisation = 0.5;    // sessions in steady state for all capacity
  double threshold = 0.8;      // of each server's capacity
  double confirm = 0;          // intervals
  double bots = 0;             // of the arrivals
  double lag = 0;              // intervals
  bool own_phases = false;     // each server tells its status at an instant of its own
  double skew = 0;             // 0: all balancers get as much; 1: the k-th gets 1/k of the first
  std::uint32_t warm_up = 40;  // intervals
  std::uint32_t intervals = 200;
  std::uint32_t samples = 10;  // an interval
};

struct HerdReport {
  double mean_peak = 0;  // over the samples
  double p99_peak = 0;
  double mean_sessions = 0;
  std::uint64_t refused = 0;  // arrivals that nobody took
  std::uint64_t arrivals = 0;
};

// The same options give the same report.
HerdReport run_herd(const HerdOptions& options);

}  // namespace tandem::sim
