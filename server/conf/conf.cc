#include "server/conf/conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "common/cluster/ownership.h"
#include "common/config/section_tables.h"

namespace tandem::server {
namespace {

constexpr std::string_view kHttpScheme = "http://";
constexpr std::string_view kSqliteScheme = "sqlite:";
constexpr const char* kUrlExample = "\"http://host:port\" or \"sqlite:file\"";

std::optional<SourceUrl> read_url(const ConfNode& node, ReadContext& context) {
  if (node.kind != ConfNode::Kind::kString) {
    context.complain_of_kind(node, kUrlExample);
    return std::nullopt;
  }
  const std::string_view text = node.text;
  if (text.starts_with(kHttpScheme)) {
    auto authority = text.substr(kHttpScheme.size());
    if (authority.ends_with('/')) authority.remove_suffix(1);
    if (auto address = Address::parse(authority); address && address->port != 0) {
      return SourceUrl{SourceKind::kHttp, std::move(*address), ""};
    }
  } else if (text.starts_with(kSqliteScheme)) {
    const std::string file(text.substr(kSqliteScheme.size()));
    if (!file.empty() && file.find('\0') == std::string::npos) {
      return SourceUrl{
          SourceKind::kSqlite, {}, file.starts_with('/') ? file : context.folder + file};
    }
  }
  context.complain(node.where,
                   fmt::format("{} is not a source; write {}", in_quotes(text), kUrlExample));
  return std::nullopt;
}

std::string show_url(const SourceUrl& url) {
  if (url.kind == SourceKind::kSqlite) return toml_string(std::string(kSqliteScheme) + url.path);
  return toml_string(std::string(kHttpScheme) + url.address.text());
}

// What a header field may hold: one line of visible characters and blanks.
Codec<std::string> field_value() {
  Codec<std::string> codec = text();
  codec.read = [](const ConfNode& node, ReadContext& context) -> std::optional<std::string> {
    if (node.kind != ConfNode::Kind::kString) {
      context.complain_of_kind(node, "a string");
      return std::nullopt;
    }
    const std::string& value = node.text;
    if (std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c < 0x7f; })) {
      return value;
    }
    context.complain(node.where, fmt::format("{} is not the value of a header", in_quotes(value)));
    return std::nullopt;
  };
  return codec;
}

Table<SourceConf> source_table() {
  Table<SourceConf> table("The data source: where items come from.");
  table
      .option("url", &SourceConf::url, Codec<SourceUrl>{"URL", kUrlExample, read_url, show_url},
              "An HTTP origin, or an SQLite database, which is made on first use.")
      .must()
      .sample_sets("\"http://127.0.0.1:8000\"");
  table.option("etag", &SourceConf::etag,
               choice<EtagMode>({{"origin", EtagMode::kOrigin}, {"content", EtagMode::kContent}}),
               "\"origin\" keeps an origin's strong ETag and adds a validator where there is none. "
               "\"content\" replaces it on GET, so that it is the same on every server even if the "
               "origins disagree; an If-Match against a replaced one is answered 412.");
  table.option(
      "validator", &SourceConf::validator,
      choice<ValidatorKind>({{"digest", ValidatorKind::kDigest}, {"crc32", ValidatorKind::kCrc32}}),
      "What a validator holds besides CRC-32 and length: \"digest\" adds 128 bits of "
      "SHA-256, which confirm an equal CRC-32. \"crc32\" leaves them out: of two different "
      "contents of one length, one pair in four thousand million is then taken for equal, "
      "and whoever can choose contents can make such pairs at will.");
  table.option("validate_body_max", &SourceConf::validate_body_max, size(0, 64 * 1024 * 1024),
               "Larger bodies stream through without a validator, and are not mirrored.");
  table.option("connect_timeout", &SourceConf::connect_timeout, duration(10ms, 1h),
               "A connection to the origin must stand after this time; else the client gets 503.");
  table.option("response_timeout", &SourceConf::response_timeout, duration(10ms, 24h),
               "The head of the response must come so long after the end of the request; else the "
               "client gets 504. SQLite must answer within this time; else the client gets 503.");
  table.option("idle_timeout", &SourceConf::idle_timeout, duration(10ms, 24h),
               "An idle connection to the origin is closed after this time.");
  table.option("idle_connections_max", &SourceConf::idle_connections_max, integer(0, 100000),
               "The most idle connections kept to the origin.");
  table.option("connections_max", &SourceConf::connections_max, integer(1, 1000000),
               "The most connections to the origin in use, each with one request. Further requests "
               "wait for one to become free, no longer than connect_timeout; else the client gets "
               "503.");
  table.option("lock_timeout", &SourceConf::lock_timeout, duration(0ms, 1min),
               "A write to SQLite waits so long for another process's; then the client gets 503.");
  table.option("queue_max", &SourceConf::queue_max, integer(1, 1000000),
               "The most reads, and the most writes, that wait for SQLite, and the most requests "
               "that wait for a connection to the origin; over it clients get 503.");
  table.option("queue_bytes_max", &SourceConf::queue_bytes_max, size(0, std::uint64_t{1} << 40),
               "The most bytes of bodies that wait to be written to SQLite; over it clients get "
               "503. One alone may always wait.");
  table.option("cache_control", &SourceConf::cache_control, field_value(),
               "The Cache-Control of SQLite's items; \"max-age=0, stale-if-error=60\", say, lets "
               "what is cached be served for a minute while the database is unavailable.");
  return table;
}

