#include "tests/sim/report.h"

#include <fmt/format.h>

namespace tandem::sim {
namespace {

// Those that are told.
void add_counters(NodeCounters& sum, const NodeCounters& one) {
  for (const auto member :
       {&NodeCounters::takeovers_warm, &NodeCounters::takeovers_cold, &NodeCounters::sessions_lost,
        &NodeCounters::thirds_chosen, &NodeCounters::mirror_snapshots_sent,
        &NodeCounters::mirror_gaps, &NodeCounters::mirror_stale, &NodeCounters::batches_unanswered,
        &NodeCounters::letters_resent}) {
    sum.*member += one.*member;
  }
}

}  // namespace

void SimulationReport::add(const SimulationReport& other) {
  events += other.events;
  hours += other.hours;
  violations += other.violations;
  clients.add(other.clients);
  devil.kills += other.devil.kills;
  devil.balancer_kills += other.devil.balancer_kills;
  devil.pauses += other.devil.pauses;
  devil.partitions += other.devil.partitions;
  devil.flaps += other.devil.flaps;
  devil.drains += other.devil.drains;
  orders_executed += other.orders_executed;
  tokens_refused += other.tokens_refused;
  vouched_unfetched += other.vouched_unfetched;
  cold_though_warm_elsewhere += other.cold_though_warm_elsewhere;
  add_counters(nodes, other.nodes);
}

std::string failures_text(const ClientCounts& clients) {
  std::string text;
  for (const auto& [kind, count] : clients.failures) {
    text += fmt::format("  failed: {:6} {} {}\n", count, kind.first, kind.second);
  }
  for (const auto& [kind, count] : clients.lost_orders) {
    text += fmt::format("  orders: {:6} {} {}\n", count, kind.first, kind.second);
  }
  return text;
}

std::string to_text(const SimulationReport& report) {
  const ClientCounts& clients = report.clients;
  const NodeCounters& nodes = report.nodes;
  const DevilCounts& devil = report.devil;
  std::string text = fmt::format(
      "seed {}: {} events, transcript {:016x}, {} violations\n"
      "  {} kills, {} of balancers, {} pauses, {} partitions, {} flapping, {} drains\n"
      "  {} requests, {} failed, {} resent, {} fetched, {} reused by mirror, {} by validator,"
      " {} moved, slowest {:.3f} s\n"
      "  {} orders, {} executed; {} tokens too old, {} sessions begun anew\n"
      "  {} warm and {} cold ({} with a copy elsewhere) takeovers, {} sessions given up,"
      " {} third copies, {} snapshots, {} gaps, {} stale, {} unanswered, {} letters again,"
      " {} copies current by hearsay\n",
      report.seed, report.events, report.hash, report.violations, devil.kills, devil.balancer_kills,
      devil.pauses, devil.partitions, devil.flaps, devil.drains, clients.requests, clients.failed,
      clients.resent, clients.fetched, clients.reused_by_mirror, clients.reused_by_validator,
      clients.moved, static_cast<double>(clients.slowest.count()) * 1e-9, clients.orders,
      report.orders_executed, report.tokens_refused, clients.sessions_lost, nodes.takeovers_warm,
      nodes.takeovers_cold, report.cold_though_warm_elsewhere, nodes.sessions_lost,
      nodes.thirds_chosen, nodes.mirror_snapshots_sent, nodes.mirror_gaps, nodes.mirror_stale,
      nodes.batches_unanswered, nodes.letters_resent, report.vouched_unfetched);
  text += failures_text(clients);
  for (const std::string& violation : report.texts) text += "  " + violation + "\n";
  return text;
}

}  // namespace tandem::sim
