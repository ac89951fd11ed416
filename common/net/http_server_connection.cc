#include "common/net/http_server_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/http/build.h"

namespace tandem {
namespace {

constexpr std::size_t kPartsMax = 6;
constexpr std::size_t kBufferKept = 4096;  // by a connection that has nothing to send

}  // namespace

HttpServerConnection::HttpServerConnection(HttpServer& server, Descriptor socket,
                                           const SocketAddress& peer)
    : loop_(server.loop_),
      server_(server),
      peer_(peer),
      stream_(
          std::make_unique<Stream>(loop_, std::move(socket), static_cast<StreamHandler*>(this))),
      parser_(server.options_.head_limits) {
  if (server.tls_ != nullptr) stream_->start_tls(*server.tls_);
  touch(server.options_.header_timeout);
}

HttpServerConnection::~HttpServerConnection() { loop_.cancel_round_end(*this); }

void HttpServerConnection::touch(Duration timeout) { deadline_ = loop_.now() + timeout; }

// --- in
// -------------------------------------------------------------------------------------------

void HttpServerConnection::on_stream(bool, bool) {
  flush();
  if (state_ != State::kClosed) read_some();
}

void HttpServerConnection::go_on_later() {
  if (later_) return;
  later_ = true;
  loop_.at_round_end(*this);
}

void HttpServerConnection::on_round_end() {
  later_ = false;
  if (state_ == State::kClosed) return;
  flush();
  if (state_ != State::kClosed) read_some();
}

void HttpServerConnection::resume_body() {
  body_paused_ = false;
  touch(server_.options_.body_timeout);
  go_on_later();
}

bool HttpServerConnection::wants_input() const {
  switch (state_) {
    case State::kHead:  // no more answers to pipelined requests than the client takes
      return out_.size() < server_.options_.body_buffer_bytes;
    case State::kLinger:
      return true;
    case State::kExchange:
      return !request_done_ && !body_paused_;
    case State::kFlushing:
    case State::kClosed:
      return false;
  }
  return false;
}

void HttpServerConnection::read_some() {
  bool unseen = !in_.empty() && !parser_.started();  // left over by a pause or by pipelining
  const StreamTurn turn(loop_, *stream_);
  while (wants_input() && !turn.over()) {
    std::string_view input = in_;
    if (!unseen) {
      const auto scratch = loop_.scratch();
      const IoResult got = stream_->read(scratch);
      if (got.would_block()) return;
      if (!got.ok()) {
        if (got.failed()) return abort_exchange();
        return take_end();
      }
      if (state_ == State::kLinger) continue;
      input = {scratch.data(), got.bytes};
      if (!in_.empty()) input = in_.append(input);
    }
    unseen = false;
    const bool own = input.data() == in_.data();
    const std::size_t consumed = consume(input);
    if (state_ == State::kClosed) return;
    if (own) {
      in_.erase(0, consumed);
    } else {
      in_.assign(input.substr(consumed));
    }
    // What is not taken needs more, whatever the parser says.
    if (state_ == State::kHead && !in_.empty() && consumed > 0 && !parser_.started()) unseen = true;
  }
}

std::size_t HttpServerConnection::consume(std::string_view input) {
  std::size_t consumed = 0;
  while (consumed < input.size() && wants_input()) {
    if (state_ == State::kHead) {
      if (!take_head(input, consumed)) return consumed;
      continue;
    }
    touch(server_.options_.body_timeout);
    const auto taken = body_.read(input.substr(consumed));
    consumed += taken.consumed;
    if (taken.progress == http::Progress::kError) {
      persists_ = false;
      abort_exchange();
      return consumed;
    }
    request_done_ = taken.progress == http::Progress::kDone;
    const bool last = request_done_;
    if (!taken.payload.empty() && handler_ != nullptr) handler_->on_request_body(taken.payload);
    if (last && handler_ != nullptr) handler_->on_request_end();
    if (last) return consumed;  // the next request is another round of the caller's
  }
  return consumed;
}

// True: go on. False: more is needed, or the connection is closed or closing.
bool HttpServerConnection::take_head(std::string_view input, std::size_t& consumed) {
  if (!parser_.started()) touch(server_.options_.header_timeout);
  http::RequestHead whole;
  auto half = std::exchange(half_head_, nullptr);
  http::RequestHead& head = half != nullptr ? *half : whole;
  const auto progress = parser_.parse(input.substr(consumed), head);
  if (progress == http::Progress::kNeedMore) {
    half_head_ = half != nullptr ? std::move(half) : std::make_unique<http::RequestHead>(whole);
    return false;
  }
  if (progress == http::Progress::kError) {
    version_minor_ = 1;
    head_request_ = persists_ = false;
    state_ = State::kExchange;
    response_started_ = response_ended_ = false;
    respond_small(parser_.error().status, parser_.error().reason, 0);
    return false;
  }
  consumed += head.end();
  parser_.reset();
  const http::Framing framing = http::request_framing(head);
  state_ = State::kExchange;
  handler_ = nullptr;
  body_ = http::BodyReader(framing);
  body_paused_ = true;
  request_done_ = framing.kind == http::BodyKind::kNone;
  head_request_ = head.method() == http::Method::kHead;
  version_minor_ = head.version_minor();
  persists_ = head.persists() && !draining_;
  response_started_ = response_ended_ = bodyless_ = chunked_ = full_ = false;
  ++server_.requests_;
  deadline_ = kNever;  // whoever answers has time limits of its own
  rest_ = input.substr(consumed);
  server_.handler_.on_request(*this, head, framing);
  rest_ = {};
  return true;
}

// The client has ended its side: it may still want its response.
void HttpServerConnection::take_end() {
  ended_ = true;
  persists_ = false;
  if (state_ == State::kExchange) return abort_exchange();  // within a body
  if (out_.empty() && !stream_->has_unsent()) return close();
  state_ = State::kFlushing;
  touch(server_.options_.body_timeout);
}

void HttpServerConnection::on_timeout() {
  if (state_ == State::kHead && parser_.started()) {
    state_ = State::kExchange;
    head_request_ = persists_ = response_started_ = response_ended_ = false;
    return respond_small(408, "the head did not come in time", 0);
  }
  const bool waits_for_client = !out_.empty() || !(request_done_ || body_paused_);
  if (state_ == State::kExchange && !waits_for_client) {
    deadline_ = kNever;  // whoever answers has time limits of its own
    return;
  }
  abort_exchange();
}

void HttpServerConnection::drain() {
  draining_ = true;
  persists_ = false;
  if (state_ != State::kHead || parser_.started()) return;
  if (out_.empty() && !stream_->has_unsent()) return close();
  state_ = State::kFlushing;  // the answer before is still on its way
  touch(server_.options_.body_timeout);
  go_on_later();
}

// --- out
// ------------------------------------------------------------------------------------------

void HttpServerConnection::send_interim(int status, std::string_view fields) {
  if (version_minor_ < 1 || response_started_ || state_ != State::kExchange) return;
  std::string head;
  http::HeadBuilder(head).status(status);
  head += fields;
  head += "\r\n";
  write({head});
}

void HttpServerConnection::start_response(int status, std::string_view reason,
                                          std::string_view fields,
                                          std::optional<std::uint64_t> length) {
  TANDEM_CHECK(state_ == State::kExchange && !response_started_);
  response_started_ = true;
  const bool no_content = status == 204 || status == 304;
  bodyless_ = head_request_ || no_content;
  chunked_ = false;
  http::HeadBuilder head(out_);
  head.status(status, reason);
  out_ += fields;
  if (length && !no_content) {
    head.field("Content-Length", *length);
  } else if (!bodyless_ && version_minor_ >= 1) {
    chunked_ = true;
    head.field("Transfer-Encoding", "chunked");
  } else if (!bodyless_) {
    persists_ = false;
  }
  // The rest of the body has no reader, or soon will not have one: a refusal hardly waits for it.
  if (!request_done_ && (status >= 300 || (body_paused_ && !handler_))) persists_ = false;
  if (!persists_) {
    head.field("Connection", "close");
  } else if (version_minor_ == 0) {
    head.field("Connection", "keep-alive");
  }
  head.finish();
  go_on_later();  // the body may be long in coming
}

bool HttpServerConnection::send_body(std::string_view bytes) {
  if (state_ != State::kExchange || bodyless_ || bytes.empty()) return true;
  if (!chunked_) return write({bytes});
  std::array<char, 24> size;
  const auto end = fmt::format_to(size.data(), "{:x}\r\n", bytes.size());
  return write({{size.data(), static_cast<std::size_t>(end - size.data())}, bytes, "\r\n"});
}

void HttpServerConnection::end_response() {
  TANDEM_CHECK(response_started_);
  if (state_ != State::kExchange) return;
  response_ended_ = true;
  handler_ = nullptr;
  if (chunked_) out_ += "0\r\n\r\n";
  if (!request_done_) persists_ = false;  // the rest of its body has no reader
  finish_exchange();
}

void HttpServerConnection::respond(int status, std::string_view fields, std::string_view body) {
  std::string with_date = "Date: ";
  with_date += server_.dates_.at(loop_.unix_now());
  with_date += "\r\n";
  with_date += fields;
  handler_ = nullptr;  // an answer in one piece reads no more of the request, and has to say so
  if (!request_done_) persists_ = false;
  start_response(status, http::standard_reason(status), with_date, body.size());
  send_body(body);
  end_response();
}

void HttpServerConnection::respond_small(int status, std::string_view detail,
                                         std::uint64_t retry_after_s) {
  std::string body = fmt::format("{} {}", status, http::standard_reason(status));
  if (!detail.empty()) body += fmt::format(": {}", detail);
  body += '\n';
  std::string fields = "Content-Type: text/plain; charset=utf-8\r\n";
  if (retry_after_s > 0) fields += fmt::format("Retry-After: {}\r\n", retry_after_s);
  respond(status, fields, body);
}

// Writes what waits and these parts; keeps what the socket does not take. False: enough is kept.
bool HttpServerConnection::write(std::initializer_list<std::string_view> parts) {
  std::array<iovec, kPartsMax> gather;
  std::size_t count = 0, sent = 0;
  const auto add = [&](std::string_view part) {
    if (!part.empty()) gather[count++] = {const_cast<char*>(part.data()), part.size()};
  };
  add(out_);
  for (std::string_view part : parts) add(part);
  const IoResult put = stream_->writev({gather.data(), count});
  if (put.failed()) {
    go_on_later();  // the failure is told by the next flush, not from within send_body()
    return false;
  }
  if (put.ok()) sent = put.bytes;
  const bool sent_any = sent > 0;
  if (sent_any) touch(server_.options_.body_timeout);
  const std::size_t of_out = std::min(sent, out_.size());
  sent -= of_out;
  out_.erase(0, of_out);
  for (std::string_view part : parts) {
    const std::size_t of_part = std::min(sent, part.size());
    sent -= of_part;
    out_ += part.substr(of_part);
  }
  if (out_.empty() && out_.capacity() > kBufferKept) out_ = std::string();
  if (sent_any && out_.empty() && state_ == State::kHead && !parser_.started()) {
    touch(server_.options_.keepalive_timeout);  // that was the end of an answer
  }
  const bool full = out_.size() >= server_.options_.body_buffer_bytes;
  full_ = full_ || full;
  if (!out_.empty() && deadline_ == kNever) touch(server_.options_.body_timeout);
  return !full;
}

void HttpServerConnection::flush() {
  if (state_ == State::kClosed) return;
  if (stream_->write_failed() && state_ != State::kLinger) return abort_exchange();
  if (!out_.empty()) write({});
  if (stream_->write_failed() && state_ != State::kLinger) return abort_exchange();
  if (full_ && out_.size() <= server_.options_.body_buffer_bytes / 2) {
    full_ = false;
    if (handler_ != nullptr) handler_->on_response_writable();
  }
  if (state_ == State::kFlushing && out_.empty()) after_flush();
}

// The response has ended, and nobody holds the exchange any more.
void HttpServerConnection::finish_exchange() {
  if (persists_) {
    state_ = State::kHead;
    handler_ = nullptr;
    touch(server_.options_.keepalive_timeout);
    go_on_later();  // sends, then reads what is pipelined
    return;
  }
  state_ = State::kFlushing;
  touch(server_.options_.body_timeout);
  go_on_later();
}

void HttpServerConnection::after_flush() {
  if (stream_->has_unsent()) return;
  if (ended_) return close();
  stream_->shutdown_write();
  state_ = State::kLinger;
  in_.clear();
  touch(server_.options_.linger_timeout);
}

HttpExchange::Tunnel HttpServerConnection::take_tunnel(std::string_view fields) {
  TANDEM_CHECK(state_ == State::kExchange && !response_started_ && request_done_);
  response_started_ = true;
  http::HeadBuilder(out_).status(101);
  out_ += fields;
  out_ += "\r\n";
  write({});
  // Within on_request() in_ may still hold the very head.
  std::string early = rest_.data() == nullptr ? std::move(in_) : std::string(rest_);
  Tunnel tunnel{std::move(stream_), std::move(early), std::move(out_)};
  tunnel.stream->set_handler(nullptr);
  handler_ = nullptr;
  close();
  return tunnel;
}

void HttpServerConnection::abort() {
  handler_ = nullptr;
  if (stream_ != nullptr) stream_->reset_on_close();
  close();
}

void HttpServerConnection::abort_exchange() {
  HttpExchangeHandler* handler = std::exchange(handler_, nullptr);
  close();
  if (handler != nullptr) handler->on_aborted();
}

void HttpServerConnection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  deadline_ = kNever;
  stream_.reset();
  server_.remove(*this);
}

}  // namespace tandem
