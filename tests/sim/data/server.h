// A member of the simulated group: the machine that ships, its cache and its ills.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/cluster/ownership.h"
#include "server/core/item_guard.h"

namespace tandem::sim {

struct CachedItem {
  std::uint32_t value = 0;
};

struct Server {
  ServerId id;
  std::string name;
  std::uint64_t incarnation = 0;
  bool alive = true;
  bool cut_from_master = false;
  Instant paused_until{};
  double speed = 1;  // of its clock
  Duration offset{};
  std::unique_ptr<Ownership> ownership;
  std::unique_ptr<ItemGuard> guard;
  std::map<std::uint32_t, CachedItem> cache;  // by key
  std::vector<std::uint64_t> marks;           // by key: a fetch of before is not kept
  std::map<std::uint64_t, std::function<void()>> to_acknowledge;
  std::uint64_t last_write = 0;
  Instant lane_free{};  // its writes to the database go one after another
  Instant wake = kNever;
  std::uint64_t view_version = 0;
};

}  // namespace tandem::sim
