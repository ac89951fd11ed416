// Byte ranges (RFC 9110, 14): what part of a whole a Range field asks for.
#pragma once

#include <cstdint>
#include <string_view>

namespace tandem::http {

struct ByteRange {
  enum class Kind : std::uint8_t {
    kWhole,          // another unit, several ranges, or no Range at all: it may be ignored (14.2)
    kPart,           // `size` bytes from `first` on; at least one
    kUnsatisfiable,  // 416
  };
  Kind kind = Kind::kWhole;
  std::uint64_t first = 0;
  std::uint64_t size = 0;

  bool operator==(const ByteRange&) const = default;
};

// Of a representation of `length` bytes.
ByteRange parse_range(std::string_view value, std::uint64_t length);

}  // namespace tandem::http
