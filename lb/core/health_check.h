// The health of a plain server, by active checks with hysteresis: `fall` failures in a row take it
// offline, `rise` successes in a row bring it back. One value for each server; virtual time in.
//
// A server starts online, so that a balancer serves at once; its first check starts at once, and if
// that fails the server is offline: only a server that was seen healthy has `fall` failures of
// grace.
#pragma once

#include <cstdint>

#include "common/base/time.h"

namespace tandem {

class HealthCheck {
 public:
  struct Options {
    Duration interval = 1s;  // from the end of one check to the start of the next
    std::uint32_t rise = 2;
    std::uint32_t fall = 3;
  };
  static constexpr Duration kReportGap = 100ms;  // reports of failures check at most this often

  HealthCheck(Options options, Instant now) : options_(options), next_(now) {}

  bool online() const { return online_; }
  // When to start a check; kNever while one is under way.
  Instant next_check() const { return checking_ ? kNever : next_; }

  void on_started(Instant now);
  void on_result(Instant now, bool healthy);
  void on_reported(Instant now);  // a request met a failure: check soon
  void set_options(Options options, Instant now);

 private:
  Options options_;
  bool online_ = true;
  bool checking_ = false;
  bool seen_ = false;           // a check was ever answered
  std::uint32_t in_a_row_ = 0;  // results that speak against online_
  Instant next_;
  Instant started_ = Instant{} - 24h;  // the last check; at first, long ago
};

}  // namespace tandem
