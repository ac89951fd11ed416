// Who is to be woken when: one instant for each key, the earliest first. All in O(log n).
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/base/time.h"

namespace tandem {

template <class Key>
class Deadlines {
 public:
  // In place of what was set before; kNever: not at all.
  void set(const Key& key, Instant at) {
    const auto it = by_key_.find(key);
    if (it != by_key_.end()) {
      if (it->second == at) return;
      by_time_.erase({it->second, key});
      by_key_.erase(it);
    }
    if (at == kNever) return;
    by_key_.emplace(key, at);
    by_time_.emplace(at, key);
  }
  void erase(const Key& key) { set(key, kNever); }
  Instant next() const { return by_time_.empty() ? kNever : by_time_.begin()->first; }
  // One that is due, and not set any more; equal instants in the order of their keys.
  std::optional<Key> take_due(Instant now) {
    if (next() > now) return std::nullopt;
    const Key key = by_time_.begin()->second;
    by_key_.erase(key);
    by_time_.erase(by_time_.begin());
    return key;
  }
  std::size_t size() const { return by_key_.size(); }

 private:
  std::set<std::pair<Instant, Key>> by_time_;
  std::map<Key, Instant> by_key_;
};

}  // namespace tandem
