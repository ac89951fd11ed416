// A listening socket on a loop. With SO_REUSEPORT each worker has its own on the same address.
#pragma once

#include <cstdint>
#include <memory>

#include "common/base/result.h"
#include "common/net/descriptor.h"
#include "common/net/event_loop.h"
#include "common/net/socket_address.h"

namespace tandem {

class AcceptHandler {
 public:
  virtual void on_accept(Descriptor socket, const SocketAddress& peer) = 0;

 protected:
  ~AcceptHandler() = default;
};

struct ListenOptions {
  int backlog = 4096;  // the kernel cuts it to net.core.somaxconn
  // Another worker of this process already listens there (its Listener is the first): share it. The
  // first is bound without sharing, so that a port that someone else uses is noticed.
  bool join = false;
};

class Listener final : private Watcher {
 public:
  // Binds and listens. Names must have been resolved (resolver.h). Errors are the operator's, as
  // "cannot listen on 127.0.0.1:80: Address already in use".
  static Result<std::unique_ptr<Listener>> open(EventLoop& loop, const SocketAddress& at,
                                                const ListenOptions& options,
                                                AcceptHandler& handler);
  ~Listener() = default;

  // The address that is bound: port 0 has become a real one.
  const SocketAddress& address() const { return address_; }
  // Stops accepting; connections wait in the kernel's backlog. resume() goes on.
  void pause();
  void resume();
  // How often accepting had to pause because descriptors or memory ran out.
  std::uint64_t shortages() const { return shortages_; }

  static constexpr int kAcceptBatchMax = 64;         // accepts a round
  static constexpr Duration kShortagePause = 100ms;  // after EMFILE and its like

 private:
  Listener(EventLoop& loop, Descriptor socket, AcceptHandler& handler);
  void on_ready(Readiness ready) override;
  void on_shortage(int error_number);

  EventLoop& loop_;
  AcceptHandler& handler_;
  Descriptor socket_;
  SocketAddress address_;
  int batch_ = 1;  // adapts, so that a lone connection does not cost an accept that finds none
  std::uint64_t shortages_ = 0;
  Timer resume_timer_;
  Watch watch_;
};

}  // namespace tandem
