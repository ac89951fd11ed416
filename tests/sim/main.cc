// tandem-sim: runs a simulated cluster for longer, or with other faults, than the tests do.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/sim/simulation.h"

int main(int argc, char** argv) {
  tandem::sim::SimulationOptions options;
  std::uint64_t runs = 1;
  double hours = 0;
  bool transcript = false;
  CLI::App app("Simulates a Tandem cluster with faults; exits 1 if an invariant is violated");
  app.add_option("--seed", options.seed, "of the first run")->capture_default_str();
  app.add_option("--runs", runs, "with seeds one after the other")->capture_default_str();
  app.add_option("--servers", options.servers)->capture_default_str();
  app.add_option("--clients", options.clients)->capture_default_str();
  app.add_option("--zones", options.zones, "0: not named")->capture_default_str();
  app.add_option("--hours", hours, "of simulated time with faults; 0: 40 seconds");
  auto& faults = options.faults;
  faults.kills_per_minute = faults.pauses_per_minute = faults.partitions_per_minute = 20;
  faults.drains_per_minute = 4;
  faults.reset_chance = 0.0005;
  faults.slow_chance = 0.01;
  app.add_option("--lost", faults.lose_chance, "of a message")->capture_default_str();
  app.add_option("--doubled", faults.double_chance, "of a message")->capture_default_str();
  app.add_option("--overtaken", faults.overtake_chance, "of a message")->capture_default_str();
  app.add_option("--kills", faults.kills_per_minute, "a minute")->capture_default_str();
  app.add_option("--pauses", faults.pauses_per_minute, "a minute")->capture_default_str();
  app.add_option("--partitions", faults.partitions_per_minute, "a minute")->capture_default_str();
  app.add_option("--drains", faults.drains_per_minute, "a minute")->capture_default_str();
  app.add_option("--resets", faults.reset_chance, "of a message")->capture_default_str();
  app.add_option("--slow", faults.slow_chance, "of a message")->capture_default_str();
  app.add_flag("--transcript", transcript, "every event as a line on standard error");
  CLI11_PARSE(app, argc, argv);
  if (hours > 0) {
    options.storm = std::chrono::duration_cast<tandem::Duration>(
        std::chrono::duration<double, std::ratio<3600>>(hours));
  }
  std::uint64_t violations = 0;
  for (std::uint64_t run = 0; run < runs; ++run, ++options.seed) {
    tandem::sim::Simulation simulation(options);
    if (transcript) simulation.print_transcript_to(stderr);
    const auto report = simulation.run();
    std::fputs(to_text(report).c_str(), stdout);
    violations += report.violations;
  }
  return violations == 0 ? 0 : 1;
}
