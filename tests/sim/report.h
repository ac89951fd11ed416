// What a run has seen, and how it is told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/core/node_options.h"
#include "tests/sim/devil.h"
#include "tests/sim/sim_client.h"

namespace tandem::sim {

struct SimulationReport {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;  // of the transcript
  std::uint64_t events = 0;
  double hours = 0;  // simulated
  std::uint64_t violations = 0;
  std::vector<std::string> texts;
  ClientCounts clients;
  DevilCounts devil;
  std::uint64_t orders_executed = 0;
  std::uint64_t tokens_refused = 0;
  std::uint64_t vouched_unfetched = 0;  // copies called current by what another server told
  std::uint64_t cold_though_warm_elsewhere = 0;  // at a server without the mirror while one had it
  double spread = 0;                             // of sessions, when the faults stopped
  std::size_t newcomer_gain_most = 0;            // sessions in one second
  NodeCounters nodes;                            // of all processes

  void add(const SimulationReport& other);
};

std::string to_text(const SimulationReport& report);
// Requests that failed, by status and cause; a line each.
std::string failures_text(const ClientCounts& clients);

}  // namespace tandem::sim
