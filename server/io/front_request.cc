#include "server/io/front_request.h"

#include <utility>

#include "common/base/log.h"
#include "common/http/edit.h"
#include "common/http/forward.h"

namespace tandem::server {
namespace {

using http::FieldId;

// Metadata of the representation, of no use to whoever has the representation (RFC 9110, 15.4.5).
constexpr FieldId kCutFrom304[] = {FieldId::kContentType, FieldId::kContentEncoding,
                                   FieldId::kContentRange, FieldId::kLastModified,
                                   FieldId::kAcceptRanges};

constexpr std::uint64_t kRetryAfterSeconds = 1;

int status_of(HttpFailure::Kind kind) {
  switch (kind) {
    case HttpFailure::Kind::kShortage:
    case HttpFailure::Kind::kConnect:  // nothing was sent: it may be tried again
      return 503;
    case HttpFailure::Kind::kTimeout:
      return 504;
    default:
      return 502;
  }
}

}  // namespace

FrontRequest::FrontRequest(Front& front, HttpExchange& exchange,
                           const RequestConditions& conditions)
    : front_(front), exchange_(exchange), conditions_(conditions) {}

// --- to the source -----------------------------------------------------------------------------

void FrontRequest::start(const http::RequestHead& head, const http::Framing& framing,
                         const Session& session) {
  session_ = session;
  method_ = head.method();
  key_ = ItemKey::of(head.path());
  upgrade_ = head.upgrades() && framing.kind == http::BodyKind::kNone;
  fresh_ = FreshNote(front_.driver_.node().freshness(), front_.loop_.now(), head, key_,
                     front_.source_.version(), front_.source_.has_versions());
  const bool has_body = framing.kind != http::BodyKind::kNone;
  HttpRequest request;
  request.head = source_head(head, framing);
  request.method = method_;
  request.upgrade = upgrade_;
  request.streams = has_body;
  request.chunked = framing.kind == http::BodyKind::kChunked;
  const bool expects_continue = head.expects_continue();
  exchange_.set_handler(this);
  call_ = front_.source_.start(std::move(request), *this);
  if (!has_body) return;
  if (expects_continue) exchange_.send_interim(100);
  exchange_.resume_body();
}

http::ForwardResponse FrontRequest::passing(bool upgrade) const {
  http::ForwardResponse how;
  how.via_name = front_.options_.name;
  how.pass_upgrade = upgrade;
  return how;
}

std::string FrontRequest::source_head(const http::RequestHead& head,
                                      const http::Framing& framing) const {
  http::HeadEdit edit;
  http::ForwardRequest how;
  how.via_name = front_.options_.name;
  how.pass_upgrade = upgrade_;
  http::forward_request(edit, head, how);
  edit.cut_all(FieldId::kExpect);  // answered here
  if (framing.kind == http::BodyKind::kChunked) edit.cut_all(FieldId::kTrailer);
  if (conditions_.hide_if_none_match) edit.cut_all(FieldId::kIfNoneMatch);
  if (conditions_.hide_if_modified_since) edit.cut_all(FieldId::kIfModifiedSince);
  if (conditions_.hide_range) {
    edit.cut_all(FieldId::kRange);
    edit.cut_all(FieldId::kIfRange);
  }
  std::string text;
  edit.append_to(text);
  return text;
}

void FrontRequest::on_request_body(std::string_view bytes) {
  if (call_ != nullptr && !call_->send_body(bytes)) exchange_.pause_body();
}

void FrontRequest::on_request_end() {
  if (call_ != nullptr) call_->end_body();
}

void FrontRequest::on_writable() { exchange_.resume_body(); }

// May come from within a send_body() of ours.
void FrontRequest::on_aborted() {
  fresh_.on_unknown(front_.loop_.now());
  call_.reset();
  finish();
}

// --- to the client -----------------------------------------------------------------------------

void FrontRequest::on_interim(const http::ResponseHead& head) {
  if (head.status() == 100) return;  // said already
  http::HeadEdit edit;
  http::forward_response(edit, head, {});
  exchange_.send_interim(head.status(), edit.field_lines());
}

void FrontRequest::on_response(const http::ResponseHead& head, const http::Framing& framing) {
  if (framing.kind == http::BodyKind::kTunnel) return open_tunnel(head);
  plan_ = plan_response(front_.options_.etag, method_, head, framing,
                        front_.options_.validate_body_max);
  fresh_.on_response(front_.loop_.now(), head);
  status_ = head.status();
  reason_ = head.reason();
  keep_fields(head);
  if (plan_.collect) {
    ++front_.counts_.collected;
    collected_ = std::make_shared<std::string>();
    if (framing.kind == http::BodyKind::kLength) collected_->reserve(framing.length);
    return;
  }
  ++front_.counts_.streamed;
  std::optional<std::uint64_t> length;
  if (head.has_content_length()) {
    length = head.content_length();
  } else if (framing.kind == http::BodyKind::kNone && method_ != http::Method::kHead) {
    length = 0;
  }
  start_stream(length);
}

void FrontRequest::keep_fields(const http::ResponseHead& head) {
  http::HeadEdit edit;
  http::forward_response(edit, head, passing(false));
  edit.cut_all(FieldId::kContentLength);
  edit.cut_all(FieldId::kTransferEncoding);
  edit.cut_all(FieldId::kTrailer);
  if (plan_.cut_etag || plan_.collect) edit.cut_all(FieldId::kEtag);
  fields_ = edit.field_lines();
  if (!plan_.collect) return;
  for (FieldId id : kCutFrom304) edit.cut_all(id);
  fields_of_304_ = edit.field_lines();
}

std::string FrontRequest::fields_to_send(std::string_view kept) {
  return std::string(kept) +
         front_.session_fields(session_.token, session_.elsewhere, session_.direct);
}

void FrontRequest::start_stream(std::optional<std::uint64_t> length) {
  exchange_.start_response(status_, reason_, fields_to_send(fields_), length);
}

void FrontRequest::on_body(std::string_view bytes) {
  if (collected_ == nullptr) return send(bytes);
  if (collected_->size() + bytes.size() <= front_.options_.validate_body_max) {
    collected_->append(bytes);
    return;
  }
  // Longer than anything we compare, and its length was not told: it streams after all.
  start_stream(std::nullopt);
  const auto gathered = std::exchange(collected_, nullptr);
  send(*gathered);
  send(bytes);
}

void FrontRequest::send(std::string_view bytes) {
  if (call_ != nullptr && !exchange_.send_body(bytes) && call_ != nullptr) call_->pause();
}

void FrontRequest::on_response_writable() {
  if (call_ != nullptr) call_->resume();
}

void FrontRequest::on_complete() {
  if (collected_ != nullptr) {
    answer_collected();
  } else {
    fresh_.on_complete();
    exchange_.end_response();
  }
  finish();
}

void FrontRequest::answer_collected() {
  Retrieved item;
  item.session = session_.id;
  item.cache = session_.cache;
  item.key = key_;
  item.announced = conditions_.announced();
  item.content = collected_;
  item.storable = plan_.storable;
  item.promised = fresh_.promised();
  const Comparison comparison = front_.driver_.node().on_retrieved(front_.loop_.now(), item);
  front_.driver_.touched();
  front_.source_.note_content(key_, comparison.validator);
  const std::string etag = "ETag: " + comparison.validator.etag() + "\r\n";
  if (comparison.answer == Comparison::Answer::kSend) {
    exchange_.start_response(status_, reason_, fields_to_send(fields_ + etag), collected_->size());
    exchange_.send_body(*collected_);
  } else {
    const bool by_mirror = comparison.answer == Comparison::Answer::kReuseByMirror;
    const std::string reuse =
        by_mirror ? "Tandem-Reuse: mirror\r\n" : "Tandem-Reuse: validator\r\n";
    exchange_.start_response(304, "Not Modified", fields_to_send(fields_of_304_ + etag + reuse),
                             std::nullopt);
  }
  exchange_.end_response();
}

void FrontRequest::open_tunnel(const http::ResponseHead& head) {
  http::HeadEdit edit;
  http::forward_response(edit, head, passing(true));
  HttpCall::Tunnel origin = call_->take_tunnel();
  HttpExchange::Tunnel client = exchange_.take_tunnel(fields_to_send(edit.field_lines()));
  client.unsent += origin.early;
  front_.add_tunnel({std::move(client.stream), std::move(client.unsent)},
                    {std::move(origin.stream), std::move(client.early)});
  finish();
}

void FrontRequest::on_failure(const HttpFailure& failure) {
  ++front_.counts_.source_failures;
  fresh_.on_unknown(front_.loop_.now());
  TANDEM_WARN_LIMITED("the source failed: {}", failure.error.message);
  if (exchange_.response_started()) {
    exchange_.abort();
  } else {
    const int status = status_of(failure.kind);
    exchange_.respond_small(status, "the source did not answer",
                            status == 503 ? kRetryAfterSeconds : 0);
  }
  finish();
}

// The call may be the caller, so it is destroyed with this object at the end of the round.
void FrontRequest::finish() {
  if (!session_.elsewhere) front_.driver_.node().on_request_end(session_.id);
  front_.driver_.touched();
  front_.remove(*this);
}

}  // namespace tandem::server
