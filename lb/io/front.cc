#include "lb/io/front.h"

#include <algorithm>

#include "common/base/log.h"
#include "common/cluster/server_list.h"
#include "common/net/entropy.h"
#include "lb/io/client_connection.h"
#include "lb/io/relay.h"
#include "lb/io/server_pool.h"

namespace tandem {

FrontState::FrontState(EventLoop& loop_, FrontOptions options_, FrontReports& reports_,
                       AccessLog* log_)
    : loop(loop_),
      options(std::move(options_)),
      reports(reports_),
      log(log_),
      assignments(Random(random_u64()), options.workers),
      codec(options.keys),
      tokens(codec, TokenCache::Options{.ttl = options.token_ttl}),
      plain_sessions(options.token_ttl, loop.unix_now()),
      budget(options.upstream.retry_budget) {
  request_limits.head_bytes_max = options.limits.head_bytes_max;
  request_limits.fields_max = options.limits.fields_max;
  response_limits.head_bytes_max = 64 * 1024;
  response_limits.fields_max = http::kFieldsMax;
  request_parser = http::HeadParser(request_limits);
  response_parser = http::HeadParser(response_limits);
  spare_relays.reserve(64);
  set_routes(nullptr);
}

FrontState::~FrontState() = default;

void FrontState::set_routes(RoutesPtr next) {
  if (next == nullptr) next = std::make_shared<const Routes>();
  if (routes != nullptr && next->rules() == routes->rules()) return;
  routes = std::move(next);
  ++routes_generation;
  listed_view = nullptr;
  affinities.assign(routes->pools(), options.affinity);
  for (PoolNumber pool = 0; pool < affinities.size(); ++pool) {
    affinities[pool].cookie.name = cookie_name(options.affinity.cookie.name, routes->group(pool));
  }
}

const std::string& FrontState::server_list() {
  if (listed_view != index.view()) {
    listed_view = index.view();
    listed = server_list_json(*listed_view, nullptr, routes.get());
  }
  return listed;
}

void FrontState::report_failure(ServerId server) {
  const auto pool = pools_by_id.find(server);
  if (pool != pools_by_id.end() && pool->second->may_report(loop.now(), kFailureReportInterval)) {
    reports.on_server_failed(server);
  }
}

void FrontState::refuse_address(std::string_view client) {
  counts.address_refused.add();
  TANDEM_WARN_LIMITED("connection from {} closed: it has {} already", client,
                      options.address_limit->max());
}

void FrontState::suspect(ServerId server) {
  const auto pool = pools_by_id.find(server);
  if (pool != pools_by_id.end() &&
      pool->second->may_report(loop.now(), options.upstream.recheck_interval)) {
    reports.on_server_failed(server);
  }
}

void FrontState::log_request(const AccessLine& line) {
  switch (line.status / 100) {
    case 2:
      counts.status_2xx.add();
      break;
    case 3:
      counts.status_3xx.add();
      break;
    case 4:
      counts.status_4xx.add();
      break;
    case 5:
      counts.status_5xx.add();
      break;
    default:
      break;
  }
  if (log.enabled()) log.add(line);
}

class Front::Acceptor final : public AcceptHandler {
 public:
  Acceptor(Front& front, bool tls) : front_(front), tls_(tls) {}
  void on_accept(Descriptor socket, const SocketAddress& peer) override {
    front_.accept(std::move(socket), peer, tls_);
  }
  std::unique_ptr<Listener> listener;

