// What the admin listener of tandem-lb answers:
//
//   GET  /healthz                     200 once serving, 503 before and while draining
//   GET  /metrics                     Prometheus text, of all workers and of membership
//   GET  /status                      JSON; with ?format=table a table for people
//   GET  /servers, /ring, /events     membership (lb/io/admin_cluster)
//   GET  /explain?...                 why a client is where it is (lb/io/explainer)
//   POST /verify?server=NAME          contacts the server (lb/io/cluster)
//   POST /drain?server=NAME&on=true   gives a server no new sessions; on=false takes it back
//   GET  /drain?server=NAME           how far that is: a state and the sessions left, "draining 81"
//   POST /reload                      reads the conf file again; 422 with the complaints if it is
//   bad
//
// The texts are made of a snapshot, so that they can be tested without a balancer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/cluster/n_plus_one.h"
#include "common/cluster/routes.h"
#include "common/cluster/view.h"
#include "common/crypto/cluster_key.h"
#include "common/net/admin_server.h"
#include "lb/core/directory_change.h"
#include "lb/core/master.h"
#include "lb/core/membership.h"
#include "lb/io/directory.h"

namespace tandem {

// All that an administrator can see.
struct AdminSnapshot {
  struct Count {
    std::string name;  // without "tandem_"; of a counter if it ends in _total
    std::string help;
    std::uint64_t value = 0;
  };
  struct Server {
    ServerRecord record;
    std::string resolved;  // the address in use, in numbers; empty while a name is not resolved
    bool connected = false;
    bool left = false;
    bool drain_wanted = false;
    bool drained = false;
  };
  std::string conf_file;
  bool serving = false;
  bool draining = false;
  double uptime_seconds = 0;
  std::uint32_t workers = 0;
  std::vector<std::string> front, tls;  // bound
  std::string control, admin;           // bound; empty: none
  std::uint64_t view_version = 0;
  std::uint32_t balancers = 1;
  bool stand_in = false;  // the view's maker follows a master and cannot reach it
  struct Master {
    std::string address;  // empty: this balancer follows nobody
    bool connected = false;
    bool followed = false;
  };
  Master master;
  std::vector<Server> servers;
  std::vector<RouteRule> routes;  // in force
  NPlusOne n_plus_one;
  std::vector<Count> counts;  // sums over the workers
  std::uint64_t probes = 0, probes_failed = 0;
  tandem::Master::Counts verdicts;  // of this balancer's own master
  bool most_looks_dead = false;
  std::size_t held_back = 0;         // now
  std::vector<ClusterKeyName> keys;  // in force
  std::uint64_t reloads = 0, reloads_refused = 0;
  std::optional<Directory::State> directory;  // nothing: there is none
};

// Who carries the wishes out.
class AdminTarget {
 public:
  virtual AdminSnapshot snapshot() = 0;
  virtual std::vector<MembershipEvent> events(std::int64_t after) = 0;
  virtual DrainOrder drain(const std::string& server, bool on) = 0;
  virtual std::string reload() = 0;  // complaints; empty: done

 protected:
  ~AdminTarget() = default;
};

// online, offline, draining (online, no new sessions) or left (announced its shutdown).
std::string_view state_name(const AdminSnapshot::Server& server);
std::string status_json(const AdminSnapshot& snapshot);
std::string status_table(const AdminSnapshot& snapshot);
std::string metrics_text(const AdminSnapshot& snapshot);

AdminResponse answer_admin(const AdminRequest& request, AdminTarget& target);

}  // namespace tandem
