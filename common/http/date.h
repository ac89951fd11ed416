// HTTP dates (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "common/base/time.h"

namespace tandem::http {

inline constexpr std::size_t kDateSize = 29;
using DateText = std::array<char, kDateSize>;

// For the years 1970 to 9999; an instant outside of them is brought to the nearest end.
DateText format_date(UnixSeconds when);

// Reads that form and the two obsolete ones (a two-digit year counts from 1970 to 2069). Nothing
// for other text and for days that do not exist.
std::optional<UnixSeconds> parse_date(std::string_view text);

// The date of the last second asked for, formatted once. One thread.
class DateCache {
 public:
  std::string_view at(UnixSeconds now) {
    if (now != when_) {
      text_ = format_date(now);
      when_ = now;
    }
    return {text_.data(), text_.size()};
  }

 private:
  UnixSeconds when_ = -1;
  DateText text_{};
};

}  // namespace tandem::http
