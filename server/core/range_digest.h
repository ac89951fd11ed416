// A set of (session, epoch) as digests of ranges of ids, kept up to date member by member: two
// servers compare ranges, and look closer only where they differ.
//
// The ids are cut into 4096 leaves by the upper 12 bits of SessionId::high; a range is a leaf or a
// sixteenth, a 256th or all of them. A digest is the sum of its members' hashes: the order in which
// they came does not matter. Takes no more memory than the set has members. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "common/base/hash.h"
#include "common/base/ids.h"
#include "common/session/epoch.h"
#include "common/wire/messages.h"

namespace tandem {

class RangeDigest {
 public:
  static constexpr std::uint32_t kLeafDepth = SessionDigest::kDepthMax;

  struct Sum {
    std::uint64_t digest = 0;
    std::size_t count = 0;
  };

  void add(SessionId id, Epoch epoch) {
    Sum& leaf = leaves_[leaf_of(id)];
    leaf.digest += hash(id, epoch);
    ++leaf.count;
  }
  // It must have been added under this epoch.
  void take(SessionId id, Epoch epoch) {
    const auto leaf = leaves_.find(leaf_of(id));
    leaf->second.digest -= hash(id, epoch);
    if (--leaf->second.count == 0) leaves_.erase(leaf);
  }
  bool empty() const { return leaves_.empty(); }

  Sum of(std::uint32_t depth, std::uint32_t index) const {
    const std::uint32_t width = 1U << (4 * (kLeafDepth - depth));
    Sum sum;
    for (auto at = leaves_.lower_bound(index * width);
         at != leaves_.end() && at->first < (index + 1) * width; ++at) {
      sum.digest += at->second.digest;
      sum.count += at->second.count;
    }
    return sum;
  }
  // The first and the last SessionId::high of a range.
  static std::pair<std::uint64_t, std::uint64_t> bounds(std::uint32_t depth, std::uint32_t index) {
    if (depth == 0) return {0, ~std::uint64_t{0}};
    const unsigned shift = 64 - 4 * depth;
    const std::uint64_t first = std::uint64_t{index} << shift;
    return {first, first + ((std::uint64_t{1} << shift) - 1)};
  }

 private:
  static std::uint32_t leaf_of(SessionId id) {
    return static_cast<std::uint32_t>(id.high >> (64 - 4 * kLeafDepth));
  }
  static std::uint64_t hash(SessionId id, Epoch epoch) {
    const std::uint64_t claim = std::uint64_t{epoch.counter} << 32 | epoch.server.value;
    return mix64(mix64(mix64(id.high) + id.low) + claim) | 1;
  }

  std::map<std::uint32_t, Sum> leaves_;
};

}  // namespace tandem
