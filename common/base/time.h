// Time as the decisions see it: handed in, never read.
//
// Instant is a point on a monotonic axis with an arbitrary origin; it means something only inside
// one process (or one simulation). UnixSeconds is wall-clock time, used where two processes must
// agree: tokens and keys. Neither clock can be read from here; the shell reads them
// (common/net/clock.h) and the simulator makes them up.
#pragma once

#include <chrono>
#include <cstdint>

namespace tandem {

using Duration = std::chrono::nanoseconds;

struct MonotonicAxis {  // a clock without now()
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicAxis, duration>;
  static constexpr bool is_steady = true;
};

using Instant = MonotonicAxis::time_point;
inline constexpr Instant kNever = Instant::max();

using UnixSeconds = std::int64_t;  // seconds since 1970-01-01 UTC

using namespace std::chrono_literals;

}  // namespace tandem
