// The mirror: what this server believes a session's client caches to hold, as references into the
// content store. Bounded per cache, per session and for the server; what does not fit is forgotten,
// which costs a validation.
//
// It saves work, it is never evidence: "use yours" is answered only to a client that announces its
// copy (server/core/comparison.h).
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/session/cache_digest.h"
#include "common/wire/messages.h"
#include "server/core/content_store.h"
#include "server/core/node_options.h"

namespace tandem {

// What all mirrors of a server share. Outlives them.
struct MirrorPool {
  explicit MirrorPool(const MirrorOptions& given)
      : options(given), contents(given.content_bytes_max) {}
  const MirrorOptions options;
  ContentStore contents;
  std::size_t entries = 0;  // of all mirrors; at most options.entries_total_max
};

class Mirror {
 public:
  explicit Mirror(MirrorPool& pool) : pool_(&pool) {}
  ~Mirror() { clear(); }
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  // What the cache holds of the item, or null; counts as a use.
  const ContentStore::Reference* find(CacheId cache, ItemKey key);
  // The cache holds this now. Is that a change?
  bool set(CacheId cache, ItemKey key, const Validator& validator, ContentStore::Bytes bytes);
  // The cache no longer holds it. Is that a change?
  bool evict(CacheId cache, ItemKey key);
  void apply(const MirrorChange& change);
  void clear();

  std::size_t size() const { return size_; }
  // Of one cache, kept up with every change; of no items if it is not known.
  CacheDigest digest(CacheId cache) const;
  // Of all caches. Two mirrors of a session hold the same if theirs are equal.
  CacheDigest digest() const;
  // One cache's items, the least recently used first.
  std::vector<HeldItem> items(CacheId cache) const;
  // Everything, as changes that make an empty mirror equal: the least recently used first.
  std::vector<MirrorChange> snapshot() const;

 private:
  struct Entry {
    ItemKey key;
    ContentStore::Reference content;
  };
  struct Cache {
    CacheId id;
    CacheDigest digest;
    std::list<Entry> entries;  // the least recently used in front
    std::unordered_map<ItemKey, std::list<Entry>::iterator> index;
  };

  Cache* cache_of(CacheId id);
  Cache* cache_for_writing(CacheId id);
  const Cache* look(CacheId id) const;
  bool make_room(Cache& cache);
  void drop(Cache& cache, std::list<Entry>::iterator entry);

  MirrorPool* pool_;
  std::size_t size_ = 0;
  std::list<Cache> caches_;  // the least recently used in front; at most options.caches_max
};

}  // namespace tandem
