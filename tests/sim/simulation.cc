#include "tests/sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem::sim {
namespace {

constexpr Duration kRelink = 500ms;
constexpr Duration kRegistration = 500ms;  // the first clients come after this
constexpr Duration kQuiet = 2s;            // at the end, without requests

}  // namespace

Simulation::Simulation(const SimulationOptions& options)
    : options_(options),
      world_(options.seed, options.faults, options.items),
      devil_(world_.random.fork(3)) {
  for (Place place = 0; place < options.servers; ++place) {
    NodeOptions node = options.node;
    node.name = "s" + std::to_string(place);
    if (options.zones > 0) node.zone = "z" + std::to_string(place % options.zones);
    servers_.push_back(std::make_unique<SimServer>(
        world_, place, node, node.zone, [this, place](Network::Handlers handlers) {
          return balancer_->accept(place, std::move(handlers));
        }));
    const bool broken =
        static_cast<double>(place) < options.sabotaged_share * static_cast<double>(options.servers);
    if (broken) servers_.back()->set_sabotage(options.sabotage);
    servers_.back()->on_cold_start(
        [this, place](const SessionToken& token) { on_cold_start(place, token); });
  }
  balancer_ = std::make_unique<SimBalancer>(world_, options.servers, servers_);
  for (std::size_t i = 0; i < options.clients; ++i) {
    ClientOptions client = options.client;
    client.library =
        static_cast<double>(i) >= options.ordinary_share * static_cast<double>(options.clients);
    clients_.push_back(std::make_unique<SimClient>(world_, *balancer_, client,
                                                   world_.random.fork(1000 + i), report_.clients));
  }
  for (std::size_t i = 0; i < options.bots; ++i) {
    ClientOptions bot = options.client;
    bot.library = bot.keeps_token = false;
    bots_.push_back(std::make_unique<SimClient>(world_, *balancer_, bot,
                                                world_.random.fork(5000 + i), report_.clients));
  }
}

SimulationReport Simulation::run() {
  start_all();
  run_until(world_.heap.now() + options_.calm_start);
  storming_ = true;
  every(options_.faults.kills_per_minute, [this] { kill_one(); });
  every(options_.faults.pauses_per_minute, [this] { pause_one(); });
  every(options_.faults.partitions_per_minute, [this] { split_some(); });
  every(options_.faults.drains_per_minute, [this] { drain_one(); });
  run_until(world_.heap.now() + options_.storm);
  calm();
  const Instant calmed = world_.heap.now();
  run_until(calmed + options_.served_within);
  for (const auto& client : clients_) {
    world_.invariants.require(client->last_served() >= calmed,
                              "a client is not served although all is well again");
    client->stop();
  }
  for (const auto& bot : bots_) bot->stop();
  run_until(world_.heap.now() + kQuiet);
  check_recovered();
  report_.seed = options_.seed;
  report_.hash = world_.transcript.hash();
  report_.events = world_.heap.executed();
  report_.violations = world_.invariants.violations();
  report_.texts = world_.invariants.texts();
  return report_;
}

void Simulation::run_until(Instant end) {
  while (world_.invariants.violations() == 0 && world_.heap.step(end)) {
  }
}

void Simulation::start_all() {
  for (Place place = 0; place < servers_.size(); ++place) start_server(place);
  world_.heap.after(kRegistration, [this] {
    for (const auto& client : clients_) client->start();
    for (const auto& bot : bots_) bot->start();
  });
  const Duration change = options_.item_change;
  if (change > Duration{}) {
    every(60.0 * 1e9 / static_cast<double>(change.count()), [this] { world_.origin.change_one(); });
  }
}

// --- links between servers ----------------------------------------------------------------------

void Simulation::start_server(Place place) {
  servers_[place]->start();
  for (Place other = 0; other < servers_.size(); ++other) {
    if (other == place || !servers_[other]->host().alive()) continue;
    retry_link(std::min(place, other), std::max(place, other), world_.network.delay());
  }
}

void Simulation::retry_link(Place a, Place b, Duration in) {
  const auto life_a = servers_[a]->host().incarnation(), life_b = servers_[b]->host().incarnation();
  world_.heap.after(in, [this, a, b, life_a, life_b] {
    const Host &at_a = servers_[a]->host(), &at_b = servers_[b]->host();
    // Whoever is started anew tries by itself.
    if (!at_a.alive() || at_a.incarnation() != life_a) return;
    if (!at_b.alive() || at_b.incarnation() != life_b) return;
    try_link(a, b);
  });
}

