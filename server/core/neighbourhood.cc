#include "server/core/neighbourhood.h"

#include <algorithm>

#include "common/base/hash.h"

namespace tandem {
namespace {

void add_buddy(Neighbourhood& to, ServerId self, ServerId id, const View& view) {
  const ServerRecord* record = view.find(id);
  if (!id || id == self || record == nullptr || !record->online) return;
  if (!to.buddies.empty() && to.buddies.front().id == id) return;
  const ServerId other = record->first_buddy == self ? record->second_buddy : record->first_buddy;
  to.buddies.push_back({id, record->incarnation, other == self ? ServerId{} : other, false});
}

}  // namespace

// Bystanders by a hash of both names: different servers ask different ones.
Neighbourhood neighbourhood_of(ServerId self, const View& view) {
  Neighbourhood result;
  const ServerRecord* own = view.find(self);
  if (own == nullptr || !own->online) return result;
  add_buddy(result, self, own->first_buddy, view);
  add_buddy(result, self, own->second_buddy, view);
  if (result.buddies.empty()) return result;

  std::vector<std::uint64_t> order;
  for (const ServerRecord& record : view.servers) {
    const bool is_buddy = record.id == own->first_buddy || record.id == own->second_buddy;
    if (!record.online || record.kind != ServerKind::kTandem || record.id == self || is_buddy) {
      continue;
    }
    const std::uint32_t rank = static_cast<std::uint32_t>(
        mix64((std::uint64_t{self.value} << 32) | record.id.value) >> 32);
    order.push_back((std::uint64_t{rank} << 32) | record.id.value);
  }
  const std::size_t count = std::min(order.size(), Neighbourhood::kBystandersMax);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end());
  for (std::size_t i = 0; i < count; ++i) {
    result.bystanders.push_back(ServerId{static_cast<std::uint32_t>(order[i])});
  }
  return result;
}

}  // namespace tandem
