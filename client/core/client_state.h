// What a client is, between calls.
#pragma once

#include <string>

#include "client/core/item_cache.h"
#include "client/core/retry_policy.h"
#include "client/core/validation_policy.h"
#include "client/include/tandem/client.h"
#include "common/base/time.h"

namespace tandem {

struct ClientState {
  explicit ClientState(std::size_t cache_bytes_max) : cache(cache_bytes_max) {}

  std::string authority;  // of the balancer: the Host field
  std::string user_agent;
  CacheId cache_id;
  std::string token;  // as it came; empty: no session yet
  ItemCache cache;
  RetryPolicy retry;
  Duration timeout = 30s;
  bool reuse_fresh = false;
  ValidationPolicy validation;
};

// Evictions that one request announces.
inline constexpr std::size_t kAnnouncedEvictionsMax = 64;
inline constexpr std::size_t kTokenBytesMax = 1024;  // a longer one is not taken

// Writes Tandem-Session and Tandem-Cache; returns how many evictions are announced.
std::size_t write_session_fields(const ClientState& state, std::string& head);
// What every response tells, whatever it answers; `evictions` were announced with the request.
void learn(ClientState& state, const HeaderFields& response, std::size_t evictions, Instant now);

}  // namespace tandem
