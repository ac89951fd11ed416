// For how long a response may be taken for current by whoever has the same content: RFC 9111 as a
// shared cache reads it, without heuristics.
#pragma once

#include <optional>

#include "common/base/time.h"
#include "common/http/head.h"

namespace tandem {

// May what this request is answered with count for others? Not what was asked for with credentials,
// in part, or to be stored nowhere.
bool counts_for_others(const http::RequestHead& request);

// s-maxage, max-age, or Expires - Date, less Age; 0 if none says anything. Nothing: the response
// does not count for others at all (no-store, no-cache, private, Set-Cookie, or a Vary by more than
// the encodings).
std::optional<Duration> shared_lifetime(const http::ResponseHead& response);

}  // namespace tandem
