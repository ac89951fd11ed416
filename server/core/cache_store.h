// The stored responses of a cache, found by key and by the fields that they were selected by;
// bounded in bytes, the least recently used going first. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/http/head.h"
#include "server/core/cache_key.h"
#include "server/core/stored_response.h"

namespace tandem {

class CacheStore {
 public:
  static constexpr std::size_t kVariantsMax = 32;  // of one resource; the oldest goes

  explicit CacheStore(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  CacheStore(const CacheStore&) = delete;
  CacheStore& operator=(const CacheStore&) = delete;

  // What answers this request as far as the key goes, the newest of several; null: nothing.
  Stored find(const CacheKey& key, const http::RequestHead& request);
  // What this request would be selected by, as the newest variant of the resource has it; empty:
  // nothing is known.
  std::string selecting(const CacheKey& key, const http::RequestHead& request) const;
  bool has(const CacheKey& key) const { return resources_.contains(key); }

  // In place of what has the same selecting fields. More than the whole bound is not kept.
  void put(const CacheKey& key, const http::RequestHead& request, Stored stored);
  // All variants.
  void drop(const CacheKey& key);
  // The item at all hosts. How many responses went.
  std::size_t drop_item(ItemKey item);
  // All items whose target is one of these.
  std::size_t drop_if(const std::function<bool(std::string_view target)>& which);

  std::uint64_t bytes() const { return bytes_; }  // with overhead; at most the bound
  std::size_t size() const { return ages_.size(); }
  std::uint64_t evicted() const { return evicted_; }

 private:
  struct Variant {
    CacheKey key;
    Stored stored;
  };
  using Ages = std::list<Variant>;  // the least recently used in front
  struct Resource {
    std::string host;  // the texts behind the key, in lower case and as received
    std::string target;
    std::vector<Ages::iterator> variants;  // the newest last
  };
  using Resources = std::unordered_map<CacheKey, Resource, CacheKeyHash>;

  static bool is(const Resource& resource, const http::RequestHead& request);
  void erase(Ages::iterator at);
  std::size_t erase(Resources::iterator at);

  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::uint64_t evicted_ = 0;
  Resources resources_;
  Ages ages_;
  std::set<std::pair<ItemKey, Freshness::Host>> by_item_;
  std::string scratch_;
};

}  // namespace tandem
