#include "lb/app/balancer.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/net/clock.h"
#include "common/net/entropy.h"
#include "common/net/key_file.h"
#include "lb/app/options.h"
#include "lb/io/admin_cluster.h"
#include "lb/io/directory_sqlite.h"

namespace tandem {
Balancer::Balancer(std::string conf_file, Loaded<lb::Conf> loaded)
    : conf_file_(std::move(conf_file)),
      conf_(std::move(loaded.conf)),
      places_(std::move(loaded.places)),
      signals_(loop_, {SIGHUP, SIGTERM, SIGINT, SIGUSR1},
               [this](int number) { on_signal(number); }),
      resolver_(loop_),
      count_timer_(loop_,
                   [this] {
                     count_timer_.set_after(conf_.control.status_interval);
                     count_sessions();
                   }),
      drain_timer_(loop_,
                   [this] {
                     log::warn("requests are still under way after drain_timeout: cut off");
                     loop_.stop();
                   }),
      started_(loop_.now()),
      first_version_(static_cast<std::uint64_t>(unix_milliseconds())),
      maker_(random_u64() | 1) {}

Balancer::~Balancer() = default;

std::string Balancer::complaint(const std::string& path, const std::string& message) const {
  return places_.complain(path, message);
}

std::string Balancer::key_file(const lb::Conf& conf) const {
  return conf.control.key_file.empty() ? own_key_file(conf_file_) : conf.control.key_file;
}

Result<ClusterKeys> Balancer::read_keys(const lb::Conf& conf) const {
  return conf.control.key_file.empty() ? load_or_create_keys(key_file(conf))
                                       : load_keys(key_file(conf));
}

std::string Balancer::open() {
  auto keys = read_keys(conf_);
  if (!keys) return complaint("control.key_file", keys.error().message);
  keys_ = std::move(*keys);
  control_tls_.emplace(*keys_);
  watch_key_file();
  if (std::string bad = open_workers(); !bad.empty()) return bad;
  if (std::string bad = open_cluster(); !bad.empty()) return bad;
  if (std::string bad = open_control(); !bad.empty()) return bad;
  open_master();
  return open_admin();
}

std::string Balancer::open_workers() {
  FrontOptions options = front_options(conf_, *keys_);
  if (!conf_.front.tls_listen.empty()) {
    auto tls = TlsContext::server({conf_.front.certificates, true});
    if (!tls) return complaint("front.certificates", tls.error().message);
    options.tls = std::move(*tls);
  }
  if (conf_.log.access != "off") {
    auto log = AccessLog::open(conf_.log.access, conf_.log.format);
    if (!log) return complaint("log.access", log.error().message);
    access_log_ = std::move(*log);
  }
  workers_ = std::make_unique<WorkerGroup>(loop_, options, access_log_.get(),
                                           static_cast<WorkerGroup::Owner&>(*this));
  if (auto bad = open_front("front.listen", conf_.front.listen, false); !bad.empty()) return bad;
  return open_front("front.tls_listen", conf_.front.tls_listen, true);
}

std::string Balancer::open_front(const std::string& path, const std::vector<Address>& addresses,
                                 bool tls) {
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", path, i);
    const auto resolved = Resolver::resolve_now(addresses[i]);
    if (!resolved) return complaint(place, resolved.error().message);
    const auto bound = workers_->listen(resolved->front(), tls);
    if (!bound) return complaint(place, bound.error().message);
    (tls ? tls_ : front_).push_back(bound->text());
    log::info("listening on {} for {}", bound->text(), tls ? "HTTPS" : "HTTP");
  }
  return {};
}

// What an earlier process left in the directory comes first: its servers are routed to at once.
std::string Balancer::open_cluster() {
  const auto left = open_directory();
  cluster_ = std::make_unique<Cluster>(loop_, resolver_, cluster_options(),
                                       static_cast<Cluster::Audience&>(*this));
  cluster_->set_directory(directory_.get());
  if (left) cluster_->restore(*left);
  if (const auto done = cluster_->configure(cluster_options(), plain_servers(conf_)); !done) {
    return complaint("server", done.error().message);
  }
  return {};
}

