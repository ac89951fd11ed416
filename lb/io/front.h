// The front: one worker's data path on one loop. Accepts clients, reads their requests, routes them
// by the view, passes them to servers and the responses back. HTTP/1.1 on both sides.
//
// Everything here belongs to the loop's thread (Worker posts to it), but counts().
#pragma once

#include <memory>
#include <vector>

#include "common/base/result.h"
#include "common/net/listener.h"
#include "lb/io/access_log.h"
#include "lb/io/front_counts.h"
#include "lb/io/front_options.h"
#include "lb/io/front_state.h"

namespace tandem {

class Front {
 public:
  // `reports` and `log` (null: no access log) must outlive the front; so must the loop.
  Front(EventLoop& loop, FrontOptions options, FrontReports& reports, AccessLog* log = nullptr);
  // Cuts off what is under way.
  ~Front();

  // Binds and accepts; `tls` needs FrontOptions::tls. `join`: another front of this process listens
  // there already. The address is the one bound.
  Result<SocketAddress> listen(const SocketAddress& at, bool tls, bool join);

  // Until the first view everything is answered by 503. Requests that wait for a server which is
  // now offline are taken over before this returns.
  void set_view(const RoutedView& view);
  void set_status(ServerId server, const Status& status);
  void set_keys(const ClusterKeys& keys);

  // No more connections; idle ones are closed; the others end with the response that is under way.
  void drain();

  const FrontCounts& counts() const { return state_.counts; }

 private:
  class Acceptor;

  void accept(Descriptor socket, const SocketAddress& peer, bool tls);
  bool is_proxy(const IpAddress& peer) const;
  void tick();
  void sweep_clients(Instant now);
  void sweep_pools(Instant now);
  void report_plain_sessions();

  FrontState state_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<TokenCounter::Sessions> reported_;
  std::uint32_t connections_max_;
  Duration tick_interval_;
  Timer tick_timer_;
  bool drained_ = false;
};

}  // namespace tandem
