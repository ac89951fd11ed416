#include "server/io/noted_call.h"

#include <utility>

#include "common/base/error.h"
#include "common/http/head_parser.h"

namespace tandem::server {

NotedCall::NotedCall(EventLoop& loop, HttpCallHandler& handler, http::Method method,
                     std::string head, ContentStore::Bytes content)
    : loop_(loop),
      handler_(handler),
      method_(method),
      head_(std::move(head)),
      content_(std::move(content)) {
  later();
}

NotedCall::~NotedCall() {
  if (gone_ != nullptr) *gone_ = true;
  if (scheduled_) loop_.cancel_round_end(*this);
}

void NotedCall::later() {
  if (!std::exchange(scheduled_, true)) loop_.at_round_end(*this);
}

void NotedCall::resume() {
  if (std::exchange(paused_, false) && !over_) later();
}

void NotedCall::on_round_end() {
  scheduled_ = false;
  if (paused_ || over_) return;
  bool gone = false;
  gone_ = &gone;
  if (!std::exchange(head_given_, true)) {
    http::HeadParser parser({.start_line_bytes_max = head_.size(),
                             .head_bytes_max = head_.size(),
                             .fields_max = http::kFieldsMax});
    http::ResponseHead head;
    TANDEM_CHECK(parser.parse(head_, head) == http::Progress::kDone);
    const auto framing = http::response_framing(head, method_, false);
    TANDEM_CHECK(framing.has_value());
    body_given_ = framing->kind == http::BodyKind::kNone;
    handler_.on_response(head, *framing);
    if (gone) return;
  }
  if (!paused_ && !std::exchange(body_given_, true)) {
    handler_.on_body(*content_);
    if (gone) return;
  }
  gone_ = nullptr;
  if (paused_) return;
  over_ = true;
  handler_.on_complete();
}

void NotingCall::on_response(const http::ResponseHead& head, const http::Framing& framing) {
  fit_ = NotedAnswers::take_head(answer_, head, framing);
  handler_.on_response(head, framing);
}

// Whoever has gathered the content says which it was, within on_complete(). That may destroy this.
void NotingCall::on_complete() {
  TypeSource& source = source_;
  if (fit_) source.coming_ = std::move(answer_);
  handler_.on_complete();
  source.coming_.reset();
}

}  // namespace tandem::server