std::optional<DirectoryContents> Balancer::open_directory() {
  const std::string file = directory_file(conf_, conf_file_);
  if (file.empty()) return std::nullopt;
  Directory::Options options;
  options.queue.writer = maker_;
  directory_ = std::make_unique<Directory>(loop_, std::make_unique<SqliteDirectory>(file), options);
  auto contents = directory_->load();
  if (contents) {
    log::info("the directory {} knows {} server(s)", file, contents->servers.size());
  }
  return contents;
}

std::string Balancer::open_control() {
  if (!conf_.control.listen) return {};
  const auto resolved = Resolver::resolve_now(*conf_.control.listen);
  if (!resolved) return complaint("control.listen", resolved.error().message);
  control_ = std::make_unique<Control>(loop_, control_tls_->accepting(),
                                       balancer_hello(maker_, loop_.unix_now()), *cluster_);
  if (const auto done = control_->listen(resolved->front()); !done) {
    return complaint("control.listen", done.error().message);
  }
  log::info("listening on {} for servers", control_->address().text());
  return {};
}

void Balancer::open_master() {
  if (!conf_.master.address) return;
  MasterLink::Options options;
  options.self = balancer_hello(maker_, loop_.unix_now());
  options.master = *conf_.master.address;
  options.connecting = [this](unsigned failures) {
    return control_tls_->connecting(loop_.unix_now(), failures);
  };
  options.follower = {conf_.control.status_interval, maker_};
  master_ = std::make_unique<MasterLink>(loop_, resolver_, *cluster_, std::move(options));
}

std::string Balancer::open_admin() {
  if (!conf_.admin.listen) return {};
  const auto resolved = Resolver::resolve_now(*conf_.admin.listen);
  if (!resolved) return complaint("admin.listen", resolved.error().message);
  explainer_ = std::make_unique<Explainer>(loop_, *cluster_, *keys_, conf_.session.ttl / 1s);
  auto opened = AdminServer::open(loop_, resolved->front(),
                                  [this](const AdminRequest& request, AdminServer::Reply reply) {
                                    if (request.path == "/explain")
                                      return explainer_->answer(request, std::move(reply));
                                    if (request.path == "/verify")
                                      return answer_verify(request, std::move(reply));
                                    reply(answer_admin(request, *this));
                                  });
  if (!opened) return complaint("admin.listen", opened.error().message);
  admin_ = std::move(*opened);
  log::info("listening on {} for administrators", admin_->address().text());
  return {};
}

void Balancer::answer_verify(const AdminRequest& request, AdminServer::Reply reply) {
  constexpr const char* kText = "text/plain; charset=utf-8";
  if (request.method != "POST") return reply({405, kText, "use POST\n", "POST"});
  const std::string name = request.parameter("server");
  const bool json = request.parameter("format") == "json";
  const bool known =
      cluster_->verify(name, [name, json, reply](bool answered, const std::string& detail) {
        reply(verification(name, answered, detail, json));
      });
  if (!known) reply({404, kText, fmt::format("no server is called {}\n", name), {}});
}

Cluster::Options Balancer::cluster_options() const {
  Cluster::Options options{membership_options(conf_), check_options(conf_),
                           conf_.upstream.resolve_interval};
  options.membership.first_version = first_version_;
  options.membership.maker = maker_;
  options.routes = routes(conf_);
  for (const RouteRule& rule : options.routes->rules()) {
    for (const std::string* part : {&rule.host, &rule.path, &rule.group}) {
      options.membership.routes = stable_hash(*part, options.membership.routes + 1);
    }
  }
  options.membership.master.seed = random_u64();  // the first is used: it seeds once
  return options;
}

