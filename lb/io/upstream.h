// The way of one request to a server, and of its response back.
//
// The relay knows nothing of connections: it is given an Upstream for one exchange, sends through
// it, is told of the response in pieces, and gives it back. Here that is a pooled HTTP/1.1
// connection which carries one exchange at a time.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/http/body.h"
#include "common/http/framing.h"
#include "common/net/stream.h"
#include "lb/io/front_state.h"

namespace tandem {

enum class UpstreamFault : std::uint8_t {
  kConnect,   // no connection
  kShortage,  // no connection for want of something on this machine
  kBroken,    // the connection ended before the response was whole
  kBad,       // what came is not HTTP
};

// Told of one exchange. After on_upstream_failed() and after a piece with complete = true (once
// given back with finish()) nothing more comes; of a tunnel that is the end of the server's side
// alone. May give the upstream back from within any call.
class UpstreamHandler {
 public:
  virtual void on_upstream_ready() = 0;     // connected: send
  virtual void on_upstream_writable() = 0;  // after a write() that took less
  // The upstream is closed already and must not be touched again.
  virtual void on_upstream_failed(UpstreamFault fault) = 0;
  // The view says that the server is offline. The upstream is still there.
  virtual void on_server_offline() = 0;
  // `body` are the first bytes behind the head (framing included, as they came). Before them are
  // the head's own bytes and room for kHeadRoom more, free to be overwritten.
  virtual void on_response_head(const http::ResponseHead& head, http::Framing framing,
                                std::span<char> body, bool complete) = 0;
  virtual void on_response_body(std::string_view bytes, bool complete) = 0;

 protected:
  ~UpstreamHandler() = default;
};

class Upstream final : private StreamHandler, public Disposable {
 public:
  Upstream(FrontState& state, ServerPool& pool) : state_(state), pool_(pool) {}
  ~Upstream() override;

  // --- the relay's side
  // --------------------------------------------------------------------------- Connected? Else
  // on_upstream_ready() follows.
  bool ready() const { return stream_->connected() && !stream_->failed(); }
  // Has it carried an exchange before?
  bool reused() const { return exchanges_ > 1; }
  ServerPool& pool() { return pool_; }
  // How the response is to be read; before the first write().
  void expect(http::Method method, bool upgrade_asked);
  // Bytes taken; fewer than given: wait for on_upstream_writable(). Fails if the connection broke.
  IoResult write(std::span<const iovec> parts) { return stream_->writev(parts); }
  void shutdown_write() { stream_->shutdown_write(); }
  // Back-pressure: no further pieces until resume(), which may deliver some before it returns.
  void pause() { paused_ = true; }
  void resume();
  // The response was complete and the request is sent: back to the pool, if it may be used again.
  void finish();
  // Given up in the middle: closes.
  void abandon();
  // Asks the kernel again whether there is something to read (a reset may have gone unnoticed).
  void recheck();

  // --- the pool's side
  // ----------------------------------------------------------------------------
  void start(UpstreamHandler& handler);
  Result<void> connect(const SocketAddress& to);
  bool usable() const { return !stream_->hung_up() && !stream_->failed() && !stream_->may_read(); }
  UpstreamHandler* handler() const { return handler_; }
  // It is to be disposed of: what still happens on its connection this round concerns nobody.
  void fall_silent() { stream_->set_handler(nullptr); }
  Instant idle_since = {};
  std::uint32_t address_generation = 0;  // of the pool's address that it is connected to
  std::size_t place = 0;                 // in the pool's list that it is on

 private:
  enum class Phase : std::uint8_t {
    kConnecting,
    kHead,
    kBody,
    kTunnel,
    kHalfTunnel,  // the server has ended its side, and may still be written to
    kComplete,
  };

  void on_stream(bool readable, bool writable) override;
  void read_response();
  bool read_head();
  bool parse_head(std::span<char> bytes);
  bool read_body();
  bool pass_body(std::span<char> bytes);
  void at_end(bool orderly);
  void fail(UpstreamFault fault);

  FrontState& state_;
  ServerPool& pool_;
  std::unique_ptr<Stream> stream_;
  UpstreamHandler* handler_ = nullptr;  // null: idle
  std::unique_ptr<PartialHead<http::ResponseHead>> partial_;
  http::BodyReader body_;
  std::uint32_t exchanges_ = 0;
  http::Method method_ = http::Method::kGet;
  Phase phase_ = Phase::kConnecting;
  bool upgrade_asked_ = false;
  bool paused_ = false;
  bool reusable_ = false;  // the server keeps the connection
  bool turned_away_ =
      false;  // the server ended it before the request was sent: for why, see the head
};

}  // namespace tandem