Table<CacheConf> cache_table() {
  Table<CacheConf> table("The cache of the source's responses, shared by all clients (RFC 9111).");
  table.option("bytes", &CacheConf::bytes, size(0, std::uint64_t{1} << 40),
               "The most bytes of responses stored; over it the least recently used go. 0: nothing "
               "is stored, and every request goes to the source.");
  table.option("item_bytes_max", &CacheConf::item_bytes_max, size(0, std::uint64_t{1} << 32),
               "Larger bodies are not stored.");
  table.option("heuristic_percent", &CacheConf::heuristic_percent, integer(0, 100),
               "A response that does not say for how long it is fresh is for this part of the time "
               "since its Last-Modified; one without is validated each time. 0: it always is.");
  table.option("heuristic_max", &CacheConf::heuristic_max, duration(0s, 365 * 24h),
               "The most that this makes.");
  table.option("stale_if_error", &CacheConf::stale_if_error, duration(0s, 365 * 24h),
               "While the source fails, a response that does not say for how long it may be served "
               "stale may be for this time. Never one that says must-revalidate or s-maxage.");
  table.option("waiters_max", &CacheConf::waiters_max, integer(0, 10000000),
               "The most requests that wait for what another is fetching; over it each asks the "
               "source.");
  return table;
}

Table<DataConf> data_table() {
  Table<DataConf> table("How the data is shared out among the servers of a group.");
  table.option("partitioned", &DataConf::partitioned, boolean(),
               "Whether items have types, and each type an owner in the group, which alone asks "
               "the source for them; the others ask the owner. The same on all servers of a group. "
               "If not, each server asks the source itself.");
  table.option("virtual_types", &DataConf::virtual_types, integer(1, Types::kVirtualTypesMax),
               "The number of types into which the paths that no [[type]] names are shared out, by "
               "a hash. The same on all servers of a group.");
  table.option("ask_timeout", &DataConf::ask_timeout, duration(10ms, 1min),
               "A server that is asked for an item must say that it has the request within this "
               "time. If not, this one processes it itself, and tells the balancers; a write to a "
               "database waits up to five times as long for another server to act.");
  table.option("asks_max", &DataConf::asks_max, integer(1, 1000000),
               "The most requests under way to one server, and from one; what is more is processed "
               "where it is.");
  table.option(
      "lease", &DataConf::lease, duration(100ms, 1min),
      "A server uses what it has cached for no longer than this without a word from the "
      "database, or from the server that acts for the type. A write waits for servers that "
      "do not answer, and a stand-in with its first write, for no longer. The same on all "
      "servers of a group.");
  return table;
}

