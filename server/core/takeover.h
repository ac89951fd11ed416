// Who serves a request of a session that exists: this server, at once or after taking it over, or
// another. A pure formula over the token, what this server knows, and who is online.
//
// Nobody answers a token with state that is older than the token, nor as primary once a newer epoch
// is known. Taking over raises the epoch, so that doing it again for the same token changes
// nothing. Before a session is started empty, and before a request is referred for the last time,
// all peers are asked what they know.
#pragma once

#include <cstdint>
#include <functional>

#include "common/base/ids.h"
#include "common/session/epoch.h"
#include "common/session/token.h"
#include "server/core/questions.h"

namespace tandem {

// What a server knows of the token's session, and what its peers have said, once it has asked them
// (or there was nobody to ask: an empty finding).
struct Known {
  enum class As : std::uint8_t {
    kNothing,
    kPrimary,    // it serves the session
    kAlternate,  // it has a copy of the mirror
    kNote,       // it had the session, and knows where it went
  };
  As as = As::kNothing;
  Epoch epoch;         // its server is the primary
  ServerId alternate;  // of a note
  const Finding* finding = nullptr;
};

struct Ruling {
  enum class Kind : std::uint8_t {
    kServe,       // it is ours already
    kTakeOver,    // become primary at `epoch`, with the mirror that is here
    kStartEmpty,  // become primary at `epoch`; nothing older than that may be used
    kRefer,       // to `refer`, whose primary is the target
    kAsk,         // all peers, then again with what they said
    kGuest,       // serve this one request without the session, and set `refer`: there it is
  };
  Kind kind = Kind::kServe;
  Epoch epoch;
  SessionToken refer;
};

using IsOnline = std::function<bool(ServerId)>;  // never asked about nobody or oneself

// `token` is not of a new session (server/core/admission.h).
Ruling rule(const SessionToken& token, const Known& known, ServerId self, const IsOnline& online);

}  // namespace tandem
