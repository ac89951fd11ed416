#include "common/base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "common/base/error.h"

namespace tandem {
namespace {

// {a="b",c="d"} as the text format wants it; empty without labels.
std::string label_text(const MetricLabels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += (text.empty() ? "" : ",") + name + "=\"";
    for (char c : value) {
      if (c == '\\' || c == '"') text += '\\';
      if (c == '\n') {
        text += "\\n";
      } else {
        text += c;
      }
    }
    text += '"';
  }
  return text;
}

std::string braces(const std::string& labels, const std::string& more = {}) {
  if (labels.empty() && more.empty()) return {};
  return "{" + labels + (labels.empty() || more.empty() ? "" : ",") + more + "}";
}

}  // namespace

struct Metrics::Entry {
  Kind kind;
  std::string name;
  std::string help;
  std::string labels;
  Entry* older = nullptr;
  Counter counter;
  Gauge gauge;
  std::unique_ptr<Histogram> histogram;
};

// What has one name, over all parts: sums by labels.
struct Metrics::Family {
  struct Sum {
    std::uint64_t counter = 0;
    std::int64_t gauge = 0;
    std::uint64_t buckets[Histogram::kBuckets] = {};
    std::uint64_t microseconds = 0;
  };
  Kind kind = Kind::kCounter;
  std::string help;
  std::map<std::string, Sum> sums;

  void add(const Entry& entry) {
    kind = entry.kind;
    help = entry.help;
    Sum& sum = sums[entry.labels];
    sum.counter += entry.counter.value();
    sum.gauge += entry.gauge.value();
    if (entry.histogram == nullptr) return;
    for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
      sum.buckets[i] += entry.histogram->bucket(i);
    }
    sum.microseconds += entry.histogram->sum_microseconds();
  }

  void render(const std::string& name, std::string& out) const {
    static constexpr const char* kKinds[] = {"counter", "gauge", "histogram"};
    auto at = std::back_inserter(out);
    fmt::format_to(at, "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                   kKinds[static_cast<std::size_t>(kind)]);
    for (const auto& [labels, sum] : sums) {
      if (kind == Kind::kCounter) {
        fmt::format_to(at, "{}{} {}\n", name, braces(labels), sum.counter);
      } else if (kind == Kind::kGauge) {
        fmt::format_to(at, "{}{} {}\n", name, braces(labels), sum.gauge);
      } else {
        render_histogram(name, labels, sum, out);
      }
    }
  }

  static void render_histogram(const std::string& name, const std::string& labels, const Sum& sum,
                               std::string& out) {
    auto at = std::back_inserter(out);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
      count += sum.buckets[i];
      const bool last = i + 1 == Histogram::kBuckets;
      const std::string bound =
          last ? "+Inf"
               : fmt::format("{}", static_cast<double>(Histogram::kBoundsMicroseconds[i]) / 1e6);
      fmt::format_to(at, "{}_bucket{} {}\n", name, braces(labels, "le=\"" + bound + "\""), count);
    }
    fmt::format_to(at, "{}_sum{} {}\n{}_count{} {}\n", name, braces(labels),
                   static_cast<double>(sum.microseconds) / 1e6, name, braces(labels), count);
  }
};

void Histogram::observe(Duration taken) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(taken).count();
  const auto* bound =
      std::lower_bound(std::begin(kBoundsMicroseconds), std::end(kBoundsMicroseconds), us);
  buckets_[bound - std::begin(kBoundsMicroseconds)].add();
  sum_.add(static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)));
}

Metrics::~Metrics() {
  for (Entry* at = newest_.load(); at != nullptr;) delete std::exchange(at, at->older);
}

Metrics::Entry& Metrics::entry(Kind kind, std::string_view name, std::string_view help,
                               const MetricLabels& labels) {
  const std::string text = label_text(labels);
  Entry* newest = newest_.load(std::memory_order_relaxed);
  for (Entry* at = newest; at != nullptr; at = at->older) {
    if (at->name != name || at->labels != text) continue;
    TANDEM_CHECK(at->kind == kind);
    return *at;
  }
  auto* made = new Entry{kind, std::string(name), std::string(help), text, newest, {}, {}, nullptr};
  if (kind == Kind::kHistogram) made->histogram = std::make_unique<Histogram>();
  newest_.store(made, std::memory_order_release);
  return *made;
}

Counter& Metrics::counter(std::string_view name, std::string_view help,
                          const MetricLabels& labels) {
  return entry(Kind::kCounter, name, help, labels).counter;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
  return entry(Kind::kGauge, name, help, labels).gauge;
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help,
                              const MetricLabels& labels) {
  return *entry(Kind::kHistogram, name, help, labels).histogram;
}

std::string render_metrics(std::span<const Metrics* const> parts) {
  std::map<std::string, Metrics::Family> families;
  for (const Metrics* part : parts) {
    for (const auto* at = part->newest_.load(std::memory_order_acquire); at != nullptr;
         at = at->older) {
      families[at->name].add(*at);
    }
  }
  std::string out;
  for (const auto& [name, family] : families) family.render(name, out);
  return out;
}

}  // namespace tandem
