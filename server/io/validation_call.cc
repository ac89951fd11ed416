#include "server/io/validation_call.h"

#include "server/io/front.h"

namespace tandem::server {

using http::FieldId;

bool ValidationCall::accepts(HttpExchange& exchange, const http::RequestHead& head,
                             const http::Framing& framing) {
  if (head.method() != http::Method::kPost) {
    exchange.respond(405, "Allow: POST\r\n", "a validation is a POST\n");
  } else if (framing.kind != http::BodyKind::kLength) {
    exchange.respond_small(411, "a validation tells its length");
  } else if (framing.length > ValidationRequest::kBytesMax) {
    exchange.respond_small(413, "the validation is too long");
  } else if (!head.has(FieldId::kTandemSession) || !head.has(FieldId::kTandemCache)) {
    exchange.respond_small(400, "a validation is of a session's cache");
  } else {
    return true;
  }
  return false;
}

ValidationCall::ValidationCall(Front& front, HttpExchange& exchange, const SessionToken& token,
                               const Decision& decision, CacheId cache)
    : front_(front), exchange_(exchange), token_(token) {
  query_.session = decision.session;
  query_.cache = cache;
  if (decision.kind == Decision::Kind::kGuest) elsewhere_ = decision.refer;
}

void ValidationCall::start(const http::RequestHead& head) {
  direct_ = front_.is_direct(head);
  query_.host = Freshness::host_of(head.authority());
  const bool expects_continue = head.expects_continue();
  exchange_.set_handler(this);
  if (expects_continue) exchange_.send_interim(100);
  exchange_.resume_body();
}

void ValidationCall::on_request_body(std::string_view bytes) { body_.append(bytes); }

void ValidationCall::on_request_end() {
  const auto request = ValidationRequest::decode(body_);
  if (!request) {
    exchange_.respond_small(400, "this is no validation");
  } else {
    Node& node = front_.driver_.node();
    query_.source_version = front_.source_.version();
    const ValidationAnswer answer = node.on_validation(front_.loop_.now(), query_, *request);
    front_.driver_.touched();
    std::string fields = front_.session_fields(token_, elsewhere_, direct_);
    fields += "Cache-Control: no-store\r\nContent-Type: ";
    fields += kValidationType;
    fields += "\r\n";
    exchange_.respond(200, fields, answer.encode());
  }
  front_.remove(*this);
}

void ValidationCall::on_aborted() { front_.remove(*this); }

}  // namespace tandem::server
