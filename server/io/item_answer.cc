#include "server/io/item_answer.h"

#include <algorithm>
#include <utility>

#include "common/http/head_parser.h"
#include "common/wire/codec.h"

namespace tandem::server {

ItemAnswer::ItemAnswer(TypeSource& source, ServerId asker, const ItemRequest& request)
    : ItemOutgoing(source.flow_, asker, request.number, false), source_(source), asked_(request) {}

void ItemAnswer::start() {
  source_.flow_.send(to(), ItemCredit{number(), false, 0});  // it is here
  http::HeadParser parser({.start_line_bytes_max = asked_.head.size(),
                           .head_bytes_max = asked_.head.size(),
                           .fields_max = http::kFieldsMax});
  http::RequestHead head;
  if (parser.parse(asked_.head, head) != http::Progress::kDone || head.upgrades()) {
    source_.flow_.send(to(), ItemEnd{.number = number(), .why = ItemEnd::Why::kRefused});
    return finish();
  }
  HttpRequest request;
  request.method = head.method();
  request.head = std::move(asked_.head);
  request.streams = asked_.streams;
  request.chunked = asked_.chunked;
  const TypeId type = source_.ownership().types().type_of(head.target());
  call_ = source_.start(std::move(request), *this, {.hops = asked_.hops, .since = asked_.since});
  if (call_ != nullptr) return;
  source_.flow_.send(to(), ItemEnd{.number = number(),
                                   .why = ItemEnd::Why::kRefused,
                                   .since = source_.machine_.acting_since(type)});
  finish();
}

// --- the request's body -------------------------------------------------------------------------

void ItemAnswer::on_body_of_request(const ItemBody& body) {
  if (call_ == nullptr || complete_) return;
  if (!asked_.streams || body.bytes.size() > window_) {
    source_.flow_.send(to(), ItemEnd{.number = number(), .why = ItemEnd::Why::kCancelled});
    return finish();
  }
  window_ -= body.bytes.size();
  used_ += body.bytes.size();
  if (!body.bytes.empty() && !call_->send_body(body.bytes)) stalled_ = true;
  if (complete_) return;
  if (body.last) {
    call_->end_body();
  } else if (!stalled_) {
    give_credit();
  }
}

void ItemAnswer::on_writable() {
  stalled_ = false;
  give_credit();
}

void ItemAnswer::give_credit() {
  if (used_ < kItemWindowBytes / 2) return;
  window_ += used_;
  source_.flow_.send(to(), ItemCredit{number(), false, static_cast<std::uint32_t>(used_)});
  used_ = 0;
}

// --- the answer ---------------------------------------------------------------------------------

bool ItemAnswer::is_held(const http::Framing& framing) const {
  if (framing.kind != http::BodyKind::kLength) return false;
  if (framing.length > source_.options_.compare_bytes_max) return false;
  return std::any_of(asked_.held.begin(), asked_.held.end(),
                     [&](const Validator& one) { return one.length == framing.length; });
}

void ItemAnswer::on_interim(const http::ResponseHead& head) {
  std::string text;
  source_.edit_.begin(head);
  source_.edit_.append_to(text);
  if (text.size() > kItemHeadBytesMax) return;
  source_.flow_.send(to(), ItemResponse{.number = number(), .head = std::move(text)});
}

void ItemAnswer::on_response(const http::ResponseHead& head, const http::Framing& framing) {
  source_.edit_.begin(head);
  source_.edit_.append_to(head_);
  if (head_.size() > kItemHeadBytesMax) {
    source_.flow_.send(to(),
                       ItemEnd{.number = number(),
                               .why = ItemEnd::Why::kFailed,
                               .failure = static_cast<std::uint32_t>(HttpFailure::Kind::kMalformed),
                               .sent = true,
                               .text = "the head is too long"});
    return finish();
  }
  comparing_ = head.status() == 200 && is_held(framing);
  if (!comparing_) send_head(nullptr);
}

void ItemAnswer::send_head(const Validator* held) {
  source_.flow_.send(to(), ItemResponse{.number = number(),
                                        .head = std::exchange(head_, {}),
                                        .held = held != nullptr,
                                        .validator = held != nullptr ? *held : Validator{}});
}

void ItemAnswer::on_body(std::string_view bytes) {
  if (comparing_) {
    gathered_.append(bytes);
    return;
  }
  if (!push(bytes)) call_->pause();
}

void ItemAnswer::on_room() {
  if (all_sent()) return finish();
  if (call_ != nullptr && !complete_) call_->resume();
}

void ItemAnswer::on_complete() {
  complete_ = true;
  if (comparing_) {
    const auto same =
        std::find_if(asked_.held.begin(), asked_.held.end(), [&](const Validator& one) {
          return one.length == gathered_.size() && matches(one, gathered_);
        });
    if (same != asked_.held.end()) {
      send_head(&*same);
      return finish();
    }
    send_head(nullptr);
    push(std::exchange(gathered_, {}));
  }
  end();
  if (all_sent()) finish();
}

void ItemAnswer::on_failure(const HttpFailure& failure) {
  source_.flow_.send(to(), ItemEnd{.number = number(),
                                   .why = ItemEnd::Why::kFailed,
                                   .failure = static_cast<std::uint32_t>(failure.kind),
                                   .sent = failure.sent,
                                   .text = failure.error.message.substr(0, kWireTextBytesMax)});
  finish();
}

void ItemAnswer::finish() { source_.remove(*this); }

}  // namespace tandem::server
