#include "client/core/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/core/cache_rules.h"
#include "common/http/chars.h"
#include "common/http/number.h"
#include "common/session/token_codec.h"
#include "common/session/validator.h"

namespace tandem {
namespace {

using http::same_word;

// Fields that frame the message or speak for the session are ours to write.
bool is_ours(std::string_view name) {
  return same_word(name, "Content-Length") || same_word(name, "Transfer-Encoding") ||
         same_word(name, "Connection") || same_word(name, "Expect") || same_word(name, "Upgrade") ||
         same_word(name.substr(0, 7), "Tandem-");
}

// A content that came with our validator and does not match it was damaged on the way; CRC and
// length find that without the price of a digest.
bool damaged(std::string_view etag, std::string_view content) {
  auto validator = Validator::parse(etag);
  if (!validator) return false;
  validator->has_digest = false;
  return !matches(*validator, content);
}

}  // namespace

Call::Call(ClientState& state, const CallRequest& request, Instant now, UnixSeconds unix_now)
    : state_(state),
      request_(request),
      method_(http::method_of(request.method)),
      deadline_(now + state.timeout),
      next_attempt_(now) {
  if (!check_request()) return;
  may_announce_ = method_ == http::Method::kGet && may_announce(request_.headers);
  find_group();
  if (!answer_locally(unix_now)) state_.budget.on_request();
}

void Call::refuse(std::string message) { give_up(ClientFailure::kOptions, std::move(message)); }

bool Call::check_request() {
  if (!http::is_token(request_.method) || method_ == http::Method::kConnect) {
    refuse(fmt::format("\"{}\" is not a method", request_.method));
  } else if (!request_.target.starts_with('/') || !http::all(http::kTargetChar, request_.target)) {
    refuse(fmt::format("\"{}\" is not a target; one begins with / and has no spaces",
                       request_.target));
  }
  for (const auto& [name, value] : request_.headers) {
    if (!http::is_token(name) || !http::all(http::kValueChar, value) || is_ours(name)) {
      refuse(fmt::format("the header field \"{}\" cannot be sent", name));
    }
  }
  return !finished_;
}

void Call::find_group() {
  const std::string_view host = field_of(request_.headers, "Host");
  group_ = state_.group_for(host.empty() ? state_.authority : host, request_.target);
}

bool Call::answer_locally(UnixSeconds unix_now, bool just_validated) {
  if (!state_.reuse_fresh || !may_announce_) return false;
  const ItemPtr item = state_.cache.find(request_.target);
  if (!item || has_field(request_.headers, "Cache-Control")) return false;
  if (!is_fresh(*item, unix_now, just_validated)) return false;
  reply_.status = 200;
  reply_.headers = item->headers;
  reply_.content = item->content;
  reply_.source = ReplySource::kLocal;
  finish();
  return true;
}

// By its own headers, or because a server vouched for it. A clock that was set back makes nothing
// fresh.
bool Call::is_fresh(const Item& item, UnixSeconds unix_now, bool just_validated) const {
  if (asks_always(item.headers)) return false;
  const auto vouch = state_.cache.vouched(request_.target);
  if (vouch && unix_now >= vouch->from && (unix_now < vouch->until || just_validated)) return true;
  const auto life = fresh_for(item.headers);
  return life && unix_now >= item.validated && unix_now - item.validated < *life;
}

bool Call::wants_validation(Instant now) const {
  return !finished_ && state_.reuse_fresh && may_announce_ && state_.cache.items() > 1 &&
         !has_field(request_.headers, "Cache-Control") && state_.cache.vouchable(request_.target) &&
         state_.cache.group_of(request_.target) == group_ && validation_due(now);
}

bool Call::validation_due(Instant now) const {
  const GroupSession* session = state_.groups.find(group_);
  return session != nullptr && session->validation.due(now, session->token);
}

void Call::on_validated(const ValidationReport& report, UnixSeconds unix_now) {
  reply_.validation = report;
  const GroupSession* session = state_.groups.find(group_);
  if (session != nullptr) reply_.server = session->validation.server();
  reply_.group = group_;
  answer_locally(unix_now, true);
}

bool Call::avoids(std::string_view server) const {
  return server.empty() ? balancer_failed_ : avoids_ && avoids_(server);
}

bool Call::awaits_map() const { return !refer_to_.empty() && !state_.locator.find(refer_to_); }

bool Call::may_leave() const {
  return to_.direct() && http::is_idempotent(method_) &&
         std::max(tries_, sent_ + 1) < state_.retry.attempts_max &&
         reply_.attempts < kAttemptsMax && state_.budget.affords();
}

void Call::begin_attempt(UnixSeconds unix_now, Avoids avoids) {
  asked_ = unix_now;
  ++reply_.attempts;
  ++tries_;
  avoids_ = std::move(avoids);
  choose();
  write_head();
}

// The server that a referral names, or else whom the locator names. One that the map lacks, and no
// newer map has come, the balancer reaches: whoever referred to it would do so again.
void Call::choose() {
  find_group();
  const auto referred = state_.locator.find(refer_to_);
  const bool unknown = awaits_map() && !this->avoids({});
  if (!refer_token_.empty() && referred && (insists_ || !this->avoids(refer_to_))) {
    to_ = *referred;
    group_ = to_.group;
    ++reply_.referrals;
  } else {
    refer_token_.clear();
    to_ = unknown ? Destination{}
                  : state_.locator.choose(
                        group_, !state_.groups.token(group_).empty(),
                        [this](std::string_view server) { return this->avoids(server); },
                        request_.target);
  }
  refer_to_.clear();
  if (request_.to_balancer) to_ = {};
  for (const std::string& name :
       {state_.locator.primary(group_), state_.locator.alternate(group_)}) {
    const bool told = std::find(failed_.begin(), failed_.end(), name) != failed_.end();
    if (!name.empty() && !told && this->avoids(name)) failed_.push_back(name);
  }
}

void Call::write_head() {
  held_ = may_announce_ ? state_.cache.find(request_.target) : nullptr;
  reply_.announced = held_ != nullptr;
  head_.clear();
  const auto out = std::back_inserter(head_);
  fmt::format_to(out, "{} {} HTTP/1.1\r\n", request_.method, request_.target);
  if (!has_field(request_.headers, "Host")) fmt::format_to(out, "Host: {}\r\n", state_.authority);
  if (!has_field(request_.headers, "User-Agent")) {
    fmt::format_to(out, "User-Agent: {}\r\n", state_.user_agent);
  }
  if (!has_field(request_.headers, "Accept")) head_ += "Accept: */*\r\n";
  for (const auto& [name, value] : request_.headers) {
    fmt::format_to(out, "{}: {}\r\n", name, value);
  }
  introduced_ = write_session_fields(
      state_, {group_, to_.direct(), refer_token_, failed_, to_.by_type}, head_);
  if (held_) fmt::format_to(out, "If-None-Match: {}\r\n", held_->etag);
  const bool has_content = !request_.body.empty() || method_ == http::Method::kPost ||
                           method_ == http::Method::kPut || method_ == http::Method::kPatch;
  if (has_content) fmt::format_to(out, "Content-Length: {}\r\n", request_.body.size());
  head_ += "\r\n";
}

void Call::on_response(Response response, Instant now, UnixSeconds unix_now) {
  if (!hears_evictions(response.status, response.headers)) introduced_.evictions = 0;
  if (!request_.to_balancer) learn(state_, to_, response.headers, introduced_, now);
  introduced_.evictions = 0;
  reply_.group = group_of(to_, response.headers).value_or("");
  reply_.server = field_of(response.headers, "Tandem-Server");
  if (follow_referral(response, now)) {
    --tries_;  // nothing was executed
    return;
  }
  ++sent_;
  reply_.direct = to_.direct();
  if (wait_for_service(response, now)) return;
  if (response.status == 304 && held_) {
    if (use_ours(response, unix_now)) return;
    // Not about the copy that was announced. Without an announcement it has to be sent whole.
    may_announce_ = false;
    if (try_again({.attempts = spent(), .idempotent = true}, now)) return;
  }
  give(std::move(response), unix_now);
}

// Nothing was executed. A server refers at most twice in a row; who takes over may refer anew.
bool Call::follow_referral(const Response& response, Instant now) {
  const std::string_view token = field_of(response.headers, "Tandem-Refer");
  if (response.status != 421 || !to_.direct() || token.empty()) return false;
  refer_token_.clear();
  if (token == kNoToken) {
    state_.groups.lose_token(to_.group, introduced_.sessions);
    return ask_again_later(now);
  }
  const auto where = Whereabouts::parse(field_of(response.headers, kWhereField));
  if (!where || where->primary.empty()) return ask_again_later(now);
  // The server does not know yet what we have met; it will, or takes over when we say it again.
  insists_ = avoids(where->primary);
  if (insists_ && ask_again_later(now)) return true;
  if (++referrals_ > kReferralsMax) return false;
  refer_token_ = token;
  refer_to_ = where->primary;
  next_attempt_ = now;
  return true;
}

bool Call::ask_again_later(Instant now) {
  if (++vain_ > kVainReferralsMax) return false;
  referrals_ = 0;
  const auto next =
      RetryPolicy{
          .attempts_max = kVainReferralsMax + 1, .backoff_first = 10ms, .backoff_max = 500ms}
          .next_attempt({.attempts = vain_, .idempotent = true}, now, deadline_);
  if (!next) return false;
  next_attempt_ = *next;
  return true;
}

unsigned Call::spent() const { return std::max({tries_, sent_, 1u}); }

bool Call::try_again(RetryPolicy::Failed failed, Instant now) {
  const auto next = state_.retry.next_attempt(failed, now, deadline_);
  if (!next) return false;
  next_attempt_ = *next;
  return true;
}

bool Call::wait_for_service(const Response& response, Instant now) {
  if (response.status != 503 || !has_field(response.headers, "Retry-After")) return false;
  std::uint64_t seconds = 1;  // a date, which needs no more precision than this
  (void)http::parse_decimal(field_of(response.headers, "Retry-After"), seconds);
  seconds = std::min<std::uint64_t>(seconds, 3600);
  return try_again({.attempts = spent(),
                    .idempotent = http::is_idempotent(method_),
                    .bytes_sent = true,
                    .retry_after = std::chrono::seconds(seconds)},
                   now) &&
         state_.budget.take();
}

bool Call::use_ours(const Response& response, UnixSeconds unix_now) {
  const std::string_view etag = field_of(response.headers, "ETag");
  if (!etag.empty() && etag != held_->etag) return false;
  const bool by_mirror = same_word(field_of(response.headers, "Tandem-Reuse"), "mirror");
  reply_.source = by_mirror ? ReplySource::kByMirror : ReplySource::kByValidator;
  reply_.status = 200;
  reply_.headers = refreshed(held_->headers, response.headers);
  reply_.content = held_->content;
  if (state_.reuse_fresh || held_->group != reply_.group) {
    state_.cache.refresh(request_.target, held_, reply_.headers, std::min(asked_, unix_now),
                         reply_.group);
  }
  finish();
  return true;
}

// Gives the response to the caller, and keeps what may be kept.
void Call::give(Response response, UnixSeconds unix_now) {
  const int status = response.status;
  reply_.status = status;
  reply_.headers = std::move(response.headers);
  reply_.content = std::make_shared<const std::string>(std::move(response.body));
  reply_.source = ReplySource::kFetched;
  finish();
  const bool get = method_ == http::Method::kGet;
  const bool whole = get && status == 200 && may_announce(request_.headers);
  if (whole) {
    const std::string_view etag = field_of(reply_.headers, "ETag");
    if (may_keep(request_.headers, reply_.headers) && !damaged(etag, *reply_.content)) {
      state_.cache.store(request_.target,
                         Item{std::string(etag), kept_fields(reply_.headers), reply_.content,
                              std::min(asked_, unix_now), reply_.group});
      return;
    }
  }
  // A copy that is known to be wrong goes, and so does one that an unsafe method may have made
  // wrong (RFC 9111, 4.4).
  const bool replaced = whole || (get && (status == 404 || status == 410));
  const bool changed = !http::is_safe(method_) && status >= 200 && status < 400;
  if (replaced || changed) state_.cache.remove(request_.target);
}

void Call::on_failure(AttemptFailure failure, Instant now, bool left_alone) {
  const bool idempotent = http::is_idempotent(method_);
  const bool untrusted = failure.failure == ClientFailure::kTls && to_.direct();
  const bool worth_it = failure.failure == ClientFailure::kConnect ||
                        failure.failure == ClientFailure::kSend ||
                        failure.failure == ClientFailure::kTimeout ||
                        failure.failure == ClientFailure::kReceive || untrusted;
  untrusted ? state_.locator.on_untrusted(to_) : state_.locator.on_failure(to_);
  refer_token_.clear();
  if (state_.locator.has_map()) {
    // Another one is asked next, at once, and has tries of its own.
    if (!to_.direct()) left_alone = !std::exchange(balancer_failed_, true);
    if (left_alone) tries_ = referrals_ = 0;
  }
  sent_ += failure.bytes_sent;
  // Where nothing was sent nobody has worked for it. The budget is asked last: it pays.
  if (worth_it && reply_.attempts < kAttemptsMax &&
      try_again({.attempts = spent(), .idempotent = idempotent, .bytes_sent = failure.bytes_sent},
                now) &&
      (!failure.bytes_sent || state_.budget.take())) {
    if (left_alone || untrusted) next_attempt_ = now;
    return;
  }
  give_up(failure.failure, std::move(failure.message));
}

void Call::give_up(ClientFailure failure, std::string message) {
  reply_.failure = failure;
  reply_.message = std::move(message);
  finish();
}

}  // namespace tandem
