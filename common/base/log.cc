#include "common/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>

namespace tandem::log {
namespace {

std::atomic<Level> level_in_force{Level::kInfo};

spdlog::logger& sink() {
  // Never destroyed: threads may log while the process ends.
  static auto* logger = [] {
    auto* made = new spdlog::logger("tandem", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

}  // namespace

std::optional<Level> parse_level(std::string_view name) {
  if (name == "debug") return Level::kDebug;
  if (name == "info") return Level::kInfo;
  if (name == "warn") return Level::kWarn;
  if (name == "error") return Level::kError;
  if (name == "off") return Level::kOff;
  return std::nullopt;
}

void set_level(Level level) { level_in_force.store(level, std::memory_order_relaxed); }

bool enabled(Level level) {
  return level >= level_in_force.load(std::memory_order_relaxed) && level != Level::kOff;
}

void write(Level level, std::string_view line) {
  const auto as = level == Level::kDebug  ? spdlog::level::debug
                  : level == Level::kInfo ? spdlog::level::info
                  : level == Level::kWarn ? spdlog::level::warn
                                          : spdlog::level::err;
  sink().log(as, spdlog::string_view_t(line.data(), line.size()));
}

std::int64_t Limiter::seconds() {
  // The log stamps its lines anyhow: its clock, not one of ours.
  const auto now = spdlog::log_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

bool Limiter::pass(std::uint64_t& left_out, std::int64_t now_seconds) {
  std::int64_t start = period_start_.load(std::memory_order_relaxed);
  if (now_seconds - start >= kPeriodSeconds &&
      period_start_.compare_exchange_strong(start, now_seconds, std::memory_order_relaxed)) {
    passed_.store(0, std::memory_order_relaxed);
  }
  if (passed_.fetch_add(1, std::memory_order_relaxed) >= kPerPeriod) {
    left_out_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  left_out = left_out_.exchange(0, std::memory_order_relaxed);
  return true;
}

}  // namespace tandem::log
