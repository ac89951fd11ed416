// The epoch orders the claims to a session: (counter, server), raised at every takeover and swap.
// Of two servers that both think that they are primary, the one with the greater epoch is.
#pragma once

#include <compare>
#include <cstdint>

#include "common/base/ids.h"

namespace tandem {

struct Epoch {
  std::uint32_t counter = 0;  // 0: no server has served the session yet
  ServerId server;            // who raised it; breaks ties

  // The epoch under which `who` claims a session that it knows at this epoch.
  constexpr Epoch raised_by(ServerId who) const { return Epoch{counter + 1, who}; }
  auto operator<=>(const Epoch&) const = default;
};

}  // namespace tandem
