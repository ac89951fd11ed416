// A bound on how often something is done: so many a second, and after a rest a few at once.
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace tandem {

class Pace {
 public:
  static constexpr Duration kRest = 20ms;  // what is not done for longer is not made up for

  bool ready(Instant now) const { return next_ <= now; }
  // Once more, where `rate` a second are allowed; not 0.
  void take(Instant now, double rate) {
    next_ = std::max(next_, now - kRest) + Duration(static_cast<Duration::rep>(1e9 / rate));
  }
  Instant next() const { return next_; }

 private:
  Instant next_{};
};

}  // namespace tandem
