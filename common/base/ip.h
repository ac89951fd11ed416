// IP addresses and networks as numbers, to compare and to write: of whom a connection is, and
// whether that is one of those whom the administrator trusts.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tandem {

// IPv4 is kept as IPv6 writes it (::ffff:0:0/96, RFC 4291, 2.5.5.2): 127.0.0.1 and ::ffff:127.0.0.1
// are one address, as they are one peer behind a listener for both.
class IpAddress {
 public:
  IpAddress() = default;  // ::
  // `bytes` in network order, 4 or 16 of them.
  explicit IpAddress(std::span<const std::uint8_t> bytes);

  // "127.0.0.1", "::1". Nothing if the text is no such address; no scope, no brackets.
  static std::optional<IpAddress> parse(std::string_view text);
  std::string text() const;

  bool is_v4() const;
  std::span<const std::uint8_t, 16> bytes() const { return bytes_; }

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

// All addresses that begin alike (RFC 4632).
class IpNetwork {
 public:
  // "10.0.0.0/8", "fd00::/8", or one address. Nothing if the text is none, or has bits beyond the
  // prefix: that is a slip of the pen more often than not.
  static std::optional<IpNetwork> parse(std::string_view text);
  std::string text() const;

  bool contains(const IpAddress& address) const;

  bool operator==(const IpNetwork&) const = default;

 private:
  IpAddress first_;
  unsigned bits_ = 128;  // that all have in common, of 128
};

}  // namespace tandem
