// The database behind the directory. SQLite implements it (lb/io/directory_sqlite); another
// database would, too. What it stores is in docs/directory.md.
//
// All calls block, and belong to one thread at a time: the directory's (lb/io/directory).
#pragma once

#include <atomic>
#include <cstdint>

#include "common/base/result.h"
#include "lb/core/directory_queue.h"

namespace tandem {

class DirectoryStore {
 public:
  virtual ~DirectoryStore() = default;

  // Connects, makes or migrates the tables, and reads all there is. Closes what was open before.
  virtual Result<DirectoryContents> open() = 0;
  // One transaction, with the change's number and writer in it. Fails, and changes nothing, if the
  // change before this one is not the last that is stored. After a failure of any kind it is not
  // known whether the change is stored: open() again tells.
  virtual Result<void> apply(const NumberedChange& change) = 0;
  // Is what was opened still what its name means? Runs no statement.
  virtual Result<void> check() = 0;
  virtual void close() = 0;

  // Statements that have run so far. From any thread.
  std::uint64_t statements() const { return statements_.load(std::memory_order_relaxed); }

 protected:
  std::atomic<std::uint64_t> statements_{0};
};

}  // namespace tandem
