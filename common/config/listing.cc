#include "common/config/listing.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem {
namespace {

constexpr std::size_t kColumns = 90;

// The default as TOML, or in words; empty where there is none.
std::string default_of(const TableSpec& table, const OptionSpec& option) {
  if (option.required) return {};
  return option.default_text.empty() ? option.show(table.defaults.get()) : option.default_text;
}

std::string heading_of(const TableSpec& table) {
  return fmt::format("{}{}{}", table.repeated ? "[[" : "[", table.key, table.repeated ? "]]" : "]");
}

// Words broken into lines, each after `prefix`.
std::string wrapped(const std::string& text, const std::string& prefix) {
  std::string out;
  std::string line = prefix;
  std::size_t at = 0;
  while (at < text.size()) {
    auto end = std::min(text.find(' ', at), text.size());
    if (line.size() > prefix.size() && line.size() + (end - at) > kColumns) {
      line.pop_back();
      out += line + "\n";
      line = prefix;
    }
    line += text.substr(at, end - at) + " ";
    at = end + 1;
  }
  line.pop_back();
  return out + line + "\n";
}

// "duration, 10ms to 1h"
std::string kind_of(const OptionSpec& option) {
  return option.range.empty() ? option.type : option.type + ", " + option.range;
}

void list_table(const TableSpec& table, std::string& out) {
  if (!table.key.empty()) out += heading_of(table) + "\n";
  for (const auto& option : table.options) {
    const std::string value = default_of(table, option);
    out += fmt::format("  {:<22}{} ({})\n", option.key, kind_of(option),
                       option.required ? "required" : "default " + value);
  }
  for (const auto& part : table.tables) list_table(part, out);
}

// An entry of a list that sets nothing would be one all the same: it is commented out.
bool is_example(const TableSpec& table) {
  return table.repeated && std::none_of(table.options.begin(), table.options.end(),
                                        [](const OptionSpec& option) { return option.sample_set; });
}

void sample_table(const TableSpec& table, std::string& out) {
  out += "\n" + wrapped(table.help, "# ");
  if (!table.key.empty()) out += (is_example(table) ? "#" : "") + heading_of(table) + "\n";
  for (const auto& option : table.options) {
    const std::string default_words =
        option.default_text.empty() ? "" : "; default: " + option.default_text;
    out += "\n" + wrapped(option.help, "# ");
    out += wrapped(fmt::format("({}{})", kind_of(option), default_words), "# ");
    out += fmt::format("{}{} = {}\n", option.sample_set ? "" : "#", option.key,
                       option.sample.empty() ? option.show(table.defaults.get()) : option.sample);
  }
  for (const auto& part : table.tables) sample_table(part, out);
}

// Text for mdoc: no control line, no escape.
std::string roff(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
    }
  }
  return out;
}

// Each sentence on a line of its own, as mdoc wants it.
std::string roff_sentences(const std::string& text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = text.find(". ", at);
    const auto sentence = text.substr(at, end == std::string::npos ? end : end + 1 - at);
    out += roff(sentence) + "\n";
    if (end == std::string::npos) break;
    at = end + 2;
  }
  return out;
}

void manual_table(const TableSpec& table, std::string& out) {
  if (!table.key.empty()) out += ".Ss " + heading_of(table) + "\n";
  out += roff_sentences(table.help) + ".Bl -tag -width Ds\n";
  for (const auto& option : table.options) {
    out += fmt::format(".It Ic {} No = Ar {}\n", option.key, option.type);
    out += roff_sentences(option.help);
    if (!option.range.empty()) {
      const bool words = option.range.starts_with('"');
      out += (words ? "Values: " : "Range: ") + roff(option.range) + ".\n";
    }
    out += option.required ? "Required.\n" : "Default: " + roff(default_of(table, option)) + ".\n";
    if (option.live) out += "Changes with a reload.\n";
  }
  out += ".El\n";
  for (const auto& part : table.tables) manual_table(part, out);
}

}  // namespace

std::string list_options(const TableSpec& top) {
  std::string out;
  list_table(top, out);
  return out;
}

std::string sample_conf(const TableSpec& top) {
  std::string out;
  sample_table(top, out);
  return out.substr(1);
}

std::string manual_options(const TableSpec& top) {
  std::string out;
  manual_table(top, out);
  return out;
}

}  // namespace tandem