 private:
  Front& front_;
  bool tls_;
};

namespace {

// Fine enough for the shortest of the timeouts, and no finer.
Duration tick_of(const FrontOptions& options) {
  const Duration shortest =
      std::min({options.limits.header_timeout, options.limits.keepalive_timeout,
                options.limits.body_timeout, options.upstream.connect_timeout,
                options.upstream.response_timeout, options.upstream.idle_timeout});
  return std::clamp<Duration>(shortest / 8, 5ms, 250ms);
}

}  // namespace

Front::Front(EventLoop& loop, FrontOptions options, FrontReports& reports, AccessLog* log)
    : state_(loop, std::move(options), reports, log),
      connections_max_(std::max(
          1u, state_.options.limits.connections_max / std::max(1u, state_.options.workers))),
      tick_interval_(tick_of(state_.options)),
      tick_timer_(loop, [this] { tick(); }) {
  tick_timer_.set_after(tick_interval_);
}

Front::~Front() {
  acceptors_.clear();
  while (!state_.clients.empty()) state_.clients.back()->abort();
}

Result<SocketAddress> Front::listen(const SocketAddress& at, bool tls, bool join) {
  TANDEM_CHECK(!tls || state_.options.tls != nullptr);
  auto acceptor = std::make_unique<Acceptor>(*this, tls);
  auto listener = Listener::open(state_.loop, at, ListenOptions{.join = join}, *acceptor);
  if (!listener) return fail(listener.error());
  acceptor->listener = std::move(*listener);
  const SocketAddress bound = acceptor->listener->address();
  acceptors_.push_back(std::move(acceptor));
  return bound;
}

void Front::accept(Descriptor socket, const SocketAddress& peer, bool tls) {
  if (state_.clients.size() >= connections_max_) {
    state_.counts.connections_refused.add();
    return;
  }
  const IpAddress address = peer.ip();
  const bool proxied = is_proxy(address);
  AddressLimit::Place place;
  if (!proxied && state_.options.address_limit != nullptr) {
    place = state_.options.address_limit->take(address);
    if (!place) return state_.refuse_address(peer.host());
  }
  auto* client = new ClientConnection(state_, std::move(socket), peer, tls, proxied,
                                      std::move(place));  // owns itself
  client->begin();
}

bool Front::is_proxy(const IpAddress& peer) const {
  const auto& proxies = state_.options.proxies;
  return std::any_of(proxies.begin(), proxies.end(),
                     [&](const IpNetwork& network) { return network.contains(peer); });
}

void Front::set_view(const RoutedView& routed) {
  state_.set_routes(routed.routes);
  state_.index = ViewIndex(routed.view, *state_.routes);
  state_.assignments.on_view(*routed.view, *state_.routes);
  const auto& servers = routed.view->servers;
  state_.pools.assign(servers.size(), nullptr);
  std::vector<ServerPool*> gone;
  for (const auto& [id, pool] : state_.pools_by_id) {
    if (state_.index.slot(id) == ViewIndex::kNoSlot) gone.push_back(pool.get());
  }
  for (std::size_t slot = 0; slot < servers.size(); ++slot) {
    auto& pool = state_.pools_by_id[servers[slot].id];
    if (pool == nullptr) pool = std::make_unique<ServerPool>(state_, servers[slot]);
    state_.pools[slot] = pool.get();
  }
  std::vector<ServerPool*> offline;
  for (std::size_t slot = 0; slot < servers.size(); ++slot) {
    const bool known = slot < routed.addresses.size();
    const SocketAddress address = known ? routed.addresses[slot] : SocketAddress();
    if (state_.pools[slot]->update(servers[slot], address)) offline.push_back(state_.pools[slot]);
  }
  // Only now, when all servers are as the view says: this takes requests over.
  for (ServerPool* pool : offline) pool->tell_offline();
  for (ServerPool* pool : gone) pool->retire();
}

void Front::set_status(ServerId server, const Status& status) {
  state_.assignments.on_status(server, status);
}

void Front::set_keys(const ClusterKeys& keys) { state_.codec.replace_keys(keys); }

void Front::drain() {
  if (state_.draining) return;
  state_.draining = true;
  acceptors_.clear();
  const std::vector<ClientConnection*> all = state_.clients;
  for (ClientConnection* client : all) client->drain();
  tick();
}

// Everything that is timed per connection or per request is looked at here, by timestamps.
void Front::tick() {
  const Instant now = state_.loop.now();
  sweep_clients(now);
  sweep_pools(now);
  report_plain_sessions();
  state_.log.flush();
  state_.counts.log_dropped.set(state_.log.dropped());
  state_.counts.budget_refused.set(state_.budget.refused());
  if (state_.draining && state_.clients.empty() && !drained_) {
    drained_ = true;
    state_.reports.on_drained();
  }
  tick_timer_.set_after(tick_interval_);
}

void Front::sweep_clients(Instant now) {
  // Backwards: one that goes is replaced by the last, which has been looked at.
  for (std::size_t i = state_.clients.size(); i-- > 0;) {
    if (i < state_.clients.size()) state_.clients[i]->sweep(now);
  }
}

void Front::sweep_pools(Instant now) {
  for (auto it = state_.pools_by_id.begin(); it != state_.pools_by_id.end();) {
    it->second->sweep(now);
    const bool retired = state_.index.slot(it->first) == ViewIndex::kNoSlot;
    it = retired && it->second->empty() ? state_.pools_by_id.erase(it) : std::next(it);
  }
}

void Front::report_plain_sessions() {
  auto sums = state_.plain_sessions.sums(state_.loop.unix_now());
  if (sums == reported_) return;
  reported_ = std::move(sums);
  state_.reports.on_plain_sessions(reported_);
}

}  // namespace tandem
