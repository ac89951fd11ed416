// The Tandem-Cache field: which cache a client of the library has, and what it no longer holds.
//
//   Tandem-Cache: 16HEX[;evicted=16HEX[,16HEX]...]
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

namespace tandem {

struct CacheField {
  static constexpr std::size_t kEvictedMax = 256;  // in one request; more make the field malformed

  CacheId cache;
  std::vector<ItemKey> evicted;

  // Nothing: malformed, as if there were no such field.
  static std::optional<CacheField> parse(std::string_view value);
};

}  // namespace tandem
