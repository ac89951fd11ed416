// The database of items as the loop sees it: questions now, answers later. Reading and writing have
// a connection and a thread each (database_lane.h), so that a write which waits for another
// process's lock holds up no reader. One thread, the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/io/admin.h"
#include "server/io/database_lane.h"

namespace tandem::server {

class ItemDatabase {
 public:
  struct Options {
    std::string path;
    Duration lock_timeout = 1s;                       // a write waits so long for another process's
    Duration patience = 60s;                          // any question, for its answer
    std::size_t queue_max = 1024;                     // questions that wait, of each kind
    std::size_t queue_bytes_max = 256 * 1024 * 1024;  // of the bodies among them; one may always
    Duration retry = 200ms;                           // so long after a failure all fail at once
  };
  using OnItem = std::function<void(Result<std::optional<Item>>)>;
  using OnWritten = std::function<void(Result<WriteOutcome>)>;
  using OnOwner = std::function<void(Result<std::optional<ActingEpoch>>)>;

  // Makes or migrates the file, here and now. The loop must outlive the database.
  static Result<std::unique_ptr<ItemDatabase>> open(EventLoop& loop, const Options& options);

  // Each answer comes once, never before the call returns, and not after the database is destroyed.
  // An error: it is not to be had now. A write that failed has changed nothing, unless it took
  // longer than `patience`, or the file was moved away meanwhile: then nobody knows.
  void read(ItemName name, OnItem then);
  void write(ItemWrite write, OnWritten then);
  void claim(OwnerClaim claim, OnWritten then);
  void owner(std::uint64_t type, OnOwner then);
  // Told of a write that was done after its asker had been told that it failed.
  void set_on_late_write(std::function<void()> then) { writing_->set_on_late(std::move(then)); }

  // For reading: the last question was answered.
  bool available() const { return reading_->available(); }
  // Another number after every change of the file, by whomever. Nothing if it cannot be read now.
  // Waits for nobody's lock.
  std::optional<std::uint64_t> version();

  std::vector<AdminSnapshot::Count> counts() const;

 private:
  ItemDatabase(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::uint32_t versions_opened_ = 0;  // versions of two connections are not to be compared
  std::optional<ItemTable> versions_;
  std::unique_ptr<DatabaseLane> reading_;
  std::unique_ptr<DatabaseLane> writing_;
  std::uint64_t fenced_ = 0;
  std::uint64_t preconditions_failed_ = 0;
};

}  // namespace tandem::server
