// Numbers in field values and chunk sizes: digits alone, no sign, no space, no overflow.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "common/http/chars.h"

namespace tandem::http {

// Lengths beyond this are refused, so that a length and an offset always add up.
inline constexpr std::uint64_t kLengthMax =
    static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

// 1*DIGIT, at most kLengthMax. False leaves `out` alone.
constexpr bool parse_decimal(std::string_view digits, std::uint64_t& out) {
  if (digits.empty()) return false;
  std::uint64_t n = 0;
  for (char c : digits) {
    if (!is(kDigitChar, c)) return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (n > (kLengthMax - digit) / 10) return false;
    n = n * 10 + digit;
  }
  out = n;
  return true;
}

}  // namespace tandem::http
