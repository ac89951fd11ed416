// What the directory was told, so that only differences are written: a view in, the change that
// makes the directory say the same out. One published view is at most one transaction, so servers,
// ring and view agree in each. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/view.h"
#include "lb/core/directory_change.h"

namespace tandem {

class DirectoryRecord {
 public:
  static constexpr std::size_t kEventsMax = 10'000;  // of one change; the oldest go

  // What the directory holds already.
  void restore(const DirectoryContents& contents);

  // Goes with the next change.
  void note_event(Instant now, MembershipEvent::Kind kind, std::string_view name,
                  std::string_view text);

  // The change from what was told to `view`, of whose offline servers those in `held_back` are only
  // that, and to the names of the drained. Nothing if there is none, and no event.
  std::optional<DirectoryChange> take(const View& view, const std::set<ServerId>& held_back = {},
                                      const std::set<std::string>& drained = {});

 private:
  std::map<ServerId, ServerRow> servers_;
  std::map<ServerId, BuddiesRow> buddies_;
  std::vector<MembershipEvent> events_;
  std::set<std::string> drained_;
};

}  // namespace tandem
