#include "common/session/cache_digest.h"

#include <algorithm>
#include <array>

namespace tandem {
namespace {

// Tells this use of the cache's id from any other.
constexpr std::uint64_t kPurpose = 0x74616e64656d2e31ULL;

std::uint64_t word_of(const std::uint8_t* bytes) {
  std::uint64_t word = 0;
  for (int i = 7; i >= 0; --i) word = word << 8 | bytes[i];
  return word;
}

}  // namespace

void CacheDigest::add(const Hash128& item) {
  ++items;
  sum.low += item.low;
  sum.high += item.high;
}

void CacheDigest::remove(const Hash128& item) {
  --items;
  sum.low -= item.low;
  sum.high -= item.high;
}

CacheDigest& CacheDigest::operator+=(const CacheDigest& other) {
  items += other.items;
  sum.low += other.sum.low;
  sum.high += other.sum.high;
  return *this;
}

CacheDigest& CacheDigest::operator-=(const CacheDigest& other) {
  items -= other.items;
  sum.low -= other.sum.low;
  sum.high -= other.sum.high;
  return *this;
}

Hash128 item_digest(CacheId cache, ItemKey key, const Validator& validator) {
  const std::uint64_t has_digest = validator.has_digest ? 1 : 0;
  const std::array<std::uint64_t, 5> words{
      key.value, validator.length, validator.crc | has_digest << 32,
      has_digest != 0 ? word_of(validator.digest.data()) : 0,
      has_digest != 0 ? word_of(validator.digest.data() + 8) : 0};
  return siphash({cache.value, kPurpose}, words);
}

KeyNode KeyNode::child(unsigned digit) const {
  const auto deeper = static_cast<std::uint8_t>(depth + 1);
  return {deeper, first | static_cast<std::uint64_t>(digit) << (64 - 4 * deeper)};
}

KeyNodes::KeyNodes(std::vector<KeyNode> nodes) : nodes_(std::move(nodes)) {
  std::sort(nodes_.begin(), nodes_.end(), [](KeyNode a, KeyNode b) { return a.first < b.first; });
}

bool KeyNodes::contains(ItemKey key) const {
  const auto after =
      std::upper_bound(nodes_.begin(), nodes_.end(), key.value,
                       [](std::uint64_t value, KeyNode node) { return value < node.first; });
  return after != nodes_.begin() && std::prev(after)->contains(key);
}

bool KeyNodes::overlap() const {
  const auto meet = [](KeyNode a, KeyNode b) { return b.first <= a.last(); };
  return std::adjacent_find(nodes_.begin(), nodes_.end(), meet) != nodes_.end();
}

DigestTree::DigestTree(CacheId cache, std::vector<HeldItem> items) : items_(std::move(items)) {
  const auto before = [](const HeldItem& a, const HeldItem& b) { return a.key < b.key; };
  std::stable_sort(items_.begin(), items_.end(), before);
  const auto same = [](const HeldItem& a, const HeldItem& b) { return a.key == b.key; };
  items_.erase(std::unique(items_.begin(), items_.end(), same), items_.end());
  sums_.reserve(items_.size() + 1);
  CacheDigest sum;
  sums_.push_back(sum);
  for (const HeldItem& item : items_) {
    sum.add(item_digest(cache, item.key, item.validator));
    sums_.push_back(sum);
  }
}

std::size_t DigestTree::below(std::uint64_t key) const {
  const auto found =
      std::lower_bound(items_.begin(), items_.end(), key,
                       [](const HeldItem& item, std::uint64_t at) { return item.key.value < at; });
  return static_cast<std::size_t>(found - items_.begin());
}

std::span<const HeldItem> DigestTree::items(KeyNode node) const {
  const std::size_t begin = below(node.first);
  const std::size_t end = node.last() == ~0ULL ? items_.size() : below(node.last() + 1);
  return std::span(items_).subspan(begin, end - begin);
}

CacheDigest DigestTree::digest(KeyNode node) const {
  const auto inside = items(node);
  const auto begin = static_cast<std::size_t>(inside.data() - items_.data());
  CacheDigest digest = sums_[begin + inside.size()];
  digest -= sums_[begin];
  return digest;
}

std::uint32_t DigestTree::hint(KeyNode node) const {
  const CacheDigest of = digest(node);
  if (of.items == 0) return 0;
  const auto bits = static_cast<std::uint32_t>(of.sum.low ^ of.items);
  return bits == 0 ? 1 : bits;
}

}  // namespace tandem
