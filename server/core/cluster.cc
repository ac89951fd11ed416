#include "server/core/cluster.h"

#include <algorithm>
#include <utility>

namespace tandem {

void Cluster::apply(const View& view) {
  View next = view;
  std::erase_if(next.servers,
                [](const ServerRecord& server) { return server.kind != ServerKind::kTandem; });
  has_view_ = true;
  thought_dead_ = false;
  for (ServerRecord& server : next.servers) {
    const ServerRecord* known = find(server.id);
    if (known != nullptr && known->incarnation == server.incarnation &&
        known->status.sequence > server.status.sequence) {
      server.status = known->status;
    }
    if (server.id == self_) {
      thought_dead_ = !server.online;
      server.online = true;
      if (known != nullptr) server.status = known->status;
    }
  }
  const ServerRecord* own = find(self_);
  const Status own_status = own == nullptr ? Status{} : own->status;
  view_ = std::move(next);
  index_.clear();
  for (std::size_t i = 0; i < view_.servers.size(); ++i) index_.emplace(view_.servers[i].id, i);
  add_own_record();
  set_own(own_status);
}

void Cluster::apply(const StatusUpdate& update) {
  for (const StatusUpdate::Entry& entry : update.entries) {
    const auto found = index_.find(entry.server);
    if (found == index_.end() || entry.server == self_) continue;
    Status& known = view_.servers[found->second].status;
    if (known.sequence <= entry.status.sequence) known = entry.status;
  }
}

void Cluster::set_own(const Status& status) {
  add_own_record();
  view_.servers[index_.at(self_)].status = status;
}

bool Cluster::online(ServerId server) const {
  const ServerRecord* record = find(server);
  return record != nullptr && record->online;
}

bool Cluster::takes_sessions(ServerId server) const {
  const ServerRecord* record = find(server);
  return record != nullptr && record->takes_sessions();
}

bool Cluster::shares_zone(ServerId server) const {
  const ServerRecord* record = find(server);
  return record != nullptr && !zone_.empty() && record->zone == zone_;
}

const ServerRecord* Cluster::find(ServerId server) const {
  const auto found = index_.find(server);
  return found == index_.end() ? nullptr : &view_.servers[found->second];
}

void Cluster::add_own_record() {
  if (index_.count(self_) != 0) return;
  ServerRecord own;
  own.id = self_;
  own.zone = zone_;
  if (!view_.servers.empty()) own.group = view_.servers.front().group;
  own.online = true;
  index_.emplace(self_, view_.servers.size());
  view_.servers.push_back(std::move(own));
}

}  // namespace tandem
