// A worker: one thread with its own loop, listeners (SO_REUSEPORT), connections, pools and
// assignment. Workers share nothing but immutable views; control speaks to them by posted messages.
//
//   auto worker = std::make_unique<Worker>(options, reports);
//   worker->listen(addresses)   // before start(); binds, so that a port in use is known at once
//   worker->post_view(view);    // may come before start(): requests are answered from the first on
//   worker->start();
//   ... worker->drain(); ... worker->stop();
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/cluster/view.h"
#include "lb/io/access_log.h"
#include "lb/io/front.h"
#include "lb/io/front_options.h"

namespace tandem {

class Worker {
 public:
  // `reports` is called on the worker's thread and must outlive the worker. `log` may be null: no
  // access log.
  Worker(FrontOptions options, FrontReports& reports, AccessLog* log = nullptr);
  // Stops if it has not been stopped.
  ~Worker();

  // --- before start() ---------------------------------------------------------------------------
  // Binds. `join`: another worker of this process listens there already.
  Result<SocketAddress> listen(const SocketAddress& at, bool tls, bool join);

  void start();

  // --- from any thread; before start() from the one that starts ---------------------------------
  void post_view(RoutedViewPtr view);
  void post_status(ServerId server, const Status& status);
  void post_keys(ClusterKeys keys);
  // Stops accepting, closes idle connections, lets requests under way finish, each with
  // `Connection: close`. FrontReports::on_drained() tells when no connection is left.
  void drain();
  // Ends the loop and joins the thread. What is under way is cut off.
  void stop();
  // Single-writer counters, readable from any thread at any time.
  const FrontCounts& counts() const { return front_.counts(); }

 private:
  EventLoop loop_;
  Front front_;
  std::thread thread_;
};

}  // namespace tandem
