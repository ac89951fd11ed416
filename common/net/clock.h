// The only place that reads the clocks. Loops cache what it says once a round
// (EventLoop::now, EventLoop::unix_now); everyone else is handed the time.
#pragma once

#include <cstdint>

#include "common/base/time.h"

namespace tandem {

Instant monotonic_now();   // CLOCK_MONOTONIC
UnixSeconds unix_clock();  // CLOCK_REALTIME, whole seconds
// CLOCK_REALTIME: the incarnation of a process, which grows with every start.
std::int64_t unix_milliseconds();

}  // namespace tandem
