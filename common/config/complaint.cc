#include "common/config/complaint.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem {
namespace {

constexpr std::size_t kLineBytesMax = 240;
constexpr std::size_t kQuotedBytesMax = 60;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::string_view line_of(std::string_view text, std::uint32_t line) {
  for (std::uint32_t i = 1; i < line; ++i) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// Blanks up to the column; tabs stay tabs, so that the caret stands where the terminal puts it.
std::string blanks_to(std::string_view line, std::uint32_t column) {
  std::string blanks;
  std::uint32_t at = 1;
  for (char c : line) {
    if (is_continuation(c)) continue;
    if (at++ == column) break;
    blanks += c == '\t' ? '\t' : ' ';
  }
  return blanks;
}

}  // namespace

std::string render(const ConfText& source, const Complaint& complaint) {
  const auto [line, column] = complaint.where;
  std::string out = fmt::format("{}:{}:{}: {}\n", source.name, line, column, complaint.message);
  std::string shown(line_of(source.text, line));
  if (shown.empty() || shown.size() > kLineBytesMax) return out;
  const std::string blanks = blanks_to(shown, column);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return is_control(c) && c != '\t'; }, '?');
  return out + shown + "\n" + blanks + "^\n";
}

std::string render(const ConfText& source, std::vector<Complaint> complaints) {
  std::stable_sort(complaints.begin(), complaints.end(),
                   [](const auto& a, const auto& b) { return a.where < b.where; });
  std::string out;
  const auto shown = std::min(complaints.size(), kComplaintsMax);
  for (std::size_t i = 0; i < shown; ++i) out += render(source, complaints[i]);
  if (shown < complaints.size()) {
    out += fmt::format("{}: {} more complaints\n", source.name, complaints.size() - shown);
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  const bool cut = text.size() > kQuotedBytesMax;
  if (cut) {
    auto end = kQuotedBytesMax;
    while (end > 0 && is_continuation(text[end])) --end;
    text = text.substr(0, end);
  }
  std::string shown(text);
  std::replace_if(shown.begin(), shown.end(), is_control, '?');
  return fmt::format("\"{}{}\"", shown, cut ? "..." : "");
}

Position Places::where(std::string path) const {
  while (!path.empty()) {
    if (const auto it = positions_.find(path); it != positions_.end()) return it->second;
    const auto end = path.find_last_of(".[");
    path.resize(end == std::string::npos ? 0 : end);
  }
  return {};
}

std::string Places::complain(const std::string& path, const std::string& message) const {
  return render(*source_, Complaint{where(path), path + ": " + message});
}

}  // namespace tandem
