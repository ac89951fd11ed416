// What tandem-server tells administrators: GET /healthz, /metrics (Prometheus) and /status (JSON).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/cluster/view_sources.h"
#include "common/crypto/cluster_key.h"
#include "common/net/admin_server.h"
#include "server/core/node.h"
#include "server/io/buddies.h"

namespace tandem::server {

// All that /metrics and /status tell, as of one moment.
struct AdminSnapshot {
  std::string name;
  std::string listen;      // as bound
  std::string tls_listen;  // empty: none
  std::string peer_listen;
  std::string admin;
  double uptime_seconds = 0;
  bool serving = false;
  bool source_down = false;  // the HTTP origin does not answer
  std::uint64_t view_version = 0;
  std::size_t balancers_connected = 0;
  struct BalancerLine {
    std::string address;
    bool connected = false;
    std::uint64_t age_ms = 0;  // since it was heard last: its view is no older
    ViewSources::Facts facts;
  };
  std::vector<BalancerLine> balancers;  // in the conf's order
  Status status;
  NodeCounters counters;
  NodeGauges gauges;
  std::uint64_t mirror_lag_ms = 0;  // since gauges.lag_since
  struct Count {                    // of the front, the peers and the source
    std::string name;
    std::string help;
    std::uint64_t value = 0;
  };
  std::vector<Count> counts;
  std::vector<ClusterKeyName> keys;  // in force
  std::vector<Buddies::Heard> buddies;
};

class AdminTarget {
 public:
  virtual AdminSnapshot snapshot() = 0;

 protected:
  ~AdminTarget() = default;
};

AdminResponse answer_admin(const AdminRequest& request, AdminTarget& target);

}  // namespace tandem::server
