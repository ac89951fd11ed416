// The life of one call of the client: what to send, what a response means, whether to try again.
//
// Pure: the shell (client/io) sends head() and body, tells what came of it, and asks until the call
// is finished. One Call a call; not for several threads at once.
//
//     Call call(state, request, now, unix_now);
//     while (!call.finished()) {
//       // wait until call.next_attempt(), connect if need be, then
//       call.begin_attempt(unix_now);         // head() is ready, for to()
//       ... call.on_response(...) or call.on_failure(...)
//     }
//     return call.take_reply();
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/client_state.h"
#include "client/include/tandem/client.h"
#include "common/base/time.h"
#include "common/http/method.h"

namespace tandem {

struct CallRequest {
  std::string_view method;
  std::string_view target;
  std::string_view body;
  const HeaderFields& headers;  // the caller's
  bool to_balancer = false;     // it is the balancer's to answer
};

// A whole response.
struct Response {
  int status = 0;
  HeaderFields headers{};
  std::string body{};
};

// An attempt without a response.
struct AttemptFailure {
  ClientFailure failure = ClientFailure::kConnect;
  std::string message{};
  bool bytes_sent = false;
  bool ours = false;  // for want of something on this machine: says nothing about the server

  // Is the server to blame: is there no connection, or a broken one? Its answer may take longer
  // than the call has, or be larger than the caller wants, and it is well all the same.
  bool blames_server() const {
    return !ours && (failure == ClientFailure::kConnect || failure == ClientFailure::kSend ||
                     failure == ClientFailure::kReceive);
  }
};

class Call {
 public:
  static constexpr unsigned kAttemptsMax = 32;  // sendings in all, whatever for
  static constexpr unsigned kReferralsMax = 2;  // in a row
  // To a server that we leave alone: then it is asked all the same, since the other reaches it.
  static constexpr unsigned kVainReferralsMax = 4;

  // `state` and what `request` refers to must outlive the call.
  Call(ClientState& state, const CallRequest& request, Instant now, UnixSeconds unix_now);

  bool finished() const { return finished_; }
  Instant deadline() const { return deadline_; }
  Instant next_attempt() const { return next_attempt_; }
  http::Method method() const { return method_; }

  // Shall the whole cache be validated before the first attempt? Only where that may save it.
  bool wants_validation(Instant now) const;
  // It was; the call is over if its own item was vouched for.
  void on_validated(const ValidationReport& report, UnixSeconds unix_now);
  // The group that is thought to serve it, as of the last attempt; before one, as of now.
  const std::string& group() const { return group_; }

  // Has it been referred to a server that the map does not have? Then a map that is being fetched
  // is worth waiting for.
  bool awaits_map() const;
  // Might the attempt that was begun be left for one to another server? Where the balancer is asked
  // it is the balancer that watches the servers.
  bool may_leave() const;
  // Chooses whom to ask, and makes the head for the next attempt. `avoids`: servers that are in
  // failover mode.
  void begin_attempt(UnixSeconds unix_now, Avoids avoids = {});
  const Destination& to() const { return to_; }
  std::string_view head() const { return head_; }
  std::string_view body() const { return request_.body; }

  void on_response(Response response, Instant now, UnixSeconds unix_now);
  // A failure with kTimeout is that of the attempt, where there is still time for another.
  // `left_alone`: the server that failed will not be chosen again, so that there is no reason to
  // wait.
  void on_failure(AttemptFailure failure, Instant now, bool left_alone = false);
  // It is over, whatever is under way.
  void give_up(ClientFailure failure, std::string message);

  Reply take_reply() { return std::move(reply_); }

 private:
  bool check_request();
  void find_group();
  bool answer_locally(UnixSeconds unix_now, bool just_validated = false);
  bool validation_due(Instant now) const;
  bool is_fresh(const Item& item, UnixSeconds unix_now, bool just_validated) const;
  void refuse(std::string message);
  bool avoids(std::string_view server) const;
  void choose();
  void write_head();
  bool follow_referral(const Response& response, Instant now);
  bool ask_again_later(Instant now);
  unsigned spent() const;
  bool try_again(RetryPolicy::Failed failed, Instant now);
  bool wait_for_service(const Response& response, Instant now);
  bool use_ours(const Response& response, UnixSeconds unix_now);
  void give(Response response, UnixSeconds unix_now);
  void finish() { finished_ = true; }

  ClientState& state_;
  CallRequest request_;
  http::Method method_;
  Instant deadline_;
  Instant next_attempt_;
  bool finished_ = false;
  bool may_announce_ = false;
  std::string group_;      // whom the attempt is thought to go to
  Introduced introduced_;  // how it began
  UnixSeconds asked_ = 0;  // when
  ItemPtr held_;           // what was announced
  unsigned tries_ = 0;     // attempts that count for the retry policy, since a server was left
  unsigned sent_ = 0;      // ... in all, of which something was sent
  Destination to_;
  Avoids avoids_;
  bool balancer_failed_ = false;
  std::string refer_token_;  // of a referral that is to be followed; empty: none
  std::string refer_to_;
  bool insists_ = false;             // it is to be followed to a server that we leave alone
  unsigned referrals_ = 0;           // in a row
  unsigned vain_ = 0;                // to servers that were met in vain
  std::vector<std::string> failed_;  // whom we tell that we have met in vain
  std::string head_;
  Reply reply_;
};

}  // namespace tandem
