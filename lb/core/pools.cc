#include "lb/core/pools.h"

#include <algorithm>
#include <utility>

#include "common/base/hash.h"
#include "common/cluster/groups.h"

namespace tandem {

Pools::Pools(Random random, std::uint32_t workers) : random_(random), workers_(workers) {
  pools_.push_back({{}, std::make_unique<Assignment>(random_, workers_)});
}

void Pools::on_view(const View& view, const Routes& routes) {
  std::vector<Pool> former = std::exchange(pools_, {});
  for (PoolNumber number = 0; number < routes.pools(); ++number) {
    const std::string& group = routes.group(number);
    const auto known = std::find_if(former.begin(), former.end(), [&](const Pool& pool) {
      return pool.assignment != nullptr && pool.group == group;
    });
    if (known != former.end()) {
      pools_.push_back(std::move(*known));
    } else {
      const Random dice = random_.fork(stable_hash(group));
      pools_.push_back({group, std::make_unique<Assignment>(dice, workers_)});
    }
    Assignment& assignment = *pools_.back().assignment;
    if (routes.empty()) {
      assignment.on_view(view);
    } else {
      assignment.on_view(part_of_pool(view, routes, number));
    }
  }
}

// Who does not have the server passes it over.
void Pools::on_status(ServerId server, const Status& status) {
  for (Pool& pool : pools_) pool.assignment->on_status(server, status);
}

}  // namespace tandem
