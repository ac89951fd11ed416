#include "lb/core/directory_record.h"

#include <utility>

namespace tandem {
namespace {

ServerState state_of(const ServerRecord& record, const std::set<ServerId>& held_back) {
  if (record.online) return ServerState::kOnline;
  if (record.left) return ServerState::kLeft;
  return held_back.count(record.id) != 0 ? ServerState::kHeldBack : ServerState::kOffline;
}

ServerRow row_of(const ServerRecord& record, ServerState state) {
  return {record.id,   record.name,       record.data_address,    record.peer_address,
          record.zone, record.group,      record.status.capacity, record.status.threshold,
          state,       record.incarnation};
}

}  // namespace

void DirectoryRecord::restore(const DirectoryContents& contents) {
  for (const ServerRow& row : contents.servers) servers_.insert_or_assign(row.id, row);
  for (const BuddiesRow& row : contents.buddies) buddies_.insert_or_assign(row.server, row);
  drained_ = contents.drained;
}

void DirectoryRecord::note_event(Instant now, MembershipEvent::Kind kind, std::string_view name,
                                 std::string_view text) {
  MembershipEvent event;
  event.kind = kind;
  event.at = now;
  event.server = name.empty() ? ServerId{} : ServerId::of(name);
  event.name = name;
  event.text = text;
  if (events_.size() == kEventsMax) events_.erase(events_.begin());
  events_.push_back(std::move(event));
}

std::optional<DirectoryChange> DirectoryRecord::take(const View& view,
                                                     const std::set<ServerId>& held_back,
                                                     const std::set<std::string>& drained) {
  DirectoryChange change;
  change.view_version = view.version;
  change.events = std::exchange(events_, {});
  std::set<ServerId> there;
  for (const ServerRecord& record : view.servers) {
    if (record.kind != ServerKind::kTandem) continue;
    there.insert(record.id);
    ServerRow row = row_of(record, state_of(record, held_back));
    if (ServerRow& told = servers_[record.id]; told != row) {
      told = row;
      change.servers.push_back(std::move(row));
    }
    const BuddiesRow buddies{record.id, record.first_buddy, record.second_buddy};
    if (BuddiesRow& told =
            buddies_.try_emplace(record.id, BuddiesRow{record.id, {}, {}}).first->second;
        told != buddies) {
      told = buddies;
      change.buddies.push_back(buddies);
    }
  }
  for (const auto& [id, row] : servers_) {
    if (there.count(id) == 0) change.removed.push_back(id);
  }
  for (const ServerId id : change.removed) {
    servers_.erase(id);
    buddies_.erase(id);
  }
  if (drained != drained_) change.drained = drained_ = drained;
  if (change.servers.empty() && change.buddies.empty() && change.removed.empty() &&
      change.events.empty() && !change.drained) {
    return std::nullopt;
  }
  return change;
}

}  // namespace tandem
