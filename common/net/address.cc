#include "common/net/address.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>

namespace tandem {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, port);
  if (text.empty() || error != std::errc{} || at != end) return std::nullopt;
  return port;
}

Error not_an_address(std::string_view text, const char* why) {
  return Error::conf("'" + std::string(text) + "' is not an address: " + why);
}

}  // namespace

Result<HostPort> HostPort::parse(std::string_view text, std::optional<std::uint16_t> default_port) {
  std::string_view host = text, port;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return fail(not_an_address(text, "']' is missing"));
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && port.front() != ':') return fail(not_an_address(text, "':' is missing"));
    has_port = !port.empty();
    if (has_port) port.remove_prefix(1);
  } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
    if (host.find(':') != std::string_view::npos) {
      return fail(not_an_address(text, "write an IPv6 address in brackets, as [::1]:80"));
    }
  }
  if (!has_port && !default_port) return fail(not_an_address(text, "the port is missing"));
  HostPort result;
  if (host != "*") result.host = std::string(host);
  if (host.find_first_of(" \t/@") != std::string_view::npos) {
    return fail(not_an_address(text, "the host has a character that no host has"));
  }
  if (!has_port) {
    if (host.empty()) return fail(not_an_address(text, "it is empty"));
    result.port = *default_port;
    return result;
  }
  const auto number = parse_port(port);
  if (!number) return fail(not_an_address(text, "the port is not a number from 0 to 65535"));
  result.port = *number;
  return result;
}

std::string HostPort::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6             ? "[" + host + "]"
          : host.empty() ? std::string("*")
                         : host) +
         ":" + std::to_string(port);
}

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

std::optional<SocketAddress> SocketAddress::numeric(const HostPort& name) {
  SocketAddress result;
  const char* host = name.host.empty() ? "0.0.0.0" : name.host.c_str();
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

std::string SocketAddress::host() const {
  char buffer[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) ::inet_ntop(AF_INET, &raw_.v4.sin_addr, buffer, sizeof buffer);
  if (family() == AF_INET6) ::inet_ntop(AF_INET6, &raw_.v6.sin6_addr, buffer, sizeof buffer);
  return buffer;
}

std::string SocketAddress::text() const { return HostPort{host(), port()}.text(); }

bool SocketAddress::operator==(const SocketAddress& other) const {
  if (family() != other.family() || port() != other.port()) return false;
  if (family() == AF_INET) return raw_.v4.sin_addr.s_addr == other.raw_.v4.sin_addr.s_addr;
  if (family() == AF_INET6) {
    return std::memcmp(&raw_.v6.sin6_addr, &other.raw_.v6.sin6_addr, sizeof(in6_addr)) == 0;
  }
  return true;
}

}  // namespace tandem
