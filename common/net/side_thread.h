// A thread beside a loop, for what may take its time and cannot be interrupted: a disk, a lock of a
// database. Work goes in from the loop, in order; what is to be done with its result comes back to
// the loop. The loop never waits, except for at most `farewell` at the end.
//
// Belongs to the loop's thread. Whoever asks bounds what waits.
#pragma once

#include <functional>
#include <memory>

#include "common/base/time.h"
#include "common/net/event_loop.h"

namespace tandem {

class SideThread {
 public:
  using Reply = std::function<void()>;  // on the loop's thread
  using Work = std::function<Reply()>;  // on this one; may give no reply

  // `kept` is what work uses. It is let go on the thread, when that ends; without start(), here.
  // The loop must outlive this.
  SideThread(EventLoop& loop, std::shared_ptr<void> kept, Duration farewell);
  // Does what was asked, and ends the thread, or leaves it to itself if that takes longer than
  // `farewell`. No reply is given any more.
  ~SideThread();
  SideThread(const SideThread&) = delete;
  SideThread& operator=(const SideThread&) = delete;

  // What was asked before waits for it.
  void start();
  bool started() const;
  // The reply never comes before this returns.
  void ask(Work work);

 private:
  struct Side;

  Duration farewell_;
  std::shared_ptr<Side> side_;
  std::shared_ptr<bool> alive_;  // the replies'
};

}  // namespace tandem