Table<TypeConf> type_table() {
  Table<TypeConf> table(
      "A type of items, where [data] is partitioned. One table for each; the longest prefix "
      "counts. "
      "The same on all servers of a group.");
  table.option("prefix", &TypeConf::prefix, text(), "What the paths of its items begin with.")
      .must()
      .sample_sets("\"/img/\"");
  table.option("owner", &TypeConf::owner, name(),
               "The server of the group that owns it. Without one the owner is chosen among all, "
               "by their capacities.");
  return table;
}

Table<SessionConf> session_table() {
  Table<SessionConf> table("How long sessions last.");
  table.option("ttl", &SessionConf::ttl, duration(10s, 365 * 24h),
               "How long a session token is good; it is renewed at half of it. A session without a "
               "request for so long is dropped. The same on all balancers and servers.");
  table.option(
      "provisional_ttl", &SessionConf::provisional_ttl, duration(100ms, 1h),
      "A session whose token has not come back after this time is dropped. Until then it is "
      "not counted against the capacity.");
  return table;
}

Table<MirrorConf> mirror_table() {
  Table<MirrorConf> table("The mirrors of the clients' caches.");
  table.option(
      "clients", &MirrorConf::clients,
      choice<MirrorClients>({{"library", MirrorClients::kLibrary},
                             {"all", MirrorClients::kAll},
                             {"off", MirrorClients::kOff}}),
      "Whose caches are mirrored: those of clients that use the library, of all clients, or "
      "none. Whoever is not mirrored is still answered by validator.");
  table.option("bytes", &MirrorConf::bytes, size(0, std::uint64_t{1} << 40),
               "The most bytes of content, which all sessions share. What is dropped costs a "
               "comparison by validator.");
  table.option("reference_bytes", &MirrorConf::reference_bytes, size(0, std::uint64_t{1} << 40),
               "The most bytes of the mirrors themselves: references to the contents, about 100 "
               "for an item of a client's cache. Over it, what has not been used for the longest "
               "time is forgotten, and costs a comparison by validator.");
  table.option("delay", &MirrorConf::delay, duration(0ms, 1s),
               "The longest that a change waits for others before it leaves for the alternate, "
               "and the answer to it. Many then share a system call.");
  table.option("caches_max", &MirrorConf::caches_max, integer(1, 1000),
               "The most caches mirrored for one session; the least recently used goes.");
  table.option("entries_max", &MirrorConf::entries_max, integer(1, 10000000),
               "The most items mirrored for one client's cache.");
  return table;
}

Table<RebalanceConf> rebalance_table() {
  Table<RebalanceConf> table("Moving sessions from servers that have many to those that have few.");
  table.option(
      "enabled", &RebalanceConf::enabled, boolean(),
      "Whether this server gives sessions to others when one has come that takes sessions, "
      "or when they differ by more than chance explains.");
  table.option("rate", &RebalanceConf::rate, integer(1, 1000000),
               "The most sessions that it gives in a second.");
  table.option("spread", &RebalanceConf::spread, integer(1, 100),
               "Percent. Sessions are moved until those of the fullest and of the emptiest server, "
               "each for its capacity, differ by no more than this part of the mean.");
  return table;
}

Table<BuddiesConf> buddies_table() {
  Table<BuddiesConf> table("Servers watch each other: each its two neighbours on a ring.");
  table.option(
      "interval", &BuddiesConf::interval, duration(20ms, 1h),
      "With each neighbour one ping and its answer are exchanged in this time. The same on all "
      "servers. A server that dies without a word is suspected after some 0.4 intervals on the "
      "average, one whose process ends at once.");
  table.option(
      "ping", &BuddiesConf::ping,
      choice<BuddyPing>(
          {{"channel", BuddyPing::kChannel}, {"channel+icmp", BuddyPing::kChannelAndIcmp}}),
      "\"channel\" pings the process, over the connection with it. \"channel+icmp\" pings the "
      "host of a silent one as well, so that reports tell a dead host from a dead process. The "
      "system must allow it to the server's group (net.ipv4.ping_group_range).");
  return table;
}

