// How often clients may report servers: each report makes the master look, so strangers must not be
// able to keep it busy. A bucket of kBurst that fills by one every kGap.
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace tandem {

class ReportLimit {
 public:
  static constexpr int kBurst = 20;
  static constexpr Duration kGap = 100ms;

  // May one more be taken now?
  bool take(Instant now) {
    empty_until_ = std::max(empty_until_, now - kGap * kBurst);
    if (empty_until_ + kGap > now) return false;
    empty_until_ += kGap;
    return true;
  }

 private:
  Instant empty_until_{};  // what has filled since then is in the bucket
};

}  // namespace tandem
