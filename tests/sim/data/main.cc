// tandem-sim-data: writes and reads of a group of servers (tests/sim/data/data_world.h).
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/sim/data/data_world.h"

int main(int argc, char** argv) {
  tandem::sim::DataOptions options;
  options.operations = 10'000'000;
  CLI::App app(
      "A group of servers over one database, with faults of all sorts: who may write, and "
      "what readers see. Exits 1 if an answer breaks the model of docs/consistency.md.");
  app.add_option("--seed", options.seed, "the run")->capture_default_str();
  app.add_option("--operations", options.operations, "of all clients")->capture_default_str();
  app.add_option("--servers", options.servers, "of the group")->capture_default_str();
  app.add_flag("!--no-fence", options.fence, "the database does not compare epochs");
  app.add_flag("!--no-leases", options.leases, "whatever is cached is used, and nobody waited for");
  app.add_flag("--stop", options.stop_at_anomaly, "at the first anomaly");
  CLI11_PARSE(app, argc, argv);

  const auto report = tandem::sim::run_data(options);
  const auto line = [](const char* what, unsigned long long count) {
    std::printf("%-34s %12llu\n", what, count);
  };
  std::printf("%-34s %12.0f s\n", "simulated", report.simulated_s);
  line("reads", report.reads);
  line("  from a cache", report.hits);
  line("  of them under a lease", report.lease_hits);
  line("writes acknowledged", report.writes);
  line("  sent again to another owner", report.resent);
  line("operations that failed", report.failed);
  line("writes refused by the fence", report.fenced);
  line("views", report.views);
  line("pauses", report.pauses);
  line("cuts", report.cuts);
  line("deaths", report.deaths);
  line("slow writes", report.slow_writes);
  line("stale reads", report.stale_reads);
  line("lost writes", report.lost_writes);
  line("writes of replaced owners", report.dual_owners);
  std::printf("%-34s %12llx\n", "digest", static_cast<unsigned long long>(report.digest));
  if (!report.first.empty()) std::printf("the first anomaly: %s\n", report.first.c_str());
  return report.anomalies() == 0 ? 0 : 1;
}
