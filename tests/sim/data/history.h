// What clients asked and were told, and whether that can be.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/ownership.h"

namespace tandem::sim {

// One write, however often it is sent; its index is the value that it writes. 0: the initial one.
struct WriteOp {
  std::uint32_t key = 0;
  Instant invoked{};
  Instant acknowledged = kNever;
  bool lost = false;  // overwritten by one that had ended before it began
};

class History {
 public:
  explicit History(std::uint32_t keys, std::size_t types) : keys_(keys), epochs_(types) {
    ops_.push_back({0, Instant{}, Instant{}, false});
  }

  std::uint32_t invoke(Instant now, std::uint32_t key) {
    ops_.push_back({key, now, kNever, false});
    return static_cast<std::uint32_t>(ops_.size() - 1);
  }
  WriteOp& op(std::uint32_t value) { return ops_[value]; }

  // The database holds this now. False: an older owner's write came after a newer's.
  bool commit(std::uint32_t key, std::uint32_t type, std::uint32_t value,
              const ActingEpoch& epoch) {
    WriteOp& before = ops_[keys_[key].value];
    // Acknowledged, though on another way, before the one that it takes away was begun.
    if (ops_[value].acknowledged < before.invoked) before.lost = true;
    keys_[key].value = value;
    const bool in_order = !(epoch < epochs_[type]);
    epochs_[type] = std::max(epochs_[type], epoch);
    return in_order;
  }
  std::uint32_t value(std::uint32_t key) const { return keys_[key].value; }
  bool current_is_lost(std::uint32_t value) const {
    return ops_[value].lost && ops_[value].acknowledged != kNever;
  }

  void acknowledge(Instant now, std::uint32_t value) {
    WriteOp& op = ops_[value];
    if (op.acknowledged != kNever) return;
    op.acknowledged = now;
    Instant& latest = keys_[op.key].latest_begun;
    latest = std::max(latest, op.invoked);
  }

  // When the latest write began that has been acknowledged: what a read that begins now may not
  // miss.
  Instant floor(std::uint32_t key) const { return keys_[key].latest_begun; }
  // The value had ended before that one began.
  bool stale(std::uint32_t value, Instant floor) const { return ops_[value].acknowledged < floor; }

 private:
  struct Key {
    std::uint32_t value = 0;
    Instant latest_begun{};
  };
  std::vector<WriteOp> ops_;
  std::vector<Key> keys_;
  std::vector<ActingEpoch> epochs_;
};

}  // namespace tandem::sim