void Balancer::run() {
  workers_->start();
  if (master_) master_->start();
  if (directory_) {
    directory_->start([this](const DirectoryContents& contents) { cluster_->restore(contents); });
  }
  serving_ = true;
  count_timer_.set_after(conf_.control.status_interval);
  log::info("tandem-lb {} serves with {} worker(s)", TANDEM_VERSION, workers_->size());
  loop_.run();
  workers_->stop();
  if (directory_) directory_->finish();
  log::info("ended");
}

void Balancer::on_signal(int number) {
  if (number == SIGHUP) {
    reload();
  } else if (number == SIGUSR1) {
    if (access_log_) access_log_->reopen();
  } else if (draining_) {
    log::warn("a second signal: ending at once");
    loop_.stop();
  } else {
    begin_drain();
  }
}

void Balancer::begin_drain() {
  log::info("draining: requests under way may take {} ms", conf_.drain_timeout / 1ms);
  draining_ = true;
  drain_timer_.set_after(conf_.drain_timeout);
  workers_->drain();
}

// What workers counted for plain servers becomes their status; telling it again also settles what
// was assigned since.
void Balancer::count_sessions() {
  const auto counted = workers_->plain_sessions();
  const std::uint64_t assigned = workers_->assigned();
  for (const ServerRecord& server : cluster_->membership().view().servers) {
    if (server.kind != ServerKind::kPlain) continue;
    const auto it = counted.find(server.id);
    const auto sessions = it == counted.end() ? WorkerGroup::Sessions{} : it->second;
    if (assigned == assigned_ && sessions.primaries == server.status.primaries &&
        sessions.alternates == server.status.alternates) {
      continue;
    }
    cluster_->on_plain_count(server.id, sessions.primaries, sessions.alternates);
  }
  assigned_ = assigned;
}

DrainOrder Balancer::drain(const std::string& server, bool on) {
  return cluster_->set_drain(server, on);
}

// Reads the conf file again. Keys that a reload cannot change keep their old values, and are named.
std::string Balancer::reload() {
  auto reading = load_conf(lb::schema(), conf_file_);
  std::string complaints;
  if (!reading) complaints = reading.error();
  std::optional<Result<ClusterKeys>> keys;
  if (complaints.empty()) {
    keys = read_keys(conf_);
    if (!*keys) complaints = keys->error().message;
  }
  if (complaints.empty()) {
    lb::Conf merged = conf_;
    merged.check = reading->conf.check;
    merged.master = reading->conf.master;
    merged.master.address = conf_.master.address;
    merged.servers = reading->conf.servers;
    merged.routes = reading->conf.routes;
    std::swap(conf_, merged);
    const auto done = cluster_->configure(cluster_options(), plain_servers(conf_));
    if (!done) {
      std::swap(conf_, merged);
      complaints = reading->places.complain("server", done.error().message);
    }
  }
  if (!complaints.empty()) {
    ++reloads_refused_;
    log::error("{} is refused, the old one stays in force:\n{}", conf_file_, complaints);
    return complaints;
  }
  ++reloads_;
  use_keys(std::move(**keys));
  key_watch_->note_taken();
  const auto waiting = restart_needed(lb::schema(), conf_, reading->conf);
  for (const std::string& key : waiting) log::warn("{} changes only with a restart", key);
  log::info("{} is in force", conf_file_);
  return {};
}

// New keys open at once, and seal from their time on; control connections that stand stay as they
// are.
void Balancer::use_keys(ClusterKeys keys) {
  if (keys == *keys_) return;
  keys_ = std::move(keys);
  workers_->post_keys(*keys_);
  control_tls_->replace_keys(*keys_);
  if (explainer_) explainer_->replace_keys(*keys_);
  if (control_) control_->set_context(control_tls_->accepting());
  log::info("{} key(s) are in force", keys_->keys().size());
}

void Balancer::watch_key_file() {
  key_watch_.emplace(loop_, key_file(conf_),
                     [this](ClusterKeys keys) { use_keys(std::move(keys)); });
}

