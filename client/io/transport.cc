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
  http.connections_max = options.connections_max;
  http.idle_connections_max = options.idle_connections_max;
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

Transport::Transport(EventLoop& loop, const Url& balancer, const Options& options)
    : loop_(loop),
      balancer_{balancer.address, options.tls, {}},
      options_(options),
      resolver_(loop_),
      http_(loop_, resolver_, http_options(options)) {}

std::unique_ptr<Exchange> Transport::start(const Destination& to, std::string_view head,
                                           std::string_view body, http::Method method,
                                           Instant deadline, Exchange::Done done) {
  std::unique_ptr<Exchange> exchange(new Exchange(*this, std::move(done)));
  HttpDestination where = balancer_;
  if (to.direct()) where.address = Address::parse(to.address).value();
  exchange->timer_.set(deadline);
  exchange->call_ = http_.start(
      std::move(where), {.head = std::string(head), .method = method, .body = std::string(body)},
      *exchange);
  return exchange;
}

Exchange::Exchange(Transport& transport, Done done)
    : transport_(transport),
      done_(std::move(done)),
      timer_(transport.loop_, [this] { on_deadline(); }) {}

Exchange::~Exchange() = default;

void Exchange::cancel() {
  call_.reset();
  timer_.cancel();
}

void Exchange::on_response(const http::ResponseHead& head, const http::Framing& framing) {
  heard_ = transport_.loop_.now();
  response_.status = head.status();
  for (const http::Field& field : head.fields()) {
    response_.headers.emplace_back(head.name(field), head.value(field));
  }
  if (framing.kind == http::BodyKind::kLength) {
    response_.body.reserve(std::min(framing.length, kReserveBytesMax));
  }
  outcome_.bytes_received += head.end();
}

void Exchange::on_body(std::string_view bytes) {
  heard_ = transport_.loop_.now();
  outcome_.bytes_received += bytes.size();
  const std::size_t bytes_max = transport_.options_.body_bytes_max;
  if (response_.body.size() + bytes.size() > bytes_max) {
    return fail({ClientFailure::kProtocol,
                 fmt::format("the body is over the limit of {} bytes", bytes_max), true});
  }
  response_.body.append(bytes);
}

void Exchange::on_complete() {
  call_.reset();
  timer_.cancel();
  outcome_.response = std::move(response_);
  done_(std::move(outcome_));
}

void Exchange::on_failure(const HttpFailure& failure) {
  fail({failure_of(failure), failure.error.message, failure.sent,
        failure.kind == HttpFailure::Kind::kShortage});
}

void Exchange::on_deadline() {
  // Whether a byte has been sent makes no difference any more.
  fail({ClientFailure::kTimeout, "no whole response in time", true});
}

void Exchange::fail(AttemptFailure failure) {
  call_.reset();
  timer_.cancel();
  outcome_.failure = std::move(failure);
  done_(std::move(outcome_));
}

}  // namespace tandem
