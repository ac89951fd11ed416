#include "common/net/event_loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "common/base/error.h"
#include "common/net/clock.h"
#include "common/net/descriptor.h"

namespace tandem {
namespace {

// Work left for the round's end may leave more; after this many passes the rest waits for the next
// round, so that sockets are not starved.
constexpr int kRoundEndPassesMax = 16;

void watch_ready(int, short what, void* watcher) {
  Readiness ready;
  ready.readable = (what & EV_READ) != 0;
  ready.writable = (what & EV_WRITE) != 0;
  ready.hung_up = (what & EV_CLOSED) != 0;
  static_cast<Watcher*>(watcher)->on_ready(ready);
}

event_base* make_base() {
  // Coarse timers (no EVENT_BASE_FLAG_PRECISE_TIMER): no timerfd, no extra system calls.
  event_config* config = event_config_new();
  event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  TANDEM_CHECK(base != nullptr);
  return base;
}

}  // namespace

struct EventLoop::Impl : Watcher {
  event_base* base = make_base();
  bool running = false;
  Instant now = kNever;  // kNever: not read in this round
  UnixSeconds unix_now = -1;
  std::vector<char> scratch;

  std::vector<Timer*> heap;  // smallest deadline first
  event* heap_event = nullptr;
  Instant heap_armed = kNever;  // what heap_event waits for

  std::vector<std::function<void()>> deferred;
  std::vector<RoundEnd*> round_ends;
  std::vector<Watcher*> again;      // to be called in the next round
  std::vector<Watcher*> again_now;  // in this one
  std::size_t turn_bytes = kTurnBytes;
  std::vector<std::unique_ptr<Disposable>> disposed;

  std::mutex mutex;  // guards posted
  std::vector<std::function<void()>> posted;
  std::atomic<bool> stopping{false};
  Descriptor wake{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  Watch wake_watch;

  virtual ~Impl() = default;
  void on_ready(Readiness) override;
  void run_timers(EventLoop& loop);
  void arm();
  bool round_end();
  void call_those_again();
  void place(std::size_t slot, Timer* timer);
  void sift_up(std::size_t slot);
  void sift_down(std::size_t slot);
  void remove(std::size_t slot);
};

Watch::Watch(EventLoop& loop, int fd, Mode mode, Watcher& watcher) {
  const short what = mode == Mode::kEdge ? EV_READ | EV_WRITE | EV_CLOSED | EV_ET : EV_READ;
  event_ =
      event_new(loop.impl_->base, fd, static_cast<short>(what | EV_PERSIST), watch_ready, &watcher);
  TANDEM_CHECK(event_ != nullptr && event_add(event_, nullptr) == 0);
}

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    reset();
    event_ = std::exchange(other.event_, nullptr);
  }
  return *this;
}

void Watch::reset() {
  if (event_ != nullptr) event_free(std::exchange(event_, nullptr));
}

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  TANDEM_CHECK(static_cast<bool>(impl_->wake));
  impl_->heap_event = evtimer_new(
      impl_->base,
      [](int, short, void* loop) {
        auto* self = static_cast<EventLoop*>(loop);
        self->impl_->run_timers(*self);
      },
      this);
  impl_->wake_watch = Watch(*this, impl_->wake.get(), Watch::Mode::kLevelRead, *impl_);
}

EventLoop::~EventLoop() {
  while (impl_->round_end()) {
  }
  impl_->wake_watch.reset();
  event_free(impl_->heap_event);
  event_base_free(impl_->base);
}

void EventLoop::run() {
  Impl& impl = *impl_;
  TANDEM_CHECK(!impl.running);
  impl.running = true;
  impl.now = kNever;
  impl.unix_now = -1;
  bool more = impl.round_end();  // what was left before the loop began
  while (!impl.stopping.load(std::memory_order_acquire)) {
    impl.arm();
    impl.now = kNever;
    impl.unix_now = -1;
    impl.again_now.swap(impl.again);
    const bool at_once = more || !impl.again_now.empty();
    // Without EVLOOP_ONCE it would go on for as long as anything is ready.
    event_base_loop(impl.base, at_once ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
    impl.call_those_again();
    more = impl.round_end();
  }
  impl.stopping.store(false, std::memory_order_release);
  impl.running = false;
}

void EventLoop::stop() {
  impl_->stopping.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(impl_->wake.get(), &one, sizeof one);
}

Instant EventLoop::now() {
  if (!impl_->running) return monotonic_now();
  if (impl_->now == kNever) impl_->now = monotonic_now();
  return impl_->now;
}

UnixSeconds EventLoop::unix_now() {
  if (!impl_->running) return unix_clock();
  if (impl_->unix_now < 0) impl_->unix_now = unix_clock();
  return impl_->unix_now;
}

std::span<char> EventLoop::scratch() {
  if (impl_->scratch.empty()) impl_->scratch.resize(kScratchBytes);
  return impl_->scratch;
}

void EventLoop::post(std::function<void()> work) {
  bool first = false;
  {
    const std::lock_guard lock(impl_->mutex);
    first = impl_->posted.empty();
    impl_->posted.push_back(std::move(work));
  }
  if (!first) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(impl_->wake.get(), &one, sizeof one);
}

void EventLoop::Impl::on_ready(Readiness) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = ::read(wake.get(), &count, sizeof count);
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex);
    work.swap(posted);
  }
  for (auto& each : work) each();
}

void EventLoop::defer(std::function<void()> work) { impl_->deferred.push_back(std::move(work)); }

