#include "client/core/validation_policy.h"

#include <algorithm>

namespace tandem {

void ValidationPolicy::heard(std::string_view server, Instant now) {
  heard_ = now;
  ever_heard_ = true;
  if (server.empty() || server == server_) return;
  const bool another = !server_.empty();
  server_ = server;
  if (!another) return;
  due_ = after_ > Duration{0};
  unknown_ = false;
  wait_ = after_;
}

bool ValidationPolicy::due(Instant now, std::string_view token) const {
  if (after_ <= Duration{0} || unknown_ || token.empty() || token == refused_token_) return false;
  return due_ || (ever_heard_ && now - heard_ >= wait_);
}

void ValidationPolicy::done(Outcome outcome, Instant now, std::string_view token) {
  heard_ = now;
  ever_heard_ = true;
  due_ = outcome == Outcome::kRefused;
  switch (outcome) {
    case Outcome::kUseful:
      wait_ = after_;
      break;
    case Outcome::kUseless:
    case Outcome::kFailed:
      wait_ = std::max(after_, std::min(2 * wait_, kWaitMax));
      break;
    case Outcome::kUnknown:
      unknown_ = true;
      break;
    case Outcome::kRefused:
      refused_token_ = token;
      break;
  }
}

}  // namespace tandem
