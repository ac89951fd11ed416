#include "server/app/server.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <utility>

#include "common/base/log.h"
#include "common/net/clock.h"
#include "common/net/key_file.h"
#include "server/app/options.h"
#include "server/io/source_http.h"
#include "server/io/source_sqlite.h"

namespace tandem::server {
namespace {

constexpr Duration kDrainStep = 100ms;    // how often draining looks whether it is over
constexpr Duration kLeaveStep = 10ms;     // how often leaving looks whether it is done
constexpr Duration kMirrorPatience = 5s;  // a dead peer must not hold us
constexpr Duration kLetGoPatience = 3s;   // for balancers to let go of their connections
constexpr Duration kClosePatience = 2s;   // for the last connections to end

Hello hello(const Conf& conf) {
  Hello self;
  self.name = conf.name;
  self.incarnation = static_cast<std::uint64_t>(unix_milliseconds());
  if (conf.data.partitioned) {
    const TypeSourceOptions types = type_options(conf);
    self.types = Types(types.rules, types.virtual_types).fingerprint();
  }
  return self;
}

}  // namespace

Server::Server(std::string conf_file, Loaded<Conf> loaded)
    : conf_file_(std::move(conf_file)),
      conf_(std::move(loaded.conf)),
      places_(std::move(loaded.places)),
      signals_(loop_, {SIGHUP, SIGTERM, SIGINT}, [this](int number) { on_signal(number); }),
      resolver_(loop_),
      self_(hello(conf_)),
      driver_(loop_, node_options(conf_), conf_.group),
      buddies_(loop_, buddies_options(conf_)),
      leave_timer_(loop_, [this] { go_on_leaving(); }),
      drain_timer_(loop_, [this] { watch_drain(); }),
      started_(loop_.now()) {}

// The front, and with it the requests under way, goes after the peers.
Server::~Server() {
  if (types_ == nullptr) return;
  types_->set_peers(nullptr);
  types_->set_balancers(nullptr);
  fenced_->set_peers(nullptr);
}

std::string Server::open() {
  auto keys = load_keys(conf_.key_file);
  if (!keys) return places_.complain("key_file", keys.error().message);
  keys_ = std::move(*keys);
  key_tls_.emplace(*keys_);
  key_watch_.emplace(loop_, conf_.key_file,
                     [this](ClusterKeys changed) { use_keys(std::move(changed)); });
  if (std::string bad = open_source(); !bad.empty()) return bad;
  open_chain();
  if (std::string bad = open_front(); !bad.empty()) return bad;
  if (std::string bad = open_peers(); !bad.empty()) return bad;
  links_ = std::make_unique<BalancerLinks>(loop_, resolver_, driver_,
                                           static_cast<ViewFollower&>(*this), links_options());
  if (std::string bad = open_buddies(); !bad.empty()) return bad;
  return open_admin();
}

std::string Server::open_source() {
  const SourceUrl& url = conf_.source.url;
  if (url.kind == SourceKind::kHttp) {
    origin_ = std::make_unique<HttpSource>(loop_, resolver_, HttpDestination{url.address},
                                           client_options(conf_.source));
    auto guard = std::make_unique<SourceGuard>(loop_, *origin_, guard_options(conf_.source));
    guard_ = guard.get();
    source_ = std::move(guard);
    return {};
  }
  auto items = ItemDatabase::open(loop_, database_options(conf_));
  if (!items) return places_.complain("source.url", items.error().message);
  items_ = std::move(*items);
  auto sqlite = std::make_unique<SqliteSource>(loop_, *items_, sqlite_options(conf_.source));
  sqlite_ = sqlite.get();
  source_ = std::move(sqlite);
  return {};
}

// Between the front and the source.
void Server::open_chain() {
  first_ = source_.get();
  if (conf_.cache.bytes > 0) {
    cached_ = std::make_unique<CachedSource>(loop_, *first_, cache_options(conf_));
    first_ = cached_.get();
  }
  if (!conf_.data.partitioned) {
    if (!conf_.types.empty()) log::warn("[[type]] is of no use without [data] partitioned = true");
    return;
  }
  fenced_ = std::make_unique<FencedSource>(loop_, driver_, ownership(conf_), *first_, items_.get(),
                                           fence_options(conf_));
  if (sqlite_ != nullptr) sqlite_->set_writer(fenced_.get());
  first_ = fenced_.get();
  types_ =
      std::make_unique<TypeSource>(loop_, *first_, driver_.node().contents(), type_options(conf_));
  first_ = types_.get();
}

std::string Server::open_front() {
  front_ = std::make_unique<Front>(loop_, driver_, *first_, front_options(conf_), *keys_);
  const auto at = Resolver::resolve_now(conf_.listen);
  if (!at) return places_.complain("listen", at.error().message);
  if (const auto done = front_->listen(at->front()); !done) {
    return places_.complain("listen", done.error().message);
  }
  log::info("listening on {} for HTTP", front_->address().text());
  return conf_.tls_listen ? open_tls_front() : "";
}

std::string Server::open_tls_front() {
  if (!conf_.direct) log::warn("tls_listen is of no use without direct = true");
  auto context = TlsContext::server({conf_.certificates, true});
  if (!context) return places_.complain("certificates", context.error().message);
  const auto at = Resolver::resolve_now(*conf_.tls_listen);
  if (!at) return places_.complain("tls_listen", at.error().message);
  if (const auto done = front_->listen_tls(at->front(), std::move(*context)); !done) {
    return places_.complain("tls_listen", done.error().message);
  }
  log::info("listening on {} for HTTPS", front_->tls_address().text());
  return {};
}

ContextChoice Server::connecting() {
  return [this](unsigned failures) { return key_tls_->connecting(loop_.unix_now(), failures); };
}

std::string Server::open_peers() {
  peers_ = std::make_unique<Peers>(
      loop_, resolver_, driver_,
      PeersOptions{self_, key_tls_->accepting(), connecting(), conf_.mirror.delay});
  const auto at = Resolver::resolve_now(conf_.peer_listen);
  if (!at) return places_.complain("peer_listen", at.error().message);
  if (const auto done = peers_->listen(at->front()); !done) {
    return places_.complain("peer_listen", done.error().message);
  }
  log::info("listening on {} for peers", peers_->address().text());
  return {};
}

std::string Server::open_buddies() {
  if (const auto done = buddies_.open(); !done) {
    return places_.complain("buddies.ping", done.error().message);
  }
  buddies_.set_peers(peers_.get());
  buddies_.set_balancers(links_.get());
  peers_->add_listener(buddies_);
  if (types_ != nullptr) {
    types_->set_peers(peers_.get());
    types_->set_balancers(links_.get());
    peers_->add_listener(*types_);
    fenced_->set_peers(peers_.get());
    peers_->add_listener(*fenced_);
  }
  links_->set_listener(&buddies_);
  return {};
}

std::string Server::open_admin() {
  if (!conf_.admin.listen) return {};
  const auto at = Resolver::resolve_now(*conf_.admin.listen);
  if (!at) return places_.complain("admin.listen", at.error().message);
  auto opened = AdminServer::open(loop_, at->front(), [this](const AdminRequest& request) {
    return answer_admin(request, static_cast<AdminTarget&>(*this));
  });
  if (!opened) return places_.complain("admin.listen", opened.error().message);
  admin_ = std::move(*opened);
  log::info("listening on {} for administrators", admin_->address().text());
  return {};
}

BalancerLinksOptions Server::links_options() {
  BalancerLinksOptions options;
  options.self = self_;
  options.registration.data_address =
      conf_.advertise ? conf_.advertise->text() : front_->address().text();
  if (front_->tls_address()) {
    options.registration.tls_address =
        conf_.tls_advertise ? conf_.tls_advertise->text() : front_->tls_address().text();
  }
  options.registration.peer_address =
      conf_.peer_advertise ? conf_.peer_advertise->text() : peers_->address().text();
  options.registration.zone = conf_.zone;
  options.registration.group = conf_.group;
  options.connecting = connecting();
  options.balancers = conf_.balancers;
  options.status_interval = conf_.status_interval;
  return options;
}

void Server::run() {
  links_->start();
  serving_ = true;
  log::info("tandem-server {} serves as {}", TANDEM_VERSION, conf_.name);
  loop_.run();
  log::info("ended");
}

void Server::on_drain(bool draining) {
  if (phase_ != Phase::kServing) return;
  const Status status = driver_.node().status();
  if (draining == status.draining) return;
  driver_.node().set_draining(draining);
  driver_.touched();
  if (draining) {
    log::info("draining: no new sessions, {} move to their alternates", status.primaries);
    drain_timer_.set_after(kDrainStep);
  } else {
    log::info("taking sessions again");
    drain_timer_.cancel();
  }
}

// Says once that it is over; sessions that come later, confirmed only now, are moved as well.
void Server::watch_drain() {
  if (!driver_.node().drained()) return drain_timer_.set_after(kDrainStep);
  log::info("drained: {} moved, {} left here", driver_.node().counters().swaps_done,
            driver_.node().status().primaries);
}

void Server::on_signal(int number) {
  if (number == SIGHUP) {
    reload();
  } else if (phase_ != Phase::kServing) {
    log::warn("a second signal: ending at once");
    loop_.stop();
  } else {
    begin_leaving();
  }
}

// New keys open at once, and seal from their time on; channels that stand stay as they are.
void Server::use_keys(ClusterKeys keys) {
  if (keys == *keys_) return;
  keys_ = std::move(keys);
  key_tls_->replace_keys(*keys_);
  front_->set_keys(*keys_);
  peers_->set_accepting(key_tls_->accepting());
  log::info("{} key(s) are in force", keys_->keys().size());
}

// Capacity, threshold and the keys of the key file take effect; what else has changed is named and
// waits for a restart.
void Server::reload() {
  const auto reading = load_conf(schema(), conf_file_);
  if (!reading) {
    log::error("{} is refused, the old one stays in force:\n{}", conf_file_, reading.error());
    return;
  }
  auto keys = load_keys(conf_.key_file);
  if (!keys) {
    log::error("{} is refused, the old one stays in force:\n{}", conf_file_, keys.error().message);
    return;
  }
  for (const std::string& key : restart_needed(schema(), conf_, reading->conf)) {
    log::warn("{} changes only with a restart", key);
  }
  conf_.capacity = reading->conf.capacity;
  conf_.threshold = reading->conf.threshold;
  use_keys(std::move(*keys));
  key_watch_->note_taken();
  driver_.node().set_limits(conf_.capacity, conf_.threshold);
  driver_.touched();
  links_->push_status();
  log::info("{} is in force", conf_file_);
}

void Server::on_view(const ViewPtr& view) {
  const ServerRecord* record = view->find(driver_.node().self());
  left_ = record == nullptr || !record->online;
  buddies_.on_view(view);
  if (fenced_ != nullptr) fenced_->on_view(view);
  if (types_ != nullptr) types_->on_view(view);
  peers_->on_view(view);
}

// First the sessions move to their alternates, what is under way ends, and mirrors catch up, while
// requests still come: they are referred to where their session went, or served. Then the balancers
// are told, and once they send nobody here any more and have let go of their connections, we close:
// so no request is on its way to a connection that we close.
void Server::begin_leaving() {
  log::info("leaving: {} sessions move to their alternates, requests under way may take {} ms",
            driver_.node().status().primaries, conf_.drain_timeout / 1ms);
  drain_timer_.cancel();
  phase_ = Phase::kFinishing;
  leave_by_ = loop_.now() + conf_.drain_timeout;
  mirrored_by_ = loop_.now() + kMirrorPatience;
  driver_.node().set_draining(true);
  driver_.touched();
  leave_timer_.set_after(kLeaveStep);
}

// Looks at every session: for the end of leaving alone.
bool Server::copied() const {
  return !driver_.node().holds_copies_for_others() && driver_.node().gauges().lag_sessions == 0;
}

void Server::go_on_leaving() {
  leave_timer_.set_after(kLeaveStep);
  const Instant now = loop_.now();
  const bool late = now >= leave_by_;
  switch (phase_) {
    case Phase::kServing:
      break;
    case Phase::kFinishing: {
      const bool idle = driver_.node().drained() && front_->requests_in_flight() == 0;
      if (!late && !(idle && (now >= mirrored_by_ || copied()))) return;
      if (front_->requests_in_flight() > 0) {
        log::warn("requests are still under way after drain_timeout: cut off");
      }
      const auto left = driver_.node().status().primaries;
      log::info("{} sessions moved, {} left to be taken over", driver_.node().counters().swaps_done,
                left);
      phase_ = Phase::kLeft;
      leave_by_ = now + kLetGoPatience;
      links_->leave();
      return;
    }
    case Phase::kLeft:
      // The view tells us that we are out, the end of the last connection that the workers know.
      if (!late && links_->connected() > 0 && !(left_ && front_->connections() == 0)) return;
      phase_ = Phase::kClosing;
      leave_by_ = now + kClosePatience;
      front_->drain();
      return;
    case Phase::kClosing:
      if (late || front_->connections() == 0) loop_.stop();
      return;
  }
}

AdminSnapshot Server::snapshot() {
  AdminSnapshot snapshot;
  snapshot.name = conf_.name;
  snapshot.listen = front_->address().text();
  if (front_->tls_address()) snapshot.tls_listen = front_->tls_address().text();
  snapshot.peer_listen = peers_->address().text();
  snapshot.admin = admin_->address().text();
  snapshot.uptime_seconds = std::chrono::duration<double>(loop_.now() - started_).count();
  snapshot.serving = serving_;
  snapshot.view_version = links_->view_version();
  snapshot.balancers_connected = links_->connected();
  for (BalancerLinks::BalancerState& one : links_->balancers()) {
    const auto age = static_cast<std::uint64_t>((loop_.now() - one.facts.heard) / 1ms);
    snapshot.balancers.push_back(
        {std::move(one.address), one.connected, one.connected ? age : 0, one.facts});
  }
  snapshot.status = driver_.node().status();
  snapshot.counters = driver_.node().counters();
  snapshot.gauges = driver_.node().gauges();
  if (snapshot.gauges.lag_since != kNever) {
    snapshot.mirror_lag_ms =
        static_cast<std::uint64_t>((loop_.now() - snapshot.gauges.lag_since) / 1ms);
  }
  snapshot.keys = keys_->names();
  snapshot.counts = front_->counts();
  snapshot.counts.push_back(
      {"peers_refused_total", "Doubles of a linked server's name refused.", peers_->refused()});
  snapshot.counts.push_back({"peer_links_garbled_total",
                             "Links closed since what came made no sense.", peers_->garbled()});
  snapshot.counts.push_back({"peer_links_misdirected_total",
                             "Connections to a server at whose address another one answered.",
                             peers_->misdirected()});
  const PeerTraffic traffic = peers_->traffic();
  snapshot.counts.push_back(
      {"peer_bytes_sent_total", "Bytes sent to peers, TLS included.", traffic.bytes_sent});
  snapshot.counts.push_back({"peer_bytes_received_total",
                             "Bytes received from peers, TLS included.", traffic.bytes_received});
  const auto add = [&](std::vector<AdminSnapshot::Count> counts) {
    for (AdminSnapshot::Count& count : counts) snapshot.counts.push_back(std::move(count));
  };
  if (items_ != nullptr) add(items_->counts());
  if (cached_ != nullptr) add(cached_->counts());
  if (fenced_ != nullptr) add(fenced_->counts());
  if (types_ != nullptr) add(types_->counts());
  if (guard_ != nullptr) add(guard_->counts());
  snapshot.source_down = guard_ != nullptr && guard_->down();
  count_buddies(snapshot);
  return snapshot;
}

void Server::count_buddies(AdminSnapshot& snapshot) {
  snapshot.buddies = buddies_.heard();
  const BuddyWatch::Counters& watch = buddies_.watch().counters();
  auto& counts = snapshot.counts;
  counts.push_back({"buddy_pings_sent_total", "Pings to buddies and bystanders, quick probes too.",
                    watch.pings_sent});
  counts.push_back({"buddy_pings_answered_total", "Of them, answered.", watch.answered});
  counts.push_back({"buddy_pongs_sent_total", "Answers to pings of peers.", watch.pongs_sent});
  counts.push_back({"buddy_pings_missed_total", "Pings of buddies, or answers, that did not come.",
                    watch.missed});
  counts.push_back({"buddy_suspicions_total", "Buddies suspected to be dead.", watch.suspicions});
  counts.push_back(
      {"buddy_recoveries_total", "Suspected buddies that were heard again.", watch.recovered});
  counts.push_back(
      {"buddy_reports_total", "Reports to the balancers, repeated ones too.", watch.reports});
  counts.push_back({"self_suspicions_late_total",
                    "Times that this process was stopped or starved, and accused nobody.",
                    watch.self_late});
  counts.push_back({"self_suspicions_cut_off_total",
                    "Times that no buddy answered, so that this server doubted itself.",
                    watch.self_cut_off});
  counts.push_back({"buddy_looks_total", "Looks at others that balancers asked for.", watch.looks});
  if (const IcmpProbe* icmp = buddies_.icmp()) {
    counts.push_back(
        {"buddy_icmp_sent_total", "ICMP echo requests to hosts of silent buddies.", icmp->asked()});
    counts.push_back({"buddy_icmp_answered_total", "Of them, answered.", icmp->answered()});
  }
}

}  // namespace tandem::server
