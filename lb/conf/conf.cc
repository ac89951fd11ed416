#include "lb/conf/conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "common/base/ids.h"
#include "common/config/section_tables.h"

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
               "An idle connection to a server is closed after this time.");
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
  table.option("balancers", &ControlConf::balancers, integer(1, 1000),
               "How many balancers assign sessions to these servers. Each multiplies its own "
               "assignments by it between two reports of a server.");
  return table;
}

Table<SessionConf> session_table() {
  Table<SessionConf> table("How a client's session is recognised.");
  table.option("affinity", &SessionConf::affinity,
               choice<Affinity>({{"cookie", Affinity::kCookie}}),
               "What carries the session token of ordinary clients.");
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
  table.option("ttl", &SessionConf::ttl, duration(10s, 365 * 24h),
               "How long a session token is good; it is renewed at half of it. The same on all "
               "balancers and servers.");
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
  table.table("session", &Conf::session, session_table());
  table.table("check", &Conf::check, check_table());
  table.table("admin", &Conf::admin, admin_table());
  table.table("log", &Conf::log, log_table());
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
  if (!conf.control.listen && conf.servers.empty() && rules.sound("control.listen") &&
      rules.sound("server")) {
    rules.complain("server", "no servers: name some in [[server]], or set listen in [control]");
  }
}

void settle_session(Conf& conf, Rules& rules) {
  const SessionConf& session = conf.session;
  if (session.cookie.empty()) rules.complain("session.cookie", "must not be empty");
  if (!session.cookie_path.starts_with('/') || session.cookie_path.find(';') != std::string::npos) {
    rules.complain("session.cookie_path", "must begin with \"/\" and have no \";\"");
  }
  if (session.cookie_samesite == SameSite::kNone && session.cookie_secure == CookieSecure::kNever) {
    rules.complain("session.cookie_samesite",
                   "browsers take \"none\" only with cookie_secure \"auto\" or \"always\"");
  }
}

void settle_check(Conf& conf, Rules& rules) {
  const std::string& path = conf.check.path;
  if (!path.empty() && (path[0] != '/' || path.find(' ') != std::string::npos)) {
    rules.complain("check.path", "must begin with \"/\" and have no blank");
  }
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

}  // namespace

const Schema<Conf>& schema() {
  static const Schema<Conf> schema{"tandem-lb.toml",
                                   top_table(),
                                   {settle_front, settle_listeners, settle_control, settle_session,
                                    settle_check, settle_servers}};
  return schema;
}

}  // namespace tandem::lb
