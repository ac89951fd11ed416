// One connection to the database of items, on a thread of its own: work goes in from the loop, in
// order, and its answer comes back to the loop. So the loop of all requests never waits for a disk
// or a lock. ItemDatabase has two lanes, so that reading does not wait for writing.
//
// Bounded: no more than queue_max wait, with so many bytes of work, and no asker for longer than
// `patience`. What the thread has not done yet counts, though its asker may have been told. After a
// failure of the database work fails at once for a while, instead of waiting for the same lock one
// after another.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/net/event_loop.h"
#include "common/net/side_thread.h"
#include "server/io/item_table.h"

namespace tandem::server {

// What may come of work; which part counts depends on the work.
struct DatabaseReply {
  std::optional<Item> item = {};
  WriteOutcome outcome = {};
  std::optional<ActingEpoch> owner = {};
};

// Belongs to the loop's thread.
class DatabaseLane {
 public:
  using Work = std::function<Result<DatabaseReply>(ItemTable&)>;  // on the lane's thread
  using Done = std::function<void(Result<DatabaseReply>)>;        // on the loop's

  struct Options {
    std::string purpose;  // for the log: "reading"
    std::string path;
    ItemTable::Options table;  // to open it again; a file that is gone is never made anew
    std::size_t queue_max = 1024;
    std::size_t queue_bytes_max = 256 * 1024 * 1024;  // unless it is a single one
    Duration patience = 60s;                          // of work, until it has been answered
    Duration retry = 200ms;                           // so long after a failure nothing is tried
    Duration farewell = 2s;                           // the end waits no longer for the thread
  };
  // The loop must outlive the lane.
  DatabaseLane(EventLoop& loop, ItemTable table, Options options);
  // Ends the thread, or leaves it to itself if the database holds it. Nobody is told any more.
  ~DatabaseLane();

  // `done` is called once, never before this returns. An answer of side kSystem (or kOperator):
  // the database is not to be had now. What was under way when patience ended may happen yet.
  // `bytes`: that the work holds. Whoever is late before it has begun: it is let go.
  void ask(Work work, Done done, std::size_t bytes = 0);
  // Told of work that ended, well, after its asker had been told that it was late.
  void set_on_late(std::function<void()> on_late) { on_late_ = std::move(on_late); }

  bool available() const { return !away_; }
  struct Counts {
    std::size_t waiting = 0;
    std::size_t waiting_bytes = 0;
    std::uint64_t asked = 0;
    std::uint64_t refused = 0;   // over queue_max or queue_bytes_max
    std::uint64_t late = 0;      // over patience
    std::uint64_t failures = 0;  // of the database, or of those that failed at once after one
    Duration unavailable{};      // 0: the last answer was none of these
  };
  Counts counts() const;

 private:
  struct Keeper;
  struct Cell;
  struct Waiting {
    Instant until{};
    Done done;  // null: told that it is late
    std::size_t bytes = 0;
    std::shared_ptr<Cell> cell;
  };
  enum class End : std::uint8_t { kDone, kLate, kFailed };
  DatabaseLane(EventLoop& loop, std::shared_ptr<Keeper> keeper, const Options& options);
  void on_answer(std::uint64_t number, End end, Result<DatabaseReply> answer);
  void on_timer();
  void note(End end, const Result<DatabaseReply>& answer);
  void refuse(Done done, std::string why);

  EventLoop& loop_;
  Options options_;
  Keeper* keeper_;                            // the thread's
  std::map<std::uint64_t, Waiting> waiting_;  // by number, and so by `until`
  std::size_t waiting_bytes_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t in_time_ = 1;  // those before have been told that they are late
  Counts counts_;
  bool away_ = false;  // and the log says so
  Instant away_since_{};
  std::function<void()> on_late_;
  Timer timer_;
  std::shared_ptr<bool> alive_;
  SideThread thread_;
};

}  // namespace tandem::server
