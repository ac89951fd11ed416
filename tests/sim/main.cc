// tandem-sim: runs simulated clusters for longer, or with other faults, than the tests do. Exits
// with 1 if an invariant is violated.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/sim/simulation.h"
#include "tests/sim/swarm.h"

namespace {

using tandem::sim::Faults;

void add_fault_options(CLI::App& app, Faults& faults) {
  faults.kills_per_minute = faults.pauses_per_minute = faults.partitions_per_minute = 20;
  faults.drains_per_minute = 4;
  faults.reset_chance = 0.0005;
  faults.slow_chance = 0.01;
  const auto add = [&app](const char* name, double& value, const char* help) {
    app.add_option(name, value, help)->capture_default_str()->group("Faults");
  };
  add("--kills", faults.kills_per_minute, "of servers, a minute");
  add("--balancer-kills", faults.balancer_kills_per_minute, "a minute");
  add("--pauses", faults.pauses_per_minute, "a minute");
  add("--partitions", faults.partitions_per_minute, "a minute");
  add("--flapping", faults.flapping_share, "of the partitions");
  add("--drains", faults.drains_per_minute, "a minute");
  add("--resets", faults.reset_chance, "of a message");
  add("--slow", faults.slow_chance, "of a message");
  add("--lost", faults.lose_chance, "of a message between servers");
  add("--doubled", faults.double_chance, "of a message between servers");
  add("--overtaken", faults.overtake_chance, "of a message between servers");
  add("--request-resets", faults.request_reset_chance, "of a request at its server");
  add("--client-resets", faults.client_reset_chance, "of a request at its balancer");
  add("--request-doubled", faults.request_double_chance, "of a request that may be");
  add("--drips", faults.drip_chance, "of a request or response");
  app.add_option("--skew", faults.skew_max, "of clocks, in seconds, either way")->group("Faults");
}

}  // namespace

int main(int argc, char** argv) {
  tandem::sim::SimulationOptions options;
  tandem::sim::SwarmOptions swarm;
  std::uint64_t seeds = 0;
  double hours = 0;
  bool transcript = false, is_swarm = false;
  CLI::App app("Simulates Tandem clusters with faults; exits with 1 if an invariant is violated");
  app.add_option("--seed", options.seed, "of the first world")->capture_default_str();
  app.add_option("--seeds", seeds, "how many worlds; default 1, of a swarm: for --minutes");
  app.add_flag("--transcript", transcript, "every event as a line on standard error");
  app.add_flag("--swarm", is_swarm, "worlds of all sorts, each made from its seed");
  const auto* minutes =
      app.add_option("--minutes", swarm.minutes, "of a swarm; with --seeds: as long as it takes")
          ->capture_default_str();
  app.add_option("--threads", swarm.threads, "of a swarm")->capture_default_str();
  app.add_option("--servers", options.servers)->capture_default_str()->group("World");
  app.add_option("--balancers", options.balancers)->capture_default_str()->group("World");
  app.add_option("--clients", options.clients)->capture_default_str()->group("World");
  app.add_option("--zones", options.zones, "0: not named")->capture_default_str()->group("World");
  app.add_option("--hours", hours, "of simulated time with faults; 0: 40 s")->group("World");
  add_fault_options(app, options.faults);
  CLI11_PARSE(app, argc, argv);
  if (seeds > 0 && minutes->count() == 0) swarm.minutes = 1e6;
  options.client.keeps_session = options.faults.skew_max <= 2;
  if (hours > 0) {
    options.storm = std::chrono::duration_cast<tandem::Duration>(
        std::chrono::duration<double, std::ratio<3600>>(hours));
  }
  if (is_swarm && !transcript) {
    swarm.first_seed = options.seed;
    swarm.seeds = seeds;
    const auto report = tandem::sim::run_swarm(swarm);
    std::fputs(to_text(report).c_str(), stdout);
    return report.failed_seeds == 0 ? 0 : 1;
  }
  std::uint64_t violations = 0;
  for (std::uint64_t run = 0; run < std::max<std::uint64_t>(seeds, 1); ++run, ++options.seed) {
    tandem::sim::Simulation simulation(is_swarm ? tandem::sim::swarm_options(options.seed)
                                                : options);
    if (transcript) simulation.print_transcript_to(stderr);
    const auto report = simulation.run();
    std::fputs(to_text(report).c_str(), stdout);
    violations += report.violations;
  }
  return violations == 0 ? 0 : 1;
}
