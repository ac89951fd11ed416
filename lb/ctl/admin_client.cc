#include "lb/ctl/admin_client.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#include "common/http/head_parser.h"
#include "common/net/descriptor.h"
#include "common/net/resolver.h"

namespace tandem {
namespace {

Error network_error(const Address& admin, const char* what) {
  return Error::system(fmt::format("cannot {} {}: {}", what, admin.text(), std::strerror(errno)));
}

void set_timeouts(int fd, Duration timeout) {
  timeval wait{};
  wait.tv_sec = timeout / 1s;
  wait.tv_usec = (timeout % 1s) / 1us;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

Result<Descriptor> connect_to(const Address& admin, Duration timeout) {
  const auto addresses = Resolver::resolve_now(admin);
  if (!addresses) return fail(addresses.error());
  for (const SocketAddress& address : *addresses) {
    Descriptor fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) continue;
    set_timeouts(fd.get(), timeout);
    if (::connect(fd.get(), address.raw(), address.size()) == 0) return fd;
  }
  return fail(network_error(admin, "connect to"));
}

}  // namespace

Result<Address> parse_admin_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = url;
  if (rest.substr(0, kScheme.size()) == kScheme) rest.remove_prefix(kScheme.size());
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  const auto address = Address::parse(rest);
  if (!address || address->port == 0) {
    return fail(Error::conf(fmt::format("\"{}\" is not http://HOST:PORT", url)));
  }
  return *address;
}

Result<AdminAnswer> ask_admin(const Address& admin, std::string_view method,
                              std::string_view target, Duration timeout) {
  auto fd = connect_to(admin, timeout);
  if (!fd) return fail(fd.error());
  const std::string request =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                  method, target, admin.text());
  // A fresh socket takes a small request whole.
  if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return fail(network_error(admin, "send to"));
  }
  std::string bytes;
  char part[16 * 1024];
  for (;;) {
    const ssize_t n = ::recv(fd->get(), part, sizeof part, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(network_error(admin, "read from"));
    if (n == 0) break;
    bytes.append(part, static_cast<std::size_t>(n));
    if (bytes.size() > kAdminAnswerBytesMax) return fail(Error::peer("the answer is too long"));
  }
  http::HeadParser parser;
  http::ResponseHead head;
  if (parser.parse(bytes, head) != http::Progress::kDone || !head.has_content_length() ||
      bytes.size() - head.end() < head.content_length()) {
    return fail(Error::peer(fmt::format("{} does not answer as an admin listener", admin.text())));
  }
  return AdminAnswer{head.status(), bytes.substr(head.end(), head.content_length())};
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace tandem
