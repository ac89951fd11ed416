// The times of the buddy watch, all from its period, and the formula that keeps a server's two
// links half a period apart.
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace tandem {

struct WatchTimes {
  // For tests and small periods: a loop's timers are some milliseconds late.
  static constexpr Duration kMissAfterLeast = 10ms;
  static constexpr Duration kProbeGapLeast = 5ms;
  static constexpr unsigned kProbes = 3;  // quick ones after a miss, then suspicion

  Duration period;      // of a link: one ping and its answer
  Duration miss_after;  // a ping, or the answer to one, that is so late is missed
  Duration probe_gap;   // from one quick probe to the next, and from the last to suspicion
  Duration late_max;  // an own deadline that fires later than this: it is this server that is slow

  static constexpr WatchTimes of(Duration period) {
    const Duration miss_after = std::max(period / 16, kMissAfterLeast);
    return {period, miss_after, std::max(period / 32, kProbeGapLeast), miss_after};
  }
  // From an exchange that fails to suspicion.
  constexpr Duration to_suspicion() const { return miss_after + probe_gap * kProbes; }
};

// When a link's next exchange is due. `nominal` is a period after the last one; `other` is any
// exchange, past or future, of the server's other link. The result is nearer to half a period from
// those of the other link: by a quarter of what is amiss, but the pull grows less again where that
// is over a quarter of the period. Both ends of every link do this, each when it has the turn:
// along the ring the exchanges come to alternate, and where an odd number of servers forbids that,
// they share what is amiss. (Were the pull greatest where the most is amiss, four servers could
// settle a quarter of a period off, each of them pulled as much to one side as to the other.)
constexpr Instant next_exchange(Instant nominal, Instant other, Duration period) {
  constexpr int kPart = 4;
  const Duration half = period / 2;
  Duration amiss = (other + half - nominal) % period;  // in (-period, period)
  if (amiss > half) amiss -= period;
  if (amiss < -half) amiss += period;
  const Duration size = amiss < Duration{} ? -amiss : amiss;
  const Duration pull = std::min(size, half - size);
  return nominal + (amiss < Duration{} ? -pull : pull) / kPart;
}

}  // namespace tandem
