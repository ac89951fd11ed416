// Membership, the part about what an earlier process left in the directory.
#include <string>
#include <utility>
#include <vector>

#include "lb/core/membership.h"

namespace tandem {

// An administrator has drained it, in an earlier life of this process maybe.
void Membership::drain_as_before(Member& member) {
  if (drained_.count(member.record.name) == 0) return;
  member.drain_wanted = member.record.status.draining = true;
}

void Membership::restore(Instant now, const DirectoryContents& contents) {
  if (members_.empty()) directory_.restore(contents);
  drained_.insert(contents.drained.begin(), contents.drained.end());
  for (auto& [name, member] : members_) {
    // Of a server that is registered its own word counts: it was restarted since, or it drains.
    if (member.connection == 0 || member.says_draining) drain_as_before(member);
  }
  for (const ServerRow& row : contents.servers) {
    if (members_.size() == kMembersMax) break;
    if (!valid_name(row.name) || names_.count(row.id) != 0 || members_.count(row.name) != 0) {
      continue;
    }
    Member& member = members_[row.name];
    names_[row.id] = row.name;
    member.adopted = true;
    ServerRecord& record = member.record;
    record.id = row.id;
    record.name = row.name;
    record.data_address = row.data_address;
    record.peer_address = row.peer_address;
    record.zone = row.zone;
    record.group = row.group;
    record.incarnation = row.incarnation;
    record.status.capacity = row.capacity;
    record.status.threshold = row.threshold;
    record.online = row.state == ServerState::kOnline;
    record.left = row.state == ServerState::kLeft;
    drain_as_before(member);
    member.is_new = false;
    master_.adopt(now, row.id, row.zone, row.incarnation, row.state);
  }
  std::vector<Ring::Place> places;
  for (const BuddiesRow& row : contents.buddies) {
    places.push_back({row.server, row.first, row.second});
  }
  master_.restore_ring(places);
  follow_ring();
  // Versions begin at the time; was the clock put back? Then what was published and not stored
  // counts, too.
  if (version_ <= contents.view_version) version_ = contents.view_version + kVersionsUnstored;
  ++version_;
  view_new_ = true;
}

// A server of the directory that has not been heard of since gives way to one of the conf.
bool Membership::gives_way(const Member& member) {
  return member.record.kind == ServerKind::kTandem && member.adopted && member.connection == 0;
}

void Membership::give_way(Instant now, const PlainServer& plain) {
  const auto same_id = names_.find(ServerId::of(plain.name));
  if (same_id == names_.end()) return;
  const auto it = members_.find(same_id->second);
  if (!gives_way(it->second)) return;
  directory_.note_event(now, MembershipEvent::Kind::kRemoved, it->first,
                        "a plain server has its name");
  remove(std::string(it->first));
  ++version_;
  view_new_ = true;
}

}  // namespace tandem
