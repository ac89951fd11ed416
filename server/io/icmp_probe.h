// Pings hosts by ICMP echo, from unprivileged ping sockets (socket(2) with SOCK_DGRAM and
// IPPROTO_ICMP; RFC 792, RFC 4443): no capability is needed, but the kernel must allow them to the
// group of the process (net.ipv4.ping_group_range). One thread, the loop's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/net/descriptor.h"
#include "common/net/event_loop.h"
#include "common/net/socket_address.h"

namespace tandem::server {

class IcmpProbe {
 public:
  using OnAnswer = std::function<void(ServerId of)>;

  // Fails where the system forbids it. IPv6 is used if there is any. The loop must outlive it.
  static Result<std::unique_ptr<IcmpProbe>> open(EventLoop& loop, OnAnswer on_answer);

  // One echo request to the host. No answer is no call; only the last kRemembered are waited for.
  void ask(ServerId of, SocketAddress host);

  std::uint64_t asked() const { return asked_; }
  std::uint64_t answered() const { return answered_; }

  static constexpr std::size_t kRemembered = 256;

 private:
  // One address family.
  class Socket;

  explicit IcmpProbe(OnAnswer on_answer);
  void on_echo(std::uint16_t sequence, std::uint64_t cookie);

  struct Asked {
    ServerId of;
    std::uint64_t cookie = 0;  // in the request, and so in the answer; 0: answered
  };
  OnAnswer on_answer_;
  std::unique_ptr<Socket> v4_, v6_;
  std::array<Asked, kRemembered> last_{};  // by sequence
  std::uint16_t sequence_ = 0;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;

 public:
  ~IcmpProbe();
};

}  // namespace tandem::server
