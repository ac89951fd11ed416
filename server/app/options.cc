#include "server/app/options.h"

#include <algorithm>
#include <chrono>

#include "common/http/head.h"
#include "common/wire/codec.h"

namespace tandem::server {
namespace {

// The most that a balancer adds to a head: where it comes from and whose session it is of.
constexpr std::uint32_t kAddedFields = 16;
constexpr std::uint64_t kAddedHeadBytes = 2048;

}  // namespace

NodeOptions node_options(const Conf& conf) {
  NodeOptions options;
  options.name = conf.name;
  options.zone = conf.zone;
  options.capacity = conf.capacity;
  options.threshold = conf.threshold;
  options.token_ttl = std::chrono::duration_cast<std::chrono::seconds>(conf.session.ttl).count();
  options.provisional_ttl = conf.session.provisional_ttl;
  // Its own sessions, as many as alternate, and those of a neighbour that died.
  options.sessions_max = std::max<std::size_t>(options.sessions_max, 4ULL * conf.capacity);
  options.validator_digest = conf.source.validator == ValidatorKind::kDigest;
  switch (conf.mirror.clients) {
    case MirrorClients::kOff:
      options.mirror.clients = tandem::MirrorClients::kOff;
      break;
    case MirrorClients::kLibrary:
      options.mirror.clients = tandem::MirrorClients::kLibrary;
      break;
    case MirrorClients::kAll:
      options.mirror.clients = tandem::MirrorClients::kAll;
      break;
  }
  options.mirror.content_bytes_max = conf.mirror.bytes;
  options.mirror.reference_bytes_max = conf.mirror.reference_bytes;
  options.mirror.delay_max = conf.mirror.delay;
  options.mirror.round = std::min(options.mirror.round, conf.mirror.delay);
  options.mirror.caches_max = conf.mirror.caches_max;
  options.mirror.entries_max = conf.mirror.entries_max;
  // A content that fits no frame is not sent: the alternate then validates it.
  options.mirror.content_sent_max =
      std::min<std::size_t>(conf.source.validate_body_max, kFrameContentBytesMax);
  options.swap.drain_rate = conf.drain_rate;
  options.swap.rebalances = conf.rebalance.enabled;
  options.swap.rebalance_rate = conf.rebalance.rate;
  options.swap.spread_percent = conf.rebalance.spread;
  return options;
}

BuddiesOptions buddies_options(const Conf& conf) {
  return {conf.name, conf.buddies.interval, conf.buddies.ping == BuddyPing::kChannelAndIcmp};
}

TypeSourceOptions type_options(const Conf& conf) {
  TypeSourceOptions options;
  options.name = conf.name;
  options.group = conf.group;
  for (const TypeConf& type : conf.types) options.rules.push_back({type.prefix, type.owner});
  options.virtual_types = conf.data.virtual_types;
  options.access.answer_within = conf.data.ask_timeout;
  // On a machine where even the living take long, views do, too.
  options.access.patience = conf.data.ask_timeout / 4;
  options.access.write_patience = 5 * conf.data.ask_timeout;
  options.access.asks_max = options.answers_max = conf.data.asks_max;
  options.answer_timeout = conf.source.response_timeout + conf.data.ask_timeout;
  options.compare_bytes_max = conf.source.validate_body_max;
  return options;
}

Ownership ownership(const Conf& conf) {
  const TypeSourceOptions types = type_options(conf);
  return Ownership(Types(types.rules, types.virtual_types), types.group);
}

ItemGuardOptions fence_options(const Conf& conf) {
  ItemGuardOptions options;
  options.group = conf.group;
  options.lease = conf.data.lease;
  return options;
}

FrontOptions front_options(const Conf& conf) {
  FrontOptions options;
  options.name = conf.name;
  options.etag = conf.source.etag == EtagMode::kContent ? EtagRule::kContent : EtagRule::kOrigin;
  options.validate_body_max = conf.source.validate_body_max;
  options.token_ttl = std::chrono::duration_cast<std::chrono::seconds>(conf.session.ttl).count();
  options.direct = conf.direct;
  if (conf.data.partitioned) {
    TypeSourceOptions types = type_options(conf);
    options.types = {types.group, types.virtual_types, std::move(types.rules)};
  }
  options.tunnel_idle_timeout = conf.limits.body_timeout;
  options.http.header_timeout = conf.limits.header_timeout;
  options.http.keepalive_timeout = conf.limits.keepalive_timeout;
  options.http.body_timeout = conf.limits.body_timeout;
  options.http.connections_max = conf.limits.connections_max;
  // What a balancer of the same limits lets in, and what it adds.
  options.http.head_limits.head_bytes_max = conf.limits.head_bytes_max + kAddedHeadBytes;
  options.http.head_limits.fields_max =
      std::min<std::size_t>(conf.limits.fields_max + kAddedFields, http::kFieldsMax);
  return options;
}

HttpClientOptions client_options(const SourceConf& conf) {
  HttpClientOptions options;
  options.connect_timeout = conf.connect_timeout;
  options.response_timeout = conf.response_timeout;
  options.idle_timeout = conf.idle_timeout;
  options.idle_connections_max = conf.idle_connections_max;
  // As much as a balancer takes from a plain server.
  options.head_limits.head_bytes_max = 64 * 1024;
  options.head_limits.fields_max = http::kFieldsMax;
  options.connections_max = std::size_t{conf.connections_max} + conf.idle_connections_max;
  return options;
}

CachedSource::Options cache_options(const Conf& conf) {
  CachedSource::Options options;
  options.name = conf.name;
  options.cache.bytes_max = conf.cache.bytes;
  options.cache.item_bytes_max = conf.cache.item_bytes_max;
  options.cache.waiters_max = conf.cache.waiters_max;
  options.cache.rules.heuristic_percent = conf.cache.heuristic_percent;
  options.cache.rules.heuristic_max = conf.cache.heuristic_max;
  options.cache.rules.stale_if_error = conf.cache.stale_if_error;
  return options;
}

SourceGuard::Options guard_options(const SourceConf& conf) {
  SourceGuard::Options options;
  options.origin = conf.url.address.text();
  options.calls_max = conf.connections_max;
  options.queue_max = conf.queue_max;
  options.queue_patience = conf.connect_timeout;
  return options;
}

ItemDatabase::Options database_options(const Conf& conf) {
  ItemDatabase::Options options;
  options.path = conf.source.url.path;
  options.lock_timeout = conf.source.lock_timeout;
  options.patience = conf.source.response_timeout;
  options.queue_max = conf.source.queue_max;
  options.queue_bytes_max = conf.source.queue_bytes_max;
  return options;
}

SqliteSource::Options sqlite_options(const SourceConf& conf) {
  return {conf.validator == ValidatorKind::kDigest, conf.cache_control};
}

}  // namespace tandem::server
