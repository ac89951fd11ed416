// What a front is made with. Plain values; the app fills them from the conf.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ip.h"
#include "common/base/retry_budget.h"
#include "common/base/time.h"
#include "common/cluster/routes.h"
#include "common/cluster/view.h"
#include "common/config/sections.h"
#include "common/crypto/cluster_key.h"
#include "common/net/socket_address.h"
#include "common/net/tls.h"
#include "lb/core/forward.h"
#include "lb/core/route.h"
#include "lb/io/address_limit.h"

namespace tandem {

// Connections to servers, and what may be resent over them.
struct UpstreamOptions {
  Duration connect_timeout = 3s;
  Duration response_timeout = 60s;  // from the request's end to the response's head
  Duration idle_timeout = 30s;      // of a pooled connection
  // A tandem-server's keepalive_timeout is longer than this, and connections to it that have been
  // idle for longer are not used again. So one that breaks is a failure of the server, not its wish
  // to close it, and the request need not be tried there once more.
  Duration surely_kept = 5s;
  std::uint32_t idle_connections_max = 64;  // pooled, for each server and worker
  std::size_t retry_buffer = 64 * 1024;     // bytes of a request's body kept for a resend
  // A request that waits so long for its response has its server probed, and its connection looked
  // at: is the other end still there?
  Duration recheck_interval = 1s;
  // A library client's response that stands still for so long, its server being offline, is cut
  // off: the client asks again. Others cannot, and have body_timeout.
  Duration offline_patience = 1s;
  RetryBudget::Options retry_budget;
};

struct FrontOptions {
  HttpLimitsConf limits = {};  // connections_max is of the process: a worker takes its part
  std::shared_ptr<const TlsContext> tls = {};  // needed for tls listeners
  // Connections from there begin with a PROXY header (lb/core/proxy_header.h).
  std::vector<IpNetwork> proxies = {};
  std::shared_ptr<AddressLimit> address_limit = {};  // of all workers; null: none
  UpstreamOptions upstream = {};
  AffinityOptions affinity = {};
  LossPolicy on_lost = {};
  UnixSeconds token_ttl = 1800;  // seconds
  std::uint32_t workers = 1;     // of this process
  ClusterKeys keys;              // seal and open tokens
  bool server_list = false;      // clients get the list of tandem-servers, and may report one
};

using RoutesPtr = std::shared_ptr<const Routes>;

// What workers route by: the view, where its servers are, and which of them serve what.
// addresses[i] is that of view->servers[i]; one without an address (a name not resolved yet) cannot
// be reached.
struct RoutedView {
  ViewPtr view;
  std::vector<SocketAddress> addresses;
  RoutesPtr routes{};  // null: none
};
using RoutedViewPtr = std::shared_ptr<const RoutedView>;

}  // namespace tandem
