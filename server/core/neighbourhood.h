// Whom a server watches, as its view says: its buddies on the ring, and a few others of whom it
// asks, when both buddies are silent, whether it is itself that is cut off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/cluster/view.h"

namespace tandem {

struct Neighbourhood {
  static constexpr std::size_t kBystandersMax = 3;
  struct Buddy {
    ServerId id;
    std::uint64_t incarnation = 0;
    ServerId other;       // the buddy's buddy on its far side; nobody: there is none but us
    bool linked = false;  // a channel to it is open

    bool operator==(const Buddy&) const = default;
  };
  std::vector<Buddy> buddies;  // two; one if there are but two servers; none if alone or offline
  std::vector<ServerId> bystanders;

  bool operator==(const Neighbourhood&) const = default;
};

// By the view; `linked` is left to whoever knows of channels. Linear in the servers.
Neighbourhood neighbourhood_of(ServerId self, const View& view);

}  // namespace tandem
