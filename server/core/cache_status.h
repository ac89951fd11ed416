// What a cache tells of how it handled a request: the Cache-Status field (RFC 9211).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace tandem {

struct CacheOutcome {
  // Why the request went to the source.
  enum class Forwarded : std::uint8_t {
    kNo,        // it did not: a hit
    kBypass,    // the cache takes no part in such requests
    kMethod,    // nor in such methods
    kUriMiss,   // nothing was stored
    kVaryMiss,  // nothing that the request selects
    kStale,     // what was stored had to be validated
    kRequest,   // the request's own directives asked for it
  };
  Forwarded forwarded = Forwarded::kNo;
  std::optional<std::int64_t> ttl_s;  // for how long it is fresh; negative: for how long it is not
  int forwarded_status = 0;           // what the source answered; 0: nothing, or it was not asked
  bool stored = false;                // the source's answer
  bool collapsed = false;             // with the request of another
  std::string_view detail;            // a token; empty: none
  std::optional<Duration> age;        // of what is stored, if its terms do not tell it
};

// The value: `name` is that of this cache.
void append_cache_status(std::string& out, std::string_view name, const CacheOutcome& outcome);
std::string cache_status(std::string_view name, const CacheOutcome& outcome);

}  // namespace tandem
