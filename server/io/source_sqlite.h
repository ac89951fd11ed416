// The database source: items in SQLite (item_table.h), read, written and deleted over HTTP.
//
//   GET, HEAD /TYPE/KEY   200 with the item, or 404
//   PUT       /TYPE/KEY   201 (new) or 204 (replaced); Content-Type is kept with the item
//   DELETE    /TYPE/KEY   204, or 404
//
// Anything else is 405, a body over kItemBytesMax 413. While the database is locked or the disk
// full the answer is 503 with Retry-After, and nothing has changed. Runs on the loop's thread.
#pragma once

#include <memory>

#include "server/io/item_table.h"
#include "server/io/source.h"

namespace tandem::server {

class SqliteSource final : public Source {
 public:
  static constexpr std::size_t kItemBytesMax = 16 * 1024 * 1024;

  // The loop must outlive the source, and the source its calls.
  SqliteSource(EventLoop& loop, ItemTable table);

  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;
  std::optional<std::uint64_t> version() override { return table_.version(); }

 private:
  EventLoop& loop_;
  ItemTable table_;
};

}  // namespace tandem::server
