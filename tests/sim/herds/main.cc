// tandem-herds: how even assignment keeps the servers (tests/sim/herds/herds.h has the model).
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <string>

#include "tests/sim/herds/herds.h"

namespace tandem::sim {
namespace {

constexpr std::array kPolicies = {HerdPolicy::kAssignment, HerdPolicy::kWeightedRoundRobin,
                                  HerdPolicy::kRoundRobin, HerdPolicy::kLeastByStatus,
                                  HerdPolicy::kPerfect};
constexpr std::array<std::uint32_t, 4> kBalancers = {1, 2, 4, 8};

double goal(std::uint32_t balancers) { return balancers <= 4 ? 1.10 : 1.20; }

void print_heading(const char* first) {
  std::printf("%-34s", first);
  for (const HerdPolicy policy : kPolicies) std::printf("%14s", to_text(policy).data());
  std::printf("\n");
}

// The mean peaks of all policies; false if that of assignment is over `most`.
bool print_row(const std::string& title, HerdOptions options, double most) {
  std::printf("%-34s", title.c_str());
  bool kept = true;
  for (const HerdPolicy policy : kPolicies) {
    options.policy = policy;
    const HerdReport report = run_herd(options);
    std::printf("%14.3f", report.mean_peak);
    if (policy == HerdPolicy::kAssignment) kept = report.mean_peak <= most;
  }
  std::printf(kept ? "\n" : "  over %.2f\n", most);
  std::fflush(stdout);
  return kept;
}

bool print_goals(HerdOptions options) {
  print_heading("balancers");
  bool kept = true;
  for (const std::uint32_t balancers : kBalancers) {
    options.balancers = balancers;
    kept = print_row(std::to_string(balancers), options, goal(balancers)) && kept;
  }
  return kept;
}

void print_sensitivity(const HerdOptions& base) {
  std::printf("\nHow much that depends on the model (no goals), with %u balancers\n",
              base.balancers);
  print_heading("");
  const auto row = [&base](const std::string& title, auto change) {
    HerdOptions options = base;
    change(options);
    print_row(title, options, 1e9);
  };
  for (const int lifetime : {5, 10, 30, 100}) {
    row("lifetime " + std::to_string(lifetime),
        [&](HerdOptions& o) { o.lifetime = lifetime, o.warm_up = std::max(40U, 2U * lifetime); });
  }
  for (const int workers : {2, 4}) {
    row("workers " + std::to_string(workers), [&](HerdOptions& o) { o.workers = workers; });
  }
  row("each status in its own phase", [](HerdOptions& o) { o.own_phases = true; });
  row("and up to half an interval late", [](HerdOptions& o) { o.own_phases = true, o.lag = 0.5; });
  row("and up to an interval late", [](HerdOptions& o) { o.own_phases = true, o.lag = 1; });
  row("confirmed after 0.3 intervals", [](HerdOptions& o) { o.confirm = 0.3; });
  row("confirmed after 1 interval", [](HerdOptions& o) { o.confirm = 1; });
  row("all three: own phases, 0.5, 0.3",
      [](HerdOptions& o) { o.own_phases = true, o.lag = 0.5, o.confirm = 0.3; });
  row("a fifth are bots", [](HerdOptions& o) { o.bots = 0.2; });
  row("the k-th balancer gets 1/k", [](HerdOptions& o) { o.skew = 1; });
  row("servers 75 % full", [](HerdOptions& o) { o.utilisation = 0.75; });
  row("servers 80 % full: at threshold", [](HerdOptions& o) { o.utilisation = 0.80; });
  row("servers 90 % full: over it", [](HerdOptions& o) { o.utilisation = 0.90; });
  row("all capacities equal", [](HerdOptions& o) { o.capacities = {1}; });
}

}  // namespace
}  // namespace tandem::sim

int main(int argc, char** argv) {
  tandem::sim::HerdOptions options;
  bool sensitivity = false, one = false;
  CLI::App app(
      "Simulates assignment in steady state and prints the mean peak-to-mean of sessions per\n"
      "capacity (1 is perfectly even) of tandem-lb's assignment beside that of other policies.\n"
      "Exits 1 if it is over 1.10 with up to 4 balancers, or over 1.20 with 8");
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("--servers", options.servers)->capture_default_str();
  app.add_option("--capacities", options.capacities, "of the servers, in turn, in proportion")
      ->delimiter(':')
      ->capture_default_str();
  auto* balancers = app.add_option("--balancers", options.balancers, "1, 2, 4 and 8 if not given");
  app.add_option("--workers", options.workers, "of each balancer")->capture_default_str();
  app.add_option("--arrivals", options.arrivals, "between two status updates")
      ->capture_default_str();
  app.add_option("--lifetime", options.lifetime, "mean, of a session, in status intervals")
      ->capture_default_str();
  app.add_option("--utilisation", options.utilisation, "sessions for all capacity")
      ->capture_default_str();
  app.add_option("--threshold", options.threshold, "of capacity")->capture_default_str();
  app.add_option("--confirm", options.confirm, "mean intervals until a session is in the status")
      ->capture_default_str();
  app.add_option("--bots", options.bots, "share of arrivals that never come back")
      ->capture_default_str();
  app.add_option("--lag", options.lag, "intervals that a status is late, at most")
      ->capture_default_str();
  app.add_flag("--own-phases", options.own_phases, "each server tells its status at its own time");
  app.add_option("--skew", options.skew, "0: balancers get as many; 1: the k-th 1/k of the first")
      ->capture_default_str();
  app.add_option("--warm-up", options.warm_up, "intervals")->capture_default_str();
  app.add_option("--intervals", options.intervals, "measured")->capture_default_str();
  app.add_option("--samples", options.samples, "an interval")->capture_default_str();
  app.add_flag("--sensitivity", sensitivity, "other lifetimes, phases, lags, skews, loads as well");
  CLI11_PARSE(app, argc, argv);
  one = balancers->count() > 0;

  std::printf("%u servers, %.0f arrivals an interval, lifetime %.0f: %.0f sessions, %.0f %% full\n",
              options.servers, options.arrivals, options.lifetime,
              options.arrivals * options.lifetime, 100 * options.utilisation);
  bool kept = true;
  if (one) {
    tandem::sim::print_heading("balancers");
    kept = tandem::sim::print_row(std::to_string(options.balancers), options,
                                  tandem::sim::goal(options.balancers));
  } else {
    kept = tandem::sim::print_goals(options);
    options.balancers = 4;
  }
  if (sensitivity) tandem::sim::print_sensitivity(options);
  return kept ? 0 : 1;
}
