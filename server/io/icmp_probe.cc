#include "server/io/icmp_probe.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/net/entropy.h"

namespace tandem::server {
namespace {

// Both families: type, code, checksum, identifier (the last two are the kernel's), sequence; then
// what comes back with the answer.
struct Echo {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t checksum = 0;
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;  // in the order of the network
  std::uint64_t cookie = 0;
};
static_assert(sizeof(Echo) == 16);

}  // namespace

class IcmpProbe::Socket final : private Watcher {
 public:
  Socket(EventLoop& loop, Descriptor socket, bool v6, IcmpProbe& probe)
      : v6_(v6), probe_(probe), socket_(std::move(socket)) {
    watch_ = Watch(loop, socket_.get(), Watch::Mode::kLevelRead, *this);
  }
  static Descriptor make(bool v6) {
    return Descriptor(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                               v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP}));
  }

  // What the kernel cannot send now is lost, like any packet.
  void send(const SocketAddress& host, std::uint16_t sequence, std::uint64_t cookie) {
    Echo echo;
    echo.type = v6_ ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    echo.sequence = htons(sequence);
    echo.cookie = cookie;
    static_cast<void>(
        ::sendto(socket_.get(), &echo, sizeof echo, MSG_NOSIGNAL, host.raw(), host.size()));
  }

 private:
  void on_ready(Readiness) override {
    Echo echo;
    for (;;) {
      const ssize_t size = ::recv(socket_.get(), &echo, sizeof echo, 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return;
      if (size != sizeof echo || echo.type != (v6_ ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)) continue;
      probe_.on_echo(ntohs(echo.sequence), echo.cookie);
    }
  }

  bool v6_;
  IcmpProbe& probe_;
  Descriptor socket_;
  Watch watch_;  // before socket_ is closed
};

IcmpProbe::IcmpProbe(OnAnswer on_answer) : on_answer_(std::move(on_answer)) {}
IcmpProbe::~IcmpProbe() = default;

Result<std::unique_ptr<IcmpProbe>> IcmpProbe::open(EventLoop& loop, OnAnswer on_answer) {
  Descriptor v4 = Socket::make(false);
  if (!v4) {
    if (errno != EACCES) {
      return fail(Error::system(fmt::format("no ping socket: {}", std::strerror(errno))));
    }
    return fail(
        Error::conf(fmt::format("the system forbids ping sockets to this process (group {}): widen "
                                "net.ipv4.ping_group_range with sysctl, or set ping = \"channel\"",
                                ::getegid())));
  }
  std::unique_ptr<IcmpProbe> probe(new IcmpProbe(std::move(on_answer)));
  probe->v4_ = std::make_unique<Socket>(loop, std::move(v4), false, *probe);
  if (Descriptor v6 = Socket::make(true)) {
    probe->v6_ = std::make_unique<Socket>(loop, std::move(v6), true, *probe);
  }
  return probe;
}

void IcmpProbe::ask(ServerId of, SocketAddress host) {
  Socket* socket = host.family() == AF_INET ? v4_.get() : v6_.get();
  if (!host || socket == nullptr) return;
  host.set_port(0);
  ++asked_;
  ++sequence_;
  Asked& asked = last_[sequence_ % kRemembered];
  asked = {of, random_u64() | 1};
  socket->send(host, sequence_, asked.cookie);
}

void IcmpProbe::on_echo(std::uint16_t sequence, std::uint64_t cookie) {
  Asked& asked = last_[sequence % kRemembered];
  if (asked.cookie != cookie) return;
  asked.cookie = 0;
  ++answered_;
  on_answer_(asked.of);
}

}  // namespace tandem::server
