// The authority of a request: host and optional port (RFC 9110, 4.2 and 7.2; RFC 3986, 3.2).
#pragma once

#include <string_view>

namespace tandem::http {

struct Authority {
  std::string_view host;  // a name, an IPv4 address, or an IPv6 address with its brackets
  std::string_view port;  // digits; empty if there is none
};

// host [":" port], the host not empty, no user information. False: `text` is none.
bool split_authority(std::string_view text, Authority& out);

// The same host and port, without regard to case; a missing port is `default_port`.
bool same_authority(std::string_view a, std::string_view b, std::string_view default_port);

}  // namespace tandem::http
