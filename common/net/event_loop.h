// One event loop for one thread: descriptors, timers, work from other threads, work at the end of
// a round. A thin layer over libevent that keeps the fast path bare: a descriptor is registered
// once in its life, an event costs one virtual call, the clock is read at most once a round.
//
// Everything here belongs to the thread that calls run(), but post() and stop(), which any thread
// may call. A round is: wait for events, call the watchers, call what was left for the round's end.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "common/base/time.h"

struct event;
struct event_base;

namespace tandem {

class EventLoop;
class Timer;

struct Readiness {
  bool readable = false;
  bool writable = false;
  bool hung_up = false;  // the peer has ended its side: read until the end is seen
};

// Told when a descriptor is ready. May destroy itself and its Watch from within.
class Watcher {
 public:
  virtual void on_ready(Readiness ready) = 0;

 protected:
  ~Watcher() = default;
};

// The registration of one descriptor; unregisters when destroyed. Does not own the descriptor:
// destroy the Watch before closing it.
class Watch {
 public:
  enum class Mode {
    kEdge,  // read, write and hang-up, told once per change: read and write until it would block
    kLevelRead,  // readability, told again every round while it lasts (listeners, eventfds)
  };
  Watch() = default;
  Watch(EventLoop& loop, int fd, Mode mode, Watcher& watcher);
  Watch(Watch&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Watch& operator=(Watch&& other) noexcept;
  ~Watch() { reset(); }
  void reset();
  explicit operator bool() const { return event_ != nullptr; }

 private:
  event* event_ = nullptr;
};

// Anything that a callback wants deleted, but not under its own feet: EventLoop::dispose().
class Disposable {
 public:
  virtual ~Disposable() = default;
};

class RoundEnd {
 public:
  virtual void on_round_end() = 0;

 protected:
  ~RoundEnd() = default;
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Serves until stop(); may be called again afterwards. stop() takes effect at the round's end.
  void run();
  void stop();

  // The time as of this round: read at the first call in a round, then constant until its end.
  // Outside run() the clock is read every time.
  Instant now();
  UnixSeconds unix_now();

  // From any thread: runs `work` on the loop's thread, soon, in the order posted. What is posted
  // after the loop has ended is dropped with it.
  void post(std::function<void()> work);

  // Runs `work` at the end of this round. Not for the fast path: it may allocate.
  void defer(std::function<void()> work);
  // Calls end.on_round_end() once, at the end of this round. No allocation once warm. Whoever is
  // destroyed before that cancels. Calling twice in a round calls it twice.
  void at_round_end(RoundEnd& end);
  void cancel_round_end(RoundEnd& end);
  // Calls watcher.on_ready() with nothing ready once, in the next round, which then waits for
  // nothing: whoever has moved turn_bytes() in one call goes on like this, when all others have had
  // their turn. No allocation once warm. Whoever is destroyed before that cancels. Calling twice in
  // a round calls it twice.
  void call_again(Watcher& watcher);
  void cancel_again(Watcher& watcher);
  // The bytes that one connection may read in one call, give or take what a single read brings.
  static constexpr std::size_t kTurnBytes = 1 << 20;
  std::size_t turn_bytes() const;
  void set_turn_bytes(std::size_t bytes);
  // Deletes at the end of this round, after all deferred work.
  void dispose(std::unique_ptr<Disposable> object);

  // A buffer for whoever is being called back, valid until it returns. 256 KiB: large enough that a
  // body of 64 KiB is one recv (and the proxy's cost for it half of that with 16 KiB).
  static constexpr std::size_t kScratchBytes = 256 * 1024;
  std::span<char> scratch();

 private:
  friend class Timer;
  friend class Watch;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One deadline, told once. Arming, moving and cancelling cost O(log n) in a heap of our own and no
// system call. Resolution some milliseconds; never early. For things that are timed per request
// prefer one coarse sweep over timestamps. `work` must not destroy its own Timer: dispose() of what
// holds it instead.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> work);
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(Instant deadline);  // replaces an earlier deadline; kNever cancels
  void set_after(Duration delay);
  void cancel();
  bool armed() const { return slot_ != kNoSlot; }
  Instant deadline() const { return armed() ? deadline_ : kNever; }

 private:
  friend class EventLoop;
  static constexpr std::size_t kNoSlot = static_cast<std::size_t>(-1);
  EventLoop& loop_;
  std::function<void()> work_;
  Instant deadline_ = kNever;
  std::size_t slot_ = kNoSlot;  // where it is in the loop's heap
};

}  // namespace tandem
