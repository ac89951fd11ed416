#include "lb/io/directory.h"

#include <utility>

#include "common/base/log.h"
#include "common/net/entropy.h"

namespace tandem {

Directory::Directory(EventLoop& loop, std::unique_ptr<DirectoryStore> store, Options options)
    : loop_(loop),
      options_(options),
      store_(store.get()),
      queue_(options.queue, Random(random_u64())),
      timer_(loop, [this] { pump(); }),
      check_timer_(loop, [this] { check(); }),
      thread_(loop, std::move(store), options.farewell) {}

Directory::~Directory() = default;

std::optional<DirectoryContents> Directory::load() {
  if (queue_.step(loop_.now()) != DirectoryQueue::Step::kOpen) return std::nullopt;
  auto opened = store_->open();
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
  thread_.start();
  check_timer_.set_after(options_.check_interval);
  pump();
}

void Directory::push(DirectoryChange change) {
  queue_.push(std::move(change));
  pump();
}

void Directory::finish() {
  if (!thread_.started() || away_ || queue_.pending() == 0) return;
  ending_ = true;
  Timer limit(loop_, [this] { loop_.stop(); });
  limit.set_after(options_.farewell);
  loop_.run();
}

void Directory::pump() {
  if (!thread_.started()) return;  // start() does it
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
  thread_.ask([this, store = store_, task = std::move(task), then]() -> SideThread::Reply {
    return [this, then, answer = task(*store)]() mutable { (this->*then)(std::move(answer)); };
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
  state.statements = store_->statements();
  return state;
}

}  // namespace tandem
