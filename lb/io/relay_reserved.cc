// The relay's fourth part: what the balancer itself answers under the reserved path. All else there
// is closed.
#include <fmt/format.h>

#include "common/cluster/server_list.h"
#include "lb/io/relay.h"

namespace tandem {

void Relay::answer_reserved(const http::RequestHead& head) {
  if (!state_.options.server_list) return answer(404);
  const std::string_view path = head.path();
  if (path == kServerListPath) {
    if (method_ != http::Method::kGet && method_ != http::Method::kHead)
      return answer(405, {}, "GET, HEAD");
    return answer_json(state_.server_list());
  }
  if (path.starts_with(kReportPath)) return answer_report(path.substr(kReportPath.size()));
  answer(404);
}

// A client could not reach a server, or reaches it again: no more than a reason to look. Who it is,
// and whether it says the truth, does not matter.
void Relay::answer_report(std::string_view query) {
  constexpr std::string_view kServer = "?server=";
  if (!query.empty() && !query.starts_with('?')) return answer(404);
  if (method_ != http::Method::kPost) return answer(405, {}, "POST");
  if (!query.starts_with(kServer)) return answer(400, "which server? ?server=NAME");
  std::string_view name = query.substr(kServer.size());
  const bool answers = name.ends_with(kReportAnswers);
  if (answers) name.remove_suffix(kReportAnswers.size());
  const std::uint32_t slot = state_.index.slot(ServerId::of(name));
  const bool known = slot != ViewIndex::kNoSlot && state_.index.at(slot).name == name &&
                     state_.index.at(slot).kind == ServerKind::kTandem;
  if (!known) return answer(404, "no such server");
  if (!state_.report_limit.take(state_.loop.now())) {
    state_.counts.client_reports_refused.add();
    return answer(429);
  }
  if (answers) {  // who is offline is probed anyway
    state_.counts.client_returns.add();
  } else {
    state_.counts.client_reports.add();
    state_.suspect(state_.index.at(slot).id);
  }
  answer(202);
}

void Relay::answer_json(const std::string& json) {
  state_.counts.answers_own.add();
  status_ = 200;
  keep_ = client_persists_ && !state_.draining && request_body_.done();
  std::string out = fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\n{}\r\n",
      json.size(),
      !keep_ ? "Connection: close\r\n" : (client_minor_ == 0 ? "Connection: keep-alive\r\n" : ""));
  if (method_ != http::Method::kHead) out += json;
  bytes_out_ = out.size();
  if (client_->send(out)) finish();
}

}  // namespace tandem
