// Where a message ends (RFC 9112, 6.3) and whether its connection goes on (9.3).
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/http/head.h"

namespace tandem::http {

enum class BodyKind : std::uint8_t {
  kNone,        // the message ends with its head
  kLength,      // `length` bytes follow
  kChunked,     // chunks and trailers follow
  kUntilClose,  // a response that ends with its connection
  kTunnel,      // after 101, or 2xx to CONNECT: no HTTP from here on, in either direction
};

struct Framing {
  BodyKind kind = BodyKind::kNone;
  std::uint64_t length = 0;  // of kLength, never 0

  bool operator==(const Framing&) const = default;
};

// Of a parsed request; the parser has refused what is ambiguous.
Framing request_framing(const RequestHead& head);

// Of a parsed response, given the request that it answers; `upgrade_asked` is its upgrades().
// An interim response (head.interim()) is kNone, and another head follows it. Errors (the peer's
// fault, answered by 502): content announced by a status that has none, 101 without a request for
// an upgrade.
Result<Framing> response_framing(const ResponseHead& head, Method asked, bool upgrade_asked);

// May the connection carry another request after this response, as far as the responder goes?
inline bool responder_persists(const ResponseHead& head, const Framing& framing) {
  return framing.kind != BodyKind::kUntilClose && framing.kind != BodyKind::kTunnel &&
         head.persists();
}

}  // namespace tandem::http
