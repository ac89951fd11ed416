// Is a server that is heard on its control connection deaf: does its data port answer nobody?
//
// A verification's probes have little time: who does not answer those may be slow only, or far
// away. So a doubt begins, and from then on *patient* probes are sent, which may take as long as
// any and may overlap. An answer to one of them ends the doubt. The server is deaf when kFails of
// them in a row have failed, all sent since the doubt began, which was kTime and two status
// intervals ago at least.
//
// A value, virtual time in. Part of Liveness, which says when a doubt begins.
#pragma once

#include <algorithm>

#include "common/base/time.h"

namespace tandem {

class PortDoubt {
 public:
  static constexpr unsigned kFails = 10;  // in a row; and at most so many under way
  static constexpr Duration kTime = 2s;

  bool doubted() const { return since_ != kNever; }
  void begin(Instant now) {
    if (doubted()) return;
    since_ = now;
    fails_ = 0;
  }
  void end() { since_ = kNever; }
  void forget_probes() { under_way_ = 0; }  // their results will not be said

  void on_started(Instant now) {
    ++under_way_;
    started_ = now;
  }
  // It did not answer the probe that began at `started`.
  void on_failed(Instant started) { fails_ += doubted() && started >= since_; }
  void on_ended() { --under_way_; }

  // When to send the next probe. The first has to wait: so long a verification's may be answered.
  Instant next(Duration verification, Duration status_interval) const {
    if (!doubted() || under_way_ >= kFails) return kNever;
    return std::max(since_ + verification, started_ + time(status_interval) / kFails);
  }
  bool deaf(Instant now, Instant heard, Duration status_interval) const {
    return doubted() && fails_ >= kFails && now - since_ >= time(status_interval) &&
           heard >= since_;
  }
  Instant since() const { return since_; }

 private:
  static Duration time(Duration status_interval) {
    return std::max<Duration>(status_interval * 2, kTime);
  }
  Instant since_ = kNever;
  Instant started_{};  // the last
  unsigned fails_ = 0;
  unsigned under_way_ = 0;
};

}  // namespace tandem
