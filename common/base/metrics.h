// Counts and measures, and their text in the Prometheus exposition format 0.0.4.
//
// Each metric is written by one thread, its owner, with a plain load and store (no lock, no locked
// instruction), and may be read by any. Each worker has a Metrics of its own; render_metrics() sums
// what has the same name and labels in several.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace tandem {

class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t n) { set(value() + n); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// How long something took; rendered in seconds. Bounds from 100 µs to 100 s, three a decade.
class Histogram {
 public:
  static constexpr std::int64_t kBoundsMicroseconds[] = {
      100,    200,    500,     1000,    2000,    5000,     10000,    20000,    50000,    100000,
      200000, 500000, 1000000, 2000000, 5000000, 10000000, 20000000, 50000000, 100000000};
  static constexpr std::size_t kBuckets = std::size(kBoundsMicroseconds) + 1;  // the last: longer

  void observe(Duration taken);
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].value(); }
  std::uint64_t sum_microseconds() const { return sum_.value(); }

 private:
  Counter buckets_[kBuckets];
  Counter sum_;  // microseconds
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// The metrics of one thread. Metrics may be added at any time, by that thread alone; they are never
// removed, so labels must come from a bounded set (servers, kinds of failure; never clients).
class Metrics {
 public:
  Metrics() = default;
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The metric of that name and labels: made at the first call, the same one at each later. The
  // names of counters end in _total, those of histograms in _seconds.
  Counter& counter(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Histogram& histogram(std::string_view name, std::string_view help,
                       const MetricLabels& labels = {});

 private:
  friend std::string render_metrics(std::span<const Metrics* const> parts);
  enum class Kind : std::uint8_t { kCounter, kGauge, kHistogram };
  struct Entry;
  struct Family;
  Entry& entry(Kind kind, std::string_view name, std::string_view help, const MetricLabels& labels);

  std::atomic<Entry*> newest_{nullptr};  // a list that only grows: readers need no lock
};

// From any thread, while the owners go on counting. All parts must outlive the call.
std::string render_metrics(std::span<const Metrics* const> parts);

}  // namespace tandem