Table<Conf> top_table() {
  Table<Conf> table("The conf file of tandem-server.");
  table
      .option(
          "name", &Conf::name, name(),
          "The server's name, unlike any other's in the cluster. It routes the sessions' tokens: "
          "keep it over restarts.")
      .must()
      .sample_sets("\"a\"");
  table
      .option(
          "listen", &Conf::listen, listen_address(),
          "Where balancers (and clients, directly) reach the server with HTTP. Port 0 is chosen "
          "by the system.")
      .must()
      .sample_sets("\"127.0.0.1:9101\"");
  table
      .option("peer_listen", &Conf::peer_listen, listen_address(),
              "Where the other servers reach it with mirrors.")
      .must()
      .sample_sets("\"127.0.0.1:9201\"");
  table
      .option("advertise", &Conf::advertise, maybe(address()),
              "The address of \"listen\" as others see it.")
      .defaults_to("as listened on")
      .example("\"host.example:9101\"");
  table
      .option("tls_listen", &Conf::tls_listen, maybe(listen_address()),
              "Where clients of the library that come without a balancer reach the server with "
              "HTTPS (TLS 1.2 and 1.3). Balancers use \"listen\".")
      .example("\"127.0.0.1:9401\"");
  table
      .option("tls_advertise", &Conf::tls_advertise, maybe(address()),
              "The address of \"tls_listen\" as clients see it. Its host must be one of a "
              "certificate's names.")
      .defaults_to("as listened on")
      .example("\"host.example:9401\"");
  table.option(
      "certificates", &Conf::certificates, list(path()),
      "PEM files, each with a certificate, its chain and its key. The client's server name "
      "chooses one; the first serves all other names.");
  table
      .option("peer_advertise", &Conf::peer_advertise, maybe(address()),
              "The address of \"peer_listen\" as others see it.")
      .defaults_to("as listened on")
      .example("\"host.example:9201\"");
  table
      .option("balancers", &Conf::balancers, list(address()),
              "The control listeners of the balancers where the server registers.")
      .must()
      .sample_sets("[\"127.0.0.1:7400\"]");
  table
      .option("key_file", &Conf::key_file, path(),
              "The cluster key, made by \"tandemctl keygen\"; the same file on all balancers and "
              "servers.")
      .must()
      .sample_sets("\"cluster.key\"");
  table
      .option("capacity", &Conf::capacity, integer(1, 100000000),
              "The most sessions that the server takes as primary.")
      .reloads();
  table
      .option("threshold", &Conf::threshold, integer(1, 100000000),
              "Over this number of sessions, new ones are given to another server.")
      .defaults_to("80 % of the capacity")
      .example("800")
      .reloads();
  table.option(
      "direct", &Conf::direct, boolean(),
      "Clients of the library may come to \"listen\" without a balancer: they are told who "
      "serves their session, and the names and addresses of all tandem-servers. Off, since "
      "whoever reaches \"listen\" may then ask.");
  table.option("zone", &Conf::zone, name(),
               "Where it stands. An alternate is chosen in another zone where zones are named.");
  table.option("group", &Conf::group, name(),
               "The group of servers that it belongs to. They stand in for each other, and for "
               "nobody else: a session and its copies stay in its group. Which requests come to "
               "it is said by [[route]] in the balancer's conf.");
  table.option("status_interval", &Conf::status_interval, duration(10ms, 1h),
               "The status is told to the balancers at least this often. Keep it at their "
               "status_interval: a server that is silent for three of theirs is offline if it "
               "fails a probe, too.");
  table.option(
      "drain_timeout", &Conf::drain_timeout, duration(0s, 24h),
      "After SIGTERM, sessions may move to their alternates, requests under way may end and "
      "mirrors may catch up for this long.");
  table.option("drain_rate", &Conf::drain_rate, integer(1, 1000000),
               "While draining, the most sessions that move to their alternates in a second.");
  table.table("limits", &Conf::limits, http_limits_table());
  table.table("source", &Conf::source, source_table());
  table.table("cache", &Conf::cache, cache_table());
  table.table("data", &Conf::data, data_table());
  table.tables("type", &Conf::types, type_table(), false);
  table.table("session", &Conf::session, session_table());
  table.table("mirror", &Conf::mirror, mirror_table());
  table.table("rebalance", &Conf::rebalance, rebalance_table());
  table.table("buddies", &Conf::buddies, buddies_table());
  table.table("admin", &Conf::admin, admin_table());
  return table;
}

