// What tandem-server.toml says, as plain structs. The keys, ranges and help are in conf.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/address.h"
#include "common/base/time.h"
#include "common/config/sections.h"

namespace tandem {
template <class T>
struct Schema;  // common/config/schema.h
}

namespace tandem::server {

enum class SourceKind : std::uint8_t { kHttp, kSqlite };
enum class EtagMode : std::uint8_t { kOrigin, kContent };
enum class ValidatorKind : std::uint8_t { kDigest, kCrc32 };  // CRC-32 with SHA-256, or alone

struct SourceUrl {
  SourceKind kind = SourceKind::kHttp;
  Address address;   // http://host:port
  std::string path;  // sqlite:path
};

struct SourceConf {
  SourceUrl url;
  EtagMode etag = EtagMode::kOrigin;
  ValidatorKind validator = ValidatorKind::kDigest;
  std::uint64_t validate_body_max = 1024 * 1024;  // larger bodies stream without a validator
  Duration connect_timeout = 3s;
  Duration response_timeout = 60s;
  Duration idle_timeout = 30s;                        // of a pooled connection to the origin
  std::uint32_t idle_connections_max = 64;            // pooled
  std::uint32_t connections_max = 1024;               // to the origin, in use
  Duration lock_timeout = 1s;                         // of an SQLite write, for another process's
  std::uint32_t queue_max = 1024;                     // reads, and writes, that wait for SQLite
  std::uint64_t queue_bytes_max = 256 * 1024 * 1024;  // of bodies that wait for SQLite
  std::string cache_control;                          // of SQLite's items; empty: none
};

struct CacheConf {
  std::uint64_t bytes = 0;  // of responses stored for all clients; 0: none
  std::uint64_t item_bytes_max = 4 * 1024 * 1024;
  std::uint32_t heuristic_percent = 10;  // of the time since Last-Modified
  Duration heuristic_max = 1h;
  Duration stale_if_error{0};  // where the response does not say
  std::uint32_t waiters_max = 4096;
};

struct SessionConf {
  Duration ttl = 30min;            // of a token; renewed at half of it
  Duration provisional_ttl = 10s;  // a session whose token did not come back is dropped
};

enum class MirrorClients : std::uint8_t { kLibrary, kAll, kOff };

struct MirrorConf {
  MirrorClients clients = MirrorClients::kLibrary;
  std::uint64_t bytes = 256 * 1024 * 1024;  // of the content store that all sessions share
  std::uint64_t reference_bytes = 256 * 1024 * 1024;  // of the mirrors themselves
  Duration delay = 20ms;                              // the most that a change waits for others
  std::uint32_t caches_max = 4;       // for each session; the least recently used goes
  std::uint32_t entries_max = 16384;  // items mirrored for one client cache
};

struct RebalanceConf {
  bool enabled = true;
  std::uint32_t rate = 100;   // sessions a second
  std::uint32_t spread = 10;  // percent
};

enum class BuddyPing : std::uint8_t { kChannel, kChannelAndIcmp };

struct BuddiesConf {
  Duration interval = 1s;
  BuddyPing ping = BuddyPing::kChannel;
};

struct DataConf {
  bool partitioned = false;
  std::uint32_t virtual_types = 256;
  Duration ask_timeout = 1s;
  std::uint32_t asks_max = 4096;
  Duration lease = 2s;  // so long is used what is cached, without a word from the database
};

struct TypeConf {
  std::string prefix;
  std::string owner;  // empty: whoever the group's rendezvous says
};

struct Conf {
  std::string name;
  Address listen;
  Address peer_listen;
  std::optional<Address> tls_listen;
  std::vector<std::string> certificates;  // paths: PEM, chain and key in one file; chosen by SNI
  std::optional<Address> advertise;       // data address told to others; none: `listen` as bound
  std::optional<Address> tls_advertise;   // the same for `tls_listen`
  std::optional<Address> peer_advertise;  // the same for `peer_listen`
  std::vector<Address> balancers;
  std::string key_file;  // path
  std::uint32_t capacity = 1000;
  std::uint32_t threshold = 0;  // as read: never 0; 80 % of capacity where the file is silent
  bool direct = false;          // clients of the library may come without a balancer
  std::string zone;
  std::string group = "default";
  Duration status_interval = 1s;
  Duration drain_timeout = 30s;     // SIGTERM: sessions move and requests end within this time
  std::uint32_t drain_rate = 1000;  // sessions moved in a second
  HttpLimitsConf limits;
  SourceConf source;
  CacheConf cache;
  DataConf data;
  std::vector<TypeConf> types;
  SessionConf session;
  MirrorConf mirror;
  RebalanceConf rebalance;
  BuddiesConf buddies;
  AdminConf admin;
};

// Read it with load_conf(schema(), file), common/config/reader.h.
const Schema<Conf>& schema();

}  // namespace tandem::server
