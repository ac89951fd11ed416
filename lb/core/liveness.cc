#include "lb/core/liveness.h"

#include <algorithm>
#include <utility>

namespace tandem {

void Liveness::set_options(const Options& options) {
  const bool same = options.attempts == options_.attempts && options.timeout == options_.timeout;
  options_ = options;
  if (same || !verifying_ || !online_) return;
  verifying_ = false;
  started_ = fails_ = refusals_ = 0;
  wanted_ = begun_;
}

void Liveness::good() {
  ++good_signs_;
  well_ = true;
  accused_ = verifying_ = again_ = false;
  started_ = fails_ = refusals_ = pauses_ = 0;
}

void Liveness::begin(Instant now) {
  verifying_ = true;
  started_ = fails_ = refusals_ = 0;
  begun_ = now;
  wanted_ = kNever;
  lost_ = false;
}

void Liveness::on_connected(Instant now) {
  connected_ = true;
  left_ = deaf_ = false;
  port_.end();
  heard_ = now;
  wanted_ = unanswered_ < kIllProbes ? kNever : now;
  good();
}

void Liveness::on_heard(Instant now, bool is_pong) {
  if (now - heard_ >= options_.status_interval * 3 / 2) {
    // It was frozen or cut off, maybe: that is why they failed.
    port_.end();
    deaf_ = false;
  }
  heard_ = now;
  if (deaf_ || left_) return;
  if (unanswered_ >= kIllProbes && !verifying_) wanted_ = std::max(now, begun_ + kReportGap);
  if (verifying_ && is_pong && !online_) {
    // It lives. Is it deaf? The probe is to say that.
    ++good_signs_;
    well_ = true;
    return;
  }
  const bool may_be_old = verifying_ && online_ && !is_pong && !again_;
  if (!may_be_old) {
    if (verifying_ && online_) port_.begin(now);  // that is as unproven as before
    return good();
  }
  begin(now);
  verifying_ = false;  // its first probe begins it
  again_ = true;
  wanted_ = now;
}

void Liveness::on_lost(Instant now) {
  connected_ = false;
  well_ = false;
  lost_ = true;
  if (!verifying_) wanted_ = now;
}

void Liveness::on_left(Instant) {
  left_ = true;
  well_ = verifying_ = false;
  wanted_ = kNever;
}

void Liveness::on_reported(Instant now) {
  if (online_ && !verifying_) wanted_ = std::min(wanted_, std::max(now, begun_ + kReportGap));
}

void Liveness::on_accused(Instant now) {
  if (!online_) return;
  accused_ = true;
  on_reported(now);
}

void Liveness::examine(Instant now) {
  if (online_ && !verifying_ && !left_) wanted_ = now;
}

void Liveness::on_probe_started(Instant now) {
  if (!verifying_) {
    if (!again_) ++verifications_;
    begin(now);
  } else if (online_ && now > attempt_due(started_) + options_.timeout / 2) {
    begin(now);  // it is us who are late
  }
  ++started_;
}

void Liveness::on_probe_result(Instant now, ProbeResult result) {
  if (result == ProbeResult::kAnswered) {
    unanswered_ = 0;
    port_.end();
    deaf_ = false;
    // It may have answered, and then died.
    wanted_ = lost_ && !connected_ && online_ ? now : kNever;
    if (!left_) good();
    return;
  }
  if (online_ && connected_) port_.begin(now);
  unanswered_ += !online_;
  if (verifying_) {
    ++fails_;
    refusals_ += result == ProbeResult::kRefused;
    if (fails_ >= (online_ ? options_.attempts : 1U)) {
      verifying_ = again_ = false;
      if (!connected_ || heard_ < begun_) well_ = false;
      if (!online_) pauses_ = std::min(pauses_ + 1, kPausesMost + 1);
    }
  }
}

// Of a verification it says nothing: it may have been answered before that began.
void Liveness::on_patient_result(Instant now, Instant started, ProbeResult result) {
  port_.on_ended();
  if (!connected_ || !online_) return;
  if (result == ProbeResult::kAnswered) {
    port_.end();
    if (std::exchange(deaf_, false) && !left_) good();
    return;
  }
  port_.on_failed(started);
  if (port_.deaf(now, heard_, options_.status_interval) && !silent(now)) {
    deaf_ = true;
    well_ = false;
  }
}

void Liveness::mark(bool online) {
  if (online == online_) return;
  online_ = online;
  accused_ = verifying_ = again_ = false;
  started_ = pauses_ = unanswered_ = 0;
  port_.end();
  if (!online) well_ = false;
}

bool Liveness::failed(Instant now) const {
  if (deaf_) return true;
  if (verifying_ || fails_ < options_.attempts) return false;
  if (!connected_) return true;
  return now >= ping_until() && heard_ <= begun_ && (accused_ || silent(now));
}

bool Liveness::well(Instant now) const {
  return well_ && !left_ && !deaf_ && unanswered_ < kIllProbes && (!connected_ || !silent(now));
}

Instant Liveness::next_probe() const {
  if (left_) return kNever;
  if (verifying_) {
    if (!online_ || started_ >= options_.attempts) return kNever;
    if (started_ == fails_ && refusals_ == fails_ && !connected_) return begun_;  // at once
    return attempt_due(started_);
  }
  // Longer than a verification, which has been judged by then.
  const Duration interval = std::max<Duration>(options_.status_interval, options_.timeout * 2);
  Instant next =
      begun_ + interval * (online_ || well_ ? 1U : 1U << (pauses_ == 0 ? 0 : pauses_ - 1));
  // Of whom it is asked whether it is deaf, that was heard of: no more verifications, until it is
  // judged.
  if (online_ && connected_ && (!port_.doubted() || (heard_ > begun_ && !deaf_))) {
    next = std::max(next, heard_ + options_.status_interval * kProbeIntervals);
  }
  return std::min(next, wanted_);
}

Duration Liveness::probe_timeout(Instant now) const {
  if (!online_) return 0s;
  return std::max<Duration>(ping_until() - now, options_.timeout / (2 * options_.attempts));
}

Instant Liveness::next_patient() const {
  if (left_ || !online_ || !connected_ || heard_ < port_.since()) return kNever;
  return port_.next(options_.timeout, options_.status_interval);
}

Instant Liveness::next_change(Instant now) const {
  Instant next = kNever;
  const auto at = [&](Instant when) {
    if (when > now) next = std::min(next, when);
  };
  const Instant silence = heard_ + options_.status_interval * kSilentIntervals;
  if (online_ && connected_ && fails_ >= options_.attempts) {
    at(ping_until());
    at(silence);
  }
  if (!online_ && connected_ && well_) at(silence);
  return next;
}

}  // namespace tandem
