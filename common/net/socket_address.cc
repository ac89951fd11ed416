#include "common/net/socket_address.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstring>

namespace tandem {
SocketAddress::SocketAddress() {
  std::memset(&raw_, 0, sizeof raw_);
  raw_.base.sa_family = AF_UNSPEC;
}

SocketAddress SocketAddress::from(const sockaddr* address) {
  SocketAddress result;
  if (address->sa_family == AF_INET) std::memcpy(&result.raw_.v4, address, sizeof(sockaddr_in));
  if (address->sa_family == AF_INET6) std::memcpy(&result.raw_.v6, address, sizeof(sockaddr_in6));
  return result;
}

std::optional<SocketAddress> SocketAddress::numeric(const Address& name) {
  SocketAddress result;
  const char* host = name.host.c_str();
  if (::inet_pton(AF_INET, host, &result.raw_.v4.sin_addr) == 1) {
    result.raw_.v4.sin_family = AF_INET;
  } else if (::inet_pton(AF_INET6, host, &result.raw_.v6.sin6_addr) == 1) {
    result.raw_.v6.sin6_family = AF_INET6;
  } else {
    return std::nullopt;
  }
  result.set_port(name.port);
  return result;
}

SocketAddress SocketAddress::loopback(std::uint16_t port) {
  SocketAddress result;
  result.raw_.v4.sin_family = AF_INET;
  result.raw_.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  result.raw_.v4.sin_port = htons(port);
  return result;
}

SocketAddress SocketAddress::local_of(int fd) {
  SocketAddress result;
  socklen_t size = kSizeMax;
  if (::getsockname(fd, result.raw(), &size) != 0) return SocketAddress();
  return result;
}

std::uint16_t SocketAddress::port() const {
  return family() == AF_INET    ? ntohs(raw_.v4.sin_port)
         : family() == AF_INET6 ? ntohs(raw_.v6.sin6_port)
                                : 0;
}

void SocketAddress::set_port(std::uint16_t port) {
  if (family() == AF_INET) raw_.v4.sin_port = htons(port);
  if (family() == AF_INET6) raw_.v6.sin6_port = htons(port);
}

socklen_t SocketAddress::size() const {
  return family() == AF_INET    ? sizeof(sockaddr_in)
         : family() == AF_INET6 ? sizeof(sockaddr_in6)
                                : sizeof(sa_family_t);
}

IpAddress SocketAddress::ip() const {
  const auto bytes = [](const auto& address) {
    return std::span(reinterpret_cast<const std::uint8_t*>(&address), sizeof address);
  };
  if (family() == AF_INET) return IpAddress(bytes(raw_.v4.sin_addr));
  if (family() == AF_INET6) return IpAddress(bytes(raw_.v6.sin6_addr));
  return IpAddress();
}

std::string SocketAddress::host() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) ::inet_ntop(AF_INET, &raw_.v4.sin_addr, buffer, sizeof buffer);
  if (family() == AF_INET6) ::inet_ntop(AF_INET6, &raw_.v6.sin6_addr, buffer, sizeof buffer);
  return buffer;
}

std::string SocketAddress::text() const { return Address{host(), port()}.text(); }

bool SocketAddress::operator==(const SocketAddress& other) const {
  if (family() != other.family() || port() != other.port()) return false;
  if (family() == AF_INET) return raw_.v4.sin_addr.s_addr == other.raw_.v4.sin_addr.s_addr;
  if (family() == AF_INET6) {
    return std::memcmp(&raw_.v6.sin6_addr, &other.raw_.v6.sin6_addr, sizeof(in6_addr)) == 0;
  }
  return true;
}

}  // namespace tandem
