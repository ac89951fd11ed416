// A connected byte stream: TCP, or TLS over it. One class and one code path for both.
//
// The descriptor is registered once, edge-triggered. The stream remembers what the kernel last
// said: after a short read there is nothing more until the next edge, so read() then answers
// kWouldBlock without a system call; the same for writes. So the pattern for a user is
//   on_stream():  read until kWouldBlock, or until it wants no more (later: read again at once, if
//                 may_read()); write first, and wait for on_stream() only when write() took less.
// A user that stops reading is not told again of what it has left: it asks may_read() when it goes
// on. A peer may send faster than it is read: who has read EventLoop::turn_bytes() in one call asks
// to be called again, so that the other connections have their turn:
//   const StreamTurn turn(loop_, *stream_);
//   while (stream_->may_read() && !turn.over()) { ... read ... }
//
// Belongs to its loop's thread. May be destroyed from within on_stream().
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/net/descriptor.h"
#include "common/net/event_loop.h"
#include "common/net/socket_address.h"

namespace tandem {

class TlsContext;  // common/net/tls.h
class TlsSession;

struct IoResult {
  enum class Kind : std::uint8_t {
    kOk,          // bytes > 0
    kWouldBlock,  // wait for on_stream()
    kEnd,         // reads only: the peer has ended its side in order
    kError,       // see Stream::error(); close it
  };
  Kind kind = Kind::kOk;
  std::size_t bytes = 0;

  bool ok() const { return kind == Kind::kOk; }
  bool would_block() const { return kind == Kind::kWouldBlock; }
  bool end() const { return kind == Kind::kEnd; }
  bool failed() const { return kind == Kind::kError; }
};

class StreamHandler {
 public:
  // Something has changed: bytes or the end to read, room to write, connected, handshake done, or
  // an error (read() or write() will say which). Spurious calls are harmless.
  virtual void on_stream(bool readable, bool writable) = 0;

 protected:
  ~StreamHandler() = default;
};

class Stream final : private Watcher {
 public:
  // Keepalive of connections made here: after so long without a word, so many questions.
  static constexpr int kKeepaliveIdleSeconds = 5;
  static constexpr int kKeepaliveGapSeconds = 2;
  static constexpr int kKeepaliveQuestions = 3;

  // Takes a connected socket (from Listener). TCP_NODELAY is inherited from the listener.
  Stream(EventLoop& loop, Descriptor socket, StreamHandler* handler);
  // Begins to connect. Not connected() yet on return; on_stream() tells of success or failure
  // (failed() then). An immediate failure with side kSystem is our own shortage (descriptors, local
  // ports), with side kPeer the other end's. A peer that vanishes without a word while nothing is
  // owed to it is found out by keepalive, and then read as an error.
  static Result<std::unique_ptr<Stream>> connect(EventLoop& loop, const SocketAddress& to,
                                                 StreamHandler* handler);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Speaks TLS from now on, as the context's side; before the first read or write. `server_name` is
  // what a client wants (SNI, and checked against the certificate where the context verifies). The
  // context must live until the stream is gone. Reads and writes would block until the handshake is
  // done; a failed handshake is an error of the next read or write.
  void start_tls(const TlsContext& context, const std::string& server_name = {});
  bool is_tls() const { return tls_ != nullptr; }
  // Connected, and with TLS the handshake done.
  bool ready() const;
  // The negotiated parameters, for TLS streams; empty otherwise. "TLSv1.3"
  std::string_view tls_version() const;

  // Who is told from now on; may be null for a while (then edges are only remembered).
  void set_handler(StreamHandler* handler) { handler_ = handler; }

  // Reads what is there, up to the buffer's size.
  IoResult read(std::span<char> into);
  // The same, but it stays to be read: before start_tls(). Who needs more than there is waits for
  // on_stream(), and is given all of it again.
  IoResult peek(std::span<char> into);
  // Writes as much as fits. Taking less than given means that it would block now.
  IoResult write(std::string_view bytes);
  IoResult writev(std::span<const iovec> parts);  // at most IOV_MAX parts
  // Sealed bytes that the socket has not taken yet; they go out by themselves as it takes them, but
  // are lost if the stream is destroyed before. Always false for plain streams.
  bool has_unsent() const;
  // Half-close: the peer reads the end after what was written. TLS: a close_notify.
  void shutdown_write();

  bool connected() const { return state_ == State::kConnected; }
  // Would a read be worth a try (no kWouldBlock known)? And a write?
  bool may_read() const;
  bool may_write() const { return may_write_; }
  bool failed() const { return errno_ != 0 || !tls_error_.empty(); }
  // Writing has failed. What the peer sent before may still be there: read on to the end or error.
  bool write_failed() const { return failed() || write_errno_ != 0; }
  // The peer has ended its side or reset; for idle pooled connections: no longer of use.
  bool hung_up() const { return hung_up_; }
  // After kEnd: TLS, and the peer did not say so (close_notify): what has no length may be cut
  // short (RFC 9112, 9.8). Always false for plain streams.
  bool cut() const;
  // After kError, or a failed connect.
  Error error() const;

  // A reset that arrives together with the last bytes is told by libevent as plain readiness, and
  // a short read then hides it. A sweep over connections that wait long for the peer calls this: it
  // makes may_read() true again, so that the next read asks the kernel.
  void recheck() { may_read_ = true; }

  // Calls on_stream() in the next round, once, whatever happens until then.
  void call_again();

  // What was written has been sent again and again without any sign of the other end: its machine
  // or the way there is gone. A peer that merely takes nothing is heard, and is none of these. Asks
  // the kernel: for sweeps over connections that wait long.
  bool unheard() const;
  static constexpr unsigned kUnheardResends = 4;  // that is 3 s and more after the first sending
  // Through the socket so far: with TLS, its records.
  std::uint64_t bytes_sent() const { return bytes_sent_; }
  std::uint64_t bytes_received() const { return bytes_received_; }

  int fd() const { return socket_.get(); }
  SocketAddress local_address() const { return SocketAddress::local_of(fd()); }
  SocketAddress peer_address() const;
  // A reset instead of an orderly end when destroyed: for broken exchanges.
  void reset_on_close();

 private:
  friend class TlsSession;
  enum class State : std::uint8_t { kConnecting, kConnected };
  void on_ready(Readiness ready) override;
  void finish_connect();
  IoResult fail_with(int error_number);
  IoResult fail_write(int error_number);
  IoResult raw_read(std::span<char> into, bool takes = true);  // or leaves it to be read
  IoResult raw_writev(std::span<const iovec> parts);

  EventLoop& loop_;
  StreamHandler* handler_;
  Descriptor socket_;
  State state_;
  bool was_connected_ = true;
  bool may_read_ = false;
  bool may_write_ = false;
  bool hung_up_ = false;
  bool called_again_ = false;  // will be
  int errno_ = 0;
  int write_errno_ = 0;
  std::uint64_t bytes_sent_ = 0, bytes_received_ = 0;
  std::string tls_error_;
  std::unique_ptr<TlsSession> tls_;
  Watch watch_;  // after socket_: unregistered before it is closed
};

// What a user reads in one call; see above. The stream must live as long.
class StreamTurn {
 public:
  StreamTurn(EventLoop& loop, Stream& stream)
      : stream_(stream), end_(stream.bytes_received() + loop.turn_bytes()) {}
  // Has it been enough for now? Then on_stream() is called in the next round.
  bool over() const {
    if (stream_.bytes_received() < end_) return false;
    stream_.call_again();
    return true;
  }

 private:
  Stream& stream_;
  std::uint64_t end_;
};

}  // namespace tandem
