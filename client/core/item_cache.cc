#include "client/core/item_cache.h"

#include <algorithm>

namespace tandem {

std::size_t Item::bytes() const {
  constexpr std::size_t kOverhead = 256;  // the list, the index, the shared pointers
  std::size_t bytes = kOverhead + etag.size() + (content ? content->size() : 0);
  for (const auto& [name, value] : headers) bytes += name.size() + value.size() + 64;
  return bytes;
}

ItemPtr ItemCache::find(std::string_view target) {
  const auto found = index_.find(target);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->item;
}

void ItemCache::store(std::string_view target, Item item) {
  const std::size_t size = item.bytes() + target.size();
  const auto found = index_.find(target);
  if (size > bytes_max_) {
    if (found != index_.end()) erase(found->second);
    note_evicted(target);
    note_change(target, nullptr);
    return;
  }
  if (found != index_.end()) erase(found->second);
  std::erase(evicted_, ItemKey::of(target));
  while (bytes_ + size > bytes_max_) {
    const auto last = std::prev(entries_.end());
    note_evicted(last->target);
    note_change(last->target, nullptr);
    erase(last);
  }
  entries_.push_front({std::string(target), std::make_shared<const Item>(std::move(item))});
  index_.emplace(entries_.front().target, entries_.begin());
  bytes_ += size;
  note_change(target, entries_.front().item);
}

void ItemCache::refresh(std::string_view target, HeaderFields headers, UnixSeconds validated) {
  const auto found = index_.find(target);
  if (found == index_.end()) return;
  Entry& entry = *found->second;
  Item item = *entry.item;
  bytes_ -= item.bytes();
  item.headers = std::move(headers);
  item.validated = validated;
  bytes_ += item.bytes();
  entry.item = std::make_shared<const Item>(std::move(item));
  note_change(target, entry.item);
}

void ItemCache::remove(std::string_view target) {
  const auto found = index_.find(target);
  if (found == index_.end()) return;
  note_evicted(target);
  note_change(target, nullptr);
  erase(found->second);
}

std::vector<ItemKey> ItemCache::evicted(std::size_t count_max) const {
  const auto count = static_cast<std::ptrdiff_t>(std::min(count_max, evicted_.size()));
  return {evicted_.begin(), evicted_.begin() + count};
}

void ItemCache::evictions_heard(std::size_t count) {
  const auto heard = static_cast<std::ptrdiff_t>(std::min(count, evicted_.size()));
  evicted_.erase(evicted_.begin(), evicted_.begin() + heard);
}

std::vector<ItemCache::Change> ItemCache::all() const {
  std::vector<Change> all;
  all.reserve(entries_.size());
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    all.push_back({entry->target, entry->item});
  }
  return all;
}

void ItemCache::erase(Entries::iterator entry) {
  bytes_ -= entry->item->bytes() + entry->target.size();
  index_.erase(entry->target);
  entries_.erase(entry);
}

void ItemCache::note_evicted(std::string_view target) {
  const ItemKey key = ItemKey::of(target);
  std::erase(evicted_, key);
  if (evicted_.size() == kEvictedMax) evicted_.pop_front();
  evicted_.push_back(key);
}

void ItemCache::note_change(std::string_view target, ItemPtr item) {
  if (recording_) changes_.push_back({std::string(target), std::move(item)});
}

}  // namespace tandem
