#include "client/core/cache_validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace tandem {

CacheValidation::CacheValidation(ClientState& state, UnixSeconds now, std::string group)
    : state_(state), group_(std::move(group)) {
  state.cache.forget_vouches(now, group_);
  std::vector<HeldItem> ours, foreign;
  for (const HeldItem& item : state.cache.held(group_)) {
    (item.validator.is_foreign() ? foreign : ours).push_back(item);
  }
  report_.items = ours.size() + foreign.size();
  rounds_.emplace(DigestTree(state.cache_id, std::move(ours)), std::move(foreign));
  body_ = rounds_->request().encode();
}

std::string_view CacheValidation::head(UnixSeconds now, const Avoids& avoids) {
  asked_ = now;
  to_ = state_.locator.choose(
      group_, true, avoids ? avoids : [](std::string_view) { return false; });
  ++report_.requests;
  report_.bytes_sent += body_.size();
  head_.clear();
  fmt::format_to(std::back_inserter(head_),
                 "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept: {}\r\n",
                 to_.direct() ? std::string(kValidationPath) : validation_path(group_),
                 state_.authority, state_.user_agent, kValidationType);
  token_ = state_.groups.token(group_);
  introduced_ = write_session_fields(state_, {group_, to_.direct(), {}, {}, false}, head_);
  fmt::format_to(std::back_inserter(head_), "Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
                 kValidationType, body_.size());
  return head_;
}

void CacheValidation::on_response(const Response& response, Instant now, UnixSeconds unix_now) {
  if (!hears_evictions(response.status, response.headers)) introduced_.evictions = 0;
  learn(state_, to_, response.headers, introduced_, now);
  report_.bytes_received += response.body.size();
  switch (response.status) {
    case 200:
      break;
    case 404:
    case 405:
    case 501:
      report_.known = false;
      return finish(Outcome::kUnknown, now);
    case 400:
      return settle(Outcome::kRefused, now, token_);
    default:
      return finish(Outcome::kFailed, now);
  }
  // Another group's mirrors know nothing of these items.
  if (group_of(to_, response.headers) != group_) return finish(Outcome::kFailed, now);
  const auto answer = ValidationAnswer::decode(response.body);
  if (!answer || !rounds_->on_answer(*answer)) return finish(Outcome::kFailed, now);
  const auto fresh = std::span(rounds_->vouched()).subspan(used_);
  // The server counts from when it answered, which was after it was asked.
  report_.vouched += state_.cache.vouch(fresh, std::min(asked_, unix_now), group_);
  used_ = rounds_->vouched().size();
  if (rounds_->finished()) {
    return finish(report_.vouched > 0 ? Outcome::kUseful : Outcome::kUseless, now);
  }
  body_ = rounds_->request().encode();
}

void CacheValidation::on_failure(Instant now) {
  if (failures_++ >= kFailuresMax) finish(Outcome::kFailed, now);
}

void CacheValidation::finish(Outcome outcome, Instant now) {
  settle(outcome, now, state_.groups.token(group_));
}

void CacheValidation::settle(Outcome outcome, Instant now, std::string_view token) {
  state_.groups.of(group_).validation.done(outcome, now, token);
  finished_ = true;
}

}  // namespace tandem
