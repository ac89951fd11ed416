// For how long a response is current, as RFC 9111 has a shared cache read it, without heuristics:
// what it states, and what of that counts for whoever has the same content.
#pragma once

#include <optional>

#include "common/base/time.h"
#include "common/http/cache_control.h"
#include "common/http/head.h"

namespace tandem {

// s-maxage, max-age, or Expires less Date (where it has none, less `received`), a year at most.
// Nothing: the response states no lifetime.
std::optional<Duration> stated_lifetime(const http::ResponseHead& response,
                                        const http::CacheControl& control,
                                        std::optional<UnixSeconds> received);
// The Age field, a year at most; one that cannot be read is a year, the careful reading.
Duration stated_age(const http::ResponseHead& response);

// May what this request is answered with count for others? Not what was asked for with credentials,
// in part, or to be stored nowhere.
bool counts_for_others(const http::RequestHead& request);

// s-maxage, max-age, or Expires - Date, less Age; 0 if none says anything. Nothing: the response
// does not count for others at all (no-store, no-cache, private, Set-Cookie, or a Vary by more than
// the encodings).
std::optional<Duration> shared_lifetime(const http::ResponseHead& response);

}  // namespace tandem
