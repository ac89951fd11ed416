#include "common/net/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/net/http_server_connection.h"

namespace tandem {
namespace {

// Timeouts are looked at this often: a sweep over timestamps is cheaper than a timer a request.
Duration period_of(const HttpServerOptions& options) {
  const Duration shortest = std::min({options.header_timeout, options.keepalive_timeout,
                                      options.body_timeout, options.linger_timeout});
  return std::clamp<Duration>(shortest / 4, 5ms, 500ms);
}

constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

}  // namespace

HttpServer::HttpServer(EventLoop& loop, HttpServerOptions options, HttpServerHandler& handler)
    : loop_(loop),
      options_(std::move(options)),
      handler_(handler),
      sweep_period_(period_of(options_)),
      sweep_timer_(loop, [this] { sweep(); }) {}

HttpServer::~HttpServer() = default;

Result<SocketAddress> HttpServer::listen(const SocketAddress& at,
                                         std::shared_ptr<const TlsContext> tls) {
  auto opened = Listener::open(loop_, at, {}, *this);
  if (!opened) return fail(opened.error());
  tls_ = std::move(tls);
  listeners_.push_back(std::move(*opened));
  return listeners_.back()->address();
}

void HttpServer::on_accept(Descriptor socket, const SocketAddress& peer) {
  if (connections_.size() >= options_.connections_max) {
    ++refused_;
    TANDEM_WARN_LIMITED("connection from {} closed: there are {} already", peer.text(),
                        connections_.size());
    return turn_away(socket.get());
  }
  auto made = std::make_unique<HttpServerConnection>(*this, std::move(socket), peer);
  HttpServerConnection* connection = made.get();
  connections_.emplace(connection, std::move(made));
  if (!sweep_timer_.armed()) sweep_timer_.set_after(sweep_period_);
}

// Whoever finds this server full is to know that it lives: closed without a word it would be taken
// for a dead one. Said at once, without waiting for the request, so that nothing is kept. What has
// come of the request is read, for else closing would be a reset.
void HttpServer::turn_away(int socket) {
  if (tls_ != nullptr) return;
  ::send(socket, kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket, SHUT_WR);
  const auto scratch = loop_.scratch();
  ::recv(socket, scratch.data(), scratch.size(), MSG_DONTWAIT);
}

void HttpServer::sweep() {
  const Instant now = loop_.now();
  std::vector<HttpServerConnection*> due;
  for (const auto& [connection, owned] : connections_) {
    if (connection->deadline() <= now) due.push_back(connection);
  }
  for (HttpServerConnection* connection : due) {
    if (connections_.contains(connection)) connection->on_timeout();
  }
  if (!connections_.empty()) sweep_timer_.set_after(sweep_period_);
}

void HttpServer::remove(HttpServerConnection& connection) {
  const auto at = connections_.find(&connection);
  if (at == connections_.end()) return;
  loop_.dispose(std::move(at->second));
  connections_.erase(at);
  if (connections_.empty() && drained_) loop_.defer(std::exchange(drained_, nullptr));
}

void HttpServer::drain(std::function<void()> done) {
  draining_ = true;
  listeners_.clear();
  std::vector<HttpServerConnection*> all;
  for (const auto& [connection, owned] : connections_) all.push_back(connection);
  for (HttpServerConnection* connection : all) connection->drain();
  if (connections_.empty()) {
    loop_.defer(std::move(done));
  } else {
    drained_ = std::move(done);
  }
}

}  // namespace tandem