void Simulation::try_link(Place a, Place b) {
  SimServer &at_a = *servers_[a], &at_b = *servers_[b];
  const bool has_a = at_a.has_link(at_b.id()), has_b = at_b.has_link(at_a.id());
  if (has_a && has_b) return;
  if (has_a || has_b || !at_a.wants_link(at_b.id()) || world_.network.cut_off(a, b) ||
      at_a.host().paused() || at_b.host().paused()) {
    return retry_link(a, b, kRelink);
  }
  const auto again = [this, a, b] { retry_link(a, b, kRelink); };
  const auto channel = std::make_shared<Network::ChannelId>(0);
  *channel = world_.network.open(a, b, at_a.peer_handlers(at_b.id(), channel, again),
                                 at_b.peer_handlers(at_a.id(), channel, again), true);
  at_a.on_peer_open(at_b.id(), at_b.host().incarnation(), *channel, 0);
  at_b.on_peer_open(at_a.id(), at_a.host().incarnation(), *channel, 1);
}

// --- the devil ----------------------------------------------------------------------------------

void Simulation::every(double per_minute, std::function<void()> work) {
  if (per_minute <= 0) return;
  const auto mean = static_cast<std::uint64_t>(60e9 / per_minute);
  world_.heap.after(Duration(devil_.below(2 * mean) + 1), [this, per_minute, work] {
    work();
    every(per_minute, work);
  });
}

Duration Simulation::between(Duration low, Duration high) {
  return low + Duration(devil_.below(static_cast<std::uint64_t>((high - low).count()) + 1));
}

void Simulation::kill_one() {
  SimServer& server = *servers_[devil_.below(servers_.size())];
  if (!storming_ || !server.host().alive()) return;
  if (options_.faults.one_at_a_time && world_.heap.now() < mended_) return;
  ++report_.kills;
  server.kill();
  balancer_->on_killed(server.place());
  const Duration down = between(options_.faults.down_min, options_.faults.down_max);
  mended_ = world_.heap.now() + down + options_.faults.mend_time;
  world_.heap.after(down, [this, place = server.place()] {
    if (!servers_[place]->host().alive()) start_server(place);
  });
}

void Simulation::pause_one() {
  Host& host = servers_[devil_.below(servers_.size())]->host();
  if (!storming_ || !host.alive() || host.paused()) return;
  ++report_.pauses;
  world_.note("pause");
  host.pause();
  const Duration time = between(options_.faults.pause_min, options_.faults.pause_max);
  world_.heap.after(time, [&host, incarnation = host.incarnation()] {
    if (host.incarnation() == incarnation) host.resume();
  });
}

std::set<Place> Simulation::some_servers(double largest_share) {
  const double most = largest_share * static_cast<double>(servers_.size());
  const std::size_t count = 1 + devil_.below(std::max<std::uint64_t>(1, std::uint64_t(most)));
  std::set<Place> some;
  while (some.size() < count) some.insert(devil_.below(servers_.size()));
  return some;
}

void Simulation::split_some() {
  if (!storming_) return;
  ++report_.partitions;
  const Faults& faults = options_.faults;
  Network::Cut cut = Network::Cut::kBothWays;
  if (devil_.chance(faults.one_way_share)) {
    cut = devil_.chance(0.5) ? Network::Cut::kWhatTheySend : Network::Cut::kWhatTheyGet;
  }
  std::set<Place> spared;
  if (devil_.chance(faults.spares_balancer_share)) spared.insert(servers_.size());
  const auto id = world_.network.split(some_servers(faults.largest_share), spared, cut);
  partitions_.insert(id);
  world_.note("split", id, static_cast<unsigned>(cut), spared.size());
  world_.heap.after(between(faults.partition_min, faults.partition_max), [this, id] {
    world_.note("heal", id);
    world_.network.heal(id);
    partitions_.erase(id);
  });
}

void Simulation::drain_one() {
  SimServer& server = *servers_[devil_.below(servers_.size())];
  if (!storming_ || !server.host().alive()) return;
  ++report_.drains;
  server.drain(true);
  world_.heap.after(options_.faults.drain_time, [&server, life = server.host().incarnation()] {
    if (server.host().alive() && server.host().incarnation() == life) server.drain(false);
  });
}

