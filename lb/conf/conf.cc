#include "lb/conf/conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "common/base/ids.h"
#include "common/cluster/routes.h"
#include "common/config/section_tables.h"
#include "common/http/chars.h"
#include "common/http/field.h"

namespace tandem::lb {
namespace {

Table<FrontConf> front_table() {
  Table<FrontConf> table("The side of the clients.");
  table
      .option("listen", &FrontConf::listen, list(listen_address()),
              "Where to listen for HTTP. Port 0 is chosen by the system and told in the log and in "
              "/status.")
      .sample_sets("[\"127.0.0.1:8080\"]");
  table.option("tls_listen", &FrontConf::tls_listen, list(listen_address()),
               "Where to listen for HTTPS (TLS 1.2 and 1.3).");
  table.option(
      "certificates", &FrontConf::certificates, list(path()),
      "PEM files, each with a certificate, its chain and its key. The client's server name "
      "chooses one; the first serves all other names.");
  table
      .option(
          "proxy_protocol_from", &FrontConf::proxy_protocol_from, list(network()),
          "The load balancers in front of this one that send the PROXY protocol (version 1 or "
          "2), so that the client's own address is seen, logged and passed on. Connections from "
          "there must begin with its header; from elsewhere it is not believed.")
      .example("[\"10.0.0.0/24\"]");
  table
      .option("connections_per_address_max", &FrontConf::connections_per_address_max,
              integer(0, 1000000),
              "The most connections of one client address; more are closed at once. All of an IPv6 "
              "/64 count as one; behind proxy_protocol_from the address is the client's own.")
      .defaults_to("no limit")
      .example("100");
  table.option("server_list", &FrontConf::server_list, boolean(),
               "Clients may ask for the names and addresses of the tandem-servers at "
               "/.well-known/tandem/servers, and report one that they cannot reach. Off, since "
               "whoever reaches the front may then ask.");
  table.include(&FrontConf::limits, http_limits_table());
  return table;
}

Table<UpstreamConf> upstream_table() {
  Table<UpstreamConf> table("The side of the servers.");
  table.option("connect_timeout", &UpstreamConf::connect_timeout, duration(10ms, 1h),
               "A connection to a server must stand after this time; else the server counts as "
               "failed for this request.");
  table.option("response_timeout", &UpstreamConf::response_timeout, duration(10ms, 24h),
               "The head of the response must come so long after the end of the request; else the "
               "client gets 504.");
  table.option("idle_timeout", &UpstreamConf::idle_timeout, duration(10ms, 24h),
               "An idle connection to a server is closed after this time, one to a tandem-server "
               "after 5s if that is less.");
  table.option("idle_connections_max", &UpstreamConf::idle_connections_max, integer(0, 100000),
               "The most idle connections kept for each server, in each worker.");
  table.option("retry_buffer", &UpstreamConf::retry_buffer, size(0, 64 * 1024 * 1024),
               "So much of a request's body is kept until the response begins, so that the request "
               "can be sent again to another server.");
  table.option("resolve_interval", &UpstreamConf::resolve_interval, duration(100ms, 24h),
               "The names of servers are resolved again this often.");
  return table;
}

Table<ControlConf> control_table() {
  Table<ControlConf> table(
      "The control listener, where tandem-servers register. Needed for them alone: plain servers "
      "are "
      "named below.");
  table
      .option("listen", &ControlConf::listen, maybe(listen_address()),
              "Where tandem-servers connect. Needs key_file.")
      .defaults_to("no control listener")
      .example("\"127.0.0.1:7400\"");
  table
      .option("key_file", &ControlConf::key_file, path(),
              "The cluster key, made by \"tandemctl keygen\"; the same file on all balancers and "
              "servers.")
      .defaults_to("a key of its own, made and kept beside the conf file")
      .example("\"cluster.key\"");
  table.option("status_interval", &ControlConf::status_interval, duration(10ms, 1h),
               "Servers tell their status at least this often. A server that is silent for three "
               "intervals and fails a probe is offline. The same on all balancers and servers.");
  table
      .option("balancers", &ControlConf::balancers, maybe(integer(1, 1000)),
              "How many balancers assign sessions to these servers. Each multiplies its own "
              "assignments by it between two reports of a server. To be set only where several "
              "balancers serve the same servers and none is the master of the others.")
      .defaults_to("this one and those that follow it")
      .example("2");
  return table;
}

Table<MasterConf> master_table() {
  Table<MasterConf> table(
      "The master, which decides which servers are online: where several balancers serve the same "
      "servers, one that the others name here; and how a balancer verifies that a server is "
      "dead.");
  table
      .option("address", &MasterConf::address, maybe(address()),
              "The control listener of the master. This balancer follows its view of the servers, "
              "and tells it of failures; while it cannot reach it, it acts on what it sees itself. "
              "Needs key_file in [control].")
      .defaults_to("this balancer follows nobody")
      .example("\"10.0.0.1:7400\"");
  table
      .option("verify_attempts", &MasterConf::verify_attempts, integer(1, 100),
              "Before a tandem-server is believed dead its data port is probed so often; an answer "
              "to any of these probes, or on its control connection, says that it lives.")
      .reloads();
  table
      .option("verify_timeout", &MasterConf::verify_timeout, duration(10ms, 1min),
              "How long all these probes together may take; they begin evenly spread over it. A "
              "server that is heard, but answers none of them, may be slow only: before "
              "it is offline it is probed for two seconds more, and each of these probes has as "
              "long as timeout in [check].")
      .reloads();
  table
      .option("most_looks_dead_window", &MasterConf::most_looks_dead_window, duration(100ms, 1h),
              "If more than half of the servers that are online would be offline within this time, "
              "it may be the balancer that is cut off: no further one goes offline without the "
              "word of another server.")
      .reloads();
  table
      .option("returns_free", &MasterConf::returns_free, integer(0, 1000),
              "So often a server that was believed dead may come back at once, without a restart; "
              "then it is held back. One that was restarted never is.")
      .reloads();
  table
      .option("hold_back", &MasterConf::hold_back, duration(0s, 10min),
              "So long a server that is held back must be well before it is online again; doubled "
              "each time. The first time twice as long as it was away is enough, but 5 s at least. "
              "\"0s\": none is held back.")
      .reloads();
  table
      .option("hold_back_max", &MasterConf::hold_back_max, duration(0s, 10min),
              "The longest that this becomes. Returns are forgotten after 10 minutes online.")
      .reloads();
  return table;
}

constexpr const char* kDirectoryExample = "\"sqlite:file\" or \"none\"";

// "sqlite:FILE" or "none".
Codec<DirectoryUrl> directory_url() {
  auto read = [](const ConfNode& node, ReadContext& context) -> std::optional<DirectoryUrl> {
    constexpr std::string_view kSqlite = "sqlite:";
    if (node.kind != ConfNode::Kind::kString) {
      context.complain_of_kind(node, kDirectoryExample);
      return std::nullopt;
    }
    if (node.text == "none") return DirectoryUrl{};
    if (node.text.starts_with(kSqlite)) {
      const std::string file = node.text.substr(kSqlite.size());
      if (!file.empty() && file.find('\0') == std::string::npos) {
        return DirectoryUrl{file.starts_with('/') ? file : context.folder + file};
      }
    }
    context.complain(node.where, fmt::format("{} is no directory; write {}", in_quotes(node.text),
                                             kDirectoryExample));
    return std::nullopt;
  };
  auto show = [](const DirectoryUrl& url) {
    return toml_string(url.path.empty() ? "none" : "sqlite:" + url.path);
  };
  return {"URL", kDirectoryExample, read, show};
}

Table<DirectoryConf> directory_table() {
  Table<DirectoryConf> table(
      "The database of the servers, their ring and what happened to them. From it a restarted "
      "balancer knows its tandem-servers at once.");
  table
      .option("url", &DirectoryConf::url, maybe(directory_url()),
              "An SQLite database, which is made on first use; its folder must be writable. "
              "\"none\": nothing is kept.")
      .defaults_to(
          "directory.db beside the conf file; without listen in [control], or with address in "
          "[master], none")
      .example("\"sqlite:directory.db\"");
  return table;
}

constexpr std::size_t kHeaderNameMax = 64;
constexpr std::uint32_t kRejectStatusMin = 400, kRejectStatusMax = 599;

// "cookie" or "header:NAME".
Codec<Affinity> affinity_codec() {
  const std::vector<std::string> words = {"cookie", "header:NAME"};
  auto read = [words](const ConfNode& node, ReadContext& context) -> std::optional<Affinity> {
    constexpr std::string_view kHeader = "header:";
    if (node.kind != ConfNode::Kind::kString || !node.text.starts_with(kHeader)) {
      if (!read_choice(words, node, context)) return std::nullopt;
      return Affinity{};
    }
    const std::string name = node.text.substr(kHeader.size());
    if (name.empty() || name.size() > kHeaderNameMax || !http::all(http::kTokenChar, name)) {
      context.complain(node.where, fmt::format("{} is not the name of a header", in_quotes(name)));
      return std::nullopt;
    }
    if (http::field_id(name) != http::FieldId::kOther) {
      context.complain(node.where,
                       fmt::format("{} has a meaning of its own; name the header in which the "
                                   "application issues its session id",
                                   in_quotes(name)));
      return std::nullopt;
    }
    return Affinity{name};
  };
  auto show = [](const Affinity& value) {
    return toml_string(value.header.empty() ? "cookie" : "header:" + value.header);
  };
  return {"string", show_choices(words), read, show};
}

// "any" or "reject STATUS".
Codec<OnLost> on_lost_codec() {
  const std::vector<std::string> words = {"any", "reject STATUS"};
  auto read = [](const ConfNode& node, ReadContext& context) -> std::optional<OnLost> {
    constexpr std::string_view kReject = "reject ";
    if (node.kind != ConfNode::Kind::kString || !node.text.starts_with(kReject)) {
      if (!read_choice({"any", "reject 503"}, node, context)) return std::nullopt;
      return OnLost{};
    }
    const std::string digits = node.text.substr(kReject.size());
    OnLost value;
    const char* end = digits.data() + digits.size();
    const auto [stop, failure] = std::from_chars(digits.data(), end, value.reject_status);
    if (failure == std::errc() && stop == end && value.reject_status >= kRejectStatusMin &&
        value.reject_status <= kRejectStatusMax) {
      return value;
    }
    context.complain(node.where, fmt::format("{} is no status from {} to {}", in_quotes(digits),
                                             kRejectStatusMin, kRejectStatusMax));
    return std::nullopt;
  };
  auto show = [](const OnLost& value) {
    return toml_string(value.reject_status == 0 ? "any"
                                                : fmt::format("reject {}", value.reject_status));
  };
  return {"string", show_choices(words), read, show};
}

Table<SessionConf> session_table() {
  Table<SessionConf> table("How a client's session is recognised.");
  table.option(
      "affinity", &SessionConf::affinity, affinity_codec(),
      "What carries the session token of ordinary clients: a cookie of our own, or the "
      "response header in which the application issues a session id; the token is appended "
      "to that on the way out and taken off on the way in.");
  table.option("cookie", &SessionConf::cookie, name(), "The name of the cookie.");
  table.option("cookie_path", &SessionConf::cookie_path, text(), "Its Path attribute.");
  table.option("cookie_domain", &SessionConf::cookie_domain, name(),
               "Its Domain attribute; \"\" for none.");
  table.option(
      "cookie_samesite", &SessionConf::cookie_samesite,
      choice<SameSite>(
          {{"lax", SameSite::kLax}, {"strict", SameSite::kStrict}, {"none", SameSite::kNone}}),
      "Its SameSite attribute.");
  table.option("cookie_secure", &SessionConf::cookie_secure,
               choice<CookieSecure>({{"auto", CookieSecure::kAuto},
                                     {"always", CookieSecure::kAlways},
                                     {"never", CookieSecure::kNever}}),
               "Its Secure attribute; \"auto\": for clients that come over TLS.");
  table.option("cookie_httponly", &SessionConf::cookie_httponly, boolean(),
               "Its HttpOnly attribute: scripts of the page cannot read it.");
  table.option("cookie_partitioned", &SessionConf::cookie_partitioned, boolean(),
               "Its Partitioned attribute, set where Secure is: a cookie of its own for each site "
               "that embeds this one.");
  table.option(
      "cookie_max_age", &SessionConf::cookie_max_age, duration(0s, 400 * 24h),
      "Its Max-Age attribute, at least ttl; \"0s\": it has none, and goes when the browser "
      "ends its session.");
  table.option("ttl", &SessionConf::ttl, duration(10s, 365 * 24h),
               "How long a session token is good; it is renewed at half of it. The same on all "
               "balancers and servers.");
  table.option(
      "on_lost", &SessionConf::on_lost, on_lost_codec(),
      "What becomes of a request whose session has neither primary nor alternate left: any "
      "server takes the session, or the request is rejected with this status.");
  return table;
}

Table<CheckConf> check_table() {
  Table<CheckConf> table("Active health checks of plain servers.");
  table.option("interval", &CheckConf::interval, duration(10ms, 1h), "From one check to the next.")
      .reloads();
  table
      .option("timeout", &CheckConf::timeout, duration(10ms, 1h),
              "A check without an answer has failed after this time.")
      .reloads();
  table
      .option("rise", &CheckConf::rise, integer(1, 100),
              "So many good checks in a row: the server is online.")
      .reloads();
  table
      .option("fall", &CheckConf::fall, integer(1, 100),
              "So many failed checks in a row: the server is offline.")
      .reloads();
  table
      .option("path", &CheckConf::path, text(),
              "What to GET; any answer below 400 is good. \"\": a TCP connect is enough.")
      .reloads();
  return table;
}

Table<PlainServerConf> server_table() {
  Table<PlainServerConf> table("A plain server: any HTTP server. One table for each.");
  table.option("name", &PlainServerConf::name, name(), "Its name, unlike any other server's.")
      .must()
      .sample_sets("\"app1\"");
  table.option("address", &PlainServerConf::address, address(), "Its address; a name may be used.")
      .must()
      .sample_sets("\"127.0.0.1:9001\"");
  table.option("capacity", &PlainServerConf::capacity, integer(1, 100000000),
               "The most sessions that it takes; also its weight in the round robin.");
  table
      .option("threshold", &PlainServerConf::threshold, integer(1, 100000000),
              "Over this number of sessions, new ones are given to another server.")
      .defaults_to("80 % of the capacity")
      .example("800");
  table.option("zone", &PlainServerConf::zone, name(),
               "Where it stands. An alternate is chosen in another zone where zones are named.");
  table.option("group", &PlainServerConf::group, name(),
               "The group that it belongs to: servers of a group stand in for each other, and for "
               "nobody else. See [[route]].");
  return table;
}

Table<RouteConf> route_table() {
  Table<RouteConf> table(
      "Which group of servers serves a request. The most specific route decides, whatever their "
      "order: first by host, then by the longest path. What no route matches goes to the servers "
      "whose group no route names; without routes everything goes to all. One table for each.");
  table
      .option("host", &RouteConf::host, text(),
              "The host of the request, without its port: a name, an address, or \"*.NAME\" for "
              "all names beneath. \"\": any.")
      .example("\"*.shop.example\"");
  table
      .option("path", &RouteConf::path, text(),
              "A prefix of the request's path, by segments: \"/api\" is /api and what is beneath "
              "it, \"/api/\" only the latter. \"\": any.")
      .example("\"/api\"");
  table.option("group", &RouteConf::group, name(), "The group that serves it.")
      .must()
      .example("\"api\"");
  return table;
}

Table<Conf> top_table() {
  Table<Conf> table("The conf file of tandem-lb.");
  table.option("workers", &Conf::workers, integer(1, 256),
               "Threads that serve clients, each with its own event loop.");
  table.option("drain_timeout", &Conf::drain_timeout, duration(0s, 24h),
               "After SIGTERM, requests under way may take this long.");
  table.table("front", &Conf::front, front_table());
  table.table("upstream", &Conf::upstream, upstream_table());
  table.table("control", &Conf::control, control_table());
  table.table("master", &Conf::master, master_table());
  table.table("directory", &Conf::directory, directory_table());
  table.table("session", &Conf::session, session_table());
  table.table("check", &Conf::check, check_table());
  table.table("admin", &Conf::admin, admin_table());
  table.table("log", &Conf::log, log_table());
  table.tables("route", &Conf::routes, route_table(), true);
  table.tables("server", &Conf::servers, server_table(), true);
  return table;
}

void settle_front(Conf& conf, Rules& rules) {
  const FrontConf& front = conf.front;
  const bool sound = rules.sound("front.listen") && rules.sound("front.tls_listen");
  if (sound && front.listen.empty() && front.tls_listen.empty()) {
    rules.complain("front.listen", "is missing: neither listen nor tls_listen names an address");
  }
  if (!sound || !rules.sound("front.certificates")) return;
  if (!front.tls_listen.empty() && front.certificates.empty()) {
    rules.complain("front.tls_listen", "needs certificates");
  }
  if (front.tls_listen.empty() && !front.certificates.empty()) {
    rules.complain("front.certificates", "is of no use without tls_listen");
  }
}

void settle_listeners(Conf& conf, Rules& rules) {
  std::vector<ListenPlace> listeners;
  const auto add_all = [&](const std::string& path, const std::vector<Address>& addresses) {
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      listeners.push_back({fmt::format("{}[{}]", path, i), addresses[i]});
    }
  };
  add_all("front.listen", conf.front.listen);
  add_all("front.tls_listen", conf.front.tls_listen);
  if (conf.control.listen) listeners.push_back({"control.listen", *conf.control.listen});
  if (conf.admin.listen) listeners.push_back({"admin.listen", *conf.admin.listen});
  complain_of_duplicates(listeners, rules);
}

void settle_control(Conf& conf, Rules& rules) {
  if (conf.control.listen && conf.control.key_file.empty() && rules.sound("control.key_file")) {
    rules.complain("control.listen", "needs key_file");
  }
  if (conf.master.address && conf.control.key_file.empty() && rules.sound("control.key_file")) {
    rules.complain("master.address", "needs key_file in [control]");
  }
  const bool sound = rules.sound("control.listen") && rules.sound("master.address");
  if (!conf.control.listen && !conf.master.address && conf.servers.empty() && sound &&
      rules.sound("server")) {
    rules.complain("server", "no servers: name some in [[server]], or set listen in [control]");
  }
}

// Browsers drop a cookie that does not keep these rules, and tell nobody.
void settle_secure_cookie(const Conf& conf, Rules& rules) {
  const SessionConf& session = conf.session;
  const bool never = session.cookie_secure == CookieSecure::kNever;
  const bool never_under_tls = session.cookie_secure == CookieSecure::kAuto &&
                               conf.front.tls_listen.empty() && rules.sound("front.tls_listen");
  const auto complain = [&](const char* key, const char* what) {
    if (never) {
      rules.complain(key, fmt::format("browsers take {} only with cookie_secure \"auto\" or "
                                      "\"always\"",
                                      what));
    } else if (never_under_tls) {
      rules.complain(key, fmt::format("browsers take {} only under TLS: set cookie_secure to "
                                      "\"always\" if another proxy speaks it for us",
                                      what));
    }
  };
  if (!rules.sound("session.cookie_secure")) return;
  if (session.cookie_samesite == SameSite::kNone) complain("session.cookie_samesite", "\"none\"");
  if (session.cookie_partitioned) complain("session.cookie_partitioned", "Partitioned");
  const bool host = session.cookie.starts_with("__Host-");
  if (!host && !session.cookie.starts_with("__Secure-")) return;
  complain("session.cookie", "this prefix");
  if (!host) return;
  if (session.cookie_path != "/") {
    rules.complain("session.cookie_path", "must be \"/\" for a cookie called __Host-");
  }
  if (!session.cookie_domain.empty()) {
    rules.complain("session.cookie_domain", "must be \"\" for a cookie called __Host-");
  }
}

void settle_session(Conf& conf, Rules& rules) {
  constexpr std::size_t kPathBytesMax = 512;
  const SessionConf& session = conf.session;
  if (!session.affinity.header.empty()) {
    for (const char* key :
         {"cookie", "cookie_path", "cookie_domain", "cookie_samesite", "cookie_secure",
          "cookie_httponly", "cookie_partitioned", "cookie_max_age"}) {
      const std::string path = std::string("session.") + key;
      if (rules.given(path)) rules.complain(path, "is of no use: affinity names a header");
    }
    return;
  }
  if (session.cookie.empty()) rules.complain("session.cookie", "must not be empty");
  if (!session.cookie_path.starts_with('/') || session.cookie_path.find(';') != std::string::npos) {
    rules.complain("session.cookie_path", "must begin with \"/\" and have no \";\"");
  }
  if (session.cookie_path.size() > kPathBytesMax) {
    rules.complain("session.cookie_path", fmt::format("has more than {} bytes", kPathBytesMax));
  }
  if (session.cookie_max_age > 0s && session.cookie_max_age < session.ttl &&
      rules.sound("session.ttl")) {
    rules.complain("session.cookie_max_age",
                   "must be at least ttl: the cookie is set anew only at half of it");
  }
  settle_secure_cookie(conf, rules);
}

void settle_check(Conf& conf, Rules& rules) {
  const std::string& path = conf.check.path;
  if (!path.empty() && (path[0] != '/' || path.find(' ') != std::string::npos)) {
    rules.complain("check.path", "must begin with \"/\" and have no blank");
  }
}

void settle_master(Conf& conf, Rules& rules) {
  if (conf.master.hold_back_max >= conf.master.hold_back) return;
  if (!rules.sound("master.hold_back") || !rules.sound("master.hold_back_max")) return;
  const bool given = rules.given("master.hold_back_max");
  rules.complain(given ? "master.hold_back_max" : "master.hold_back",
                 given ? "must be at least hold_back" : "must be at most hold_back_max");
}

void settle_servers(Conf& conf, Rules& rules) {
  for (std::size_t i = 0; i < conf.servers.size(); ++i) {
    PlainServerConf& server = conf.servers[i];
    const std::string path = fmt::format("server[{}].", i);
    settle_threshold(path, server.capacity, server.threshold, rules);
    if (!rules.given(path + "name") || !rules.sound(path + "name")) continue;
    if (server.name.empty()) {
      rules.complain(path + "name", "must not be empty");
      continue;
    }
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& other = conf.servers[j].name;
      if (ServerId::of(other) != ServerId::of(server.name)) continue;
      rules.complain(path + "name",
                     other == server.name
                         ? fmt::format("{} is already the name of server[{}]", in_quotes(other), j)
                         : fmt::format("is too like {}: their numbers collide", in_quotes(other)));
      break;
    }
  }
}

