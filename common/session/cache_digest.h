// What stands for all that a cache holds: a sum of keyed 128-bit hashes of (item, validator). The
// order does not matter, and what comes and goes is added and taken away, so that a client and a
// server that each keep it up find out in 16 bytes whether they mean the same cache.
//
// The key is the cache's id, which client and servers share with nobody: whoever makes contents
// cannot make sums collide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/siphash.h"
#include "common/session/validator.h"

namespace tandem {

struct CacheDigest {
  std::uint64_t items = 0;
  Hash128 sum{};  // each half by itself, modulo 2^64

  void add(const Hash128& item);
  void remove(const Hash128& item);
  CacheDigest& operator+=(const CacheDigest& other);
  CacheDigest& operator-=(const CacheDigest& other);
  bool operator==(const CacheDigest&) const = default;
};

Hash128 item_digest(CacheId cache, ItemKey key, const Validator& validator);

// An item with the validator of the copy that is meant.
struct HeldItem {
  ItemKey key;
  Validator validator;

  bool operator==(const HeldItem&) const = default;
};

// A part of the key space: the keys that begin with the same `depth` hexadecimal digits.
struct KeyNode {
  static constexpr unsigned kDepthMax = 15;
  static constexpr unsigned kChildren = 16;

  std::uint8_t depth = 0;   // 0: all keys
  std::uint64_t first = 0;  // the least of them: the other digits are 0

  std::uint64_t last() const { return first | mask(); }
  bool contains(ItemKey key) const { return (key.value & ~mask()) == first; }
  KeyNode child(unsigned digit) const;  // only of depth < kDepthMax
  bool valid() const { return depth <= kDepthMax && (first & mask()) == 0; }
  auto operator<=>(const KeyNode&) const = default;

 private:
  std::uint64_t mask() const { return depth == 0 ? ~0ULL : (1ULL << (64 - 4 * depth)) - 1; }
};

// Nodes that do not overlap: is a key in one of them?
class KeyNodes {
 public:
  explicit KeyNodes(std::vector<KeyNode> nodes);

  bool contains(ItemKey key) const;
  bool overlap() const;  // they do, against the rule
  const std::vector<KeyNode>& nodes() const { return nodes_; }

 private:
  std::vector<KeyNode> nodes_;  // by their first keys
};

// Digests of every node over one cache's items, as of now: sorted items and running sums, so that a
// node is a difference of two.
class DigestTree {
 public:
  // Of several items with one key one is kept.
  DigestTree(CacheId cache, std::vector<HeldItem> items);

  CacheDigest digest(KeyNode node) const;
  CacheDigest digest() const { return sums_.back(); }
  std::span<const HeldItem> items(KeyNode node) const;  // by key
  std::span<const HeldItem> items() const { return items_; }
  // A few bits of the digest, to find where two trees differ; 0 for a node without items, and only
  // for that.
  std::uint32_t hint(KeyNode node) const;

 private:
  std::size_t below(std::uint64_t key) const;

  std::vector<HeldItem> items_;
  std::vector<CacheDigest> sums_;  // sums_[i]: of the first i items
};

}  // namespace tandem
