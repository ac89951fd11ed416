#include "lb/app/options.h"

#include <chrono>
#include <filesystem>
#include <utility>

#include "common/http/head.h"
#include "common/net/entropy.h"

namespace tandem {
namespace {

CookieOptions cookie_options(const lb::SessionConf& conf) {
  CookieOptions cookie;
  cookie.name = conf.cookie;
  cookie.path = conf.cookie_path;
  cookie.domain = conf.cookie_domain;
  cookie.http_only = conf.cookie_httponly;
  cookie.partitioned = conf.cookie_partitioned;
  cookie.max_age_seconds = static_cast<std::uint32_t>(conf.cookie_max_age / 1s);
  switch (conf.cookie_samesite) {
    case lb::SameSite::kLax:
      cookie.same_site = SameSitePolicy::kLax;
      break;
    case lb::SameSite::kStrict:
      cookie.same_site = SameSitePolicy::kStrict;
      break;
    case lb::SameSite::kNone:
      cookie.same_site = SameSitePolicy::kNone;
      break;
  }
  switch (conf.cookie_secure) {
    case lb::CookieSecure::kAuto:
      cookie.secure = SecurePolicy::kUnderTls;
      break;
    case lb::CookieSecure::kAlways:
      cookie.secure = SecurePolicy::kAlways;
      break;
    case lb::CookieSecure::kNever:
      cookie.secure = SecurePolicy::kNot;
      break;
  }
  return cookie;
}

}  // namespace

static_assert(kHttpFieldsMax <= http::kFieldsMax, "the parser has no room for what a conf grants");

FrontOptions front_options(const lb::Conf& conf, ClusterKeys keys) {
  FrontOptions options{.limits = conf.front.limits,
                       .proxies = conf.front.proxy_protocol_from,
                       .workers = conf.workers,
                       .keys = std::move(keys)};
  if (conf.front.connections_per_address_max > 0) {
    options.address_limit =
        std::make_shared<AddressLimit>(conf.front.connections_per_address_max, random_u64());
  }
  options.server_list = conf.front.server_list;
  options.upstream.connect_timeout = conf.upstream.connect_timeout;
  options.upstream.response_timeout = conf.upstream.response_timeout;
  options.upstream.idle_timeout = conf.upstream.idle_timeout;
  options.upstream.idle_connections_max = conf.upstream.idle_connections_max;
  options.upstream.retry_buffer = conf.upstream.retry_buffer;
  options.affinity = {cookie_options(conf.session), conf.session.affinity.header};
  options.on_lost.reject_status = static_cast<std::uint16_t>(conf.session.on_lost.reject_status);
  options.token_ttl = std::chrono::duration_cast<std::chrono::seconds>(conf.session.ttl).count();
  return options;
}

Membership::Options membership_options(const lb::Conf& conf) {
  Membership::Options options;
  options.status_interval = conf.control.status_interval;
  options.balancers = conf.control.balancers.value_or(0);
  options.has_master = conf.master.address.has_value();
  options.check = {conf.check.interval, conf.check.rise, conf.check.fall};
  options.master.liveness.attempts = conf.master.verify_attempts;
  options.master.liveness.timeout = conf.master.verify_timeout;
  options.master.window = conf.master.most_looks_dead_window;
  options.master.returns_free = conf.master.returns_free;
  options.master.hold_back = conf.master.hold_back;
  options.master.hold_back_max = conf.master.hold_back_max;
  return options;
}

std::vector<PlainServer> plain_servers(const lb::Conf& conf) {
  std::vector<PlainServer> servers;
  for (const lb::PlainServerConf& server : conf.servers) {
    servers.push_back({server.name, server.address.text(), server.capacity, server.threshold,
                       server.zone, server.group});
  }
  return servers;
}

RoutesPtr routes(const lb::Conf& conf) {
  std::vector<RouteRule> rules;
  for (const lb::RouteConf& route : conf.routes) {
    rules.push_back({route.host, route.path, route.group});
  }
  auto made = Routes::make(std::move(rules));
  TANDEM_CHECK(made);  // the conf's rules let nothing else through
  return std::make_shared<const Routes>(std::move(*made));
}

Checker::Options check_options(const lb::Conf& conf) {
  return {conf.check.timeout, conf.check.path};
}

std::string directory_file(const lb::Conf& conf, const std::string& conf_file) {
  if (conf.directory.url) return conf.directory.url->path;
  if (!conf.control.listen || conf.master.address) return {};
  return (std::filesystem::path(conf_file).parent_path() / "directory.db").string();
}

std::string own_key_file(const std::string& conf_file) {
  return std::filesystem::path(conf_file).replace_extension(".key").string();
}

}  // namespace tandem
