#include "lb/core/event_log.h"

#include <algorithm>

namespace tandem {
namespace {

bool earlier_than(const MembershipEvent& a, const MembershipEvent& b) {
  return a.logged < b.logged;
}

}  // namespace

void EventLog::restore(std::span<const MembershipEvent> earlier) {
  for (const MembershipEvent& event : earlier) {
    const auto place = std::lower_bound(events_.begin(), events_.end(), event, earlier_than);
    if (place != events_.end() && place->logged == event.logged) continue;
    events_.insert(place, event);
    last_ = std::max(last_, event.logged);
  }
  while (events_.size() > kEventsMax) events_.pop_front();
}

void EventLog::add(MembershipEvent& event, std::int64_t time) {
  event.logged = last_ = std::max(time, last_ + 1);
  if (events_.size() == kEventsMax) events_.pop_front();
  events_.push_back(event);
}

std::vector<MembershipEvent> EventLog::after(std::int64_t at, std::size_t most) const {
  MembershipEvent that;
  that.logged = at;
  auto from = std::upper_bound(events_.begin(), events_.end(), that, earlier_than);
  const auto count = static_cast<std::size_t>(events_.end() - from);
  if (count > most) from += static_cast<std::ptrdiff_t>(count - most);
  return {from, events_.end()};
}

}  // namespace tandem
