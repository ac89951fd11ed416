// One request's life: what is to be done when something happens to it. This is where "no request
// fails" and "none is executed twice" are decided.
//
// An Exchange is a small value: it knows how far the request has come, not how it travels. The
// shell tells it what happened and does what the Verdict says; after kResendFresh, kTakeover and
// kRefer it sends the request (again) and calls on_attempt().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/ids.h"
#include "common/base/retry_budget.h"
#include "common/http/method.h"

namespace tandem {

// What the shell does next.
enum class Step : std::uint8_t {
  kWait,         // nothing
  kResendFresh,  // send to the same server over a fresh connection
  kTakeover,     // route anew, failed() excluded, and send there
  kRefer,        // send to the server that the referral names, with the referral's token
  kRelay,        // pass the response on
  kAnswer,       // answer with `status`
  kAbort,        // the response has begun and cannot be ended well: close the client's connection
};

struct Verdict {
  Step step = Step::kWait;
  std::uint16_t status = 0;     // of kAnswer
  bool report_failure = false;  // tell membership that this server failed: it probes at once

  bool operator==(const Verdict&) const = default;
};

class Exchange {
 public:
  static constexpr unsigned kReferralsMax = 2;  // in a row; who takes over may refer anew
  static constexpr unsigned kAttemptsMax = 6;   // sendings in all, the first one included

  // GET HEAD OPTIONS PUT DELETE TRACE may be executed twice, no other method may; but a whole-cache
  // validation may (POST kValidationPath, common/session/validation.h): it only asks, and what it
  // tells a mirror it tells it again.
  static bool repeatable(http::Method method, std::string_view path);
  Exchange() = default;
  explicit Exchange(bool idempotent) : idempotent_(idempotent) {}

  // Is a request of this body to be marked must-serve from the start, as it cannot be kept for a
  // referral? `body_bytes` is its Content-Length; `unknown_length` a chunked one not yet whole.
  static bool outgrows(std::uint64_t body_bytes, bool unknown_length, std::size_t retry_buffer) {
    return unknown_length || body_bytes > retry_buffer;
  }

  // --- what happens -------------------------------------------------------------------------
  // The request is about to be sent to this server; `reused`: over a connection that has carried
  // a request before; `kept`: the server cannot have closed it for being idle.
  void on_attempt(ServerId server, bool reused, bool kept = false);
  // Some byte of it was handed to the connection: it may have reached the server.
  void on_sent() {
    reached_ = true;
    sendings_ = static_cast<std::uint8_t>(sendings_ + !std::exchange(sent_, true));
  }
  // Its body no longer fits the retry buffer: what was sent cannot be sent again.
  void on_outgrown() { whole_ = false; }
  // No connection to the server: refused, unreachable, or not in time.
  Verdict on_connect_failed();
  // No connection for want of something on this machine (EMFILE, EADDRNOTAVAIL, ENOBUFS, ...).
  Verdict on_shortage();
  // The connection ended (reset, closed, or broken framing) before the response was whole.
  Verdict on_broken(RetryBudget& budget);
  // The view now says that the server is offline. Only a request that waits for its first byte
  // (or for its connection) is concerned.
  Verdict on_offline();
  // No response head within the time allowed.
  Verdict on_timeout();
  // 421 with Tandem-Refer from a tandem-server: nothing was executed.
  Verdict on_referral();
  // The head of the final response is there.
  Verdict on_response();
  // What the server sent is not HTTP.
  Verdict on_bad_response();
  // kTakeover was the verdict, but there is no server to route to.
  Verdict on_no_route() const;

  // --- what is known ------------------------------------------------------------------------
  std::span<const ServerId> failed() const { return {failed_.data(), failed_count_}; }
  ServerId server() const { return server_; }
  bool responding() const { return responding_; }
  bool whole() const { return whole_; }
  unsigned attempts() const { return attempts_; }
  unsigned referrals() const { return referrals_; }
  // Attempts in which something was sent: a connection that was refused carried nothing.
  unsigned sendings() const { return sendings_; }
  // Resent after a failure (referrals are none), for the access log.
  unsigned retries() const { return attempts_ - (attempts_ > 0) - referrals_; }

 private:
  bool may_resend() const { return (idempotent_ || !reached_) && whole_; }
  std::uint16_t failure() const;
  Verdict give_up(std::uint16_t status, bool report_failure) const;
  Verdict take_over();
  void note_failed();

  ServerId server_;
  std::array<ServerId, kAttemptsMax> failed_{};
  std::uint8_t failed_count_ = 0;
  std::uint8_t attempts_ = 0;
  std::uint8_t referrals_ = 0;
  std::uint8_t referrals_in_row_ = 0;
  std::uint8_t sendings_ = 0;
  bool idempotent_ = true;
  bool reused_ = false;
  bool kept_ = false;
  bool sent_ = false;        // in this attempt
  bool reached_ = false;     // a byte of it may have reached a server that may execute it
  bool whole_ = true;        // all that was sent of it can be sent again
  bool responding_ = false;  // the client has bytes of the response
};

}  // namespace tandem
