#include "common/base/address.h"

#include <algorithm>
#include <charconv>

namespace tandem {
namespace {

bool is_host_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '-' || c == '_';
}

// Hex digits, colons, dots and a zone: the resolver has the last word.
bool is_bracketed_character(char c) { return is_host_character(c) || c == ':' || c == '%'; }

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  std::string_view host;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find("]:");
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    port = text.substr(end + 2);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
    if (!std::all_of(host.begin(), host.end(), is_bracketed_character)) return std::nullopt;
  } else {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (!std::all_of(host.begin(), host.end(), is_host_character)) return std::nullopt;
  }
  Address address{std::string(host), 0};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (host.empty() || port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return std::nullopt;
  }
  return address;
}

std::string Address::text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]:" : host + ":") + std::to_string(port);
}

}  // namespace tandem
