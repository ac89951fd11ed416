#include "lb/core/liveness.h"

#include <algorithm>

namespace tandem {

void Liveness::on_connected(Instant now) {
  connected_ = true;
  left_ = false;
  failed_probes_ = 0;
  on_heard(now);
}

void Liveness::on_adopted(Instant now) {
  online_ = true;
  left_ = false;
  probe_failed_ = false;
  failed_probes_ = 0;
  wanted_ = now;
}

void Liveness::on_heard(Instant now) {
  if (silent(now)) failed_probes_ = 0;  // it was frozen or cut off: that is why they failed
  heard_ = now;
  probe_failed_ = false;
  if (connected_ && !left_ && !deaf()) online_ = true;
}

void Liveness::on_lost(Instant now) {
  connected_ = false;
  wanted_ = now;
  on_time(now);
}

void Liveness::on_left(Instant) {
  left_ = true;
  online_ = false;
  wanted_ = kNever;
}

void Liveness::on_reported(Instant now) {
  if (online_) wanted_ = std::min(wanted_, now);
}

void Liveness::on_probe_started(Instant now) {
  probing_ = true;
  probed_ = now;
  wanted_ = kNever;
}

void Liveness::on_probe_result(Instant now, bool answered) {
  probing_ = false;
  probe_failed_ = !answered;
  failed_probes_ = answered ? 0 : std::min(failed_probes_ + 1, 2 * kDeafProbes);
  if (answered && !left_) online_ = true;
  on_time(now);
}

void Liveness::on_time(Instant now) {
  if ((!connected_ || silent(now)) && probe_failed_) online_ = false;
  if (deaf()) online_ = false;
}

// From one probe to the next.
Duration Liveness::pause() const {
  if (online_ || failed_probes_ == 0) return interval_;
  return interval_ * std::min(1u << (failed_probes_ - 1), kPauseMost);
}

Instant Liveness::next_probe() const {
  if (probing_ || left_) return kNever;
  Instant next = probed_ + pause();
  if (connected_ && failed_probes_ == 0) {
    next = std::max(next, heard_ + interval_ * kProbeIntervals);
  }
  if (wanted_ != kNever) next = std::min(next, std::max(wanted_, probed_ + kReportGap));
  return next;
}

Instant Liveness::next_change() const {
  if (!online_ || !connected_ || !probe_failed_) return kNever;
  return heard_ + interval_ * kSilentIntervals;
}

}  // namespace tandem
