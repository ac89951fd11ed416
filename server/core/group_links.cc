#include "server/core/group_links.h"

#include <utility>

#include "common/cluster/groups.h"

namespace tandem {

bool GroupLinks::on_connected(ServerId peer, std::uint64_t incarnation) {
  const bool member = is_member(peer);
  links_[peer] = {incarnation, member};
  return member;
}

bool GroupLinks::on_disconnected(ServerId peer) {
  const auto link = links_.find(peer);
  if (link == links_.end()) return false;
  const bool told = link->second.told;
  links_.erase(link);
  return told;
}

bool GroupLinks::counts(ServerId peer) const {
  const auto link = links_.find(peer);
  return link != links_.end() && link->second.told;
}

GroupLinks::Change GroupLinks::on_view(const ViewPtr& view) {
  view_ = view;
  Change change;
  change.view = part_of_group(view, group_, self_);
  for (auto& [peer, link] : links_) {
    const bool member = is_member(peer);
    if (std::exchange(link.told, member) == member) continue;
    if (member) {
      change.joined.push_back({peer, link.incarnation});
    } else {
      change.left.push_back(peer);
    }
  }
  return change;
}

bool GroupLinks::is_member(ServerId peer) const {
  const ServerRecord* record = view_ == nullptr ? nullptr : view_->find(peer);
  return record == nullptr || record->group == group_;
}

}  // namespace tandem
