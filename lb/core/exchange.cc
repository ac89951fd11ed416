#include "lb/core/exchange.h"

#include <algorithm>

#include "common/session/group_fields.h"

namespace tandem {

bool Exchange::repeatable(http::Method method, std::string_view path) {
  return http::is_idempotent(method) || (method == http::Method::kPost && validation_group(path));
}

void Exchange::on_attempt(ServerId server, bool reused, bool kept) {
  server_ = server;
  reused_ = reused;
  kept_ = kept;
  sent_ = false;
  ++attempts_;
}

Verdict Exchange::give_up(std::uint16_t status, bool report_failure) const {
  if (responding_) return Verdict{Step::kAbort, 0, report_failure};
  return Verdict{Step::kAnswer, status, report_failure};
}

void Exchange::note_failed() {
  const auto known = failed();
  if (std::find(known.begin(), known.end(), server_) != known.end()) return;
  if (failed_count_ < failed_.size()) failed_[failed_count_++] = server_;
}

// As long as no byte of it reached a server it is service that is missing (503, with Retry-After);
// afterwards it is a server that failed with the request (502).
std::uint16_t Exchange::failure() const { return reached_ ? 502 : 503; }

Verdict Exchange::take_over() {
  note_failed();
  if (responding_ || attempts_ >= kAttemptsMax) return give_up(failure(), true);
  // Whoever referred to a server that then died could not know: it was no going in circles.
  referrals_in_row_ = 0;
  return Verdict{Step::kTakeover, 0, true};
}

Verdict Exchange::on_connect_failed() {
  // Nothing of this attempt reached the server, but something of an earlier one may have.
  if (!may_resend()) {
    note_failed();
    return give_up(502, true);
  }
  return take_over();
}

// Our own trouble says nothing about the server, and another server would not help.
Verdict Exchange::on_shortage() { return give_up(503, false); }

Verdict Exchange::on_broken(RetryBudget& budget) {
  if (responding_) return Verdict{Step::kAbort, 0, false};
  // A server may close an idle connection at any moment, and the request may just have met that:
  // it says nothing about the server. Where the server keeps them, it is dead or cut off; a dying
  // one may still accept, and another try there would be lost, too.
  if (reused_ && !kept_) {
    if (!may_resend() || attempts_ >= kAttemptsMax) return give_up(502, false);
    return Verdict{Step::kResendFresh, 0, false};
  }
  if (!may_resend()) {
    note_failed();
    return give_up(502, true);
  }
  if (!budget.take()) {
    // A dead server refuses the fresh connection, and that costs nobody any work.
    if (reused_ && attempts_ < kAttemptsMax) return Verdict{Step::kResendFresh, 0, true};
    note_failed();
    return give_up(502, true);
  }
  return take_over();
}

Verdict Exchange::on_offline() {
  if (responding_) return Verdict{};
  if (!may_resend()) {
    note_failed();
    return give_up(504, false);
  }
  Verdict verdict = take_over();
  verdict.report_failure = false;  // it is from membership that we know
  return verdict;
}

// A server that is slow, yet online, is not taken over: the work would only double.
Verdict Exchange::on_timeout() { return give_up(504, true); }

Verdict Exchange::on_referral() {
  if (responding_) return Verdict{Step::kAbort, 0, false};
  if (referrals_in_row_ >= kReferralsMax || !whole_ || attempts_ >= kAttemptsMax) {
    return give_up(502, false);
  }
  ++referrals_;
  ++referrals_in_row_;
  reached_ = false;
  return Verdict{Step::kRefer, 0, false};
}

Verdict Exchange::on_response() {
  responding_ = true;
  return Verdict{Step::kRelay, 0, false};
}

Verdict Exchange::on_bad_response() { return give_up(502, false); }

Verdict Exchange::on_no_route() const { return give_up(failure(), false); }

}  // namespace tandem