void EventLoop::at_round_end(RoundEnd& end) { impl_->round_ends.push_back(&end); }

void EventLoop::cancel_round_end(RoundEnd& end) {
  std::replace(impl_->round_ends.begin(), impl_->round_ends.end(), &end,
               static_cast<RoundEnd*>(nullptr));
}

void EventLoop::call_again(Watcher& watcher) { impl_->again.push_back(&watcher); }

void EventLoop::cancel_again(Watcher& watcher) {
  for (auto* list : {&impl_->again, &impl_->again_now}) {
    std::replace(list->begin(), list->end(), &watcher, static_cast<Watcher*>(nullptr));
  }
}

void EventLoop::Impl::call_those_again() {
  for (std::size_t i = 0; i < again_now.size(); ++i) {  // some may be cancelled meanwhile
    if (Watcher* watcher = std::exchange(again_now[i], nullptr)) watcher->on_ready(Readiness{});
  }
  again_now.clear();
}

std::size_t EventLoop::turn_bytes() const { return impl_->turn_bytes; }

void EventLoop::set_turn_bytes(std::size_t bytes) { impl_->turn_bytes = bytes; }

void EventLoop::dispose(std::unique_ptr<Disposable> object) {
  if (object) impl_->disposed.push_back(std::move(object));
}

// Returns true if there is still work left (the passes ran out).
bool EventLoop::Impl::round_end() {
  for (int pass = 0; pass < kRoundEndPassesMax; ++pass) {
    if (round_ends.empty() && deferred.empty() && disposed.empty()) return false;
    // Those there are now, which may be cancelled meanwhile: one that asks again waits for the next
    // pass, or it could go on for ever.
    const std::size_t count = round_ends.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (RoundEnd* end = std::exchange(round_ends[i], nullptr)) end->on_round_end();
    }
    round_ends.erase(round_ends.begin(), round_ends.begin() + static_cast<std::ptrdiff_t>(count));
    std::vector<std::function<void()>> work;
    work.swap(deferred);
    for (auto& each : work) each();
    if (!deferred.empty()) continue;
    std::vector<std::unique_ptr<Disposable>> dead;
    dead.swap(disposed);
    dead.clear();
    if (dead.capacity() > disposed.capacity() && disposed.empty()) disposed.swap(dead);
  }
  return true;
}

// --- timers: a binary heap of pointers; each timer knows its slot
// ---------------------------------

void EventLoop::Impl::place(std::size_t slot, Timer* timer) {
  heap[slot] = timer;
  timer->slot_ = slot;
}

void EventLoop::Impl::sift_up(std::size_t slot) {
  Timer* timer = heap[slot];
  while (slot > 0) {
    const std::size_t parent = (slot - 1) / 2;
    if (heap[parent]->deadline_ <= timer->deadline_) break;
    place(slot, heap[parent]);
    slot = parent;
  }
  place(slot, timer);
}

void EventLoop::Impl::sift_down(std::size_t slot) {
  Timer* timer = heap[slot];
  for (;;) {
    std::size_t child = 2 * slot + 1;
    if (child >= heap.size()) break;
    if (child + 1 < heap.size() && heap[child + 1]->deadline_ < heap[child]->deadline_) ++child;
    if (timer->deadline_ <= heap[child]->deadline_) break;
    place(slot, heap[child]);
    slot = child;
  }
  place(slot, timer);
}

void EventLoop::Impl::remove(std::size_t slot) {
  heap[slot]->slot_ = Timer::kNoSlot;
  Timer* last = heap.back();
  heap.pop_back();
  if (slot == heap.size()) return;
  place(slot, last);
  sift_up(slot);
  sift_down(last->slot_);
}

// Makes libevent's one timer wait for the earliest deadline. Called once a round, not per timer.
void EventLoop::Impl::arm() {
  const Instant earliest = heap.empty() ? kNever : heap.front()->deadline_;
  if (earliest == heap_armed) return;
  heap_armed = earliest;
  if (earliest == kNever) {
    evtimer_del(heap_event);
    return;
  }
  const auto wait = std::max<Duration>(earliest - monotonic_now(), 0ns);
  const auto us = std::chrono::ceil<std::chrono::microseconds>(wait).count();
  const timeval tv{static_cast<time_t>(us / 1000000), static_cast<suseconds_t>(us % 1000000)};
  evtimer_add(heap_event, &tv);
}

void EventLoop::Impl::run_timers(EventLoop& loop) {
  heap_armed = kNever;  // libevent's coarse clock may be a little early: arm() tries again
  const Instant due = loop.now();
  // No more than there are now: one that sets itself again for at once waits for the next round.
  for (std::size_t left = heap.size(); left > 0 && !heap.empty(); --left) {
    Timer* timer = heap.front();
    if (timer->deadline_ > due) break;
    remove(0);
    timer->work_();
  }
}

Timer::Timer(EventLoop& loop, std::function<void()> work) : loop_(loop), work_(std::move(work)) {}

void Timer::set(Instant deadline) {
  if (deadline == kNever) return cancel();
  auto& impl = *loop_.impl_;
  deadline_ = deadline;
  if (slot_ == kNoSlot) {
    slot_ = impl.heap.size();
    impl.heap.push_back(this);
  }
  impl.sift_up(slot_);
  impl.sift_down(slot_);
}

void Timer::set_after(Duration delay) { set(loop_.now() + delay); }

void Timer::cancel() {
  if (slot_ != kNoSlot) loop_.impl_->remove(slot_);
}

}  // namespace tandem
