// Parts of a view: its servers that stand in for each other. Pure.
//
// A part has the version and the maker of the whole, so it is as new as that. Records keep their
// buddies, though these may be of other groups: the ring is everybody's.
#pragma once

#include <string_view>

#include "common/cluster/routes.h"
#include "common/cluster/view.h"

namespace tandem {

// The servers of one group, with `self` among them whatever the view says of its group: a server
// that was restarted knows that before its balancers do. The same view again if nobody else is in
// it.
ViewPtr part_of_group(const ViewPtr& view, std::string_view group, ServerId self);

// The servers of one pool.
View part_of_pool(const View& view, const Routes& routes, PoolNumber pool);

}  // namespace tandem
