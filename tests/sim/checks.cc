// What must hold when all should be well again, and of the run as a whole.
#include <fmt/format.h>

#include "tests/sim/simulation.h"

namespace tandem::sim {

void Simulation::check_served(Instant calmed) {
  for (const auto& client : clients_) {
    world_.invariants.require(client->last_served() >= calmed,
                              "a client is not served although all is well again");
    client->stop();
  }
  for (const auto& bot : bots_) bot->stop();
}

// Is this a world in which no mirror is lost that somebody has, and no session leaves a server that
// lives?
bool Simulation::keeps_mirrors() const {
  return options_.exact && options_.faults.only_kills() && options_.faults.one_at_a_time &&
         options_.client.nap_chance == 0;
}

void Simulation::check_recovered() {
  for (const auto& server : servers_) server->check_bounds();
  if (options_.faults.only_kills()) {
    world_.invariants.require(report_.clients.failed == 0, "a request failed where only kills were",
                              [this] { return failures_text(report_.clients); });
  }
  for (const auto& client : clients_) {
    if (options_.exact && client->token()) check_session(*client->token());
  }
}

// Requests by which a server came by a session, or was asked for one that it has not.
std::uint64_t Simulation::claimed_by_requests() const {
  std::uint64_t sum = 0;
  for (const auto& server : servers_) {
    const NodeCounters& counters = server->node()->counters();
    sum += counters.takeovers_warm + counters.takeovers_cold + counters.guests;
  }
  return sum;
}

// Each client's token, as it is, leads to the one server that serves its session, and none has to
// take it over for that.
void Simulation::check_reached() {
  constexpr Duration kReach = 2s;
  const std::uint64_t claimed = claimed_by_requests();
  const Instant asked = world_.heap.now();
  for (const auto& client : clients_) {
    if (client->token()) client->ask_once();
  }
  run_until(asked + kReach);
  settle_moves(asked + 2 * kReach);
  Invariants& invariants = world_.invariants;
  if (invariants.violations() > 0) return;
  for (const auto& client : clients_) {
    if (!client->token()) continue;
    invariants.require(client->last_served() >= asked, "a token does not reach its session",
                       [&] { return to_text(*client->token()); });
    check_session(*client->token());
  }
  invariants.require(claimed_by_requests() == claimed,
                     "a session is claimed anew though a server that lives serves it");
}

// Whose copy counts as whole has the contents, too, that it has asked for. (Of two that feed one
// copy while the primary is out of reach, only the later one knows what its own batches lack.)
void Simulation::check_copy(Place at, SessionId session) {
  const auto primary = servers_[at]->node()->report(session);
  if (!primary || !primary->copy_complete) return;
  for (const auto& server : servers_) {
    if (server->id() != primary->alternate || !server->host().alive()) continue;
    const auto copy = server->node()->report(session);
    const bool its = copy && copy->role == Role::kAlternate && copy->epoch == primary->epoch &&
                     copy->fed_by == servers_[at]->id();
    world_.invariants.require(
        !its || !copy->lacks_contents, "a copy counts as whole before its contents have come",
        [&] { return fmt::format("{:x} of {}", session.low, servers_[at]->name()); });
  }
}

// One server serves it, one other holds its copy, and nobody else claims it.
void Simulation::check_session(const SessionToken& token) {
  Invariants& invariants = world_.invariants;
  std::vector<std::string> claims;
  std::optional<SessionReport> primary;
  for (const auto& server : servers_) {
    const auto report = server->node()->report(token.session);
    if (!report || report->role == Role::kAlternate) continue;
    // What a request began that was given up goes after provisional_ttl.
    if (report->role == Role::kProvisional && server->id() != token.primary) continue;
    claims.push_back(server->name() + " at " + to_text(report->epoch));
    // A session may have been moved since its client's last request (check_reached).
    if (server->id() == token.primary || report->epoch > token.epoch) primary = report;
  }
  const auto text = [&] { return fmt::format("{}: {}", to_text(token), fmt::join(claims, ", ")); };
  invariants.require(claims.size() == 1, "not served by exactly one server", text);
  invariants.require(primary.has_value(), "neither the token's primary nor a newer one", text);
  if (!primary || primary->role == Role::kProvisional) return;
  invariants.require(primary->copy_complete, "no complete copy", text);
  for (const auto& server : servers_) {
    if (server->id() != primary->alternate) continue;
    const auto copy = server->node()->report(token.session);
    invariants.require(copy && copy->epoch == primary->epoch && copy->digest == primary->digest,
                       "the alternate's copy differs", text);
  }
}

}  // namespace tandem::sim
