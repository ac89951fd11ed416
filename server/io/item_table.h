// A table of items in an SQLite file: type and key name an item, which has a content type and a
// body; and the table of owners, which keeps old ones from writing. Made on first use, and migrated
// from older versions (PRAGMA user_version). docs/items.md shows both to those who SELECT from
// them.
//
// Calls block: on the disk, and writes up to `lock_timeout` on another process's write; then they
// fail with Retry::kLater, and nothing has changed. Who may not wait asks an ItemDatabase
// (item_database.h). One thread at a time.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/storage/sqlite.h"
#include "server/core/write_conditions.h"
#include "server/core/write_fence.h"

namespace tandem::server {

struct Item {
  std::string content_type;
  std::string body;

  bool operator==(const Item&) const = default;
};

// How an item is named: `/TYPE/KEY`; TYPE has no slash, KEY may have some.
struct ItemName {
  std::string type;
  std::string key;

  // Of a request target's path, percent-decoded (RFC 3986, 2.1). Nothing: no such name.
  static std::optional<ItemName> parse(std::string_view target);
};

struct ItemWrite {
  ItemName name;
  std::optional<Item> item;  // nothing: remove it
  WriteConditions conditions = {};
  std::optional<OwnerClaim> claim = {};  // nothing: not fenced
};

struct WriteOutcome {
  enum class Kind : std::uint8_t {
    kCreated,
    kReplaced,
    kRemoved,
    kMissing,  // there is nothing to remove
    kPreconditionFailed,
    kFenced,  // another owner has claimed the type
  };
  Kind kind = Kind::kMissing;
  // Of the type, before the write; nothing: nobody has claimed it, or the write was not fenced.
  std::optional<ActingEpoch> stored = {};

  bool operator==(const WriteOutcome&) const = default;
};

class ItemTable {
 public:
  struct Options {
    bool create = true;  // the file, if it is missing
    Duration lock_timeout = 1s;
    std::atomic<std::uint64_t>* statements = nullptr;  // see DatabaseOptions
  };
  static Result<ItemTable> open(const std::string& path, const Options& options);

  // Is what was opened still what its name means? Runs no statement.
  Result<void> check() const;

  // Another number after every change of the file through another connection than this one.
  // Nothing if it cannot be read.
  std::optional<std::uint32_t> version();

  // Nothing if there is no such item.
  Result<std::optional<Item>> get(const ItemName& name);
  // Fence, conditions and change are one transaction.
  Result<WriteOutcome> write(const ItemWrite& write);

  // Raises the stored epoch of the type to this one, without writing anything else; kFenced if it
  // is greater already, else kReplaced.
  Result<WriteOutcome> claim(const OwnerClaim& claim);
  // Nothing: nobody has claimed it.
  Result<std::optional<ActingEpoch>> owner(std::uint64_t type);

 private:
  struct Statements;
  ItemTable(std::string path, Database database);
  Result<void> migrate();
  Result<void> prepare();
  Result<void> note_file();
  Result<bool> pass_fence(const OwnerClaim& claim, WriteOutcome& outcome);
  Result<WriteOutcome> change(const ItemWrite& write, WriteOutcome outcome);

  struct Close {
    void operator()(Statements* statements) const;
  };
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  Database database_;  // before its statements: closed after them
  std::unique_ptr<Statements, Close> statements_;
};

}  // namespace tandem::server
