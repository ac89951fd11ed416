#include "tests/sim/simulation.h"

#include <algorithm>
#include <utility>

namespace tandem::sim {
namespace {

constexpr Duration kRelink = 500ms;
constexpr Duration kRegistration = 500ms;  // the first clients come after this
constexpr Duration kQuiet = 2s;            // at the end, without requests
constexpr Duration kSettled = 3s;          // what moves then is done within this
constexpr std::size_t kBoundsFactor = 4;   // by which kIgnoresBounds passes them

// What a server works with that does not care for its bounds.
NodeOptions without_bounds(NodeOptions node) {
  node.sessions_max *= kBoundsFactor;
  node.provisional_max *= kBoundsFactor;
  node.notes_max *= kBoundsFactor;
  node.mirror.reference_bytes_max *= kBoundsFactor;
  node.mirror.content_bytes_max *= kBoundsFactor;
  return node;
}

}  // namespace

Simulation::Simulation(const SimulationOptions& options)
    : options_(options),
      world_(options.seed, options.faults, options.items),
      watcher_{.cold_start = [this](Place place,
                                    const SessionToken& token) { on_cold_start(place, token); },
               .takeover = [this](Place place, SessionId session,
                                  ServerId from) { on_takeover(place, session, from); },
               .applied = [this](Place place, SessionId session) { check_copy(place, session); }},
      devil_(world_, servers_, balancers_,
             {.start_server = [this](Place place) { start_server(place); },
              .server_died = [this](Place place) { on_server_died(place); },
              .balancer_died =
                  [this](Place place) {
                    for (const auto& client : clients_) client->on_balancer_killed(place);
                    for (const auto& bot : bots_) bot->on_balancer_killed(place);
                  }},
             world_.random.fork(3)) {
  build_servers();
  for (std::size_t i = 0; i < options.balancers; ++i) {
    balancers_.push_back(std::make_unique<SimBalancer>(
        world_, options.servers + i, servers_,
        SimBalancer::Options{.balancers = static_cast<std::uint32_t>(options.balancers),
                             .token_ttl = options.node.token_ttl,
                             .sabotage = options.sabotage}));
  }
  build_clients();
}

void Simulation::build_servers() {
  for (Place place = 0; place < options_.servers; ++place) {
    SimServer::Setup setup;
    setup.node = options_.node;
    setup.node.name = "s" + std::to_string(place);
    if (options_.zones > 0) setup.node.zone = "z" + std::to_string(place % options_.zones);
    setup.bounds = setup.node;
    setup.balancers = options_.balancers;
    setup.forgets = options_.tight;
    const double broken = options_.sabotaged_share * static_cast<double>(options_.servers);
    if (static_cast<double>(place) < broken) setup.sabotage = options_.sabotage;
    if (setup.sabotage == Sabotage::kIgnoresBounds) setup.node = without_bounds(setup.node);
    servers_.push_back(std::make_unique<SimServer>(
        world_, place, std::move(setup),
        [this, place](std::size_t balancer, Network::Handlers handlers) {
          return balancers_[balancer]->accept(place, std::move(handlers));
        },
        watcher_));
  }
}

void Simulation::build_clients() {
  ClientOptions client = options_.client;
  client.token_ttl = options_.node.token_ttl;
  const auto ordinary = options_.ordinary_share * static_cast<double>(options_.clients);
  for (std::size_t i = 0; i < options_.clients; ++i) {
    client.with_library = static_cast<double>(i) >= ordinary;
    clients_.push_back(std::make_unique<SimClient>(
        world_, balancers_, client, world_.random.fork(1'000'000 + i), report_.clients));
  }
  client.with_library = client.keeps_token = false;
  for (std::size_t i = 0; i < options_.bots; ++i) {
    bots_.push_back(std::make_unique<SimClient>(
        world_, balancers_, client, world_.random.fork(2'000'000 + i), report_.clients));
  }
}

SimulationReport Simulation::run() {
  start_all();
  run_until(world_.heap.now() + options_.calm_start);
  devil_.begin();
  run_until(world_.heap.now() + options_.storm);
  devil_.rest();
  report_.spread = spread();
  const Instant calmed = world_.heap.now();
  run_until(calmed + options_.served_within);
  if (world_.invariants.violations() == 0) check_served(calmed);
  run_until(world_.heap.now() + kQuiet);
  settle_moves(world_.heap.now() + kSettled);
  for (const auto& server : servers_) {
    if (server->host().alive()) add_counters(*server);
  }
  if (world_.invariants.violations() == 0) check_recovered();
  if (world_.invariants.violations() == 0 && options_.exact) check_reached();
  report_.seed = options_.seed;
  report_.hash = world_.transcript.hash();
  report_.events = world_.heap.executed();
  report_.hours =
      std::chrono::duration<double, std::ratio<3600>>(world_.heap.now().time_since_epoch()).count();
  report_.violations = world_.invariants.violations();
  report_.texts = world_.invariants.texts();
  report_.devil = devil_.counts();
  report_.orders_executed = world_.origin.executed();
  for (const auto& server : servers_) report_.tokens_refused += server->tokens_refused();
  for (const auto& server : servers_) report_.vouched_unfetched += server->vouched_unfetched();
  for (const auto& balancer : balancers_) report_.tokens_refused += balancer->tokens_refused();
  return report_;
}

void Simulation::run_until(Instant end) {
  while (world_.invariants.violations() == 0 && world_.heap.step(end)) {
  }
}

void Simulation::start_all() {
  for (const auto& balancer : balancers_) balancer->start();
  const bool joins = options_.last_joins > Duration{};
  for (Place place = 0; place + joins < servers_.size(); ++place) start_server(place);
  if (joins) {
    world_.heap.after(options_.last_joins, [this] {
      start_server(servers_.size() - 1);
      watch_newcomer(0);
    });
  }
  world_.heap.after(kRegistration, [this] {
    for (const auto& client : clients_) client->start();
    for (const auto& bot : bots_) bot->start();
  });
  const Duration change = options_.item_change;
  if (change > Duration{}) {
    devil_.every(60.0 * 1e9 / static_cast<double>(change.count()),
                 [this] { world_.origin.change_one(); });
  }
}

// Sessions are evened out at any time: a copy that is on its way is none that differs.
void Simulation::settle_moves(Instant end) {
  const auto moves = [](const auto& server) {
    const NodeGauges gauges = server->node()->gauges();
    return gauges.swaps_in_flight > 0 || gauges.lag_sessions > 0;
  };
  while (world_.heap.now() < end && std::any_of(servers_.begin(), servers_.end(), moves)) {
    run_until(world_.heap.now() + 100ms);
    if (world_.invariants.violations() > 0) return;
  }
}

// Notes each second how many sessions it has got.
void Simulation::watch_newcomer(std::size_t before) {
  world_.heap.after(1s, [this, before] {
    const SimServer& newcomer = *servers_.back();
    if (!newcomer.host().alive()) return;
    const std::size_t now = newcomer.node()->status().primaries;
    if (now > before) {
      report_.newcomer_gain_most = std::max(report_.newcomer_gain_most, now - before);
    }
    watch_newcomer(now);
  });
}

// Of sessions per server: the most less the fewest, for their mean. All have the same capacity.
double Simulation::spread() const {
  std::size_t most = 0, fewest = ~std::size_t{0}, sum = 0, living = 0;
  for (const auto& server : servers_) {
    if (!server->host().alive()) continue;
    const std::size_t sessions = server->node()->status().primaries;
    most = std::max(most, sessions), fewest = std::min(fewest, sessions);
    sum += sessions, ++living;
  }
  if (sum == 0) return 0;
  return static_cast<double>((most - fewest) * living) / static_cast<double>(sum);
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

// --- what is watched ----------------------------------------------------------------------------

void Simulation::on_server_died(Place place) {
  died_[servers_[place]->id()] = world_.heap.now();
  add_counters(*servers_[place]);
}

// A session starts empty here. Has another living server what it lost?
void Simulation::on_cold_start(Place place, const SessionToken& token) {
  for (const auto& server : servers_) {
    if (server->place() == place || !server->host().alive()) continue;
    const auto report = server->node()->report(token.session);
    if (!report || report->epoch < token.epoch || report->mirror_entries == 0) continue;
    ++report_.cold_though_warm_elsewhere;
    world_.invariants.require(!keeps_mirrors(), "a mirror was lost that somebody has");
    world_.note("cold", place, token.session.low, server->place());
    return;
  }
}

// Where nothing happens but that processes die, a session leaves no server that lives: those that
// move are at most those that the dead one served.
void Simulation::on_takeover(Place at, SessionId session, ServerId from) {
  const Instant before = std::exchange(changed_hands_[session], world_.heap.now());
  if (!keeps_mirrors() || servers_[at]->id() == from) return;
  const auto died = died_.find(from);
  world_.invariants.require(died != died_.end() && died->second >= before,
                            "a session leaves a server that did not fail");
}

void Simulation::add_counters(const SimServer& server) {
  SimulationReport one;
  one.nodes = server.node()->counters();
  report_.add(one);
}

}  // namespace tandem::sim
