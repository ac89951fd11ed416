// URLs of http and https as clients need them (RFC 3986): taken apart, and references resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/address.h"

namespace tandem {

struct Url {
  bool tls = false;
  Address address{};         // the port filled in: 80, or 443
  std::string target = "/";  // path and query, dot segments removed; begins with '/'

  // An absolute URL, "http://host/path?query#fragment"; the fragment is dropped, and characters
  // that may not stand in a request target are written as %XX. A missing path is "/". Nothing if
  // the scheme is another, the host is missing, or there is user information.
  static std::optional<Url> parse(std::string_view text);

  // A reference as it stands in a document at this URL: absolute, "//host/x", "/x", "x", "?q" or
  // "#f". Nothing if it leads to no http or https URL (mailto:, data:, ...).
  std::optional<Url> resolve(std::string_view reference) const;

  // "http://host" or "http://host:port", the port left out where it is the scheme's own.
  std::string origin() const;
  // What the Host field says.
  std::string authority() const;
  std::string text() const { return origin() + target; }

  bool same_origin(const Url& other) const { return tls == other.tls && address == other.address; }
  bool operator==(const Url&) const = default;
};

}  // namespace tandem
