// What a client is, between calls.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "client/core/item_cache.h"
#include "client/core/locator.h"
#include "client/core/retry_policy.h"
#include "client/core/validation_policy.h"
#include "client/include/tandem/client.h"
#include "common/base/retry_budget.h"
#include "common/base/time.h"

namespace tandem {

struct ClientState {
  explicit ClientState(std::size_t cache_bytes_max, bool direct = false, std::uint64_t seed = 0,
                       bool by_type = false)
      : cache(cache_bytes_max), locator(direct, seed, by_type) {}

  std::string authority;  // of the balancer: the Host field
  std::string user_agent;
  CacheId cache_id;
  std::string token;  // as it came; empty: no session yet
  ItemCache cache;
  RetryPolicy retry;
  RetryBudget budget{{.reserve = 100, .percent_of_requests = 20}};
  Locator locator;
  Duration timeout = 30s;
  Duration attempt_timeout = 3s;
  bool reuse_fresh = false;
  ValidationPolicy validation;
};

// Evictions that one request announces.
inline constexpr std::size_t kAnnouncedEvictionsMax = 64;
inline constexpr std::size_t kTokenBytesMax = 1024;  // a longer one is not taken

// How one request introduces itself.
struct Introduction {
  std::string_view token;                    // empty: none
  bool direct = false;                       // to a server, with no balancer between
  std::span<const std::string> failed = {};  // direct: servers that were met in vain
  bool by_type = false;                      // direct: for an item's type; nothing of the session
};
// Writes Tandem-Session, Tandem-Cache and Tandem-Direct; returns the mark of the evictions that are
// announced (ItemCache::eviction_mark).
std::uint64_t write_session_fields(const ClientState& state, const Introduction& as,
                                   std::string& head);
// What there was when the request was made.
struct Introduced {
  std::string_view token;       // of the session then
  std::uint64_t evictions = 0;  // their mark
};
// What every response tells, whatever it answers. That the session is lost is about the one that
// there was then: another call may have begun the next one since.
void learn(ClientState& state, const Destination& from, const HeaderFields& response,
           const Introduced& as, Instant now);

}  // namespace tandem
