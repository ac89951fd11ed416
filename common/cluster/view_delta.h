// What has changed from one view to the next: views travel as changes, so that one server's news
// does not cost a record of each. Pure values and two functions.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/cluster/view.h"

namespace tandem {

struct ViewDelta {
  ViewId from = {};  // the one view that it changes
  ViewId to = {};
  std::uint32_t balancers = 1;  // of the new view; so is the next
  bool stand_in = false;
  std::vector<ServerRecord> changed = {};  // and those that are new
  std::vector<ServerId> gone = {};

  bool operator==(const ViewDelta&) const = default;
};

// The change from one view to another, both in the order of their servers' names.
ViewDelta diff(const View& from, const View& to);

// Does the delta say nothing, not even a new version?
bool says_nothing(const ViewDelta& delta, const View& from);

// The view after the change: apply(from, diff(from, to)) == to. An error of the peer if `base` is
// not the view that the delta changes (a gap: ask for the whole view), or if the delta contradicts
// it or itself. `base` stays as it is, whatever comes of it.
Result<View> apply(const View& base, const ViewDelta& delta);

}  // namespace tandem
