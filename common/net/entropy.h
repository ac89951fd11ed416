// The only place that asks the system for randomness: ids that must not be guessed, and the seeds
// of the generators that decisions get passed in (common/base/random.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/ids.h"

namespace tandem {

// Fills `bytes` from getrandom(2). Cannot fail on a running system; if it does, the process stops.
void system_random(void* bytes, std::size_t count);

std::uint64_t random_u64();
SessionId random_session_id();  // never the id that means none
CacheId random_cache_id();      // never the id that means none

// Random bits at the price of a few instructions: system randomness fetched 4 KiB at a time, one
// pool a thread. As unpredictable as system_random().
std::uint64_t pooled_random_u64();

}  // namespace tandem
