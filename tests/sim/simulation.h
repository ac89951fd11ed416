// A whole cluster in one thread: servers with real nodes, the balancer's real decisions, clients,
// a network and a devil that breaks things. One seed, one transcript.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/sim_balancer.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_server.h"
#include "tests/sim/world.h"

namespace tandem::sim {

struct SimulationOptions {
  std::uint64_t seed = 1;
  std::size_t servers = 12;
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
  Duration served_within = 15s;  // after the faults stop, every client is served within this
  bool exact = true;  // at the end every session has exactly one primary and an equal copy
  Sabotage sabotage = Sabotage::kNone;
  double sabotaged_share = 0.5;  // of the servers
};

struct SimulationReport {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::uint64_t violations = 0;
  std::vector<std::string> texts;
  ClientCounts clients;
  std::uint64_t kills = 0, pauses = 0, partitions = 0, drains = 0;
  std::uint64_t cold_though_warm_elsewhere = 0;  // at a server without the mirror while one had it
  NodeCounters nodes;                            // of the processes that live at the end
};

std::string to_text(const SimulationReport& report);

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);
  // Every note as a line of text.
  void print_transcript_to(std::FILE* file) { world_.transcript.print_to(file); }
  SimulationReport run();

 private:
  void start_all();
  void try_link(Place a, Place b);
  void retry_link(Place a, Place b, Duration in);
  void start_server(Place place);
  // The devil's works, each with its own clock.
  void every(double per_minute, std::function<void()> work);
  void kill_one();
  void pause_one();
  void split_some();
  void drain_one();
  Duration between(Duration low, Duration high);
  std::set<Place> some_servers(double largest_share);
  void calm();
  void run_until(Instant end);
  void on_cold_start(Place place, const SessionToken& token);
  void check_recovered();
  void check_session(const SessionToken& token);

  SimulationOptions options_;
  World world_;
  Random devil_;
  std::vector<std::unique_ptr<SimServer>> servers_;
  std::unique_ptr<SimBalancer> balancer_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::unique_ptr<SimClient>> bots_;
  std::set<Network::PartitionId> partitions_;
  bool storming_ = false;
  Instant mended_{};  // when the last one that was killed will have been alive for mend_time
  SimulationReport report_;
};

}  // namespace tandem::sim
