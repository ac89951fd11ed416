// A whole cluster in one thread: servers with real nodes, the balancers' real decisions, clients,
// a network and a devil that breaks things. One seed, one transcript.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/devil.h"
#include "tests/sim/report.h"
#include "tests/sim/sim_balancer.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_server.h"
#include "tests/sim/world.h"

namespace tandem::sim {

struct SimulationOptions {
  std::uint64_t seed = 1;
  std::size_t servers = 12;
  std::size_t balancers = 2;
  std::size_t zones = 0;  // 0: zones are not named
  std::size_t clients = 30;
  double ordinary_share = 0.2;  // of the clients: without cache id
  std::size_t bots = 2;         // without cookies
  std::size_t items = 40;
  Duration item_change = 1s;
  ClientOptions client;
  NodeOptions node;  // name and zone are set for each
  Faults faults;
  Duration calm_start = 3s;      // before the first fault
  Duration storm = 40s;          // time with faults
  Duration last_joins = 0s;      // the last server starts only then
  Duration served_within = 15s;  // after the faults stop, every client is served within this
  // Tables are so small that sessions and what is known of them are dropped for others.
  bool tight = false;
  bool exact = true;  // at the end every session has exactly one primary and an equal copy
  Sabotage sabotage = Sabotage::kNone;
  double sabotaged_share = 0.5;  // of the servers; balancers are all broken
};

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);
  // Every note as a line of text.
  void print_transcript_to(std::FILE* file) { world_.transcript.print_to(file); }
  SimulationReport run();

 private:
  void build_servers();
  void build_clients();
  void start_all();
  void try_link(Place a, Place b);
  void retry_link(Place a, Place b, Duration in);
  void start_server(Place place);
  void on_server_died(Place place);
  void run_until(Instant end);
  void settle_moves(Instant end);
  void on_cold_start(Place place, const SessionToken& token);
  void on_takeover(Place place, SessionId session, ServerId from);
  bool keeps_mirrors() const;
  void add_counters(const SimServer& server);
  void check_served(Instant calmed);
  void check_recovered();
  void check_copy(Place at, SessionId session);
  void check_session(const SessionToken& token);
  void check_reached();
  void watch_newcomer(std::size_t before);
  double spread() const;
  std::uint64_t claimed_by_requests() const;

  SimulationOptions options_;
  World world_;
  SimulationReport report_;
  SimServer::Watcher watcher_;
  std::vector<std::unique_ptr<SimServer>> servers_;
  std::vector<std::unique_ptr<SimBalancer>> balancers_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::unique_ptr<SimClient>> bots_;
  Devil devil_;
  std::map<ServerId, Instant> died_;                      // when it last did
  std::unordered_map<SessionId, Instant> changed_hands_;  // when it last did
};

}  // namespace tandem::sim
