// The mirror: what this server believes a session's client caches to hold, as references into the
// content store. What does not fit is forgotten, which costs a validation.
//
// Bounds, and what goes first:
//   caches_max           of one session: its least recently used cache goes, whole
//   entries_max          of one cache: its least recently used item goes
//   reference_bytes_max  of all mirrors together: the least recently used item of that cache, of
//                        whatever session, that has not been used for the longest time
// What is forgotten for a bound is told in MirrorPool::forgotten, so that copies elsewhere follow.
//
// It saves work, it is never evidence: "use yours" is answered only to a client that announces its
// copy (server/core/comparison.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/session/cache_digest.h"
#include "common/wire/messages.h"
#include "server/core/content_store.h"
#include "server/core/freshness.h"
#include "server/core/node_options.h"

namespace tandem {

class Mirror;

// One client cache of one session.
struct MirroredCache {
  struct Entry {
    ItemKey key;
    ContentStore::Reference content;
    Instant fresh_until{};  // as the copy has been told
  };
  CacheId id;
  CacheDigest digest;
  Mirror* mirror = nullptr;
  std::list<Entry> entries;  // the least recently used in front
  std::unordered_map<ItemKey, std::list<Entry>::iterator> index;
  std::list<MirroredCache*>::iterator age;  // its place in MirrorPool::ages
};

// What all mirrors of a server share. Outlives them.
struct MirrorPool {
  explicit MirrorPool(const MirrorOptions& given)
      : options(given), contents(given.content_bytes_max) {}

  // What an entry, a cache and a validator cost, by and large.
  static constexpr std::uint64_t kEntryBytes = 104;
  static constexpr std::uint64_t kCacheBytes = 256;
  static constexpr std::uint64_t kValidatorBytes = 128;
  // Of all mirrors; at most options.reference_bytes_max.
  std::uint64_t bytes() const {
    return kEntryBytes * entries + kCacheBytes * ages.size() +
           kValidatorBytes * contents.referred();
  }

  struct Forgotten {
    SessionId session;
    MirrorChange change;
  };
  // For a bound, since whoever keeps the copies elsewhere alike has last taken it.
  std::vector<Forgotten> take_forgotten() { return std::exchange(forgotten, {}); }

  const MirrorOptions options;
  ContentStore contents;
  std::size_t entries = 0;         // of all mirrors
  std::uint64_t dropped = 0;       // entries forgotten for a bound, since the start
  std::list<MirroredCache*> ages;  // the least recently used in front
  std::vector<Forgotten> forgotten;
};

class Mirror {
 public:
  Mirror(MirrorPool& pool, SessionId session) : pool_(&pool), session_(session) {}
  ~Mirror() { clear(); }
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  // What the cache holds of the item, or null; counts as a use.
  const ContentStore::Reference* find(CacheId cache, ItemKey key);
  // The cache holds this now. Is that a change? Not if there is no room for it at all.
  bool set(CacheId cache, ItemKey key, const Validator& validator, ContentStore::Bytes bytes);
  // The cache no longer holds it. Is that a change?
  bool evict(CacheId cache, ItemKey key);
  // The source promises that what the cache holds is current until then. Is that worth telling the
  // copy? Not if it has been told of half the time that is left.
  bool renew(Instant now, CacheId cache, ItemKey key, const Freshness::Shared& promise);
  void apply(const MirrorChange& change);
  void clear();
  // The changes that are applied until end_snapshot() name all that there is. Until then the rest
  // stays, since it is likely to be among them; then it goes, and is returned as evictions.
  void begin_snapshot();
  std::vector<MirrorChange> end_snapshot();
  // There will be no end of the snapshot, if one has begun.
  void keep_all() { named_.reset(); }

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
  using Cache = MirroredCache;
  using Named = std::unordered_map<CacheId, std::unordered_set<ItemKey>>;

  Cache* cache_of(CacheId id);
  Cache* cache_for_writing(CacheId id);
  const Cache* look(CacheId id) const;
  static void trim(MirrorPool& pool);
  void forget_oldest(Cache& cache);
  void forget_cache(Cache& cache);
  void erase(Cache& cache, std::list<Cache::Entry>::iterator entry);

  MirrorPool* pool_;
  SessionId session_;
  std::size_t size_ = 0;
  // What the snapshot that comes has named, at most caches_max * entries_max items; over it,
  // nothing goes at its end. Null: none comes.
  std::unique_ptr<Named> named_;
  std::size_t named_items_ = 0;
  std::list<Cache> caches_;  // the least recently used in front; at most options.caches_max
};

}  // namespace tandem
