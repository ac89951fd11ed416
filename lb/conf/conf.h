// What tandem-lb.toml says, as plain structs. The keys, ranges and help are in conf.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/address.h"
#include "common/base/ip.h"
#include "common/base/time.h"
#include "common/config/sections.h"

namespace tandem {
template <class T>
struct Schema;  // common/config/schema.h
}

namespace tandem::lb {

struct FrontConf {
  std::vector<Address> listen;
  std::vector<Address> tls_listen;
  std::vector<std::string> certificates;  // paths: PEM, chain and key in one file; chosen by SNI
  std::vector<IpNetwork> proxy_protocol_from;
  std::uint32_t connections_per_address_max = 0;  // 0: no limit
  bool server_list = false;                       // clients get the list of tandem-servers
  HttpLimitsConf limits;                          // keys of [front] as well
};

// Connections to servers, and what may be resent over them.
struct UpstreamConf {
  Duration connect_timeout = 3s;
  Duration response_timeout = 60s;          // from the request's end to the response's head
  Duration idle_timeout = 30s;              // of a pooled connection
  std::uint32_t idle_connections_max = 64;  // pooled, for each server and worker
  std::uint64_t retry_buffer = 64 * 1024;   // bytes of a request's body kept for a resend
  Duration resolve_interval = 10s;          // names of servers are resolved again
};

struct ControlConf {
  std::optional<Address> listen;  // none: plain servers alone
  std::string key_file;           // path; empty: a key of its own beside the conf file
  Duration status_interval = 1s;  // servers push their status at least this often
  // How many balancers assign sessions to these servers; none: this one and those that follow it.
  std::optional<std::uint32_t> balancers;
};

// Another balancer, whose view of the servers this one follows; and how either verifies.
struct MasterConf {
  std::optional<Address> address;  // of its control listener; none: this one follows nobody
  std::uint32_t verify_attempts = 6;
  Duration verify_timeout = 125ms;        // of all attempts together
  Duration most_looks_dead_window = 10s;  // who goes within it counts towards "most"
  std::uint32_t returns_free = 0;         // before a server is held back
  Duration hold_back = 30s;               // at most, the first time; doubled each time
  Duration hold_back_max = 10min;
};

// Where the directory is.
struct DirectoryUrl {
  std::string path;  // sqlite:path; empty: none
};
struct DirectoryConf {
  std::optional<DirectoryUrl> url;  // nothing: directory.db beside the conf file, if it is a master
};

// What carries the tokens of ordinary clients.
struct Affinity {
  std::string header;  // of the application; empty: a cookie
};
// What becomes of a session whose primary and alternate are both gone.
struct OnLost {
  std::uint32_t reject_status = 0;  // 0: any server takes it
};
enum class SameSite : std::uint8_t { kLax, kStrict, kNone };
enum class CookieSecure : std::uint8_t { kAuto, kAlways, kNever };  // auto: under TLS

struct SessionConf {
  Affinity affinity;
  std::string cookie = "tandem";
  std::string cookie_path = "/";
  std::string cookie_domain;  // empty: no Domain attribute
  SameSite cookie_samesite = SameSite::kLax;
  CookieSecure cookie_secure = CookieSecure::kAuto;
  bool cookie_httponly = true;
  bool cookie_partitioned = false;
  Duration cookie_max_age = 0s;  // 0: until the browser ends its session
  Duration ttl = 30min;          // of a token; renewed at half of it
  OnLost on_lost;
};

// Active health checks of plain servers.
struct CheckConf {
  Duration interval = 1s;
  Duration timeout = 1s;
  std::uint32_t rise = 2;  // so many successes in a row: online
  std::uint32_t fall = 3;  // so many failures in a row: offline
  std::string path;        // empty: a TCP connect is enough
};

struct PlainServerConf {
  std::string name;
  Address address;
  std::uint32_t capacity = 1000;
  std::uint32_t threshold = 0;  // as read: never 0; 80 % of capacity where the file is silent
  std::string zone;
  std::string group = "default";
};

struct RouteConf {
  std::string host;
  std::string path;
  std::string group;
};

struct Conf {
  std::uint32_t workers = 1;
  Duration drain_timeout = 30s;  // SIGTERM: requests under way may take this long
  FrontConf front;
  UpstreamConf upstream;
  ControlConf control;
  MasterConf master;
  DirectoryConf directory;
  SessionConf session;
  CheckConf check;
  AdminConf admin;
  LogConf log;
  std::vector<RouteConf> routes;
  std::vector<PlainServerConf> servers;
};

// Read it with load_conf(schema(), file), common/config/reader.h.
const Schema<Conf>& schema();

}  // namespace tandem::lb
