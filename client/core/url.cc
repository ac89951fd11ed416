#include "client/core/url.h"

#include <algorithm>
#include <vector>

#include "common/http/authority.h"
#include "common/http/chars.h"

namespace tandem {
namespace {

// What the scheme of a text is, up to the colon; empty if it has none.
std::string_view scheme_of(std::string_view text) {
  const std::size_t colon = text.find_first_of(":/?#");
  if (colon == text.npos || text[colon] != ':' || colon == 0) return {};
  const std::string_view scheme = text.substr(0, colon);
  const bool named = http::is(http::kLetterChar, scheme[0]) &&
                     std::all_of(scheme.begin(), scheme.end(), [](char c) {
                       return http::is(http::kLetterChar, c) || http::is(http::kDigitChar, c) ||
                              c == '+' || c == '-' || c == '.';
                     });
  return named ? scheme : std::string_view{};
}

// RFC 3986, 5.2.4, for a path that begins with '/'.
std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool directory = false;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t length = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, length);
    path.remove_prefix(length);
    directory = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!directory) kept.push_back(segment);
  }
  std::string result;
  for (const std::string_view segment : kept) result.append("/").append(segment);
  if (directory || result.empty()) result += '/';
  return result;
}

// Path and query as a request target: the fragment dropped, foreign characters escaped.
std::string target_of(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  text = text.substr(0, text.find('#'));
  const std::size_t query = std::min(text.find('?'), text.size());
  const std::string tidied = without_dot_segments(text.substr(0, query));
  std::string target;
  for (const char c : tidied + std::string(text.substr(query))) {
    if (http::is(http::kTargetChar, c)) {
      target += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      target.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return target;
}

bool read_authority(std::string_view text, bool tls, Address& address) {
  http::Authority parts;
  if (!http::split_authority(text, parts)) return false;
  address.port = tls ? 443 : 80;
  std::string full(text);
  if (parts.port.empty()) {
    full = std::string(parts.host) + (tls ? ":443" : ":80");
  }
  const auto parsed = Address::parse(full);
  if (!parsed || parsed->port == 0) return false;
  address = *parsed;
  std::transform(address.host.begin(), address.host.end(), address.host.begin(), http::lower);
  return true;
}

}  // namespace

std::optional<Url> Url::parse(std::string_view text) {
  const std::string_view scheme = scheme_of(text);
  Url url;
  url.tls = http::same_word(scheme, "https");
  if (!url.tls && !http::same_word(scheme, "http")) return std::nullopt;
  text.remove_prefix(scheme.size() + 1);
  if (!text.starts_with("//")) return std::nullopt;
  text.remove_prefix(2);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  if (!read_authority(text.substr(0, end), url.tls, url.address)) return std::nullopt;
  text.remove_prefix(end);
  url.target = target_of(text.starts_with('/') ? std::string(text) : "/" + std::string(text));
  return url;
}

std::optional<Url> Url::resolve(std::string_view reference) const {
  while (!reference.empty() && static_cast<unsigned char>(reference.front()) <= ' ') {
    reference.remove_prefix(1);
  }
  while (!reference.empty() && static_cast<unsigned char>(reference.back()) <= ' ') {
    reference.remove_suffix(1);
  }
  if (!scheme_of(reference).empty()) return parse(reference);
  if (reference.starts_with("//")) {
    return parse((tls ? "https:" : "http:") + std::string(reference));
  }
  Url url = *this;
  const std::string_view path = std::string_view(target).substr(0, target.find('?'));
  if (reference.empty() || reference.front() == '#') return url;
  std::string joined;
  if (reference.front() == '?') {
    joined = path;
  } else if (reference.front() != '/') {
    joined = path.substr(0, path.rfind('/') + 1);
  }
  url.target = target_of(joined.append(reference));
  return url;
}

std::string Url::authority() const {
  const bool own_port = address.port == (tls ? 443 : 80);
  const std::string text = address.text();
  return own_port ? text.substr(0, text.rfind(':')) : text;
}

std::string Url::origin() const { return (tls ? "https://" : "http://") + authority(); }

}  // namespace tandem
