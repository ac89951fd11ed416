// The directory: changes of membership on their way into a database. What happens when is
// lb/core/directory_queue's; here are the thread on which the database may take its time, the
// clock, and the log lines. No decision ever waits for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/net/event_loop.h"
#include "common/net/side_thread.h"
#include "lb/core/directory_queue.h"
#include "lb/core/event_log.h"
#include "lb/io/directory_store.h"

namespace tandem {

// Belongs to the thread of `loop`, the one that decides.
class Directory {
 public:
  struct Options {
    DirectoryQueue::Options queue;
    // Looks so often whether the database is still what was opened; runs no statement.
    Duration check_interval = 2s;
    Duration farewell = 2s;
  };
  // What a directory holds that could not be read before: membership takes it over.
  using OnLoaded = std::function<void(const DirectoryContents&)>;

  Directory(EventLoop& loop, std::unique_ptr<DirectoryStore> store, Options options);
  // Ends the thread, or leaves it to itself if the database holds it for longer than `farewell`.
  ~Directory();

  // Before start(): opens and reads, here and now. Nothing if that fails: then it is tried again
  // later, and `on_loaded` is told, once.
  std::optional<DirectoryContents> load();
  void start(OnLoaded on_loaded);

  // A transaction. Its events have been logged.
  void push(DirectoryChange change);

  // After the loop has ended: runs it until what is pending is written, no longer than `farewell`,
  // and not at all if the database is away.
  void finish();

  struct State {
    std::size_t pending = 0;  // changes
    Duration unavailable{};   // 0: it is available
    std::string failure;      // empty: none
    std::uint64_t written = 0, coalesced = 0, events_dropped = 0;
    std::uint64_t statements = 0;
  };
  State state() const;

 private:
  struct Answer {
    std::string failure;  // empty: done
    std::optional<DirectoryContents> contents;
  };
  using Task = std::function<Answer(DirectoryStore&)>;
  void pump();
  void start_step(DirectoryQueue::Step step);
  void on_step_done(Answer answer);
  void check();
  void ask(Task task, void (Directory::*then)(Answer));
  void on_checked(Answer answer);
  void on_opened(const DirectoryContents& contents);
  void say_state(bool news);

  EventLoop& loop_;
  Options options_;
  DirectoryStore* store_;  // the thread's, once that runs
  DirectoryQueue queue_;
  OnLoaded on_loaded_;
  bool loaded_ = false;
  bool stepping_ = false;  // a step is under way
  bool ending_ = false;
  bool away_ = false;  // and the log says so
  Timer timer_;
  Timer check_timer_;
  SideThread thread_;
};

}  // namespace tandem
