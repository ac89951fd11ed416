#include "common/net/http_fetch.h"

#include "common/http/build.h"
#include "common/http/chars.h"

namespace tandem {

std::string_view HttpReply::field(std::string_view name) const {
  for (const auto& [known, value] : fields) {
    if (http::same_word(known, name)) return value;
  }
  return {};
}

HttpRequest make_request(std::string_view method, std::string_view target, const Address& host,
                         const std::vector<std::pair<std::string, std::string>>& fields,
                         std::string body) {
  HttpRequest request;
  request.method = http::method_of(method);
  http::HeadBuilder head(request.head);
  head.request(method, target).field("Host", host.text());
  for (const auto& [name, value] : fields) head.field(name, value);
  const bool wants_length =
      request.method == http::Method::kPost || request.method == http::Method::kPut;
  if (!body.empty() || wants_length) head.field("Content-Length", body.size());
  head.finish();
  request.body = std::move(body);
  return request;
}

HttpFetch::HttpFetch(HttpClient& client, Done done, std::size_t body_bytes_max)
    : client_(client), done_(std::move(done)), body_bytes_max_(body_bytes_max) {}

void HttpFetch::start(const HttpDestination& to, HttpRequest request) {
  reply_ = {};
  where_ = to.address.text();
  call_ = client_.start(to, std::move(request), *this);
}

void HttpFetch::cancel() { call_.reset(); }

void HttpFetch::on_response(const http::ResponseHead& head, const http::Framing&) {
  reply_.status = head.status();
  for (const http::Field& field : head.fields()) {
    reply_.fields.emplace_back(head.name(field), head.value(field));
  }
}

void HttpFetch::on_body(std::string_view bytes) {
  if (reply_.body.size() + bytes.size() > body_bytes_max_) {
    return on_failure({HttpFailure::Kind::kMalformed, true, Error::peer("the body is too large")});
  }
  reply_.body += bytes;
}

void HttpFetch::on_complete() {
  call_.reset();
  done_(std::move(reply_));
}

void HttpFetch::on_failure(const HttpFailure& failure) {
  Error error = failure.error;
  error.message = where_ + ": " + error.message;
  call_.reset();
  done_(fail(std::move(error)));
}

}  // namespace tandem
