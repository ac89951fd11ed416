#include "common/http/range.h"

#include <algorithm>

#include "common/http/chars.h"
#include "common/http/number.h"

namespace tandem::http {

ByteRange parse_range(std::string_view value, std::uint64_t length) {
  constexpr ByteRange kUnsatisfiable{ByteRange::Kind::kUnsatisfiable, 0, 0};
  constexpr std::string_view kUnit = "bytes=";
  if (value.size() < kUnit.size() || !same_word(value.substr(0, kUnit.size()), kUnit)) return {};
  const std::string_view range = trim(value.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == range.npos) return {};
  const std::string_view from = range.substr(0, dash), to = range.substr(dash + 1);
  std::uint64_t first = 0, last = 0;
  if (from.empty()) {  // the last bytes
    if (!parse_decimal(to, last)) return {};
    if (last == 0 || length == 0) return kUnsatisfiable;
    const std::uint64_t size = std::min(last, length);
    return {ByteRange::Kind::kPart, length - size, size};
  }
  if (!parse_decimal(from, first)) return {};
  if (to.empty()) {
    last = kLengthMax;
  } else if (!parse_decimal(to, last) || last < first) {
    return {};
  }
  if (first >= length) return kUnsatisfiable;
  return {ByteRange::Kind::kPart, first, std::min(last, length - 1) - first + 1};
}

}  // namespace tandem::http
