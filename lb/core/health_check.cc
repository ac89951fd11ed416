#include "lb/core/health_check.h"

#include <algorithm>

namespace tandem {

void HealthCheck::on_started(Instant now) {
  checking_ = true;
  started_ = now;
}

void HealthCheck::on_result(Instant now, bool healthy) {
  checking_ = false;
  next_ = now + options_.interval;
  const bool grace = seen_;
  seen_ = seen_ || healthy;
  if (healthy == online_) {
    in_a_row_ = 0;
    return;
  }
  ++in_a_row_;
  const std::uint32_t wanted = healthy ? options_.rise : (grace ? options_.fall : 1);
  if (in_a_row_ < wanted) return;
  online_ = healthy;
  in_a_row_ = 0;
}

void HealthCheck::on_reported(Instant now) {
  if (online_) next_ = std::min(next_, std::max(now, started_ + kReportGap));
}

void HealthCheck::set_options(Options options, Instant now) {
  options_ = options;
  next_ = std::min(next_, now + options.interval);
}

}  // namespace tandem
