// The database source: items in SQLite (item_table.h), read, written and deleted over HTTP.
//
//   GET, HEAD /TYPE/KEY   200 with the item, or 404
//   PUT       /TYPE/KEY   201 (new) or 204 (replaced), with the new ETag; Content-Type is kept with
//                         the item
//   DELETE    /TYPE/KEY   204, or 404
//
// PUT and DELETE obey If-Match and If-None-Match (server/core/write_conditions.h): 412, decided in
// the transaction of the write. Anything else is 405, a body over kItemBytesMax 413. While the
// database is locked, gone or full the answer is 503 with Retry-After, and nothing has changed.
// Runs on the loop's thread; the database has its own.
#pragma once

#include <memory>
#include <string>

#include "server/io/item_database.h"
#include "server/io/source.h"

namespace tandem::server {

// Who carries out writes: the database itself, or what guards it (server/io/fenced_source.h).
class ItemWriter {
 public:
  // `path` names the item as caches do.
  virtual void write(std::string_view path, ItemWrite write, ItemDatabase::OnWritten then) = 0;

 protected:
  ~ItemWriter() = default;
};

class SqliteSource final : public Source {
 public:
  static constexpr std::size_t kItemBytesMax = 16 * 1024 * 1024;

  struct Options {
    bool digests = true;        // in the ETag of what was written
    std::string cache_control;  // of items; empty: none
  };
  // Loop and database must outlive the source, and the source its calls.
  SqliteSource(EventLoop& loop, ItemDatabase& database, Options options);

  // Instead of the database itself; null: the database. It outlives its use.
  void set_writer(ItemWriter* writer) { writer_ = writer; }

  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;
  std::optional<std::uint64_t> version() override { return database_.version(); }
  bool has_versions() const override { return true; }
  bool knows_our_tags() const override { return true; }

 private:
  friend class ItemCall;
  EventLoop& loop_;
  ItemDatabase& database_;
  Options options_;
  ItemWriter* writer_ = nullptr;
};

}  // namespace tandem::server
