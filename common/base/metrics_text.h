// Writes figures that are kept elsewhere as Prometheus text (exposition format 0.0.4): those of
// common/base/metrics render themselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem {

class MetricsText {
 public:
  // Begins a metric; a name that ends in _total is a counter, any other a gauge. Names are written
  // with "tandem_" before them.
  MetricsText& metric(std::string_view name, std::string_view help);
  // Its value; with a label, one of several.
  MetricsText& value(std::uint64_t value);
  MetricsText& value(std::string_view label, std::string_view of, std::uint64_t value);

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string name_;
};

}  // namespace tandem
