#include "common/net/http_connection.h"

#include <algorithm>
#include <utility>

#include "common/net/http_pool.h"

namespace tandem {
namespace {

constexpr Duration kRecheckPeriod = 1s;  // see Stream::recheck()

}  // namespace

HttpConnection::HttpConnection(HttpClient& client, const HttpDestination& to)
    : loop_(client.loop_),
      client_(client),
      to_(to),
      key_(key_of(to)),
      connector_(client.loop_, client.resolver_, *this),
      parser_(client.options_.head_limits),
      timer_(client.loop_, [this] { on_timeout(); }) {}

HttpConnection::~HttpConnection() { loop_.cancel_round_end(*this); }

std::string HttpConnection::key_of(const HttpDestination& to) {
  return to.address.text() + (to.tls ? "|" + to.server_name : std::string());
}

void HttpConnection::carry(HttpCall& call) {
  call_ = &call;
  call.connection_ = this;
  wrote_ = write_failed_ = got_byte_ = head_done_ = tunnel_ = false;
  in_.clear();
  parser_.reset();
  out = call.request_.head + call.request_.body;
  reused_ = stream_ != nullptr;
  if (!reused_) return connector_.start(to_.address, client_.options_.connect_timeout);
  touch();
  resume();  // sends at the end of this round: start() never calls back
}

bool HttpConnection::still_open() {
  stream_->recheck();
  char byte = 0;
  return stream_->read({&byte, 1}).would_block();
}

void HttpConnection::refuse(HttpCall& call) {
  call_ = &call;
  call.connection_ = this;
  refused_ = true;
  timer_.set_after(0ns);
}

void HttpConnection::on_connected(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  stream_->set_handler(this);
  touch();
  if (to_.tls) {
    stream_->start_tls(*to_.tls, to_.server_name.empty() ? to_.address.host : to_.server_name);
  }
  flush();
}

void HttpConnection::on_connect_failed(Error error) {
  const auto kind =
      error.side == Side::kSystem ? HttpFailure::Kind::kShortage : HttpFailure::Kind::kConnect;
  fail(kind, std::move(error));
}

void HttpConnection::on_stream(bool, bool) {
  if (call_ == nullptr) {
    char byte = 0;  // TLS has its own talk; anything else is the end, or out of turn
    if (!stream_->read({&byte, 1}).would_block()) client_.pool_->drop_idle(*this);
    return;
  }
  flush();
  if (call_ != nullptr) read_some();
}

void HttpConnection::send_more() { flush(); }

void HttpConnection::flush() {
  if (stream_ == nullptr || write_failed_) return;
  const bool was_full = out.size() >= client_.options_.body_buffer_bytes;
  std::size_t sent = 0;
  while (sent < out.size()) {
    const IoResult put = stream_->write(std::string_view(out).substr(sent));
    if (put.failed()) {
      // Before the handshake nothing has left; afterwards the answer may be there to be read.
      if (!stream_->ready() && !wrote_) return fail(HttpFailure::Kind::kTls, stream_->error());
      write_failed_ = true;
      resume();
      break;
    }
    if (put.would_block()) break;
    sent += put.bytes;
    wrote_ = true;
    touch();
  }
  out.erase(0, sent);
  if (out.empty() && out.capacity() > 4096) out = std::string();
  if (was_full && out.size() < client_.options_.body_buffer_bytes && !write_failed_) {
    call_->handler_.on_writable();
  }
}

void HttpConnection::resume() {
  if (resuming_) return;
  resuming_ = true;
  loop_.at_round_end(*this);
}

void HttpConnection::on_round_end() {
  resuming_ = false;
  if (call_ == nullptr || stream_ == nullptr) return;
  flush();
  if (call_ != nullptr) read_some();
}

void HttpConnection::read_some() {
  bool fresh = false;  // in_ holds bytes that consume() has not seen
  if (head_done_ && !in_.empty()) fresh = true;
  const StreamTurn turn(loop_, *stream_);
  while (call_ != nullptr && !call_->paused_ && !tunnel_) {
    std::string_view input;
    if (!fresh) {
      const auto scratch = loop_.scratch();
      const IoResult got = stream_->read(scratch);
      if (got.would_block()) return;
      if (!got.ok()) {
        const Error error = stream_->error();
        return on_end(got.end() ? nullptr : &error);
      }
      got_byte_ = true;
      touch();
      input = {scratch.data(), got.bytes};
      if (!in_.empty()) input = in_.append(input);
    } else {
      input = in_;
    }
    fresh = false;
    const bool own = input.data() == in_.data();
    const std::size_t consumed = consume(input);
    if (stream_ == nullptr || call_ == nullptr || tunnel_) return;
    if (own) {
      in_.erase(0, consumed);
    } else {
      in_.assign(input.substr(consumed));
    }
    if (turn.over()) return;
  }
}

// Gives the call what `input` holds for it; how many bytes are done with. After it the call may be
// gone.
std::size_t HttpConnection::consume(std::string_view input) {
  std::size_t consumed = 0;
  while (call_ != nullptr && !tunnel_) {
    if (!head_done_) {
      if (!take_head(input, consumed)) return consumed;
      continue;
    }
    if (call_->paused_) return consumed;
    const auto taken = body_.read(input.substr(consumed));
    consumed += taken.consumed;
    if (taken.progress == http::Progress::kError) {
      fail(HttpFailure::Kind::kMalformed, Error::peer(body_.error()));
      return consumed;
    }
    if (!taken.payload.empty()) call_->handler_.on_body(taken.payload);
    if (call_ == nullptr) return consumed;
    if (taken.progress == http::Progress::kDone) {
      persists_ = persists_ && consumed == input.size();  // else it talks out of turn
      finish();
      return consumed;
    }
    if (taken.consumed == 0 && taken.payload.empty()) return consumed;
  }
  return consumed;
}

// True: go on. False: more is needed, or the call is over.
bool HttpConnection::take_head(std::string_view input, std::size_t& consumed) {
  const auto progress = parser_.parse(input.substr(consumed), head_);
  if (progress == http::Progress::kNeedMore) return false;
  if (progress == http::Progress::kError) {
    fail(HttpFailure::Kind::kMalformed, Error::peer(parser_.error().reason));
    return false;
  }
  consumed += head_.end();
  parser_.reset();
  if (head_.interim()) {
    call_->handler_.on_interim(head_);
    return call_ != nullptr;
  }
  const auto framing =
      http::response_framing(head_, call_->request_.method, call_->request_.upgrade);
  if (!framing) {
    fail(HttpFailure::Kind::kMalformed, framing.error());
    return false;
  }
  head_done_ = true;
  persists_ = http::responder_persists(head_, *framing);
  body_ = http::BodyReader(*framing);
  tunnel_ = framing->kind == http::BodyKind::kTunnel;
  if (tunnel_) {
    timer_.cancel();
    in_.assign(std::string(input.substr(consumed)));
    consumed = input.size();
  }
  call_->handler_.on_response(head_, *framing);
  if (call_ == nullptr || tunnel_) return false;
  if (body_.done() && consumed < input.size()) persists_ = false;
  if (body_.done()) finish();
  return call_ != nullptr;
}

void HttpConnection::on_end(const Error* error) {
  if (!got_byte_) {
    const auto before = error != nullptr ? *error : Error::peer("closed before its response");
    if (to_.tls && !stream_->ready() && !wrote_) return fail(HttpFailure::Kind::kTls, before);
    return fail(HttpFailure::Kind::kReset, before);
  }
  // Once writing has failed the end may be that of a reset, and says nothing of a body's.
  const bool may_be_whole = body_.done() || !stream_->cut();
  if (error == nullptr && head_done_ && !stream_->write_failed() && may_be_whole &&
      body_.finish()) {
    persists_ = false;
    return finish();
  }
  fail(HttpFailure::Kind::kCut, error != nullptr ? *error : Error::peer("closed in its response"));
}

void HttpConnection::touch() {
  deadline_ = loop_.now() + client_.options_.response_timeout;
  timer_.set(std::min(deadline_, loop_.now() + kRecheckPeriod));
}

void HttpConnection::on_timeout() {
  if (call_ == nullptr) return client_.pool_->drop_idle(*this);
  if (!refused_ && loop_.now() < deadline_) {
    timer_.set(std::min(deadline_, loop_.now() + kRecheckPeriod));
    stream_->recheck();
    read_some();
    if (call_ != nullptr && stream_->unheard()) {
      fail(got_byte_ ? HttpFailure::Kind::kCut : HttpFailure::Kind::kReset,
           Error::peer("does not answer any more, nor does its machine"));
    }
    return;
  }
  if (refused_) {
    return fail(HttpFailure::Kind::kShortage, Error::system("too many connections"));
  }
  // Whoever holds back what should move has a time limit of its own.
  if (call_->paused_ || (!call_->body_ended_ && out.empty())) {
    return touch();
  }
  fail(HttpFailure::Kind::kTimeout, Error{Side::kPeer, Retry::kLater, "no response in time"});
}

HttpCall* HttpConnection::let_go() {
  HttpCall* call = std::exchange(call_, nullptr);
  if (call != nullptr) call->connection_ = nullptr;
  timer_.cancel();
  return call;
}

void HttpConnection::abandon() {
  let_go();
  connector_.cancel();
  stream_.reset();
  client_.pool_->remove(*this);
}

void HttpConnection::fail(HttpFailure::Kind kind, Error error) {
  HttpCall* call = let_go();
  connector_.cancel();
  const bool sent = wrote_;
  stream_.reset();
  client_.pool_->remove(*this);
  const bool idempotent = http::is_idempotent(call->request_.method);
  const bool whole = !call->request_.streams;  // we still have all of it
  if (kind == HttpFailure::Kind::kReset && reused_ && !call->retried_ && whole &&
      (idempotent || !sent)) {
    call->retried_ = true;
    return client_.begin(*call, true);
  }
  call->handler_.on_failure({kind, sent, std::move(error)});
}

void HttpConnection::finish() {
  // What may be read now would be out of turn.
  const bool whole = out.empty() && call_->body_ended_ && !write_failed_ && !stream_->may_read();
  HttpCall* call = let_go();
  if (persists_ && whole) {
    idle_since_ = loop_.now();
    in_ = std::string();
    out = std::string();
    timer_.set_after(client_.options_.idle_timeout);
    client_.pool_->give_back(*this);
  } else {
    stream_.reset();
    client_.pool_->remove(*this);
  }
  call->handler_.on_complete();
}

HttpCall::Tunnel HttpConnection::take_tunnel() {
  HttpCall::Tunnel tunnel{std::move(stream_), std::move(in_)};
  tunnel.stream->set_handler(nullptr);
  let_go();
  client_.pool_->remove(*this);
  return tunnel;
}

}  // namespace tandem
