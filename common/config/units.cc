#include "common/config/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

#include "common/config/complaint.h"

namespace tandem {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t worth;
};

// Ascending; durations in milliseconds, sizes in bytes.
constexpr std::array kDurations = {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60 * 1000},
                                   Unit{"h", 3600 * 1000}, Unit{"d", 24 * 3600 * 1000}};
constexpr std::array kSizes = {Unit{"B", 1}, Unit{"KiB", 1 << 10}, Unit{"MiB", 1 << 20},
                               Unit{"GiB", 1 << 30}};

std::string names_of(std::span<const Unit> units) {
  std::string names;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (i > 0) names += i + 1 < units.size() ? ", " : " or ";
    names += units[i].name;
  }
  return names;
}

// The number times the worth of its unit, at most `limit`.
Parsed<std::int64_t> parse(std::string_view text, std::span<const Unit> units, std::int64_t limit) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) {
    return tl::unexpected(fmt::format("{} is too large", in_quotes(text)));
  }
  if (error != std::errc() || number < 0) {
    return tl::unexpected(
        fmt::format("{} is not a whole number with a unit ({})", in_quotes(text), names_of(units)));
  }
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto* it = std::find_if(units.data(), units.data() + units.size(),
                                [&](const Unit& u) { return u.name == unit; });
  if (unit.empty()) {
    return tl::unexpected(
        fmt::format("{} lacks a unit; write {}", in_quotes(text), names_of(units)));
  }
  if (it == units.data() + units.size()) {
    return tl::unexpected(
        fmt::format("unknown unit {}; write {}", in_quotes(unit), names_of(units)));
  }
  if (number > limit / it->worth) {
    return tl::unexpected(fmt::format("{} is too large", in_quotes(text)));
  }
  return number * it->worth;
}

std::string show(std::int64_t value, std::span<const Unit> units) {
  std::size_t i = units.size() - 1;
  while (i > 0 && value % units[i].worth != 0) --i;
  return fmt::format("{}{}", value / units[i].worth, units[i].name);
}

}  // namespace

Parsed<Duration> parse_duration(std::string_view text) {
  constexpr std::int64_t kLimit = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  return parse(text, kDurations, kLimit).map([](std::int64_t ms) {
    return Duration(std::chrono::milliseconds(ms));
  });
}

std::string show_duration(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return ms == 0 ? "0s" : show(ms, kDurations);
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  return parse(text, kSizes, std::numeric_limits<std::int64_t>::max()).map([](std::int64_t bytes) {
    return static_cast<std::uint64_t>(bytes);
  });
}

std::string show_size(std::uint64_t bytes) {
  return bytes == 0 ? "0B" : show(static_cast<std::int64_t>(bytes), kSizes);
}

}  // namespace tandem
