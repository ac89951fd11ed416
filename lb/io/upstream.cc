#include "lb/io/upstream.h"

#include <cstring>
#include <utility>

#include "lb/io/server_pool.h"

namespace tandem {

Upstream::~Upstream() = default;

Result<void> Upstream::connect(const SocketAddress& to) {
  auto stream = Stream::connect(state_.loop, to, this);
  if (!stream) return tandem::fail(stream.error());
  stream_ = std::move(*stream);
  return {};
}

void Upstream::start(UpstreamHandler& handler) {
  handler_ = &handler;
  ++exchanges_;
  phase_ = stream_->connected() ? Phase::kHead : Phase::kConnecting;
  paused_ = false;
  reusable_ = turned_away_ = false;
}

void Upstream::expect(http::Method method, bool upgrade_asked) {
  method_ = method;
  upgrade_asked_ = upgrade_asked;
}

void Upstream::on_stream(bool readable, bool writable) {
  if (handler_ == nullptr) {  // idle: whatever it is, the connection is of no more use
    if (readable) pool_.drop_idle(*this);
    return;
  }
  if (phase_ == Phase::kConnecting) {
    if (stream_->failed()) {
      const bool ours = stream_->error().side == Side::kSystem;
      fail(ours ? UpstreamFault::kShortage : UpstreamFault::kConnect);
      return;
    }
    phase_ = Phase::kHead;
    turned_away_ = stream_->hung_up();
    if (turned_away_) return read_response();
    handler_->on_upstream_ready();
    if (readable && handler_ != nullptr) read_response();
    return;
  }
  if (writable && !stream_->failed()) handler_->on_upstream_writable();
  if (readable && handler_ != nullptr) read_response();
}

void Upstream::resume() {
  paused_ = false;
  read_response();
}

void Upstream::recheck() {
  if (phase_ == Phase::kConnecting) return;
  stream_->recheck();
  read_response();
  if (handler_ != nullptr && stream_->unheard()) fail(UpstreamFault::kBroken);
}

// Until nothing is left to read, or it has had its turn. After each piece the handler may have
// paused, given back or closed this; the last piece ends the loop whatever it has done.
void Upstream::read_response() {
  const StreamTurn turn(state_.loop, *stream_);
  while (handler_ != nullptr && !paused_ && phase_ != Phase::kHalfTunnel && stream_->may_read()) {
    if (turn.over()) return;
    const bool more = phase_ == Phase::kHead ? read_head() : read_body();
    if (!more) return;
  }
}

bool Upstream::read_head() {
  const std::span<char> buffer = state_.scratch().subspan(kHeadRoom);
  std::size_t kept = 0;
  if (partial_ != nullptr) {
    kept = partial_->bytes.size();
    std::memcpy(buffer.data(), partial_->bytes.data(), kept);
  }
  const IoResult got = stream_->read(buffer.subspan(kept));
  if (got.would_block()) return false;
  if (!got.ok()) {
    at_end(got.end());
    return false;
  }
  return parse_head(buffer.first(kept + got.bytes));
}

// Interim responses may stand before the final one, several in one read.
bool Upstream::parse_head(std::span<char> bytes) {
  for (;;) {
    http::HeadParser& parser = partial_ != nullptr ? partial_->parser : state_.response_parser;
    http::ResponseHead& head = partial_ != nullptr ? partial_->head : state_.response_head;
    if (partial_ == nullptr) parser.reset();
    const http::Progress progress = parser.parse({bytes.data(), bytes.size()}, head);
    if (progress == http::Progress::kNeedMore) {
      if (partial_ == nullptr) {
        partial_ = std::make_unique<PartialHead<http::ResponseHead>>();
        partial_->parser = parser;
        partial_->head = head;
      }
      partial_->bytes.assign(bytes.data(), bytes.size());
      return true;
    }
    const auto framing = progress == http::Progress::kDone
                             ? http::response_framing(head, method_, upgrade_asked_)
                             : Result<http::Framing>(tandem::fail(Error::peer("not HTTP")));
    if (!framing) {
      fail(UpstreamFault::kBad);
      return false;
    }
    // Before the request was sent only a refusal can be the response to it.
    if (std::exchange(turned_away_, false) && head.status() < 400) {
      fail(UpstreamFault::kConnect);
      return false;
    }
    const auto partial = std::exchange(partial_, nullptr);  // keeps `head` alive
    const std::span<char> rest = bytes.subspan(head.end());
    if (head.interim()) {
      handler_->on_response_head(head, *framing, rest.first(0), false);
      if (handler_ == nullptr) return false;
      if (rest.empty()) return true;
      bytes = rest;
      continue;
    }
    reusable_ = http::responder_persists(head, *framing);
    if (framing->kind == http::BodyKind::kTunnel) {
      phase_ = Phase::kTunnel;
      handler_->on_response_head(head, *framing, rest, false);
      return true;
    }
    body_ = http::BodyReader(*framing);
    const auto taken = body_.relay({rest.data(), rest.size()});
    if (taken.progress == http::Progress::kError) {
      fail(UpstreamFault::kBad);
      return false;
    }
    const bool complete = taken.progress == http::Progress::kDone;
    if (taken.consumed < rest.size()) reusable_ = false;
    phase_ = complete ? Phase::kComplete : Phase::kBody;
    handler_->on_response_head(head, *framing, rest.first(taken.consumed), complete);
    return !complete;
  }
}

bool Upstream::read_body() {
  const std::span<char> buffer = state_.scratch().subspan(kHeadRoom);
  const IoResult got = stream_->read(buffer);
  if (got.would_block()) return false;
  if (!got.ok()) {
    at_end(got.end());
    return false;
  }
  return pass_body(buffer.first(got.bytes));
}

bool Upstream::pass_body(std::span<char> bytes) {
  const std::string_view view{bytes.data(), bytes.size()};
  if (phase_ == Phase::kTunnel) {
    handler_->on_response_body(view, false);
    return true;
  }
  const auto taken = body_.relay(view);
  if (taken.progress == http::Progress::kError) {
    fail(UpstreamFault::kBad);
    return false;
  }
  const bool complete = taken.progress == http::Progress::kDone;
  if (taken.consumed < bytes.size()) reusable_ = false;
  if (complete) phase_ = Phase::kComplete;
  handler_->on_response_body(view.substr(0, taken.consumed), complete);
  return !complete;
}

// The server has ended its side. That completes a body until close, and half a tunnel. Once writing
// has failed the end may be that of a reset, and says nothing of a body's.
void Upstream::at_end(bool orderly) {
  reusable_ = false;
  const bool tunnel = phase_ == Phase::kTunnel;
  const bool body = phase_ == Phase::kBody && !stream_->write_failed() && body_.finish();
  if (!orderly || (!tunnel && !body)) {
    fail(UpstreamFault::kBroken);
    return;
  }
  phase_ = tunnel ? Phase::kHalfTunnel : Phase::kComplete;
  handler_->on_response_body({}, true);
}

void Upstream::fail(UpstreamFault fault) {
  UpstreamHandler* handler = std::exchange(handler_, nullptr);
  if (turned_away_) fault = UpstreamFault::kConnect;
  pool_.close(*this);
  if (handler != nullptr) handler->on_upstream_failed(fault);
}

void Upstream::finish() {
  handler_ = nullptr;
  if (reusable_ && !stream_->failed() && !stream_->hung_up()) {
    pool_.put_back(*this);
  } else {
    pool_.close(*this);
  }
}

// By a reset while there is no whole response: what the server has not got yet of a request that
// was given up must not reach it when it is back, minutes later maybe. A tunnel's last bytes must.
void Upstream::abandon() {
  handler_ = nullptr;
  if (phase_ == Phase::kHead || phase_ == Phase::kBody) stream_->reset_on_close();
  pool_.close(*this);
}

}  // namespace tandem
