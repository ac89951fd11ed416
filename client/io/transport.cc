#include "client/io/transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

// What is reserved at once for a body whose length was announced.
constexpr std::uint64_t kReserveBytesMax = 16 << 20;

HttpClientOptions http_options(const Transport::Options& options) {
  HttpClientOptions http;
  http.connect_timeout = options.connect_timeout;
  // The deadline of the whole call is kept here.
  http.response_timeout = std::chrono::hours(24 * 365);
  http.unsafe_idle_max = http.idle_timeout;  // the connection is looked at before it is used
  http.idle_connections_max = 1;
  return http;
}

ClientFailure failure_of(const HttpFailure& failure) {
  switch (failure.kind) {
    case HttpFailure::Kind::kShortage:
      return ClientFailure::kConnect;
    case HttpFailure::Kind::kConnect:
      return failure.error.side == Side::kOperator ? ClientFailure::kResolve
                                                   : ClientFailure::kConnect;
    case HttpFailure::Kind::kTls:
      return ClientFailure::kTls;
    case HttpFailure::Kind::kTimeout:
      return ClientFailure::kTimeout;
    case HttpFailure::Kind::kReset:
      return failure.sent ? ClientFailure::kReceive : ClientFailure::kSend;
    case HttpFailure::Kind::kCut:
      return ClientFailure::kReceive;
    case HttpFailure::Kind::kMalformed:
      return ClientFailure::kProtocol;
  }
  return ClientFailure::kProtocol;
}

}  // namespace

Transport::Transport(const Url& balancer, const Options& options)
    : to_{balancer.address, options.tls, {}},
      options_(options),
      resolver_(loop_),
      http_(loop_, resolver_, http_options(options)),
      timer_(loop_, [this] { on_deadline(); }) {}

Transport::~Transport() = default;

Transport::Outcome Transport::exchange(std::string_view head, std::string_view body,
                                       http::Method method, Instant deadline) {
  response_ = {};
  outcome_ = {};
  call_ = http_.start(to_, {.head = std::string(head), .method = method, .body = std::string(body)},
                      *this);
  run_until(deadline);
  return std::move(outcome_);
}

void Transport::wait_until(Instant instant) { run_until(instant); }

void Transport::run_until(Instant instant) {
  done_ = false;
  timer_.set(instant);
  while (!done_) loop_.run();
  timer_.cancel();
}

void Transport::stop() {
  done_ = true;
  loop_.stop();
}

void Transport::on_response(const http::ResponseHead& head, const http::Framing& framing) {
  response_.status = head.status();
  for (const http::Field& field : head.fields()) {
    response_.headers.emplace_back(head.name(field), head.value(field));
  }
  if (framing.kind == http::BodyKind::kLength) {
    response_.body.reserve(std::min(framing.length, kReserveBytesMax));
  }
  outcome_.bytes_received += head.end();
}

void Transport::on_body(std::string_view bytes) {
  outcome_.bytes_received += bytes.size();
  if (response_.body.size() + bytes.size() > options_.body_bytes_max) {
    return fail(ClientFailure::kProtocol,
                fmt::format("the body is over the limit of {} bytes", options_.body_bytes_max),
                true);
  }
  response_.body.append(bytes);
}

void Transport::on_complete() {
  call_.reset();
  outcome_.response = std::move(response_);
  stop();
}

void Transport::on_failure(const HttpFailure& failure) {
  fail(failure_of(failure), failure.error.message, failure.sent);
}

void Transport::on_deadline() {
  // Whether a byte has been sent makes no difference any more.
  if (call_) return fail(ClientFailure::kTimeout, "no whole response in time", true);
  stop();  // wait_until()
}

void Transport::fail(ClientFailure failure, std::string message, bool sent) {
  call_.reset();
  outcome_.failure = {.failure = failure, .message = std::move(message), .bytes_sent = sent};
  stop();
}

}  // namespace tandem
