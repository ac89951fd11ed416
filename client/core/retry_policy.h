// May a request be sent again, and when? One place, and no state.
#pragma once

#include <algorithm>
#include <optional>

#include "common/base/time.h"

namespace tandem {

struct RetryPolicy {
  unsigned attempts_max = 4;      // of a call, the first included
  Duration backoff_first = 50ms;  // before the second attempt; doubled for each further one
  Duration backoff_max = 1s;
  Duration retry_after_max = 10s;  // the longest Retry-After that is waited for

  struct Failed {
    unsigned attempts = 1;  // so far
    bool idempotent = false;
    bool bytes_sent = false;                // some byte of the request may have reached somebody
    std::optional<Duration> retry_after{};  // of a 503 that names one
  };

  // When to begin the next attempt; nothing: do not.
  std::optional<Instant> next_attempt(const Failed& failed, Instant now, Instant deadline) const {
    if (failed.attempts >= attempts_max) return std::nullopt;
    if (failed.bytes_sent && !failed.idempotent) return std::nullopt;
    if (failed.retry_after && *failed.retry_after > retry_after_max) return std::nullopt;
    const Instant next = now + delay(failed);
    if (next >= deadline) return std::nullopt;
    return next;
  }

 private:
  Duration delay(const Failed& failed) const {
    const unsigned doublings = std::min(failed.attempts - 1, 20u);
    const Duration backoff = std::min(backoff_first * (1 << doublings), backoff_max);
    return std::max(backoff, failed.retry_after.value_or(Duration{0}));
  }
};

}  // namespace tandem
