// A channel carries messages of the control and peer wires: frames (common/wire/codec.h) over a TLS
// stream that the cluster key authenticates. Both ends say Hello first.
//
// The key proves membership, not identity: an end that says our own name is our own reflection, or
// a second process by our name, and is refused; whoever handles the channel refuses other doubles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/net/event_loop.h"
#include "common/net/stream.h"
#include "common/wire/codec.h"
#include "common/wire/messages.h"

namespace tandem {

class Channel;

// Within each call the channel may be closed, but not destroyed: EventLoop::dispose() it.
class ChannelHandler {
 public:
  virtual void on_channel_open(Channel& channel) = 0;  // peer() has said Hello
  virtual void on_channel_message(Channel& channel, Message message) = 0;
  // By the peer, by an error, by a full queue, by close_when_sent(); not by close(). Also if it
  // never opened: peer() then has no name. Nothing comes after it.
  virtual void on_channel_closed(Channel& channel, const Error& why) = 0;

 protected:
  ~ChannelHandler() = default;
};

struct ChannelOptions {
  Hello self;
  // What waits to be sent; a peer that takes so little for so long is closed. Far more than what
  // machines allow themselves unacknowledged.
  std::size_t queue_bytes_max = 32 << 20;
  Duration hello_timeout = 5s;     // from the connection to the peer's Hello
  Duration unheard_timeout = 10s;  // sent bytes that the peer's kernel does not acknowledge
};

class Channel final : public Disposable, private StreamHandler, private RoundEnd {
 public:
  // Speaks TLS over the stream as `context` says; says Hello. The handler and the context must
  // outlive the channel.
  Channel(EventLoop& loop, std::unique_ptr<Stream> stream, const TlsContext& context,
          ChannelOptions options, ChannelHandler& handler);
  ~Channel() override;

  // Queues the message; what is queued in one round of the loop leaves together at its end. A
  // message that is too long, or a full queue, closes the channel (on_channel_closed() comes
  // later).
  void send(const Message& message);
  // The same, but it leaves with what is sent next, at the latest so much later.
  void send_within(const Message& message, Duration delay);
  // What is queued leaves now, as far as the socket takes it; for whoever closes next. The channel
  // may end, with a call.
  void flush();
  void close();            // at once; nothing is sent or called any more
  void close_when_sent();  // what is queued is sent first; then on_channel_closed(), later
  bool closing() const { return closing_; }

  bool is_open() const { return open_ && stream_ != nullptr; }
  const Hello& peer() const { return peer_; }
  const Hello& self() const { return options_.self; }
  ServerId peer_id() const { return ServerId::of(peer_.name); }
  std::size_t queued_bytes() const { return out_.size() - sent_ + writer_.waiting_bytes(); }
  // What went through the socket, TLS included.
  std::uint64_t bytes_sent() const { return stream_ ? stream_->bytes_sent() : bytes_sent_; }
  std::uint64_t bytes_received() const {
    return stream_ ? stream_->bytes_received() : bytes_received_;
  }
  // It has ended, or is about to, since what came made no sense.
  bool garbled() const { return garbled_; }
  SocketAddress peer_address() const { return peer_address_; }

 private:
  void on_stream(bool readable, bool writable) override;
  void on_round_end() override;
  void read_some();
  void take(Message message);
  void take_hello(const Hello& hello);
  bool put(const Message& message);
  void ask_flush();
  void write();
  void fail_later(Error why);
  void end(const Error& why);

  EventLoop& loop_;
  ChannelOptions options_;
  ChannelHandler* handler_;
  std::unique_ptr<Stream> stream_;  // null: closed
  SocketAddress peer_address_;
  Packing packing_;
  FrameWriter writer_{packing_};
  FrameReader reader_{&packing_};
  Hello peer_;
  bool open_ = false;
  bool closing_ = false;  // close_when_sent()
  bool garbled_ = false;
  bool flush_asked_ = false;
  std::string out_;
  std::size_t sent_ = 0;                               // of out_, from its front
  std::uint64_t bytes_sent_ = 0, bytes_received_ = 0;  // once closed
  Error failure_;
  Timer timer_;        // the peer's Hello; then a failure to be told
  Timer flush_timer_;  // send_within()
};

}  // namespace tandem
