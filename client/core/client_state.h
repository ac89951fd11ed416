// What a client is, between calls.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "client/core/group_sessions.h"
#include "client/core/item_cache.h"
#include "client/core/locator.h"
#include "client/core/retry_policy.h"
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
  GroupSessions groups;
  ItemCache cache;
  RetryPolicy retry;
  RetryBudget budget{{.reserve = 100, .percent_of_requests = 20}};
  Locator locator;
  Duration timeout = 30s;
  Duration attempt_timeout = 3s;
  bool reuse_fresh = false;

  // Whom the server that serves this is thought to be of: by the routes, where they are known, else
  // as the last time, else as the last request. Valid until the next change of the state.
  std::string_view group_for(std::string_view host, std::string_view target) const;
};

// Evictions that one request announces.
inline constexpr std::size_t kAnnouncedEvictionsMax = 64;

// How one request introduces itself.
struct Introduction {
  std::string_view group = {};               // whom it is thought to go to; direct: it does
  bool direct = false;                       // to a server, with no balancer between
  std::string_view refer_token = {};         // direct: in place of its own; empty: no referral
  std::span<const std::string> failed = {};  // direct: servers that were met in vain
  bool by_type = false;                      // direct: for an item's type; nothing of the session
};
// What there was when the request was made.
struct Introduced {
  std::string group;            // whom the evictions are for
  std::uint64_t evictions = 0;  // their mark
  std::uint64_t sessions = 0;   // GroupSessions::mark()
};
// Writes Tandem-Session, Tandem-Cache and Tandem-Direct. To a server goes the token of its group
// alone, to a balancer those of all groups.
Introduced write_session_fields(const ClientState& state, const Introduction& as,
                                std::string& head);
// The group that a response is of; nothing: what names it is no name.
std::optional<std::string_view> group_of(const Destination& from, const HeaderFields& response);
// Has a server seen the evictions that a request announced? Not if the response is the balancer's
// own, or refers to another server.
bool hears_evictions(int status, const HeaderFields& response);
// What every response tells, whatever it answers. That the session is lost is about the one that
// there was then: another call may have begun the next one since.
void learn(ClientState& state, const Destination& from, const HeaderFields& response,
           const Introduced& as, Instant now);

}  // namespace tandem
