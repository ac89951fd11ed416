#include "server/core/mirror.h"

#include <algorithm>
#include <utility>

namespace tandem {

const ContentStore::Reference* Mirror::find(CacheId id, ItemKey key) {
  Cache* cache = cache_of(id);
  if (cache == nullptr) return nullptr;
  const auto found = cache->index.find(key);
  if (found == cache->index.end()) return nullptr;
  cache->entries.splice(cache->entries.end(), cache->entries, found->second);
  return &found->second->content;
}

bool Mirror::set(CacheId id, ItemKey key, const Validator& validator, ContentStore::Bytes bytes) {
  Cache* cache = cache_for_writing(id);
  if (cache == nullptr) return false;
  const auto found = cache->index.find(key);
  bool changes = true;
  if (found != cache->index.end()) {
    cache->entries.splice(cache->entries.end(), cache->entries, found->second);
    ContentStore::Reference& content = found->second->content;
    changes = content.validator() != validator;
    if (changes) {
      cache->digest.remove(item_digest(id, key, content.validator()));
      cache->digest.add(item_digest(id, key, validator));
      found->second->fresh_until = {};
    }
    content = pool_->contents.refer(validator, std::move(bytes));
  } else {
    cache->entries.push_back({key, pool_->contents.refer(validator, std::move(bytes)), {}});
    cache->index.emplace(key, std::prev(cache->entries.end()));
    cache->digest.add(item_digest(id, key, validator));
    ++size_;
    ++pool_->entries;
    while (cache->entries.size() > pool_->options.entries_max) forget_oldest(*cache);
  }
  if (!changes || pool_->bytes() <= pool_->options.reference_bytes_max) return changes;
  trim(*pool_);
  const Cache* left = look(id);
  return left != nullptr && left->index.count(key) != 0;
}

bool Mirror::evict(CacheId id, ItemKey key) {
  Cache* cache = cache_of(id);
  if (cache == nullptr) return false;
  const auto found = cache->index.find(key);
  if (found == cache->index.end()) return false;
  erase(*cache, found->second);
  return true;
}

bool Mirror::renew(Instant now, CacheId id, ItemKey key, const Freshness::Shared& promise) {
  Cache* cache = cache_of(id);
  if (cache == nullptr) return false;
  const auto found = cache->index.find(key);
  if (found == cache->index.end()) return false;
  Instant& told = found->second->fresh_until;
  if (told >= promise.first_until && told - now >= (promise.until - now) / 2) return false;
  told = promise.until;
  return true;
}

void Mirror::apply(const MirrorChange& change) {
  if (change.evicted) {
    evict(change.cache, change.key);
  } else {
    set(change.cache, change.key, change.validator, nullptr);
  }
  if (named_ == nullptr || change.evicted) return;
  if (named_items_ >= pool_->options.caches_max * pool_->options.entries_max) return keep_all();
  if ((*named_)[change.cache].insert(change.key).second) ++named_items_;
}

void Mirror::begin_snapshot() {
  named_ = std::make_unique<Named>();
  named_items_ = 0;
}

std::vector<MirrorChange> Mirror::end_snapshot() {
  std::vector<MirrorChange> gone;
  const std::unique_ptr<Named> named = std::move(named_);
  if (named == nullptr) return gone;
  for (Cache& cache : caches_) {
    const auto in_cache = named->find(cache.id);
    for (const Cache::Entry& entry : cache.entries) {
      const bool stays = in_cache != named->end() && in_cache->second.count(entry.key) != 0;
      if (!stays) gone.push_back({cache.id, entry.key, true, Validator{}});
    }
  }
  for (const MirrorChange& change : gone) evict(change.cache, change.key);
  return gone;
}

void Mirror::clear() {
  keep_all();
  for (const Cache& cache : caches_) pool_->ages.erase(cache.age);
  caches_.clear();
  pool_->entries -= std::exchange(size_, 0);
}

std::vector<MirrorChange> Mirror::snapshot() const {
  std::vector<MirrorChange> changes;
  changes.reserve(size_);
  for (const Cache& cache : caches_) {
    for (const Cache::Entry& entry : cache.entries) {
      changes.push_back({cache.id, entry.key, false, entry.content.validator()});
    }
  }
  return changes;
}

CacheDigest Mirror::digest(CacheId id) const {
  const Cache* cache = look(id);
  return cache == nullptr ? CacheDigest{} : cache->digest;
}

CacheDigest Mirror::digest() const {
  CacheDigest sum;
  for (const Cache& cache : caches_) sum += cache.digest;
  return sum;
}

std::vector<HeldItem> Mirror::items(CacheId id) const {
  std::vector<HeldItem> items;
  const Cache* cache = look(id);
  if (cache == nullptr) return items;
  items.reserve(cache->entries.size());
  for (const Cache::Entry& entry : cache->entries) {
    items.push_back({entry.key, entry.content.validator()});
  }
  return items;
}

// Not a use.
const Mirror::Cache* Mirror::look(CacheId id) const {
  const auto found = std::find_if(caches_.begin(), caches_.end(),
                                  [id](const Cache& cache) { return cache.id == id; });
  return found == caches_.end() ? nullptr : &*found;
}

Mirror::Cache* Mirror::cache_of(CacheId id) {
  const auto found = std::find_if(caches_.begin(), caches_.end(),
                                  [id](const Cache& cache) { return cache.id == id; });
  if (found == caches_.end()) return nullptr;
  caches_.splice(caches_.end(), caches_, found);
  pool_->ages.splice(pool_->ages.end(), pool_->ages, found->age);
  return &caches_.back();
}

Mirror::Cache* Mirror::cache_for_writing(CacheId id) {
  if (Cache* cache = cache_of(id)) return cache;
  if (pool_->options.caches_max == 0) return nullptr;
  if (caches_.size() >= pool_->options.caches_max) forget_cache(caches_.front());
  Cache& cache = caches_.emplace_back();
  cache.id = id;
  cache.mirror = this;
  cache.age = pool_->ages.insert(pool_->ages.end(), &cache);
  return &cache;
}

void Mirror::trim(MirrorPool& pool) {
  while (pool.bytes() > pool.options.reference_bytes_max && !pool.ages.empty()) {
    Cache& idlest = *pool.ages.front();
    if (idlest.entries.empty()) {
      idlest.mirror->forget_cache(idlest);
    } else {
      idlest.mirror->forget_oldest(idlest);
    }
  }
}

void Mirror::forget_oldest(Cache& cache) {
  const ItemKey key = cache.entries.front().key;
  ++pool_->dropped;
  pool_->forgotten.push_back({session_, {cache.id, key, true, Validator{}}});
  erase(cache, cache.entries.begin());
}

void Mirror::forget_cache(Cache& cache) {
  while (!cache.entries.empty()) forget_oldest(cache);
  pool_->ages.erase(cache.age);
  caches_.remove_if([&cache](const Cache& one) { return &one == &cache; });
}

void Mirror::erase(Cache& cache, std::list<Cache::Entry>::iterator entry) {
  cache.digest.remove(item_digest(cache.id, entry->key, entry->content.validator()));
  cache.index.erase(entry->key);
  cache.entries.erase(entry);
  --size_;
  --pool_->entries;
}

}  // namespace tandem
