// Load with the client library, and how long it took: tandem-get --bench.
//
// Closed loop: so many calls at a time, each followed by the next. Open loop: calls begin at a
// fixed rate whether or not earlier ones are over, and a latency counts from the time at which its
// call was due: what waits because the server stalls has waited (coordinated omission).
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "client/cli/histogram.h"
#include "client/include/tandem/client.h"

namespace tandem {

struct BenchOptions {
  double rate = 0;  // calls a second; 0: closed loop
  std::uint32_t concurrency = 10;
  Duration duration = 10s;
  std::uint64_t requests_max = 0;  // ends earlier after so many; 0: does not
};

struct BenchResult {
  LatencyHistogram latency;  // of calls with a response; from when they were due
  std::uint64_t calls = 0;
  std::uint64_t no_response = 0;
  std::uint64_t bad_status = 0;  // 400 or more
  std::string first_failure;     // what the first without a response said
  Duration elapsed{0};
  ClientStats client;
};

// GETs the targets in turn. `client.balancer` is set; its queue and its connections are set here.
BenchResult run_bench(ClientOptions client, const std::vector<std::string>& targets,
                      const HeaderFields& headers, const BenchOptions& options);

void say_bench(std::FILE* out, const BenchOptions& options, const BenchResult& result);
// What --stats says.
void say_stats(std::FILE* out, const std::string& origin, const ClientStats& stats);

}  // namespace tandem
