// The assignment of each pool (common/cluster/routes.h): new sessions, takeovers and alternates of
// one never go to another's servers. One machine for each worker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/cluster/routes.h"
#include "lb/core/assignment.h"

namespace tandem {

class Pools {
 public:
  // As of Assignment. There is pool 0 from the start.
  Pools(Random random, std::uint32_t workers);

  // Each pool is told of its servers. One whose group stays keeps what it knows, though its number
  // may be another: the numbers are those of `routes`.
  void on_view(const View& view, const Routes& routes);
  void on_status(ServerId server, const Status& status);

  std::size_t size() const { return pools_.size(); }
  Assignment& assignment(PoolNumber pool) { return *pools_[pool].assignment; }

 private:
  struct Pool {
    std::string group;  // empty: pool 0
    std::unique_ptr<Assignment> assignment;
  };

  Random random_;
  std::uint32_t workers_;
  std::vector<Pool> pools_;
};

}  // namespace tandem
