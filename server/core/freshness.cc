#include "server/core/freshness.h"

#include <string>

#include "common/base/hash.h"

namespace tandem {

Freshness::Host Freshness::host_of(std::string_view authority) {
  std::string lower(authority);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return stable_hash(lower);
}

void Freshness::record(Instant now, Host host, const HeldItem& item, const Promise& promise,
                       std::uint64_t mark) {
  if (invalidated_[item.key.value % kSlots] > mark || items_max_ == 0) return;
  const bool promises = promise.lifetime > Duration{0} || promise.version;
  const auto found = items_.find(item.key);
  if (found != items_.end()) forget(found);  // what was known of it is older than this
  if (!promises) return;
  if (items_.size() >= items_max_) forget(items_.find(ages_.front()));
  ages_.push_back(item.key);
  items_.emplace(item.key, Known{host, item.validator, now + promise.lifetime, promise,
                                 std::prev(ages_.end())});
}

void Freshness::invalidate(ItemKey key) {
  invalidated_[key.value % kSlots] = ++invalidations_;
  if (const auto found = items_.find(key); found != items_.end()) forget(found);
}

std::optional<Duration> Freshness::current(Instant now, Host host, const HeldItem& item,
                                           std::optional<std::uint64_t> version) const {
  const auto found = items_.find(item.key);
  if (found == items_.end()) return std::nullopt;
  const Known& known = found->second;
  if (known.host != host || known.validator != item.validator) return std::nullopt;
  if (known.promise.version) {
    if (known.promise.version != version) return std::nullopt;
    return known.promise.lifetime;
  }
  if (now >= known.until) return std::nullopt;
  return known.until - now;
}

void Freshness::forget(std::unordered_map<ItemKey, Known>::iterator at) {
  ages_.erase(at->second.age);
  items_.erase(at);
}

}  // namespace tandem
