#include "client/io/transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/http/framing.h"

namespace tandem {
namespace {

// What is reserved at once for a body whose length was announced.
constexpr std::uint64_t kReserveBytesMax = 16 << 20;

}  // namespace

Transport::Transport(const Url& balancer, const Options& options)
    : balancer_(balancer),
      options_(options),
      resolver_(loop_),
      connector_(loop_, resolver_, *this),
      timer_(loop_, [this] { on_deadline(); }) {}

Transport::~Transport() = default;

Transport::Outcome Transport::exchange(std::string_view head, std::string_view body,
                                       http::Method method, Instant deadline) {
  done_ = false;
  deadline_ = deadline;
  head_ = head;
  body_ = body;
  sent_ = 0;
  send_failed_ = false;
  method_ = method;
  incoming_ = std::make_unique<Incoming>();
  outcome_ = Outcome{};
  reused_ = keepable();
  if (reused_) {
    stream_->set_handler(this);
    send();
    if (!done_) receive();
  } else {
    stream_.reset();
    const Duration left = deadline - loop_.now();
    connector_.start(balancer_.address, std::min(options_.connect_timeout, left));
  }
  timer_.set(deadline);
  run();
  timer_.cancel();
  connector_.cancel();
  incoming_.reset();
  return std::exchange(outcome_, Outcome{});
}

void Transport::wait_until(Instant instant) {
  done_ = false;
  timer_.set(instant);
  run();
}

void Transport::run() {
  while (!done_) loop_.run();
}

void Transport::stop() {
  done_ = true;
  loop_.stop();
}

// Has the other end left an idle connection as it was? Its end may have come meanwhile, without an
// event, since the loop does not run between calls.
bool Transport::keepable() {
  if (!stream_) return false;
  stream_->recheck();
  std::array<char, 1> byte;
  return stream_->read(byte).would_block();
}

void Transport::on_connected(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  stream_->set_handler(this);
  if (options_.tls) stream_->start_tls(*options_.tls, balancer_.address.host);
  if (stream_->ready()) send();
}

void Transport::on_connect_failed(Error error) {
  if (loop_.now() >= deadline_) return on_deadline();
  const bool name = error.side == Side::kOperator;
  fail(name ? ClientFailure::kResolve : ClientFailure::kConnect, std::move(error.message));
}

void Transport::on_stream(bool, bool) {
  if (done_) return;
  if (stream_->is_tls() && !stream_->ready()) {
    if (stream_->failed()) fail(ClientFailure::kTls, stream_->error().message);
    return;
  }
  send();
  if (!done_) receive();
}

void Transport::on_deadline() {
  if (incoming_) return fail(ClientFailure::kTimeout, "no whole response in time");
  stop();  // wait_until()
}

void Transport::send() {
  while (!send_failed_ && sent_ < head_.size() + body_.size()) {
    const std::size_t of_head = std::min(sent_, head_.size());
    const std::size_t of_body = sent_ - of_head;
    std::array<iovec, 2> parts = {
        iovec{const_cast<char*>(head_.data()) + of_head, head_.size() - of_head},
        iovec{const_cast<char*>(body_.data()) + of_body, body_.size() - of_body}};
    const IoResult result = stream_->writev(parts);
    if (result.would_block()) return;
    // An answer may have come before the other end closed; it is read first.
    if (!result.ok()) send_failed_ = true;
    sent_ += result.bytes;
  }
}

void Transport::receive() {
  const std::span<char> scratch = loop_.scratch();
  while (!done_) {
    const IoResult result = stream_->read(scratch);
    if (result.would_block()) return;
    if (result.end()) return take_end();
    if (!result.ok()) {
      const bool tls = stream_->is_tls() && !stream_->ready();
      return fail(tls            ? ClientFailure::kTls
                  : send_failed_ ? ClientFailure::kSend
                                 : ClientFailure::kReceive,
                  stream_->error().message);
    }
    outcome_.bytes_received += result.bytes;
    take({scratch.data(), result.bytes});
  }
}

void Transport::take(std::string_view bytes) {
  if (incoming_->head_done) {
    take_body(bytes);
  } else {
    take_head(bytes);
  }
}

void Transport::take_head(std::string_view bytes) {
  Incoming& in = *incoming_;
  in.bytes.append(bytes);
  for (;;) {
    const http::Progress progress = in.parser.parse(in.bytes, in.head);
    if (progress == http::Progress::kNeedMore) return;
    if (progress == http::Progress::kError) {
      return fail(ClientFailure::kProtocol, in.parser.error().reason);
    }
    if (!in.head.interim()) break;
    in.bytes.erase(0, in.head.end());
    in.parser.reset();
  }
  const auto framing = http::response_framing(in.head, method_, false);
  if (!framing) return fail(ClientFailure::kProtocol, framing.error().message);
  in.framing = *framing;
  in.reader = http::BodyReader(in.framing);
  in.response.status = in.head.status();
  for (const http::Field& field : in.head.fields()) {
    in.response.headers.emplace_back(in.head.name(field), in.head.value(field));
  }
  if (in.framing.kind == http::BodyKind::kLength) {
    in.response.body.reserve(std::min(in.framing.length, kReserveBytesMax));
  }
  in.head_done = true;
  if (in.framing.kind == http::BodyKind::kNone) return complete(in.bytes.size() > in.head.end());
  take_body(std::string_view(in.bytes).substr(in.head.end()));
}

void Transport::take_body(std::string_view bytes) {
  Incoming& in = *incoming_;
  while (!bytes.empty()) {
    const http::BodyReader::Taken taken = in.reader.read(bytes);
    if (taken.progress == http::Progress::kError) {
      return fail(ClientFailure::kProtocol, in.reader.error());
    }
    bytes.remove_prefix(taken.consumed);
    if (in.response.body.size() + taken.payload.size() > options_.body_bytes_max) {
      return fail(ClientFailure::kProtocol,
                  fmt::format("the body is over the limit of {} bytes", options_.body_bytes_max));
    }
    in.response.body.append(taken.payload);
    if (taken.progress == http::Progress::kDone) return complete(!bytes.empty());
  }
}

void Transport::take_end() {
  if (incoming_->head_done && incoming_->reader.finish()) return complete(true);
  fail(send_failed_ ? ClientFailure::kSend : ClientFailure::kReceive,
       "the connection ended before the response was whole");
}

void Transport::complete(bool more_follows) {
  const Incoming& in = *incoming_;
  const bool all_sent = sent_ == head_.size() + body_.size();
  const bool keep = all_sent && !more_follows && http::responder_persists(in.head, in.framing);
  if (keep) {
    stream_->set_handler(nullptr);
  } else {
    stream_.reset();
  }
  outcome_.response = std::move(incoming_->response);
  stop();
}

void Transport::fail(ClientFailure failure, std::string message) {
  outcome_.failure = AttemptFailure{.failure = failure,
                                    .message = std::move(message),
                                    .bytes_sent = sent_ > 0,
                                    .idle_connection = reused_ && outcome_.bytes_received == 0};
  stream_.reset();
  stop();
}

}  // namespace tandem
