// The heart of the simulator: events ordered by (instant, sequence). Nothing else moves time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace tandem::sim {

class EventHeap {
 public:
  using Event = std::function<void()>;

  Instant now() const { return now_; }
  std::uint64_t executed() const { return executed_; }
  std::size_t waiting() const { return heap_.size(); }

  // An instant that has passed means now; events of one instant run in the order of their posting.
  void at(Instant when, Event event) {
    heap_.push_back({std::max(when, now_), ++sequence_, std::move(event)});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
  }
  void after(Duration delay, Event event) { at(now_ + delay, std::move(event)); }

  // Runs the next event if it is due by `end`; else time becomes `end`.
  bool step(Instant end) {
    if (heap_.empty() || heap_.front().when > end) {
      now_ = end;
      return false;
    }
    std::pop_heap(heap_.begin(), heap_.end(), Later{});
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    now_ = entry.when;
    ++executed_;
    entry.event();
    return true;
  }

 private:
  struct Entry {
    Instant when;
    std::uint64_t sequence;
    Event event;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return std::pair(a.when, a.sequence) > std::pair(b.when, b.sequence);
    }
  };
  Instant now_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t executed_ = 0;
  std::vector<Entry> heap_;
};

}  // namespace tandem::sim
