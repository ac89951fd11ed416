// What a load balancer in front of this one says of a connection before its first byte: who the
// client is. The PROXY protocol, versions 1 and 2, by W. Tarreau (HAProxy's proxy-protocol.txt).
//
// To be read from those alone whom the administrator trusts, and from them always: who may leave it
// out lets his clients write it. Pure; allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/ip.h"

namespace tandem {

// Version 1 has at most 107, version 2 what its sender adds (TLVs, which are skipped).
inline constexpr std::size_t kProxyHeaderBytesMax = 2048;

struct ProxyHeader {
  enum class State : std::uint8_t { kNeedMore, kDone, kBad };

  State state = State::kNeedMore;
  std::size_t size = 0;  // kDone: of the header; what follows is the connection's own
  std::optional<IpAddress>
      client;  // kDone; nothing: the sender speaks for itself, or does not know

  // Of the first bytes of a connection, all that have come (kProxyHeaderBytesMax are enough).
  static ProxyHeader parse(std::string_view bytes);
};

}  // namespace tandem
