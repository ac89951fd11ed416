// A swarm: many small worlds, each with its own size, options and mixture of faults, all made from
// its seed. What breaks only under one combination is found by trying many.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/simulation.h"

namespace tandem::sim {

// The world of this seed, in words, too.
SimulationOptions swarm_options(std::uint64_t seed);
std::string describe(const SimulationOptions& options);

struct SwarmOptions {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 0;  // 0: as many as there is time for
  double minutes = 1;       // no new world is begun after this
  unsigned threads = 1;
  std::uint64_t failures_max = 5;  // the swarm ends early
};

struct SwarmReport {
  std::uint64_t seeds = 0;
  std::uint64_t failed_seeds = 0;
  SimulationReport sum;
  std::string failures;  // with the command that shows each
};

SwarmReport run_swarm(const SwarmOptions& options);
std::string to_text(const SwarmReport& report);

}  // namespace tandem::sim
