// A client's sessions and items in a SQLite file, so that they outlive the process. Several origins
// and several processes may share a file.
//
// Not for several threads at once. The file is readable by its owner alone: the tokens in it are
// as good as passwords for the sessions.
#pragma once

#include <cstdint>
#include <string>

#include "client/core/call.h"
#include "common/base/result.h"
#include "common/storage/sqlite.h"

namespace tandem {

class DiskCache {
 public:
  // Opens the file for one origin, "http://host:port"; makes it, and in it a client with this cache
  // id, if there is none.
  static Result<DiskCache> open(const std::string& file, std::string origin, CacheId new_cache_id);

  // Fills in the cache id, the tokens and the items; damaged items are left out.
  Result<void> load(ClientState& state);
  // Writes what has changed since the last call: the tokens and the cache's changes.
  Result<void> save(ClientState& state);
  // Writes in which order the items were used, for the next process to know what to give up.
  Result<void> save_order(const ClientState& state);

 private:
  DiskCache(Database database, std::string origin, Statement put, Statement drop)
      : database_(std::move(database)),
        origin_(std::move(origin)),
        put_(std::move(put)),
        drop_(std::move(drop)) {}
  Result<void> load_items(ClientState& state);
  Result<void> save_tokens(const ClientState& state);
  Result<void> write(const ItemCache::Change& change);

  Database database_;
  std::string origin_;
  Statement put_;
  Statement drop_;
  std::uint64_t saved_ = 0;  // the mark of the sessions then
  std::int64_t uses_ = 0;    // grows with every item that is written
};

}  // namespace tandem
