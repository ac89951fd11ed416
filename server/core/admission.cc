#include "server/core/admission.h"

#include <algorithm>
#include <array>

#include "common/cluster/choose.h"

namespace tandem {

Admission admit(const Status& own, ServerId self, std::span<const ServerRecord> others,
                bool must_serve) {
  const bool full = at_capacity(own);
  const Admission alone{full ? Admission::Kind::kUnavailable : Admission::Kind::kServe, {}};
  if (must_serve || (!full && !over_threshold(own) && !own.draining)) return alone;
  const std::array excluded{self};
  const auto second = choose_second(others, excluded);
  if (!second) return alone;
  const Admission hand_on{Admission::Kind::kHandOn, second->server};
  if (full || own.draining || !second->over_threshold) return hand_on;
  const auto record = std::find_if(others.begin(), others.end(), [&](const ServerRecord& other) {
    return other.id == second->server;
  });
  return less_loaded(record->status, own) ? hand_on : alone;
}

}  // namespace tandem
