#include "common/net/side_thread.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace tandem {

// What the thread has. It outlives the SideThread while it is inside a call that does not return.
struct SideThread::Side {
  std::shared_ptr<void> kept;
  EventLoop loop;
  std::mutex mutex;
  std::condition_variable has_ended;
  EventLoop* asker = nullptr;  // null once the SideThread is gone
  bool ended = false;
  std::thread thread;

  void run() {
    loop.run();
    kept.reset();
    const std::lock_guard lock(mutex);
    ended = true;
    has_ended.notify_all();
  }
  void give(std::function<void()> reply) {
    const std::lock_guard lock(mutex);
    if (asker != nullptr) asker->post(std::move(reply));
  }
};

SideThread::SideThread(EventLoop& loop, std::shared_ptr<void> kept, Duration farewell)
    : farewell_(farewell), side_(std::make_shared<Side>()), alive_(std::make_shared<bool>(true)) {
  side_->kept = std::move(kept);
  side_->asker = &loop;
}

SideThread::~SideThread() {
  *alive_ = false;
  if (!started()) return;
  std::unique_lock lock(side_->mutex);
  side_->asker = nullptr;
  side_->loop.post([side = side_.get()] { side->loop.stop(); });
  side_->has_ended.wait_for(lock, farewell_, [this] { return side_->ended; });
  const bool ended = side_->ended;
  lock.unlock();
  if (ended) {
    side_->thread.join();
  } else {
    side_->thread.detach();
  }
}

void SideThread::start() {
  side_->thread = std::thread([side = side_] { side->run(); });
}

bool SideThread::started() const { return side_->thread.joinable(); }

void SideThread::ask(Work work) {
  Side* side = side_.get();  // it is there as long as its loop runs
  side->loop.post([side, work = std::move(work), alive = alive_] {
    Reply reply = work();
    if (!reply) return;
    side->give([alive, reply = std::move(reply)] {
      if (*alive) reply();
    });
  });
}

}  // namespace tandem
