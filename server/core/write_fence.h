// The fence: who may write items of a type.
//
// The database keeps, for each type, the greatest epoch of an owner that has claimed it. A write
// carries the epoch of the server that acts as owner; in one transaction the two are compared, the
// stored one is raised if ours is newer, and the item is written. So an owner that was thought
// dead, paused or cut off, and has been replaced meanwhile, changes nothing any more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/cluster/ownership.h"

namespace tandem {

// Under which a write is done, or a type claimed.
struct OwnerClaim {
  std::uint64_t type = 0;  // Types::key()
  std::string name;        // Types::name(), for people
  ActingEpoch epoch;

  bool operator==(const OwnerClaim&) const = default;
};

enum class FenceRuling : std::uint8_t {
  kRefuse,  // another has replaced us
  kPass,    // it is ours already
  kRaise,   // store ours, then go on
};

// `stored`: nothing if nobody has claimed the type yet.
constexpr FenceRuling rule_fence(const std::optional<ActingEpoch>& stored,
                                 const ActingEpoch& ours) {
  if (!stored || *stored < ours) return FenceRuling::kRaise;
  return *stored == ours ? FenceRuling::kPass : FenceRuling::kRefuse;
}

// A write that another server has passed on comes with the epoch of the server that it was meant
// for. A lesser one: it was under way while somebody else acted, who may have written since.
constexpr bool may_accept(const ActingEpoch& meant, const ActingEpoch& ours) {
  return !(meant < ours);
}

}  // namespace tandem
