// A table of items in an SQLite file: type and key name an item, which has a content type and a
// body. Made on first use. The database side of `[source] url = "sqlite:FILE"`; source_sqlite puts
// HTTP around it.
//
//   CREATE TABLE items (type TEXT, key TEXT, content_type TEXT, body BLOB, PRIMARY KEY (type, key))
//
// Calls block on the disk, and up to kBusyTimeout on another process's write; then they fail with
// Retry::kLater, and nothing has changed. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/storage/sqlite.h"

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

class ItemTable {
 public:
  static constexpr Duration kBusyTimeout = 50ms;  // the loop of all requests waits with us

  static Result<ItemTable> open(const std::string& path);

  // Another number after every change of the file, by this process or another (PRAGMA
  // data_version, and our own writes, which that leaves out). Nothing if it cannot be read.
  std::optional<std::uint64_t> version();
  // Nothing if there is no such item.
  Result<std::optional<Item>> get(const ItemName& name);
  // True: it is new.
  Result<bool> put(const ItemName& name, const Item& item);
  // True: there was one.
  Result<bool> remove(const ItemName& name);

 private:
  ItemTable(Database database, Statement get, Statement insert, Statement update, Statement remove,
            Statement data_version);

  Database database_;  // before its statements: closed after them
  Statement get_;
  Statement insert_;
  Statement update_;
  Statement remove_;
  Statement data_version_;
  std::uint32_t own_writes_ = 0;
};

}  // namespace tandem::server
