// The newest events of membership, kept for those who ask (tandemctl events). Pure; bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "lb/core/directory_change.h"

namespace tandem {

class EventLog {
 public:
  static constexpr std::size_t kEventsMax = 1000;  // the oldest go

  // Those of an earlier process, oldest first. They go before those that are here already.
  void restore(std::span<const MembershipEvent> earlier);

  // Sets when the event was logged: at `time` (microseconds since 1970), or as little later as
  // makes it unlike all others. Keeps a copy.
  void add(MembershipEvent& event, std::int64_t time);

  // Those logged after `at`, oldest first. At most the newest `most`.
  std::vector<MembershipEvent> after(std::int64_t at, std::size_t most = kEventsMax) const;

 private:
  std::deque<MembershipEvent> events_;  // by time
  std::int64_t last_ = 0;
};

}  // namespace tandem
