#include "client/core/cache_validation.h"

#include <fmt/format.h>

#include <iterator>

namespace tandem {

CacheValidation::CacheValidation(ClientState& state) : state_(state) {
  std::vector<HeldItem> ours, foreign;
  for (const HeldItem& item : state.cache.held()) {
    (item.validator.is_foreign() ? foreign : ours).push_back(item);
  }
  report_.items = ours.size() + foreign.size();
  rounds_.emplace(DigestTree(state.cache_id, std::move(ours)), std::move(foreign));
  body_ = rounds_->request().encode();
}

std::string_view CacheValidation::head(const Avoids& avoids) {
  to_ = state_.locator.choose(
      true, avoids ? avoids : [](std::string_view) { return false; });
  ++report_.requests;
  report_.bytes_sent += body_.size();
  head_.clear();
  fmt::format_to(std::back_inserter(head_),
                 "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept: {}\r\n",
                 kValidationPath, state_.authority, state_.user_agent, kValidationType);
  token_ = state_.token;
  evictions_ = write_session_fields(state_, {.token = state_.token, .direct = to_.direct()}, head_);
  fmt::format_to(std::back_inserter(head_), "Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
                 kValidationType, body_.size());
  return head_;
}

void CacheValidation::on_response(const Response& response, Instant now, UnixSeconds unix_now) {
  const std::string token = state_.token;
  learn(state_, to_, response.headers, {token_, evictions_}, now);
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
      state_.validation.done(Outcome::kRefused, now, token);
      finished_ = true;
      return;
    default:
      return finish(Outcome::kFailed, now);
  }
  const auto answer = ValidationAnswer::decode(response.body);
  if (!answer || !rounds_->on_answer(*answer)) return finish(Outcome::kFailed, now);
  const auto fresh = std::span(rounds_->vouched()).subspan(used_);
  report_.vouched += state_.cache.vouch(fresh, unix_now);
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
  state_.validation.done(outcome, now, state_.token);
  finished_ = true;
}

}  // namespace tandem
