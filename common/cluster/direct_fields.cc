#include "common/cluster/direct_fields.h"

#include <algorithm>
#include <charconv>

namespace tandem {
namespace {

constexpr std::size_t kNameBytesMax = 255;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

bool read_number(std::string_view text, std::uint64_t& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

// What is before the mark, which goes from the front as well.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t at = std::min(text.find(mark), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

// Calls `take(name, value)` for each "name=value"; false as soon as that or the form is wrong.
template <class Take>
bool read_parameters(std::string_view text, Take take) {
  while (!text.empty()) {
    std::string_view value = take_until(text, ';');
    const std::size_t equals = value.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view name = take_until(value, '=');
    if (!take(name, value)) return false;
  }
  return true;
}

}  // namespace

std::optional<DirectRequest> DirectRequest::parse(std::string_view text) {
  DirectRequest request;
  bool has_view = false;
  const bool good = read_parameters(text, [&](std::string_view name, std::string_view value) {
    if (name == "view") return has_view = read_number(value, request.view);
    if (name == "by") request.by_type = value == "type";
    if (name != "failed") return true;
    while (!value.empty() && request.failed.size() < kFailedMax) {
      const std::string_view one = take_until(value, ',');
      if (!is_name(one)) return false;
      request.failed.emplace_back(one);
    }
    return true;
  });
  if (!good || !has_view) return std::nullopt;
  return request;
}

std::string DirectRequest::text() const {
  std::string text = "view=" + std::to_string(view);
  const std::size_t count = std::min(failed.size(), kFailedMax);
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? ";failed=" : ",") + failed[i];
  if (by_type) text += ";by=type";
  return text;
}

std::optional<Whereabouts> Whereabouts::parse(std::string_view text) {
  Whereabouts where;
  bool has_view = false;
  const bool good = read_parameters(text, [&](std::string_view name, std::string_view value) {
    if (name == "view") return has_view = read_number(value, where.view);
    if (name != "primary" && name != "alternate") return true;
    if (!is_name(value)) return false;
    (name == "primary" ? where.primary : where.alternate) = value;
    return true;
  });
  if (!good || !has_view) return std::nullopt;
  return where;
}

std::string Whereabouts::text() const {
  std::string text = "view=" + std::to_string(view);
  if (!primary.empty()) text += ";primary=" + primary;
  if (!alternate.empty()) text += ";alternate=" + alternate;
  return text;
}

}  // namespace tandem
