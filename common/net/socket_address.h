// What the kernel takes for an address. What an administrator writes is common/base/address.h.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/address.h"
#include "common/base/ip.h"

namespace tandem {

// An IPv4 or IPv6 address with a port. A value; 28 bytes.
class SocketAddress {
 public:
  SocketAddress();  // family AF_UNSPEC: no address
  static SocketAddress from(const sockaddr* address);

  // The address that `name` spells in numbers; nothing if it is a name
  // that has to be resolved (resolver.h).
  static std::optional<SocketAddress> numeric(const Address& name);
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

  IpAddress ip() const;      // :: if it is no address
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
