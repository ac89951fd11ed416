// tandem-sim-data: writes and reads of a group of servers (tests/sim/data/data_world.h); with
// `zipf` the queries of its database when a server dies (tests/sim/data/zipf.h).
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/sim/data/data_world.h"
#include "tests/sim/data/zipf.h"

namespace {

constexpr double kQueriesMost = 1.2;  // times those of steady state

int zipf(const tandem::sim::ZipfOptions& options) {
  const auto report = tandem::sim::run_zipf(options);
  std::printf("%-34s %8s %10s %12s %12s\n", "", "hits", "queries", "10 s after", "10 s after");
  std::printf("%-34s %8s %10s %12s %12s\n", "", "", "in 10 s", "the death", "the return");
  const auto line = [](const char* what, const tandem::sim::ZipfReport::Group& group) {
    std::printf("%-34s %7.1f%% %10.0f %12.2f %12.2f\n", what, 100 * group.hit_rate, group.steady,
                group.after_death, group.after_return);
  };
  line("types, and what mirrors hold", report.mirrors);
  line("types alone", report.types);
  line("rehashing", report.rehashing);
  std::printf(
      "%llu items in each cache, %llu answers noted and %llu contents held by all; "
      "%llu requests answered by them\ndigest %llx\n",
      static_cast<unsigned long long>(report.cache_items),
      static_cast<unsigned long long>(report.noted), static_cast<unsigned long long>(report.held),
      static_cast<unsigned long long>(report.used), static_cast<unsigned long long>(report.digest));
  return report.mirrors.worst() <= kQueriesMost ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  tandem::sim::ZipfOptions zipf_options;
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
  CLI::App* of_zipf = app.add_subcommand(
      "zipf",
      "A server dies and comes back with nothing: queries of the database in the 10 s after each, "
      "in multiples of steady state. Exits 1 if they are over 1.2.");
  of_zipf->add_option("--seed", zipf_options.seed, "the run")->capture_default_str();
  of_zipf->add_option("--servers", zipf_options.servers, "of the group")
      ->check(CLI::Range(3, 64))
      ->capture_default_str();
  of_zipf->add_option("--items", zipf_options.items, "in the database")->capture_default_str();
  of_zipf->add_option("--hit-rate", zipf_options.hit_rate, "of the caches")->capture_default_str();
  of_zipf->add_option("--per-second", zipf_options.per_second, "requests of all sessions")
      ->capture_default_str();
  of_zipf->add_option("--mirror-bytes", zipf_options.mirror_bytes, "[mirror] bytes of each server")
      ->capture_default_str();
  std::uint64_t warm_s = 600;
  of_zipf->add_option("--warm", warm_s, "seconds before the count")->capture_default_str();
  of_zipf->add_flag("!--no-noted", zipf_options.noted, "what mirrors hold is not used");
  CLI11_PARSE(app, argc, argv);
  if (of_zipf->parsed()) {
    zipf_options.warm = std::chrono::seconds(warm_s);
    return zipf(zipf_options);
  }

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
