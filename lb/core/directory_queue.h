// What is to be written to the directory, and when: changes in order, numbered, one at a time, each
// a transaction. Pure; the shell (lb/io/directory) opens, writes and says what came of it.
//
// None is lost: a change stays until its writing was confirmed. None is written twice: its number
// and its writer are stored in the same transaction, so a commit whose answer was lost is
// recognised when the directory is opened again. If the directory then holds anything else than
// what this process wrote (another file, an old copy), the difference to what is true is written.
//
// While the directory is away changes wait. Past `pending_max` they are coalesced: of the rows only
// the last state counts, so no state is lost; of events the oldest are dropped, past `events_max`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "lb/core/directory_change.h"

namespace tandem {

// A change as it is stored.
struct NumberedChange {
  std::uint64_t writer = 0;
  std::uint64_t number = 0;  // 1 more than that of the change before it
  DirectoryChange change;
};

class DirectoryQueue {
 public:
  struct Options {
    std::uint64_t writer = 1;  // names this process; at random, not 0
    std::size_t pending_max = 256;
    std::size_t events_max = 10'000;  // of all that is pending
    Backoff retry{100ms, 10s};
    Duration patience = 5s;  // a step without an answer: the directory is unavailable
  };
  DirectoryQueue(Options options, Random dice) : options_(options), dice_(dice) {}

  // The next change. Its events have been logged.
  void push(DirectoryChange change);

  // --- what the shell is to do ------------------------------------------------------------------
  enum class Step : std::uint8_t { kNothing, kOpen, kWrite };
  // One at a time: after kOpen say on_opened() or on_failed(), after kWrite (what front() is) say
  // on_written() or on_failed().
  Step step(Instant now);
  const NumberedChange& front() const { return pending_.front(); }
  Instant next_deadline() const;

  // It holds this. The first time, rows that nobody has told of are taken as true; later they are
  // removed.
  void on_opened(const DirectoryContents& contents);
  void on_written();
  // Opening or writing failed, or what was open is not there any more. It is opened again, after a
  // pause. True: this is news.
  bool on_failed(Instant now, const std::string& failure);

  // --- for metrics ------------------------------------------------------------------------------
  std::size_t pending() const { return pending_.size(); }
  Duration unavailable_for(Instant now) const;             // 0: it is available
  const std::string& failure() const { return failure_; }  // of the last attempt; empty: none
  std::uint64_t written() const { return written_; }
  std::uint64_t coalesced() const { return coalesced_; }
  std::uint64_t events_dropped() const { return events_dropped_; }

 private:
  enum class State : std::uint8_t { kClosed, kOpening, kOpen, kWriting };
  struct Rows {
    std::map<ServerId, ServerRow> servers;
    std::map<ServerId, BuddiesRow> buddies;
    std::optional<std::set<std::string>> drained;  // nothing: nobody has told
  };
  void add(DirectoryChange change);
  void drop_events();
  bool recognise(const DirectoryContents& contents);
  void start_anew(const DirectoryContents& contents);
  void done();

  Options options_;
  Random dice_;
  State state_ = State::kClosed;
  bool known_ = false;  // what the directory holds: it was open once
  Rows truth_;          // what all changes add up to
  std::uint64_t view_version_ = 0;
  std::uint64_t last_number_ = 0;
  std::deque<NumberedChange> pending_;
  bool front_tried_ = false;  // pending_.front() may have been written: it stays as it is
  std::size_t events_ = 0;    // in pending_
  unsigned failures_ = 0;     // in a row
  Instant retry_{};           // not before then
  Instant asked_{};           // when the step under way began
  Instant away_since_ = kNever;
  std::string failure_;
  std::uint64_t written_ = 0, coalesced_ = 0, events_dropped_ = 0;
};

}  // namespace tandem
