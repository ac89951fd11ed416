// The directory in an SQLite file. One process writes it: the name of the file with "-lock"
// appended is locked (flock) while it is open. Anybody may read.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/net/descriptor.h"
#include "common/storage/sqlite.h"
#include "lb/io/directory_store.h"

namespace tandem {

// directory_schema()[i] makes version i + 1 out of version i; version 0 is an empty file.
std::span<const char* const> directory_schema();

class SqliteDirectory final : public DirectoryStore {
 public:
  static constexpr std::int64_t kEventsMax = 100'000;  // rows; the oldest go
  static constexpr std::int64_t kEventsLoaded = 1000;  // the newest, by open()

  struct Options {
    Duration busy_timeout = 1s;  // waits so long for another process's lock
    std::int64_t events_max = kEventsMax;
    std::span<const char* const> schema = directory_schema();
  };

  explicit SqliteDirectory(std::string path) : SqliteDirectory(std::move(path), Options()) {}
  SqliteDirectory(std::string path, Options options) : path_(std::move(path)), options_(options) {}

  Result<DirectoryContents> open() override;
  Result<void> apply(const NumberedChange& change) override;
  Result<void> check() override;
  void close() override;

 private:
  Error named(Error error) const;
  Result<void> lock();
  Result<void> migrate();
  Result<std::int64_t> version();
  Result<std::int64_t> number_of(const char* sql);
  Result<DirectoryContents> load();
  Result<void> load_servers(DirectoryContents& contents);
  Result<void> load_events(DirectoryContents& contents);
  Result<void> write(const NumberedChange& change);
  Result<void> write_servers(const DirectoryChange& change);
  Result<void> write_buddies(const DirectoryChange& change);
  Result<void> write_events(const std::vector<MembershipEvent>& events);
  Result<void> write_drained(const std::set<std::string>& names);

  std::string path_;
  Options options_;
  Descriptor lock_;
  std::uint64_t device_ = 0, inode_ = 0;  // of the file that is open
  std::optional<Database> database_;
  std::int64_t events_ = 0;  // rows
};

}  // namespace tandem
