// host:port as conf files and wires write it: "127.0.0.1:8080", "app.example:80", "[::1]:8080".
// A name is not resolved here (common/net does that).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

struct Address {
  std::string host;        // a name or a numeric address, IPv6 without its brackets
  std::uint16_t port = 0;  // 0: chosen by the system (listening only)

  // The host must not be empty, the port must be written. Nothing if the text is no such address.
  static std::optional<Address> parse(std::string_view text);
  // The inverse of parse(): brackets around a host with colons.
  std::string text() const;

  auto operator<=>(const Address&) const = default;
};

}  // namespace tandem
