// By what a cache finds a stored response: where it was asked for, and the fields of the request
// that it was selected by (RFC 9111, 4.1).
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/hash.h"
#include "common/base/ids.h"
#include "common/http/head.h"
#include "server/core/freshness.h"

namespace tandem {

// The primary key. Both are hashes that a client may make collide: who finds something by it
// compares the texts as well.
struct CacheKey {
  ItemKey item;  // of path and query
  Freshness::Host host = 0;

  static CacheKey of(const http::RequestHead& request) {
    return {ItemKey::of(request.path()), Freshness::host_of(request.authority())};
  }
  auto operator<=>(const CacheKey&) const = default;
};

struct CacheKeyHash {
  std::size_t operator()(const CacheKey& key) const noexcept {
    return mix64(key.item.value ^ key.host);
  }
};

inline constexpr std::size_t kVaryFieldsMax = 16;
inline constexpr std::size_t kVaryBytesMax = 4096;

// What the request has in the fields that the response's Vary names: for each, in the order named,
// its name in lower case, ':' and its value (members without spaces around the commas, several
// lines as one), or its name alone where the request lacks it; then a line feed. Empty: it does not
// vary. Nothing: it matches no other request ("*"), or the names or values are over the bounds.
std::optional<std::string> vary_text(const http::ResponseHead& response,
                                     const http::RequestHead& request);
// The same text for another request, of the fields that `vary` names.
std::string vary_text_like(std::string_view vary, const http::RequestHead& request);
// Are they the same? `scratch` is working room.
bool vary_matches(std::string_view vary, const http::RequestHead& request, std::string& scratch);

}  // namespace tandem
