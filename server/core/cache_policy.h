// What RFC 9111 lets a shared cache do with one response: whether it may be stored, for how long it
// is fresh, and whether it may answer a request now. Values in, values out; keeps nothing.
//
// Where the RFC leaves room it is the careful side: no-cache and private count for the whole
// response even if they name fields, a response with Set-Cookie is never shared, one to a request
// with Authorization only where it says that it may (3.5), and a request with a Cookie is never
// answered by a guess (heuristic freshness).
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/time.h"
#include "common/http/cache_control.h"
#include "common/http/framing.h"
#include "common/http/head.h"

namespace tandem {

struct CacheRules {
  std::uint32_t heuristic_percent = 10;  // of the time since Last-Modified
  Duration heuristic_max = 1h;
  Duration stale_if_error{0};  // where neither response nor request says anything
};

// When a response was asked for and came; `wall` is the calendar's time at `received`.
struct CacheTimes {
  Instant asked{};
  Instant received{};
  UnixSeconds wall = 0;
};

// All that counts of a stored response for its use.
struct CacheTerms {
  Duration lifetime{};
  Duration initial_age{};  // when it was received (4.2.3)
  Instant received{};
  std::optional<std::uint64_t>
      version;  // of the source: fresh while it is the source's, not by time
  bool heuristic = false;
  bool no_cache = false;         // each use is validated first
  bool must_revalidate = false;  // never stale: must-revalidate, proxy-revalidate
  bool by_s_maxage = false;      // stale only as the response itself allows
  bool for_authorized = false;   // may be shared with who has credentials
  std::optional<Duration> stale_if_error;
  Duration stale_while_revalidate{};

  Duration age(Instant now) const { return initial_age + (now - received); }
  bool fresh(Instant now, std::optional<std::uint64_t> source_version) const {
    return version ? version == source_version : age(now) < lifetime;
  }
};

// How a request goes by the cache.
enum class CacheCourse : std::uint8_t {
  kLookUp,      // GET, HEAD: a stored response may answer it
  kPass,        // to the source, and nothing is stored
  kInvalidate,  // an unsafe method (4.4): to the source, and what is stored of the item ends
};
CacheCourse cache_course(const http::RequestHead& request);

// The directives of a request; Pragma: no-cache counts where it has no Cache-Control.
http::CacheControl cache_directives(const http::RequestHead& request);

// The terms of a response to GET that may be stored; nothing: it may not be, or would be of no use.
// `version` is the source's before it was asked, if it has versions.
std::optional<CacheTerms> terms_to_store(const CacheRules& rules, const http::RequestHead& request,
                                         const http::ResponseHead& response,
                                         const CacheTimes& times,
                                         std::optional<std::uint64_t> version);

enum class CacheUse : std::uint8_t {
  kFresh,
  kStale,        // the client takes it (max-stale)
  kStaleBehind,  // and a new one is fetched behind it (stale-while-revalidate)
  kValidate,     // only after the source has said that it is current
};
// `asked` are the request's directives, `authorized` says that it has credentials.
CacheUse cache_use(const CacheTerms& terms, const http::CacheControl& asked, bool authorized,
                   Instant now, std::optional<std::uint64_t> version);
// May it answer this request since the source has failed?
bool may_use_on_error(const CacheTerms& terms, const CacheRules& rules,
                      const http::CacheControl& asked, bool authorized, Instant now);

// A response that says that the source is ill: 500, 502, 503, 504.
inline bool is_source_error(int status) {
  return status == 500 || (status >= 502 && status <= 504);
}

}  // namespace tandem
