#include "common/cluster/n_plus_one.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace tandem {
namespace {

using Index = std::unordered_map<ServerId, const ServerRecord*>;

Index index_of(const View& view) {
  Index index;
  for (const ServerRecord& server : view.servers) index.emplace(server.id, &server);
  return index;
}

bool is_heir(const ServerRecord& heir, const ServerRecord& dying) {
  return heir.online && heir.id != dying.id && stand_in_for_each_other(heir, dying);
}

// `inherits`: by place in the view.
void inherit(const Index& index, const View& view, const Backing& backing,
             const ServerRecord& dying, IfDies& result, std::vector<std::uint64_t>& inherits) {
  for (const Backing::Entry& entry : backing.entries) {
    const auto found = index.find(entry.server);
    if (found == index.end()) continue;
    const ServerRecord& heir = *found->second;
    if (!is_heir(heir, dying)) continue;
    const std::uint64_t sessions = std::min<std::uint64_t>(entry.sessions, result.unbacked);
    inherits[static_cast<std::size_t>(&heir - view.servers.data())] += sessions;
    result.unbacked -= sessions;
  }
}

IfDies judge(const Index& index, const View& view, const Backings& backings,
             const ServerRecord& dying) {
  IfDies result;
  result.server = dying.id;
  result.sessions = result.unbacked = answers_for(dying.status);
  std::vector<std::uint64_t> inherits(view.servers.size());
  if (const auto backing = backings.find(dying.id); backing != backings.end()) {
    inherit(index, view, backing->second, dying, result, inherits);
  }
  std::uint64_t room_left = 0;
  for (std::size_t i = 0; i < view.servers.size(); ++i) {
    const ServerRecord& heir = view.servers[i];
    if (!is_heir(heir, dying)) continue;
    const std::uint64_t room = room_of(heir.status);
    if (heir.takes_sessions() && room > inherits[i]) room_left += room - inherits[i];
    result.heirs.push_back({heir.id, answers_for(heir.status), inherits[i], heir.status.capacity});
  }
  result.homeless = result.unbacked > room_left ? result.unbacked - room_left : 0;
  return result;
}

std::uint64_t over_of(const ServerRecord& heir, std::uint64_t inherits) {
  const std::uint64_t sessions = answers_for(heir.status) + inherits;
  return sessions - std::min<std::uint64_t>(sessions, heir.status.capacity);
}

std::uint64_t room_left(const ServerRecord& heir, std::uint64_t inherits) {
  if (!heir.takes_sessions()) return 0;
  const std::uint64_t room = room_of(heir.status);
  return room - std::min(room, inherits);
}

// Of all that are online and stand in for each other, while nobody dies.
struct Sum {
  std::uint64_t over = 0;
  std::uint64_t room = 0;
};

// IfDies::over(), from the sum: only whom the dying one names is looked at. `inherits` is by place
// in the view, zero before and after.
std::uint64_t over_if_dies(const Index& index, const View& view, const Backings& backings,
                           const ServerRecord& dying, Sum sum,
                           std::vector<std::uint64_t>& inherits) {
  IfDies result;
  result.unbacked = answers_for(dying.status);
  sum.over -= over_of(dying, 0);
  sum.room -= room_left(dying, 0);
  if (const auto backing = backings.find(dying.id); backing != backings.end()) {
    inherit(index, view, backing->second, dying, result, inherits);
    for (const Backing::Entry& entry : backing->second.entries) {
      const auto found = index.find(entry.server);
      if (found == index.end()) continue;
      const ServerRecord& heir = *found->second;
      const std::uint64_t more =
          std::exchange(inherits[static_cast<std::size_t>(&heir - view.servers.data())], 0);
      sum.over += over_of(heir, more) - over_of(heir, 0);
      sum.room -= room_left(heir, 0) - room_left(heir, more);
    }
  }
  return sum.over + result.unbacked - std::min(result.unbacked, sum.room);
}

}  // namespace

std::uint64_t IfDies::over() const {
  std::uint64_t sum = homeless;
  for (const Heir& heir : heirs) sum += heir.over();
  return sum;
}

const IfDies::Heir* IfDies::worst() const {
  const auto most = std::max_element(
      heirs.begin(), heirs.end(), [](const Heir& a, const Heir& b) { return a.over() < b.over(); });
  return most == heirs.end() || most->over() == 0 ? nullptr : &*most;
}

IfDies if_dies(const View& view, const Backings& backings, ServerId server) {
  const ServerRecord* dying = view.find(server);
  if (dying != nullptr && dying->online) return judge(index_of(view), view, backings, *dying);
  IfDies nothing;
  nothing.server = server;
  return nothing;
}

bool NPlusOne::safe() const { return worst() == nullptr; }

const NPlusOne::Death* NPlusOne::worst() const {
  const auto most = std::max_element(
      deaths.begin(), deaths.end(), [](const Death& a, const Death& b) { return a.over < b.over; });
  return most == deaths.end() || most->over == 0 ? nullptr : &*most;
}

NPlusOne n_plus_one(const View& view, const Backings& backings) {
  const Index index = index_of(view);
  std::map<std::pair<ServerKind, std::string_view>, Sum> sums;
  for (const ServerRecord& server : view.servers) {
    if (!server.online) continue;
    Sum& sum = sums[{server.kind, server.group}];
    sum.over += over_of(server, 0);
    sum.room += room_left(server, 0);
  }
  std::vector<std::uint64_t> inherits(view.servers.size());
  NPlusOne result;
  for (const ServerRecord& server : view.servers) {
    if (!server.online) continue;
    const Sum& sum = sums[{server.kind, server.group}];
    result.deaths.push_back(
        {server.id, over_if_dies(index, view, backings, server, sum, inherits)});
  }
  return result;
}

std::int64_t n_plus_one_slack(std::span<const ServerRecord> servers, ServerKind kind,
                              std::string_view group) {
  std::uint64_t room = 0, needed = 0;
  for (const ServerRecord& server : servers) {
    if (!server.online || server.kind != kind || server.group != group) continue;
    const std::uint64_t own_room = server.takes_sessions() ? room_of(server.status) : 0;
    room += own_room;
    needed = std::max(needed, own_room + answers_for(server.status));
  }
  return static_cast<std::int64_t>(room) - static_cast<std::int64_t>(needed);
}

}  // namespace tandem
