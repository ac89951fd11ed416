// Addresses: HostPort is what an administrator writes, SocketAddress what the kernel takes.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tandem {

// "127.0.0.1:80", "[::1]:80", "app.example:80", ":80" and "*:80" (every IPv4 address; for
// listening).
struct HostPort {
  std::string host;  // without brackets; empty for ":80" and "*:80"
  std::uint16_t port = 0;

  // A port is required unless `default_port` is given. The host is not looked up.
  static Result<HostPort> parse(std::string_view text,
                                std::optional<std::uint16_t> default_port = std::nullopt);
  std::string text() const;  // brackets around an IPv6 host
  bool operator==(const HostPort&) const = default;
};

// An IPv4 or IPv6 address with a port. A value; 28 bytes.
class SocketAddress {
 public:
  SocketAddress();  // family AF_UNSPEC: no address
  static SocketAddress from(const sockaddr* address);

  // The address that `name` spells in numbers (an empty host is 0.0.0.0); nothing if it is a name
  // that has to be resolved (connector.h).
  static std::optional<SocketAddress> numeric(const HostPort& name);
  static SocketAddress loopback(std::uint16_t port);  // 127.0.0.1
  static SocketAddress local_of(int fd);              // getsockname

  explicit operator bool() const { return family() != AF_UNSPEC; }
  int family() const { return raw_.base.sa_family; }
  std::uint16_t port() const;
  void set_port(std::uint16_t port);
  const sockaddr* raw() const { return &raw_.base; }
  sockaddr* raw() { return &raw_.base; }
  socklen_t size() const;
  static constexpr socklen_t kSizeMax = sizeof(sockaddr_in6);

  std::string host() const;  // "127.0.0.1", "::1"
  std::string text() const;  // "127.0.0.1:80", "[::1]:80"
  bool operator==(const SocketAddress& other) const;

 private:
  union Raw {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } raw_;
};

}  // namespace tandem