bool listens_everywhere(const Address& address) {
  return address.host == "0.0.0.0" || address.host == "::";
}

void settle_addresses(Conf& conf, Rules& rules) {
  std::vector<ListenPlace> listeners = {{"listen", conf.listen}, {"peer_listen", conf.peer_listen}};
  if (conf.tls_listen) listeners.push_back({"tls_listen", *conf.tls_listen});
  if (conf.admin.listen) listeners.push_back({"admin.listen", *conf.admin.listen});
  complain_of_duplicates(listeners, rules);
  if (listens_everywhere(conf.listen) && !conf.advertise && rules.sound("advertise")) {
    rules.complain("listen", "listens on every address; set advertise to the one for others");
  }
  if (listens_everywhere(conf.peer_listen) && !conf.peer_advertise &&
      rules.sound("peer_advertise")) {
    rules.complain("peer_listen",
                   "listens on every address; set peer_advertise to the one for others");
  }
  if (conf.balancers.empty() && rules.given("balancers") && rules.sound("balancers")) {
    rules.complain("balancers", "names none");
  }
}

void settle_tls(Conf& conf, Rules& rules) {
  if (!rules.sound("tls_listen") || !rules.sound("certificates")) return;
  if (!conf.tls_listen) {
    for (const char* key : {"certificates", "tls_advertise"}) {
      if (rules.given(key)) rules.complain(key, "is of no use without tls_listen");
    }
    return;
  }
  if (conf.certificates.empty()) rules.complain("tls_listen", "needs certificates");
  if (listens_everywhere(*conf.tls_listen) && !conf.tls_advertise && rules.sound("tls_advertise")) {
    rules.complain("tls_listen",
                   "listens on every address; set tls_advertise to the one for others");
  }
}

void settle_numbers(Conf& conf, Rules& rules) {
  if (rules.given("name") && rules.sound("name") && conf.name.empty()) {
    rules.complain("name", "must not be empty");
  }
  settle_threshold("", conf.capacity, conf.threshold, rules);
}

void settle_types(Conf& conf, Rules& rules) {
  if (conf.types.size() > Types::kRulesMax) {
    rules.complain("type", fmt::format("names more than {} types", Types::kRulesMax));
  }
  for (std::size_t i = 0; i < conf.types.size(); ++i) {
    const std::string path = fmt::format("type[{}].prefix", i);
    if (!rules.given(path) || !rules.sound(path)) continue;
    const std::string& prefix = conf.types[i].prefix;
    if (!prefix.starts_with('/')) {
      rules.complain(path, "must begin with a slash");
      continue;
    }
    if (prefix.find_first_of("?%") != std::string::npos) {
      rules.complain(path, "is compared with the decoded path: write it without % and query");
      continue;
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (conf.types[j].prefix != prefix) continue;
      rules.complain(path,
                     fmt::format("{} is already the prefix of type[{}]", in_quotes(prefix), j));
      break;
    }
  }
}

}  // namespace

const Schema<Conf>& schema() {
  static const Schema<Conf> schema{"tandem-server.toml",
                                   top_table(),
                                   {settle_addresses, settle_tls, settle_numbers, settle_types}};
  return schema;
}

}  // namespace tandem::server
