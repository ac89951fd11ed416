#include "lb/io/worker.h"

#include <utility>

namespace tandem {

Worker::Worker(FrontOptions options, FrontReports& reports, AccessLog* log)
    : front_(loop_, std::move(options), reports, log) {}

Worker::~Worker() { stop(); }

Result<SocketAddress> Worker::listen(const SocketAddress& at, bool tls, bool join) {
  return front_.listen(at, tls, join);
}

void Worker::start() {
  thread_ = std::thread([this] { loop_.run(); });
}

// Before start() at once: the first connections may wait already, and must find the view.
void Worker::post_view(RoutedViewPtr view) {
  if (!thread_.joinable()) return front_.set_view(*view);
  loop_.post([this, view = std::move(view)] { front_.set_view(*view); });
}

void Worker::post_status(ServerId server, const Status& status) {
  if (!thread_.joinable()) return front_.set_status(server, status);
  loop_.post([this, server, status] { front_.set_status(server, status); });
}

void Worker::post_keys(ClusterKeys keys) {
  loop_.post([this, keys = std::move(keys)] { front_.set_keys(keys); });
}

void Worker::drain() {
  loop_.post([this] { front_.drain(); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

}  // namespace tandem
