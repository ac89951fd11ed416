#include "common/http/authority.h"

#include "common/http/chars.h"

namespace tandem::http {
namespace {

constexpr std::size_t kPortDigitsMax = 5;
constexpr int kPortMax = 65535;

bool is_port(std::string_view digits) {
  if (digits.size() > kPortDigitsMax || !all(kDigitChar, digits)) return false;
  int port = 0;
  for (char c : digits) port = port * 10 + (c - '0');
  return port <= kPortMax;
}

// The characters of an IPv6 address; its exact shape is left to whoever resolves it.
bool is_bracketed(std::string_view host) {
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  for (char c : host.substr(1, host.size() - 2)) {
    if (!is(kHexChar, c) && c != ':' && c != '.') return false;
  }
  return true;
}

}  // namespace

bool split_authority(std::string_view text, Authority& out) {
  if (text.empty()) return false;
  const bool bracketed = text.front() == '[';
  const std::size_t colon = text.find(':', bracketed ? text.find(']') : 0);
  out.host = text.substr(0, colon);
  out.port = colon == text.npos ? std::string_view{} : text.substr(colon + 1);
  if (bracketed ? !is_bracketed(out.host) : out.host.empty() || !all(kHostChar, out.host)) {
    return false;
  }
  return is_port(out.port);
}

bool same_authority(std::string_view a, std::string_view b, std::string_view default_port) {
  Authority left, right;
  if (!split_authority(a, left) || !split_authority(b, right)) return false;
  if (left.port.empty()) left.port = default_port;
  if (right.port.empty()) right.port = default_port;
  return left.port == right.port && same_word(left.host, right.host);
}

}  // namespace tandem::http
