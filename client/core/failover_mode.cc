#include "client/core/failover_mode.h"

#include <algorithm>

namespace tandem {

bool FailoverModes::avoids(std::string_view server) const {
  const auto known = servers_.find(server);
  return known != servers_.end() && known->second.in_mode;
}

FailoverModes::Notice FailoverModes::on_failure(std::string_view server, Instant now) {
  auto known = servers_.find(server);
  if (known == servers_.end()) {
    if (servers_.size() >= options_.servers_max) return Notice::kNone;
    known = servers_.emplace(server, Server{}).first;
  }
  Server& one = known->second;
  if (one.in_mode) {
    // What began before the mode says nothing new; what was tried in it, or the probe, does.
    one.probe_at = now + options_.retry_after;
    return Notice::kNone;
  }
  if (++one.failures < std::max(options_.retries, 1u)) return Notice::kNone;
  one.in_mode = true;
  one.probe_at = now + options_.retry_after;
  ++entered_;
  return Notice::kEntered;
}

FailoverModes::Notice FailoverModes::on_answer(std::string_view server) {
  const auto known = servers_.find(server);
  if (known == servers_.end()) return Notice::kNone;
  const bool was_in_mode = known->second.in_mode;
  servers_.erase(known);
  if (!was_in_mode) return Notice::kNone;
  ++left_;
  return Notice::kLeft;
}

std::optional<std::string> FailoverModes::take_probe(Instant now) {
  for (auto& [name, server] : servers_) {
    if (!server.in_mode || now < server.probe_at) continue;
    server.probe_at = now + options_.probe_patience + options_.retry_after;
    return name;
  }
  return std::nullopt;
}

void FailoverModes::put_back(std::string_view server, Instant now) {
  const auto known = servers_.find(server);
  if (known != servers_.end() && known->second.in_mode) known->second.probe_at = now + kProbeAgain;
}

void FailoverModes::forget_unless(const std::function<bool(std::string_view)>& exists) {
  std::erase_if(servers_, [&](const auto& one) { return !exists(one.first); });
}

Instant FailoverModes::next_deadline() const {
  Instant next = kNever;
  for (const auto& [name, server] : servers_) {
    if (server.in_mode) next = std::min(next, server.probe_at);
  }
  return next;
}

std::size_t FailoverModes::avoided() const {
  return static_cast<std::size_t>(std::count_if(
      servers_.begin(), servers_.end(), [](const auto& one) { return one.second.in_mode; }));
}

}  // namespace tandem
