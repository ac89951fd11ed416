#include "server/io/item_ask.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/http/head_parser.h"

namespace tandem::server {
namespace {

http::HeadLimits limits_of(const std::string& head) {
  return {.start_line_bytes_max = head.size(),
          .head_bytes_max = head.size(),
          .fields_max = http::kFieldsMax};
}

std::string_view target_of(std::string_view head) {
  const std::size_t from = head.find(' ') + 1;
  return head.substr(from, head.find(' ', from) - from);
}

bool has_conditions(const std::string& text) {
  http::HeadParser parser(limits_of(text));
  http::RequestHead head;
  if (parser.parse(text, head) != http::Progress::kDone) return true;
  return head.has(http::FieldId::kIfMatch) || head.has(http::FieldId::kIfNoneMatch) ||
         head.has(http::FieldId::kIfUnmodifiedSince);
}

}  // namespace

class ItemAsk::Body final : public ItemOutgoing {
 public:
  Body(ItemAsk& ask, ServerId to)
      : ItemOutgoing(ask.source_.flow_, to, ask.number_, true), ask_(ask) {}

 private:
  void on_room() override {
    if (std::exchange(ask_.held_back_, false)) ask_.handler_.on_writable();
  }
  ItemAsk& ask_;
};

ItemAsk::ItemAsk(TypeSource& source, HttpRequest request, HttpCallHandler& handler,
                 const TypeAccess::Request& of, const TypeAccess::Step& step)
    : source_(source),
      request_(std::move(request)),
      handler_(handler),
      type_(of),
      body_ended_(!request_.streams) {
  number_ = source_.add(*this);
  const auto* sent = source_.sent_content(ItemKey::of(target_of(request_.head)));
  if (sent != nullptr && request_.method == http::Method::kGet) {
    held_ = source_.contents_.find(sent->validator);
    if (held_ != nullptr) held_as_ = sent->validator;
  }
  take(step);
}

ItemAsk::~ItemAsk() {
  *alive_ = false;
  leave(true);
}

template <class Work>
void ItemAsk::later(Work work) {
  source_.loop_.defer([alive = alive_, work] {
    if (*alive) work();
  });
}

// --- whom ---------------------------------------------------------------------------------------

void ItemAsk::take(const TypeAccess::Step& step) {
  switch (step.as) {
    case TypeAccess::As::kAsk:
      return ask(step);
    case TypeAccess::As::kWait:
      return source_.set_deadline(number_, step.until);
    case TypeAccess::As::kOutdated:
      return fail(HttpFailure::Kind::kShortage, false, "another server has acted meanwhile");
    default:
      return process_here();
  }
}

void ItemAsk::ask(const TypeAccess::Step& step) {
  taken_ = false;
  window_ = kItemWindowBytes;
  source_.set_deadline(number_, step.until);
  ItemRequest message;
  message.number = number_;
  message.hops = type_.hops + 1;
  message.head = request_.head;
  message.streams = request_.streams || !request_.body.empty();
  message.chunked = request_.chunked;
  if (held_as_) message.held.push_back(*held_as_);
  message.since = type_.sent.version;
  source_.flow_.send(step.server, message);
  if (!message.streams) return;
  body_ = std::make_unique<Body>(*this, step.server);
  if (!request_.body.empty()) body_->push(request_.body);
  if (!replay_.empty()) body_->push(replay_);
  if (body_ended_) body_->end();
  later([this] {
    if (std::exchange(held_back_, false)) handler_.on_writable();
  });
}

// The sources behind this one tell the handler themselves.
void ItemAsk::process_here() {
  leave(false);
  over_ = true;
  local_ = source_.process_in_stead(std::move(request_), handler_);
  if (!replay_.empty()) local_->send_body(replay_);
  if (body_ended_ && body_sent_) local_->end_body();
  if (paused_) local_->pause();
  later([this] {
    if (std::exchange(held_back_, false)) handler_.on_writable();
  });
}

// Whoever has no part of the answer may have another's. A write with conditions that has been done
// would fail by what it has done itself.
bool ItemAsk::may_be_done_again() const {
  if (answered_ || !replayable_ || !http::is_idempotent(request_.method)) return false;
  return http::is_safe(request_.method) || !has_conditions(request_.head);
}

void ItemAsk::fail_asking(TypeAccess::Failure why, std::uint64_t since) {
  const ServerId asked = type_.asked;
  const bool refused = why == TypeAccess::Failure::kRefused;
  if (why == TypeAccess::Failure::kSilent) {
    source_.flow_.send(asked, ItemEnd{.number = number_, .by_asker = true});
  }
  body_.reset();
  if (!may_be_done_again() && !(refused && replayable_)) {
    source_.machine_.on_failure(source_.loop_.now(), why, type_);
    source_.machine_.end(type_);
    ++source_.counts_.cut;
    return fail(answered_ ? HttpFailure::Kind::kCut : HttpFailure::Kind::kReset, true,
                "the server that acts for the type is gone");
  }
  source_.remove(number_);
  number_ = source_.add(*this);  // what still comes of the former question is not meant
  take(source_.machine_.on_failure(source_.loop_.now(), why, type_, since));
}

void ItemAsk::leave(bool tell) {
  if (number_ == 0) return;
  if (tell && type_.asked && !arrived_last_) {
    source_.flow_.send(type_.asked, ItemEnd{.number = number_, .by_asker = true});
  }
  body_.reset();
  source_.machine_.end(type_);
  source_.remove(std::exchange(number_, 0));
}

void ItemAsk::on_lost() { fail_asking(TypeAccess::Failure::kClosed); }

void ItemAsk::on_deadline() {
  if (type_.waits) return on_changed();
  if (!taken_) return fail_asking(TypeAccess::Failure::kSilent);
  if (answered_) return;
  fail(HttpFailure::Kind::kTimeout, true, "no answer in time");
}

void ItemAsk::on_changed() { take(source_.machine_.on_changed(source_.loop_.now(), type_)); }

// --- the request's body -------------------------------------------------------------------------

bool ItemAsk::send_body(std::string_view bytes) {
  body_sent_ = true;
  if (local_ != nullptr) return local_->send_body(bytes);
  if (over_) return true;
  if (body_ == nullptr || replay_.size() + bytes.size() <= kReplayBytesMax) {
    replay_.append(bytes);  // while nobody is asked, the sender is held back
  } else {
    replayable_ = false;
    replay_.clear();
  }
  const bool goes_on = body_ == nullptr ? replay_.size() < kReplayBytesMax : body_->push(bytes);
  held_back_ = held_back_ || !goes_on;
  return goes_on;
}

void ItemAsk::end_body() {
  body_ended_ = body_sent_ = true;
  if (local_ != nullptr) return local_->end_body();
  if (body_ != nullptr) body_->end();
}

// --- the answer ---------------------------------------------------------------------------------

void ItemAsk::on_taken() {
  if (taken_) return;
  taken_ = true;
  source_.machine_.on_taken(type_);
  source_.set_deadline(number_, source_.loop_.now() + source_.options_.answer_timeout);
}

void ItemAsk::on_credit(std::uint32_t bytes) {
  on_taken();
  if (body_ != nullptr) body_->add_credit(bytes);
}

void ItemAsk::on_response(const ItemResponse& response) {
  on_taken();
  http::HeadParser parser(limits_of(response.head));
  http::ResponseHead head;
  if (answered_ || parser.parse(response.head, head) != http::Progress::kDone) {
    return fail(HttpFailure::Kind::kMalformed, true, "a head that is none");
  }
  if (head.interim()) return handler_.on_interim(head);
  const auto framing = http::response_framing(head, request_.method, false);
  if (!framing) return fail(HttpFailure::Kind::kMalformed, true, framing.error().message);
  answered_ = true;
  source_.set_deadline(number_, kNever);
  if (!response.held) return handler_.on_response(head, *framing);
  if (held_ == nullptr || response.validator != *held_as_) {
    return fail(HttpFailure::Kind::kMalformed, true, "a content is named that is not here");
  }
  deliver_held(head);
}

void ItemAsk::deliver_held(const http::ResponseHead& head) {
  ++source_.counts_.held;
  source_.counts_.held_bytes += held_->size();
  arrived_ = *held_;
  arrived_last_ = true;
  window_ = 0;
  const auto alive = alive_;
  handler_.on_response(head, held_->empty()
                                 ? http::Framing{}
                                 : http::Framing{http::BodyKind::kLength, held_->size()});
  if (*alive) deliver();
}

void ItemAsk::on_body(const ItemBody& body) {
  if (!answered_ || arrived_last_ || body.bytes.size() > window_) {
    return fail(HttpFailure::Kind::kMalformed, true, "a body that was not asked for");
  }
  window_ -= body.bytes.size();
  arrived_last_ = body.last;
  if (paused_ || !arrived_.empty()) {
    arrived_.append(body.bytes);
    return;
  }
  const auto alive = alive_;
  if (!body.bytes.empty()) {
    handler_.on_body(body.bytes);
    if (!*alive) return;
    give_credit(body.bytes.size());
  }
  if (arrived_last_ && !paused_) complete();
}

void ItemAsk::deliver() {
  if (paused_ || over_) return;
  const std::string bytes = std::exchange(arrived_, {});
  const auto alive = alive_;
  if (!bytes.empty()) {
    handler_.on_body(bytes);
    if (!*alive) return;
    give_credit(bytes.size());
  }
  if (arrived_last_ && !paused_) complete();
}

void ItemAsk::give_credit(std::size_t used) {
  used_ += used;
  if (arrived_last_ || used_ < kItemWindowBytes / 2) return;
  window_ += used_;
  source_.flow_.send(type_.asked, ItemCredit{number_, true, static_cast<std::uint32_t>(used_)});
  used_ = 0;
}

void ItemAsk::on_end(const ItemEnd& end) {
  if (end.why == ItemEnd::Why::kRefused && !answered_) {
    return fail_asking(TypeAccess::Failure::kRefused, end.since);
  }
  if (end.why != ItemEnd::Why::kFailed) {
    return fail(HttpFailure::Kind::kCut, true, "the server that acts for the type gave up");
  }
  const auto most = static_cast<std::uint32_t>(HttpFailure::Kind::kMalformed);
  fail(static_cast<HttpFailure::Kind>(std::min(end.failure, most)), end.sent, end.text);
}

void ItemAsk::pause() {
  paused_ = true;
  if (local_ != nullptr) local_->pause();
}

void ItemAsk::resume() {
  paused_ = false;
  if (local_ != nullptr) return local_->resume();
  if (answered_ && !over_ && (!arrived_.empty() || arrived_last_)) {
    later([this] { deliver(); });
  }
}

HttpCall::Tunnel ItemAsk::take_tunnel() {
  return local_ == nullptr ? HttpCall::Tunnel{} : local_->take_tunnel();
}

void ItemAsk::complete() {
  if (std::exchange(over_, true)) return;
  leave(false);
  handler_.on_complete();
}

void ItemAsk::fail(HttpFailure::Kind kind, bool sent, std::string text) {
  if (std::exchange(over_, true)) return;
  leave(true);
  // Never from within start(): it may be its first step.
  later([this, kind, sent, why = std::move(text)] {
    handler_.on_failure({kind, sent, Error::peer("asking for an item: " + why)});
  });
}

}  // namespace tandem::server