AdminSnapshot Balancer::snapshot() {
  AdminSnapshot snapshot;
  snapshot.conf_file = conf_file_;
  snapshot.serving = serving_;
  snapshot.draining = draining_;
  snapshot.uptime_seconds = std::chrono::duration<double>(loop_.now() - started_).count();
  snapshot.workers = static_cast<std::uint32_t>(workers_->size());
  snapshot.front = front_;
  snapshot.tls = tls_;
  if (control_) snapshot.control = control_->address().text();
  snapshot.admin = admin_->address().text();
  const Membership& membership = cluster_->membership();
  View view = membership.view();
  snapshot.view_version = view.version;
  snapshot.balancers = view.balancers;
  snapshot.stand_in = view.stand_in;
  snapshot.n_plus_one = membership.n_plus_one();
  for (ServerRecord& record : view.servers) {
    const SocketAddress resolved = cluster_->address_of(record.data_address);
    const auto state = membership.state_of(record.id);
    snapshot.servers.push_back({std::move(record), resolved ? resolved.text() : std::string{},
                                state.connected, state.left, state.drain_wanted, state.drained});
  }
  if (cluster_->routes() != nullptr) snapshot.routes = cluster_->routes()->rules();
  snapshot.counts = workers_->counts();
  snapshot.counts.push_back({"access_log_lost_total", "Access lines that could not be written",
                             access_log_ ? access_log_->lost() : 0});
  tell_views(snapshot);
  snapshot.probes = cluster_->checker().started();
  snapshot.probes_failed = cluster_->checker().failed();
  snapshot.verdicts = membership.master().counts();
  snapshot.most_looks_dead = membership.master().most_looks_dead();
  snapshot.held_back = membership.master().held_back().size();
  snapshot.keys = keys_->names();
  if (directory_) snapshot.directory = directory_->state();
  snapshot.reloads = reloads_;
  snapshot.reloads_refused = reloads_refused_;
  return snapshot;
}

void Balancer::tell_views(AdminSnapshot& snapshot) {
  const auto count = [&](const char* name, const char* help, std::uint64_t value) {
    snapshot.counts.push_back({name, help, value});
  };
  const Membership& membership = cluster_->membership();
  const ViewTeller::Counts& told = membership.teller().counts();
  count("followers", "Balancers that follow this one", membership.followers());
  count("reports_of_followers_total", "Failures of servers that they reported",
        membership.follower_reports());
  count("views_told_total", "Whole views told to servers and followers", told.snapshots);
  count("view_changes_told_total", "Changes of the view told to them", told.deltas);
  count("view_requests_total", "Whole views that they asked for", told.requests);
  if (!master_) return;
  const Follower& follower = master_->follower();
  const ViewSources::Facts facts = follower.facts();
  const auto age = follower.connected() ? (loop_.now() - facts.heard) / 1ms : 0;
  snapshot.master = {master_->master().text(), follower.connected(), follower.following()};
  count("master_connected", "1: connected with the master", follower.connected());
  count("master_followed", "1: the view in use is the master's", follower.following());
  count("master_view_version", "Version of the view that the master told last", facts.view.version);
  count("master_view_age_milliseconds",
        "Since the master was heard last: the view that it told is no older",
        static_cast<std::uint64_t>(age));
  count("master_views_total", "Whole views received of the master", facts.snapshots);
  count("master_view_changes_total", "Changes of views received of it", facts.deltas);
  count("master_view_gaps_total", "Changes that did not fit, so that the whole was asked for",
        facts.gaps);
  count("master_lost_total", "Times that it could not be reached any more",
        follower.counts().times_alone);
  count("master_reports_total", "Failures of servers reported to it", follower.counts().reports);
  count("master_reports_waiting", "Failures that wait for it", follower.reports_waiting());
  count("master_reports_lost_total", "Failures not reported, for want of room or too old",
        follower.counts().reports_lost);
}

}  // namespace tandem