// Ends all faults: everything lives, runs and is reached.
void Simulation::calm() {
  storming_ = false;
  world_.note("calm");
  world_.network.calm();
  for (const auto id : std::exchange(partitions_, {})) world_.network.heal(id);
  for (Place place = 0; place < servers_.size(); ++place) {
    Host& host = servers_[place]->host();
    if (!host.alive()) start_server(place);
    if (host.paused()) host.resume();
    servers_[place]->drain(false);
  }
}

// A session starts empty here. Has another living server what it lost?
void Simulation::on_cold_start(Place place, const SessionToken& token) {
  for (const auto& server : servers_) {
    if (server->place() == place || !server->host().alive()) continue;
    const auto report = server->node()->report(token.session);
    if (!report || report->epoch < token.epoch || report->mirror_entries == 0) continue;
    ++report_.cold_though_warm_elsewhere;
    world_.note("cold", place, token.session.low, server->place());
    return;
  }
}

// --- when all should be well again --------------------------------------------------------------

void Simulation::check_recovered() {
  if (world_.invariants.violations() > 0) return;
  for (const auto& client : clients_) {
    if (options_.exact && client->token()) check_session(*client->token());
  }
  for (const auto& server : servers_) {
    world_.invariants.on_bounds(*server->node(), server->options());
    const NodeCounters& one = server->node()->counters();
    report_.nodes.takeovers_warm += one.takeovers_warm;
    report_.nodes.takeovers_cold += one.takeovers_cold;
    report_.nodes.sessions_lost += one.sessions_lost;
    report_.nodes.thirds_chosen += one.thirds_chosen;
    report_.nodes.mirror_snapshots_sent += one.mirror_snapshots_sent;
    report_.nodes.mirror_gaps += one.mirror_gaps;
    report_.nodes.mirror_stale += one.mirror_stale;
  }
}

// One server serves it, one other holds its copy, and nobody else claims it.
void Simulation::check_session(const SessionToken& token) {
  std::vector<std::string> claims;
  std::optional<SessionReport> primary;
  for (const auto& server : servers_) {
    const auto report = server->node()->report(token.session);
    if (!report || report->role == Role::kAlternate) continue;
    claims.push_back(server->name() + " at " + to_text(report->epoch));
    // A session may have been moved since its client's last request.
    if (server->id() == token.primary || report->epoch > token.epoch) primary = report;
  }
  const std::string text = fmt::format("{}: {}", to_text(token), fmt::join(claims, ", "));
  world_.invariants.require(claims.size() == 1, "not served by exactly one server " + text);
  world_.invariants.require(primary.has_value(), "served by neither the token's primary nor under a newer epoch " + text);
  if (!primary || primary->role == Role::kProvisional) return;
  world_.invariants.require(primary->copy_complete, "no complete copy of " + text);
  for (const auto& server : servers_) {
    if (server->id() != primary->alternate) continue;
    const auto copy = server->node()->report(token.session);
    world_.invariants.require(
        copy && copy->epoch == primary->epoch && copy->mirror_entries == primary->mirror_entries,
        "the alternate's copy differs " + text);
  }
}

std::string to_text(const SimulationReport& report) {
  const ClientCounts& clients = report.clients;
  std::string text = fmt::format(
      "seed {}: {} events, transcript {:016x}, {} violations\n"
      "  {} kills, {} pauses, {} partitions, {} drains\n"
      "  {} requests, {} failed, {} fetched, {} reused by mirror, {} by validator, {} moved,"
      " slowest {:.3f} s\n"
      "  {} warm and {} cold ({} with a copy elsewhere) takeovers, {} sessions given up, {} third "
      "copies, {} snapshots,"
      " {} gaps, {} stale\n",
      report.seed, report.events, report.hash, report.violations, report.kills, report.pauses,
      report.partitions, report.drains, clients.requests, clients.failed, clients.fetched,
      clients.reused_by_mirror, clients.reused_by_validator, clients.moved,
      static_cast<double>(clients.slowest.count()) * 1e-9, report.nodes.takeovers_warm,
      report.nodes.takeovers_cold, report.cold_though_warm_elsewhere, report.nodes.sessions_lost,
      report.nodes.thirds_chosen, report.nodes.mirror_snapshots_sent, report.nodes.mirror_gaps,
      report.nodes.mirror_stale);
  for (const std::string& violation : report.texts) text += "  " + violation + "\n";
  return text;
}

}  // namespace tandem::sim
