// The session token: all that routing needs, carried by the client, sealed with the cluster key.
//
// Layout of the sealed form (before base64url): key hint (1 byte), then AES-256-SIV (RFC 5297) over
// a fixed little-endian layout of the fields below. A token is opaque to clients; a forged, cut,
// expired or unknown one is no token.
#pragma once

#include <cstdint>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/session/epoch.h"

namespace tandem {

// What a balancer tells a server (or a referring server its balancer) for one request. A token that
// a client holds has none of these but the last; one that comes from a client with any of the
// others is no token.
enum TokenFlags : std::uint8_t {
  kNoFlags = 0,
  kNewSession = 1,  // the client brought no token; make the session with this id
  kTakeover = 2,    // the primary is gone: the receiver is to become primary
  kMustServe = 4,   // handed on already: no further referral
  kReferred = 8,    // handed on once by a server; may be handed on once more
  kKnownOnly = 32,  // who finds nobody that knows the session says so, and does not begin it anew
  kLasting = 64,    // travels in an application's header, where it cannot be renewed at will: good
                    // as long as its key is listed, whatever its age
};

// Is a token with these flags for one request alone: not one that a client holds?
constexpr bool is_for_one_request(std::uint8_t flags) { return (flags & ~kLasting) != 0; }

struct SessionToken {
  SessionId session;
  Epoch epoch;
  ServerId primary;
  ServerId alternate;      // nobody while the session is provisional
  UnixSeconds issued = 0;  // sealed as 32 bits
  std::uint8_t flags = kNoFlags;

  bool operator==(const SessionToken&) const = default;
};

}  // namespace tandem
