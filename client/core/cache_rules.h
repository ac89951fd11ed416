// What Cache-Control and its like let a private cache do (RFC 9111).
#pragma once

#include <optional>
#include <string_view>

#include "client/include/tandem/client.h"
#include "common/base/time.h"

namespace tandem {

// The value of the first field with this name, in any case; empty if there is none.
std::string_view field_of(const HeaderFields& fields, std::string_view name);
bool has_field(const HeaderFields& fields, std::string_view name);

// May the content of this 200 to a GET be kept? It needs an entity tag, to be asked for again.
bool may_keep(const HeaderFields& request, const HeaderFields& response);

// Does the caller's request leave the choice of a copy to us? Not if it is conditional itself, asks
// for a part, or wants nothing kept.
bool may_announce(const HeaderFields& request);

// Must be asked about every time, whoever vouches for it: no-cache, or Vary.
bool asks_always(const HeaderFields& response);

// How long a response may be used without asking; nothing: ask every time.
std::optional<UnixSeconds> fresh_for(const HeaderFields& response);

// The fields of a response that are kept with its content: not those that are about its connection
// or its session.
HeaderFields kept_fields(const HeaderFields& response);

// The fields of a kept response after a 304 has vouched for it (RFC 9111, 3.2): those that the 304
// brings replace those of the same name, but what describes the content or the connection stays.
HeaderFields refreshed(const HeaderFields& kept, const HeaderFields& response);

}  // namespace tandem
