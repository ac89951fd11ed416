#include "common/session/group_fields.h"

#include "common/session/validation.h"

namespace tandem {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Takes what stands before the next `mark` off the front of `rest`, and the mark.
std::string_view take(std::string_view& rest, char mark) {
  const std::size_t at = rest.find(mark);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == rest.npos ? rest.size() : at + 1);
  return trim(taken);
}

}  // namespace

std::string_view find_session(std::string_view value, std::string_view group) {
  constexpr std::string_view kName = "group=";
  for (std::size_t seen = 0; !value.empty() && seen < kSessionsPerClientMax; ++seen) {
    std::string_view entry = take(value, ',');
    const std::string_view token = take(entry, ';');
    std::string_view of;
    while (!entry.empty()) {
      const std::string_view parameter = take(entry, ';');
      if (parameter.starts_with(kName)) of = parameter.substr(kName.size());
    }
    if (of == group && !token.empty()) return token;
  }
  return {};
}

void append_session(std::string& value, std::string_view token, std::string_view group) {
  if (!value.empty()) value += ", ";
  value += token;
  if (group.empty()) return;
  value += kSessionGroup;
  value += group;
}

std::string validation_path(std::string_view group) {
  std::string path(kValidationPath);
  if (group.empty()) return path;
  path += "?group=";
  path += group;
  return path;
}

std::optional<std::string_view> validation_group(std::string_view path) {
  constexpr std::string_view kName = "group=";
  if (!path.starts_with(kValidationPath)) return std::nullopt;
  std::string_view query = path.substr(kValidationPath.size());
  if (query.empty()) return query;
  if (query.front() != '?') return std::nullopt;
  query.remove_prefix(1);
  while (!query.empty()) {
    const std::string_view member = take(query, '&');
    if (member.starts_with(kName)) return member.substr(kName.size());
  }
  return std::string_view{};
}

}  // namespace tandem
