// Durations and sizes as conf files and command lines write them: a whole number and a unit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "common/base/time.h"

namespace tandem {

// On failure what is wrong, for people.
template <class T>
using Parsed = tl::expected<T, std::string>;

// "500ms", "30s", "30m", "1h", "7d".
Parsed<Duration> parse_duration(std::string_view text);
// In the largest unit that needs no fraction: 90s is "90s", 60s is "1m". Parts below 1ms are cut.
std::string show_duration(Duration duration);

// "512B", "64KiB", "1MiB", "2GiB".
Parsed<std::uint64_t> parse_size(std::string_view text);
std::string show_size(std::uint64_t bytes);

}  // namespace tandem
