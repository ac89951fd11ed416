// One validation of the whole cache, as far as it is of one failover group: what to send, and what
// an answer means for the items.
//
// Pure, and driven like a Call: while it is not finished the shell sends head() and body() and
// tells what came of it. It never fails a call: what is not vouched for is asked for item by item.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/core/call.h"
#include "client/core/client_state.h"
#include "common/session/validation_rounds.h"

namespace tandem {

class CacheValidation {
 public:
  static constexpr unsigned kFailuresMax = 1;  // attempts without a response that are made good

  // `state` must outlive it. What was vouched for before stands as long as it was said, and no
  // longer, whatever comes of this.
  CacheValidation(ClientState& state, UnixSeconds now, std::string group = {});

  bool finished() const { return finished_; }
  // Of the request to send now; the head is made anew each time. It goes to to().
  std::string_view head(UnixSeconds now, const Avoids& avoids = {});
  const Destination& to() const { return to_; }
  std::string_view body() const { return body_; }

  void on_response(const Response& response, Instant now, UnixSeconds unix_now);
  void on_failure(Instant now);

  const ValidationReport& report() const { return report_; }

 private:
  using Outcome = ValidationPolicy::Outcome;
  void finish(Outcome outcome, Instant now);
  void settle(Outcome outcome, Instant now, std::string_view token);

  ClientState& state_;
  const std::string group_;
  std::optional<ValidationRounds> rounds_;
  std::size_t used_ = 0;  // of rounds_->vouched()
  std::string head_;
  std::string body_;
  Destination to_;
  std::string token_;      // of the session when the request was made
  Introduced introduced_;  // how it was
  UnixSeconds asked_ = 0;  // when
  unsigned failures_ = 0;
  ValidationReport report_;
  bool finished_ = false;
};

}  // namespace tandem
