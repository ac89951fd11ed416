#include "client/core/item_cache.h"

#include <algorithm>

#include "client/core/cache_rules.h"

namespace tandem {
namespace {

// Of a strong entity tag.
Validator validator_of(std::string_view etag) {
  const auto ours = Validator::parse(etag);
  return ours ? *ours : Validator::of_foreign(etag);
}

}  // namespace

std::size_t Item::bytes() const {
  constexpr std::size_t kOverhead = 256;  // the list, the index, the shared pointers
  std::size_t bytes = kOverhead + etag.size() + group.size() + (content ? content->size() : 0);
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
  if (found != index_.end()) {
    const std::string& former = found->second->item->group;
    if (former != item.group) note_evicted(target, former);
    erase(found->second);
  }
  if (size > bytes_max_) {
    note_evicted(target, item.group);
    note_change(target, nullptr);
    return;
  }
  forget_evicted(ItemKey::of(target), item.group);
  while (bytes_ + size > bytes_max_) {
    const auto last = std::prev(entries_.end());
    note_evicted(last->target, last->item->group);
    note_change(last->target, nullptr);
    erase(last);
  }
  entries_.push_front({std::string(target), std::make_shared<const Item>(std::move(item))});
  index_.emplace(entries_.front().target, entries_.begin());
  bytes_ += size;
  note_change(target, entries_.front().item);
}

void ItemCache::refresh(std::string_view target, const ItemPtr& held, HeaderFields headers,
                        UnixSeconds validated, std::string_view group) {
  const auto found = index_.find(target);
  if (found == index_.end() || found->second->item != held) return;
  Entry& entry = *found->second;
  Item item = *entry.item;
  bytes_ -= item.bytes();
  item.headers = std::move(headers);
  item.validated = validated;
  if (item.group != group) {
    note_evicted(target, item.group);
    forget_evicted(ItemKey::of(target), group);
    item.group = group;
  }
  bytes_ += item.bytes();
  entry.item = std::make_shared<const Item>(std::move(item));
  entry.vouch.reset();  // the headers are newer
  note_change(target, entry.item);
}

void ItemCache::remove(std::string_view target) {
  const auto found = index_.find(target);
  if (found == index_.end()) return;
  note_evicted(target, found->second->item->group);
  note_change(target, nullptr);
  erase(found->second);
}

std::vector<HeldItem> ItemCache::held(std::string_view group) const {
  std::vector<HeldItem> held;
  held.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    const std::string& etag = entry.item->etag;
    if (entry.item->group != group) continue;
    if (!etag.starts_with('"')) continue;  // weak: it stands for no content
    held.push_back({ItemKey::of(entry.target), validator_of(etag)});
  }
  const auto before = [](const HeldItem& a, const HeldItem& b) { return a.key < b.key; };
  std::sort(held.begin(), held.end(), before);
  std::vector<HeldItem> single;
  single.reserve(held.size());
  for (std::size_t i = 0; i < held.size(); ++i) {
    const bool double_before = i > 0 && held[i - 1].key == held[i].key;
    const bool double_after = i + 1 < held.size() && held[i + 1].key == held[i].key;
    if (!double_before && !double_after) single.push_back(held[i]);
  }
  return single;
}

std::size_t ItemCache::vouch(std::span<const ValidationRounds::Vouched> vouched, UnixSeconds now,
                             std::string_view group) {
  constexpr std::uint64_t kYear = 31'536'000;
  std::unordered_map<ItemKey, const ValidationRounds::Vouched*> by_key;
  for (const auto& one : vouched) by_key.emplace(one.key, &one);
  std::size_t count = 0;
  for (Entry& entry : entries_) {
    const auto found = by_key.find(ItemKey::of(entry.target));
    if (found == by_key.end() || entry.item->group != group) continue;
    const ValidationRounds::Vouched& one = *found->second;
    if (one.validator != validator_of(entry.item->etag)) continue;  // replaced since
    entry.vouch = Vouch{now, now + static_cast<UnixSeconds>(std::min(one.fresh_s, kYear))};
    ++count;
  }
  return count;
}

std::optional<ItemCache::Vouch> ItemCache::vouched(std::string_view target) const {
  const auto found = index_.find(target);
  return found == index_.end() ? std::nullopt : found->second->vouch;
}

void ItemCache::forget_vouches(UnixSeconds now, std::string_view group) {
  for (Entry& entry : entries_) {
    if (!entry.vouch || entry.item->group != group) continue;
    if (now < entry.vouch->from || now >= entry.vouch->until) entry.vouch.reset();
  }
}

bool ItemCache::vouchable(std::string_view target) const {
  const auto found = index_.find(target);
  if (found == index_.end()) return false;
  const Item& item = *found->second->item;
  return item.etag.starts_with('"') && !asks_always(item.headers);
}

std::optional<std::string_view> ItemCache::group_of(std::string_view target) const {
  const auto found = index_.find(target);
  if (found == index_.end()) return std::nullopt;
  return found->second->item->group;
}

UnixSeconds ItemCache::last_validated() const {
  UnixSeconds last = 0;
  for (const Entry& entry : entries_) last = std::max(last, entry.item->validated);
  return last;
}

ItemCache::Evictions ItemCache::evicted(std::size_t count_max, std::string_view group) const {
  Evictions evictions;
  for (const Evicted& one : evicted_) {
    if (evictions.keys.size() == count_max) break;
    if (one.group != group) continue;
    evictions.keys.push_back(one.key);
    evictions.mark = one.number;
  }
  return evictions;
}

void ItemCache::evictions_heard(std::uint64_t mark, std::string_view group) {
  if (evicted_.empty() || evicted_.front().number > mark) return;
  std::erase_if(evicted_,
                [&](const Evicted& one) { return one.number <= mark && one.group == group; });
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

void ItemCache::note_evicted(std::string_view target, std::string_view group) {
  const ItemKey key = ItemKey::of(target);
  forget_evicted(key, group);
  if (evicted_.size() == kEvictedMax) evicted_.pop_front();
  evicted_.push_back({key, std::string(group), ++evictions_});
}

void ItemCache::forget_evicted(ItemKey key, std::string_view group) {
  std::erase_if(evicted_, [&](const Evicted& one) { return one.key == key && one.group == group; });
}

void ItemCache::note_change(std::string_view target, ItemPtr item) {
  if (recording_) changes_.push_back({std::string(target), std::move(item)});
}

}  // namespace tandem
