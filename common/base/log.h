// The log: one line of text an event, on standard error. Any thread may write. A call below the
// level in force formats nothing. Not for the fast path: nothing is logged per request.
//
//   log::info("listening on {}", address);
//   TANDEM_WARN_LIMITED("cannot accept: {}", why);   // a few a period; the rest are counted
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };

std::optional<Level> parse_level(std::string_view name);  // "debug", "info", "warn", "error", "off"
void set_level(Level level);
bool enabled(Level level);

// Writes the line, with time and level, whatever the level in force is.
void write(Level level, std::string_view line);

// A place in the code that may have to complain often. The first kPerPeriod complaints of a period
// pass; the next that passes says how many were left out. One static object a place.
class Limiter {
 public:
  static constexpr std::uint32_t kPerPeriod = 5;
  static constexpr std::int64_t kPeriodSeconds = 10;
  // May this one be written? If so `left_out` is how many were not since the last that was.
  bool pass(std::uint64_t& left_out) { return pass(left_out, seconds()); }
  bool pass(std::uint64_t& left_out, std::int64_t now_seconds);

 private:
  static std::int64_t seconds();
  std::atomic<std::int64_t> period_start_{0};
  std::atomic<std::uint32_t> passed_{0};
  std::atomic<std::uint64_t> left_out_{0};
};

template <class... Args>
void print(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  print(Level::kDebug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  print(Level::kInfo, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  print(Level::kWarn, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  print(Level::kError, format, std::forward<Args>(args)...);
}
template <class... Args>
void print_limited(Limiter& limiter, Level level, fmt::format_string<Args...> format,
                   Args&&... args) {
  std::uint64_t left_out = 0;
  if (!enabled(level) || !limiter.pass(left_out)) return;
  std::string line = fmt::format(format, std::forward<Args>(args)...);
  if (left_out > 0) line += fmt::format(" (and {} more like it)", left_out);
  write(level, line);
}

}  // namespace tandem::log

// The macro gives each place its own limiter.
#define TANDEM_WARN_LIMITED(...)                                                            \
  do {                                                                                      \
    static ::tandem::log::Limiter tandem_limiter;                                           \
    ::tandem::log::print_limited(tandem_limiter, ::tandem::log::Level::kWarn, __VA_ARGS__); \
  } while (false)
