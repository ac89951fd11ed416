#include "common/net/channel.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace tandem {
namespace {

constexpr std::size_t kCompactBytes = 64 * 1024;  // sent bytes kept in front of the queue

}  // namespace

Channel::Channel(EventLoop& loop, std::unique_ptr<Stream> stream, const TlsContext& context,
                 ChannelOptions options, ChannelHandler& handler)
    : loop_(loop),
      options_(std::move(options)),
      handler_(&handler),
      stream_(std::move(stream)),
      peer_address_(stream_->peer_address()),
      timer_(loop, [this] { end(failure_); }),
      flush_timer_(loop, [this] { ask_flush(); }) {
  const auto unheard = static_cast<unsigned>(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.unheard_timeout).count());
  ::setsockopt(stream_->fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard, sizeof unheard);
  failure_ = Error::peer("said no Hello in time");
  timer_.set_after(options_.hello_timeout);
  stream_->start_tls(context);
  stream_->set_handler(this);
  options_.self.protocol = kProtocolVersion;
  options_.self.packing = kPackingVersion;
  send(options_.self);
}

Channel::~Channel() { loop_.cancel_round_end(*this); }

void Channel::send(const Message& message) {
  if (put(message)) ask_flush();
}

void Channel::send_within(const Message& message, Duration delay) {
  if (!put(message) || flush_asked_) return;
  const Instant by = loop_.now() + delay;
  if (!flush_timer_.armed() || by < flush_timer_.deadline()) flush_timer_.set(by);
}

bool Channel::put(const Message& message) {
  if (stream_ == nullptr || closing_) return false;
  if (const auto encoded = writer_.put(message, out_); !encoded) {
    fail_later(encoded.error());
    return false;
  }
  if (queued_bytes() > options_.queue_bytes_max) {
    fail_later(Error::peer("takes messages too slowly: the queue is full"));
    return false;
  }
  return true;
}

void Channel::ask_flush() {
  if (flush_asked_) return;
  flush_asked_ = true;
  loop_.at_round_end(*this);
}

void Channel::close() {
  bytes_sent_ = bytes_sent();
  bytes_received_ = bytes_received();
  stream_.reset();
  timer_.cancel();
  flush_timer_.cancel();
}

void Channel::close_when_sent() {
  if (stream_ == nullptr) return;
  closing_ = true;
  failure_ = Error::peer("closed by this side");
  timer_.set_after(options_.hello_timeout);  // as patient as with the first message
  ask_flush();
}

void Channel::on_round_end() {
  flush_asked_ = false;
  flush();
}

void Channel::flush() {
  flush_timer_.cancel();
  if (stream_ == nullptr) return;
  if (const auto ended = writer_.end(out_); !ended) return fail_later(ended.error());
  write();
}

void Channel::write() {
  while (stream_ != nullptr && sent_ < out_.size()) {
    const IoResult put = stream_->write(std::string_view(out_).substr(sent_));
    if (put.failed()) return end(stream_->error());
    if (put.would_block()) break;
    sent_ += put.bytes;
  }
  if (sent_ == out_.size()) {
    out_.clear();
    if (out_.capacity() > kCompactBytes) out_.shrink_to_fit();
    sent_ = 0;
  } else if (sent_ > kCompactBytes) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  if (closing_ && out_.empty() && stream_ != nullptr && !stream_->has_unsent()) {
    stream_->shutdown_write();
    end(failure_);
  }
}

// What waits for others goes on waiting.
void Channel::on_stream(bool, bool) {
  write();
  if (stream_ != nullptr) read_some();
}

// The kernel is asked until it says that there is no more: a reset that came together with the last
// bytes is told only then, and whoever died must be known to be dead at once.
void Channel::read_some() {
  const StreamTurn turn(loop_, *stream_);
  bool asked_again = false;
  while (stream_ != nullptr && !turn.over()) {
    const auto scratch = loop_.scratch();
    const IoResult got = stream_->read(scratch);
    if (got.would_block()) {
      if (std::exchange(asked_again, true)) return;
      stream_->recheck();
      continue;
    }
    if (got.end()) return end(Error::peer("has closed the connection"));
    if (got.failed()) return end(stream_->error());
    if (closing_) continue;
    reader_.feed({scratch.data(), got.bytes});
    while (stream_ != nullptr && !closing_) {
      auto message = reader_.next();
      if (!message) {
        garbled_ = true;
        return end(message.error());
      }
      if (!*message) break;
      take(std::move(**message));
    }
  }
}

void Channel::take(Message message) {
  const auto* hello = std::get_if<Hello>(&message);
  if (open_ != (hello == nullptr)) {
    return end(Error::peer(open_ ? "said Hello twice" : "did not say Hello first"));
  }
  if (hello != nullptr) return take_hello(*hello);
  handler_->on_channel_message(*this, std::move(message));
}

void Channel::take_hello(const Hello& hello) {
  if (hello.protocol == 0) return end(Error::peer("speaks no protocol that is known here"));
  if (hello.name.empty()) return end(Error::peer("has no name"));
  if (hello.name == options_.self.name) {
    return end(Error::conf("goes by our own name, '" + hello.name + "'"));
  }
  peer_ = hello;
  open_ = true;
  writer_.set_packing(hello.packing);
  timer_.cancel();
  handler_->on_channel_open(*this);
}

void Channel::fail_later(Error why) {
  failure_ = std::move(why);
  timer_.set_after(0ns);
}

void Channel::end(const Error& why) {
  const Error reason = why;  // may be a part of what close() forgets
  close();
  handler_->on_channel_closed(*this, reason);
}

}  // namespace tandem
