#include "server/core/cache_store.h"

#include <algorithm>

#include "common/http/chars.h"

namespace tandem {

bool CacheStore::is(const Resource& resource, const http::RequestHead& request) {
  return resource.target == request.path() && http::same_word(resource.host, request.authority());
}

Stored CacheStore::find(const CacheKey& key, const http::RequestHead& request) {
  const auto found = resources_.find(key);
  if (found == resources_.end() || !is(found->second, request)) return nullptr;
  auto& variants = found->second.variants;
  for (auto one = variants.rbegin(); one != variants.rend(); ++one) {
    const Ages::iterator at = *one;
    if (!vary_matches(at->stored->vary, request, scratch_)) continue;
    ages_.splice(ages_.end(), ages_, at);
    return at->stored;
  }
  return nullptr;
}

std::string CacheStore::selecting(const CacheKey& key, const http::RequestHead& request) const {
  const auto found = resources_.find(key);
  if (found == resources_.end()) return {};
  return vary_text_like(found->second.variants.back()->stored->vary, request);
}

void CacheStore::put(const CacheKey& key, const http::RequestHead& request, Stored stored) {
  if (stored->cost() > bytes_max_) return drop(key);
  auto found = resources_.find(key);
  if (found != resources_.end() && !is(found->second, request)) {  // two texts, one key
    erase(found);
    found = resources_.end();
  }
  if (found == resources_.end()) {
    found = resources_.try_emplace(key).first;
    found->second.host = request.authority();
    found->second.target = request.path();
    by_item_.emplace(key.item, key.host);
  }
  auto& variants = found->second.variants;
  bytes_ += stored->cost();
  variants.push_back(ages_.insert(ages_.end(), {key, std::move(stored)}));
  // The request that selected the new one is to find it, not one that it matched before.
  const std::string& vary = variants.back()->stored->vary;
  const auto same = std::find_if(variants.begin(), variants.end() - 1, [&](Ages::iterator at) {
    return at->stored->vary == vary || vary_matches(at->stored->vary, request, scratch_);
  });
  if (same != variants.end() - 1) {
    erase(*same);
  } else if (variants.size() > kVariantsMax) {
    ++evicted_;
    erase(variants.front());
  }
  while (bytes_ > bytes_max_) {
    ++evicted_;
    erase(ages_.begin());
  }
}

void CacheStore::drop(const CacheKey& key) {
  const auto found = resources_.find(key);
  if (found != resources_.end()) erase(found);
}

std::size_t CacheStore::drop_item(ItemKey item) {
  std::size_t dropped = 0;
  for (;;) {
    const auto at = by_item_.lower_bound({item, 0});
    if (at == by_item_.end() || at->first != item) return dropped;
    dropped += erase(resources_.find(CacheKey{at->first, at->second}));
  }
}

std::size_t CacheStore::drop_if(const std::function<bool(std::string_view target)>& which) {
  std::size_t dropped = 0;
  for (auto at = resources_.begin(); at != resources_.end();) {
    const auto here = at++;
    if (which(here->second.target)) dropped += erase(here);
  }
  return dropped;
}

void CacheStore::erase(Ages::iterator at) {
  const auto resource = resources_.find(at->key);
  auto& variants = resource->second.variants;
  variants.erase(std::find(variants.begin(), variants.end(), at));
  if (variants.empty()) {
    by_item_.erase({at->key.item, at->key.host});
    resources_.erase(resource);
  }
  bytes_ -= at->stored->cost();
  ages_.erase(at);
}

std::size_t CacheStore::erase(Resources::iterator at) {
  const std::vector<Ages::iterator> variants = std::move(at->second.variants);
  for (const Ages::iterator one : variants) {
    bytes_ -= one->stored->cost();
    ages_.erase(one);
  }
  by_item_.erase({at->first.item, at->first.host});
  resources_.erase(at);
  return variants.size();
}

}  // namespace tandem
