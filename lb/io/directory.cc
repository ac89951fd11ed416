#include "lb/io/directory.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/log.h"
#include "common/net/entropy.h"

namespace tandem {

// The database's thread. It outlives the directory while it is inside a call that cannot be
// interrupted.
struct Directory::Keeper {
  std::unique_ptr<DirectoryStore> store;  // the thread's, once that runs
  EventLoop loop;
  std::mutex mutex;
  std::condition_variable has_ended;
  EventLoop* control = nullptr;  // null once the directory is gone
  bool ended = false;
  std::thread thread;

  void run() {
    loop.run();
    store->close();
    const std::lock_guard lock(mutex);
    ended = true;
    has_ended.notify_all();
  }
  void answer(std::function<void()> work) {
    const std::lock_guard lock(mutex);
    if (control != nullptr) control->post(std::move(work));
  }
};

Directory::Directory(EventLoop& loop, std::unique_ptr<DirectoryStore> store, Options options)
    : loop_(loop),
      options_(options),
      keeper_(std::make_shared<Keeper>()),
      queue_(options.queue, Random(random_u64())),
      timer_(loop, [this] { pump(); }),
      check_timer_(loop, [this] { check(); }),
      self_(std::make_shared<Directory*>(this)) {
  keeper_->store = std::move(store);
  keeper_->control = &loop;
}

Directory::~Directory() {
  *self_ = nullptr;
  std::unique_lock lock(keeper_->mutex);
  keeper_->control = nullptr;
  std::thread& thread = keeper_->thread;
  if (!thread.joinable()) return;
  keeper_->loop.stop();
  keeper_->has_ended.wait_for(lock, options_.farewell, [this] { return keeper_->ended; });
  const bool ended = keeper_->ended;
  lock.unlock();
  if (ended) {
    thread.join();
  } else {
    thread.detach();
  }
}

std::optional<DirectoryContents> Directory::load() {
  if (queue_.step(loop_.now()) != DirectoryQueue::Step::kOpen) return std::nullopt;
  auto opened = keeper_->store->open();
  if (!opened) {
    say_state(queue_.on_failed(loop_.now(), opened.error().message));
    return std::nullopt;
  }
  loaded_ = true;
  queue_.on_opened(*opened);
  return std::move(*opened);
}

void Directory::start(OnLoaded on_loaded) {
  on_loaded_ = std::move(on_loaded);
  keeper_->thread = std::thread([keeper = keeper_] { keeper->run(); });
  check_timer_.set_after(options_.check_interval);
  pump();
}

void Directory::push(DirectoryChange change) {
  queue_.push(std::move(change));
  pump();
}

void Directory::finish() {
  if (!keeper_->thread.joinable() || away_ || queue_.pending() == 0) return;
  ending_ = true;
  Timer limit(loop_, [this] { loop_.stop(); });
  limit.set_after(options_.farewell);
  loop_.run();
}

void Directory::pump() {
  if (!keeper_->thread.joinable()) return;  // start() does it
  start_step(queue_.step(loop_.now()));
  say_state(false);
  timer_.set(queue_.next_deadline());
}

void Directory::start_step(DirectoryQueue::Step step) {
  if (step == DirectoryQueue::Step::kNothing) return;
  stepping_ = true;
  if (step == DirectoryQueue::Step::kOpen) {
    return ask(
        [](DirectoryStore& store) -> Answer {
          auto opened = store.open();
          if (!opened) return {std::move(opened.error().message), {}};
          return {{}, std::move(*opened)};
        },
        &Directory::on_step_done);
  }
  ask(
      [change = queue_.front()](DirectoryStore& store) -> Answer {
        auto written = store.apply(change);
        if (!written) return {std::move(written.error().message), {}};
        return {};
      },
      &Directory::on_step_done);
}

// Runs the task on the database's thread; its answer comes back to this one.
void Directory::ask(Task task, void (Directory::*then)(Answer)) {
  Keeper* keeper = keeper_.get();  // it is there as long as its loop runs
  keeper->loop.post([keeper, task = std::move(task), then, self = self_] {
    keeper->answer([self, then, answer = task(*keeper->store)]() mutable {
      if (*self != nullptr) (*self->*then)(std::move(answer));
    });
  });
}

void Directory::on_step_done(Answer answer) {
  stepping_ = false;
  bool news = false;
  if (!answer.failure.empty()) {
    news = queue_.on_failed(loop_.now(), answer.failure);
  } else if (answer.contents) {
    on_opened(*answer.contents);
  } else {
    queue_.on_written();
  }
  say_state(news);
  if (ending_ && (away_ || queue_.pending() == 0)) return loop_.stop();
  pump();
}

void Directory::on_opened(const DirectoryContents& contents) {
  queue_.on_opened(contents);
  if (!std::exchange(loaded_, true) && on_loaded_) on_loaded_(contents);
}

void Directory::check() {
  check_timer_.set_after(options_.check_interval);
  if (stepping_ || away_) return;
  ask(
      [](DirectoryStore& store) -> Answer {
        auto there = store.check();
        if (!there) return {std::move(there.error().message), {}};
        return {};
      },
      &Directory::on_checked);
}

void Directory::on_checked(Answer answer) {
  if (answer.failure.empty() || stepping_ || away_) return;  // a step finds out itself
  say_state(queue_.on_failed(loop_.now(), answer.failure));
  pump();
}

// In the log: that it is away, why, and that it is back.
void Directory::say_state(bool news) {
  if (!queue_.failure().empty() && (news || !away_)) {
    away_ = true;
    log::error("the directory is unavailable, changes of membership wait: {}", queue_.failure());
  } else if (away_ && queue_.failure().empty()) {
    away_ = false;
    log::info("the directory is available again; {} change(s) are still to be written",
              queue_.pending());
  }
}

Directory::State Directory::state() const {
  State state;
  state.pending = queue_.pending();
  state.unavailable = queue_.unavailable_for(loop_.now());
  state.failure = queue_.failure();
  state.written = queue_.written();
  state.coalesced = queue_.coalesced();
  state.events_dropped = queue_.events_dropped();
  state.statements = keeper_->store->statements();
  return state;
}

}  // namespace tandem
