#include "lb/core/view_teller.h"

#include <unordered_map>
#include <utility>

namespace tandem {

void ViewTeller::on_request(ConnectionId connection) {
  ++counts_.requests;
  readers_[connection] = false;
  awaited_ = true;
}

ViewTeller::Telling ViewTeller::tell(const View& view, const std::vector<ConnectionId>& listeners) {
  Telling telling;
  telling.delta = diff(told_, view);
  const bool changed = !says_nothing(telling.delta, told_);
  for (const ConnectionId listener : listeners) {
    const auto reader = readers_.find(listener);
    if (reader == readers_.end()) {
      if (changed) telling.whole_to.push_back(listener);
    } else if (!std::exchange(reader->second, true)) {
      telling.whole_to.push_back(listener);
    } else if (changed) {
      telling.delta_to.push_back(listener);
    }
  }
  awaited_ = false;
  if (changed) told_ = view;
  counts_.snapshots += telling.whole_to.size();
  counts_.deltas += telling.delta_to.size();
  return telling;
}

void ViewTeller::on_status_told(const StatusUpdate& update) {
  std::unordered_map<ServerId, const Status*> news;
  for (const StatusUpdate::Entry& entry : update.entries) news[entry.server] = &entry.status;
  for (ServerRecord& record : told_.servers) {
    const auto found = news.find(record.id);
    if (found != news.end()) record.status = *found->second;
  }
}

}  // namespace tandem
