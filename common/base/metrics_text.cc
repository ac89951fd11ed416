#include "common/base/metrics_text.h"

#include <fmt/format.h>

namespace tandem {
namespace {

// In a label's value backslash, quote and line feed are escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

MetricsText& MetricsText::metric(std::string_view name, std::string_view help) {
  name_ = fmt::format("tandem_{}", name);
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_,
                       name.ends_with("_total") ? "counter" : "gauge");
  return *this;
}

MetricsText& MetricsText::value(std::uint64_t value) {
  text_ += fmt::format("{} {}\n", name_, value);
  return *this;
}

MetricsText& MetricsText::value(std::string_view label, std::string_view of, std::uint64_t value) {
  text_ += fmt::format("{}{{{}=\"{}\"}} {}\n", name_, label, escaped(of), value);
  return *this;
}

}  // namespace tandem
