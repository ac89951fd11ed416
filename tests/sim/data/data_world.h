// A group of servers over one database, their clients, and everything that may go wrong between
// them: who acts for a type changes, servers are paused, cut off and killed, writes are delayed by
// up to 90 s. Ownership, the guard and the fence are the code that ships; the database is a model
// with the same transaction, and without a version that could be asked for.
//
// Judged is each answer that a client gets, by the model of docs/consistency.md. One thread,
// deterministic from the seed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/time.h"

namespace tandem::sim {

struct DataOptions {
  std::uint64_t seed = 1;
  std::uint64_t operations = 100'000;
  std::uint32_t servers = 5;
  std::uint32_t clients = 16;
  std::uint32_t keys = 24;
  std::uint32_t types = 6;
  double writes = 0.15;  // part of the operations
  Duration lease = 2s;
  Duration fault_every = 4s;  // on the average, in the whole group
  Duration fault_longest = 90s;
  double slow_write = 0.002;  // part of the writes to the database that take up to 90 s

  // What a check must be able to miss.
  bool fence = true;
  bool leases = true;

  bool stop_at_anomaly = false;
};

struct DataReport {
  std::uint64_t reads = 0;
  std::uint64_t hits = 0;        // of them, from a cache
  std::uint64_t lease_hits = 0;  // of them, of a type for which another acts
  std::uint64_t writes = 0;      // acknowledged
  std::uint64_t failed = 0;      // operations refused, or not answered
  std::uint64_t resent = 0;      // writes, to another owner
  std::uint64_t fenced = 0;
  std::uint64_t silences = 0;  // leases that were waited for
  std::uint64_t views = 0;
  std::uint64_t pauses = 0, cuts = 0, deaths = 0, slow_writes = 0;
  double simulated_s = 0;

  // Anomalies.
  std::uint64_t stale_reads = 0;
  std::uint64_t lost_writes = 0;
  std::uint64_t dual_owners = 0;  // writes under an epoch after one under a greater
  std::string first;              // what the first was

  std::uint64_t anomalies() const { return stale_reads + lost_writes + dual_owners; }
  std::uint64_t digest = 0;  // of all that was answered: the same seed, the same run
};

DataReport run_data(const DataOptions& options);

}  // namespace tandem::sim