// Complaints of the one route. True: it is sound.
bool check_route(const RouteConf& route, const std::string& path, Rules& rules) {
  bool sound = rules.sound(path + "host") && rules.sound(path + "path") &&
               rules.given(path + "group") && rules.sound(path + "group");
  const auto complain = [&](const char* key, const std::string& what) {
    if (what.empty()) return;
    sound = false;
    rules.complain(path + key, what);
  };
  complain("host", Routes::complaint_of_host(route.host));
  complain("path", Routes::complaint_of_path(route.path));
  if (rules.given(path + "group") && rules.sound(path + "group") && route.group.empty()) {
    complain("group", "must not be empty");
  }
  return sound;
}

void settle_routes(Conf& conf, Rules& rules) {
  std::map<std::pair<std::string, std::string>, std::size_t> known;  // by host and path
  std::set<std::string> groups;
  for (std::size_t i = 0; i < conf.routes.size(); ++i) {
    const RouteConf& route = conf.routes[i];
    const std::string path = fmt::format("route[{}].", i);
    if (i == Routes::kRoutesMax) {
      return rules.complain(path + "group",
                            fmt::format("is of one route too many: {} may be", Routes::kRoutesMax));
    }
    if (!check_route(route, path, rules)) continue;
    const RouteRule rule = Routes::normal({route.host, route.path, route.group});
    const auto [other, fresh] = known.emplace(std::pair(rule.host, rule.path), i);
    if (!fresh) {
      const bool by_path = rules.given(path + "path");
      rules.complain(path + (by_path                      ? "path"
                             : rules.given(path + "host") ? "host"
                                                          : "group"),
                     fmt::format("is of the same host and path as route[{}]", other->second));
    }
    if (groups.insert(rule.group).second && groups.size() == Routes::kGroupsMax + 1) {
      rules.complain(path + "group", fmt::format("is one group too many: routes may lead to {}",
                                                 Routes::kGroupsMax));
    }
  }
}

}  // namespace

const Schema<Conf>& schema() {
  static const Schema<Conf> schema{"tandem-lb.toml",
                                   top_table(),
                                   {settle_front, settle_listeners, settle_control, settle_session,
                                    settle_master, settle_check, settle_routes, settle_servers}};
  return schema;
}

}  // namespace tandem::lb
