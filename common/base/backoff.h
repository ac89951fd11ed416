// How long to wait before trying again: doubling from `first` to `limit`, with jitter, so that many
// who lost the same thing at once do not come back at once.
#pragma once

#include <algorithm>

#include "common/base/random.h"
#include "common/base/time.h"

namespace tandem {

struct Backoff {
  Duration first = 50ms;
  Duration limit = 2s;

  // After `failures` in a row (at least 1): between half of the step and all of it.
  Duration delay(unsigned failures, Random& dice) const {
    Duration step = first;
    for (unsigned i = 1; i < failures && step < limit; ++i) step *= 2;
    step = std::min(step, limit);
    return step / 2 + Duration(static_cast<Duration::rep>(dice.unit() *
                                                          static_cast<double>((step / 2).count())));
  }
};

}  // namespace tandem
