// Signals as events of a loop: no code runs inside a signal handler.
#pragma once

#include <functional>
#include <initializer_list>

#include "common/net/descriptor.h"
#include "common/net/event_loop.h"

namespace tandem {

// Blocks the signals in the calling thread, and so in every thread that is started afterwards: make
// it before any other thread. SIGPIPE is ignored from then on, since writing to a connection that
// the peer has closed is an error like others.
class Signals final : private Watcher {
 public:
  // `handler` is called on the loop's thread with the signal's number.
  Signals(EventLoop& loop, std::initializer_list<int> numbers, std::function<void(int)> handler);

 private:
  void on_ready(Readiness ready) override;

  std::function<void(int)> handler_;
  Descriptor fd_;
  Watch watch_;
};

}  // namespace tandem
