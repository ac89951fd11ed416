// A cluster of real buddy watches (server/core/buddy_watch) and the real master (lb/core/master):
// the network between them, and what servers suffer, are simulated.
//
// Servers are linked in a full mesh, as in production. Deaths are silent: no channel closes. Pings,
// answers and words between buddies are lost as they are; what goes over the control connection is
// late instead. The master's probe of a data port is a connection and a request: four packets, each
// of which may be lost. A frozen server takes in what has come when it wakes up.
//
// A server may have losses of its own, different ones of what comes to it and of what goes out. A
// connection needs both directions, or no acknowledgement comes: while one of them carries nothing
// at all, what was to go over the control connection waits.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "lb/core/master.h"
#include "server/core/buddy_watch.h"
#include "tests/sim/membership/wire.h"

namespace tandem::sim {

class RingCluster {
 public:
  struct Options {
    std::uint32_t servers = 3;
    WireOptions wire;
    Pauses pauses;
    Duration period = 1s;
    Master::Options master;
  };
  explicit RingCluster(const Options& options);

  void run(double periods);
  void kill(std::uint32_t server);    // silently
  void revive(std::uint32_t server);  // a new process
  void freeze(std::uint32_t server);
  void thaw(std::uint32_t server);
  // Of each message, beside what the wire loses.
  struct Loss {
    double in = 0, out = 0;
    bool of_master = true;  // or only between the servers
  };
  void lose(std::uint32_t server, const Loss& loss);
  bool alive(std::uint32_t server) const { return servers_[server].alive; }
  bool online(std::uint32_t server) const { return master_.online(id(server)); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(servers_.size()); }
  Random& dice() { return wire_.dice(); }
  // Since the beginning.
  unsigned offlines(std::uint32_t server) const { return servers_[server].offlines; }
  const Ring& ring() const { return master_.ring(); }
  static ServerId id(std::uint32_t server) { return ServerId{server + 1}; }

  // Since the last call.
  Findings take();
  const Master::Counts& master_counts() const { return master_.counts(); }

 private:
  enum class Kind : std::uint8_t {
    kWake,         // a deadline of the server's watch
    kMasterWake,   // of the master
    kToServer,     // a message for the watch: from a peer, or (server 0) from the master
    kToMaster,     // a message on the server's control connection
    kStatus,       // the server is to tell its status
    kPlace,        // the server is to learn its neighbours
    kProbe,        // a probe has come to the server
    kProbeAnswer,  // its answer has come to the master
    kProbeLate,    // the probe's time is up
    kPause,
    kResume,
  };
  struct Event {
    Kind kind;
    std::uint8_t type = 0;  // of the message
    bool flag = false;
    std::uint32_t server = 0;  // index
    ServerId from{};
    ServerId about{};
    std::uint64_t number = 0;
    std::uint64_t more = 0;
  };
  struct Server {
    std::unique_ptr<BuddyWatch> watch;
    bool alive = true;
    bool frozen = false;
    Instant runs_since{};
    Instant armed = kNever;
    std::uint64_t incarnation = 1;
    Instant died = kNever;
    std::vector<Event> inbox;  // while frozen
    Loss loss;
    std::vector<Event> unsent;  // to and from the master, while nothing gets through
    bool online = false;        // as last ruled
    unsigned offlines = 0;
  };

  static std::uint32_t index(ServerId id) { return id.value - 1; }

  void handle(const Event& event);
  void send(const Event& event);             // between servers
  void send_reliably(const Event& event);    // between a server and the master
  bool lost(const Server& server, bool in);  // of its own, a packet between it and the master
  void serve(const Event& event);
  void carry(std::uint32_t server);
  void arm(std::uint32_t server);
  void on_master_message(const Event& event);
  void pump();
  void carry_out(const Contact& contact);
  void rule(const Ruling& ruling);
  void place(std::uint32_t server);
  Neighbourhood around(std::uint32_t server);
  void pause(std::uint32_t server);
  bool runs(const Server& server) const;

  Options options_;
  Wire<Event> wire_;
  Master master_;
  std::vector<Server> servers_;
  BuddyWatch::Out out_;
  MasterOrders orders_;
  std::set<std::uint64_t> probes_;  // open, by serial
  Instant master_armed_ = kNever;
  Findings findings_;
};

}  // namespace tandem::sim
