// Who has been told which view, and so what each has to be told now: the change since, or the view
// whole. Pure; the balancer's Membership asks it whenever it tells a view.
//
// Those who have said ViewRequest read changes: they get the view whole once, then changes. The
// others, who do not know of these, get it whole each time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/cluster/view.h"
#include "common/cluster/view_delta.h"
#include "common/wire/messages.h"

namespace tandem {

// The shell's number for one control connection; never used twice.
using ConnectionId = std::uint64_t;

class ViewTeller {
 public:
  struct Counts {
    std::uint64_t snapshots = 0;  // whole views told, one for each who was told
    std::uint64_t deltas = 0;
    std::uint64_t requests = 0;
  };

  // It reads changes, and wants the view whole first.
  void on_request(ConnectionId connection);
  void forget(ConnectionId connection) { readers_.erase(connection); }
  // Has it asked for changes?
  bool reads(ConnectionId connection) const { return readers_.count(connection) != 0; }
  // Does somebody wait for the view, though it may not have changed?
  bool awaited() const { return awaited_; }

  // What is to be sent to whom.
  struct Telling {
    std::vector<ConnectionId> whole_to;
    std::vector<ConnectionId> delta_to;
    ViewDelta delta;  // if there is anybody in delta_to
  };
  // `listeners`: all connections that are told views.
  Telling tell(const View& view, const std::vector<ConnectionId>& listeners);
  // They have been told these, too: no need to tell them again with the next change.
  void on_status_told(const StatusUpdate& update);

  ViewId told() const { return told_.id(); }
  const Counts& counts() const { return counts_; }

 private:
  View told_;                             // the last one
  std::map<ConnectionId, bool> readers_;  // of changes; have they been told told_?
  bool awaited_ = false;
  Counts counts_;
};

}  // namespace tandem
