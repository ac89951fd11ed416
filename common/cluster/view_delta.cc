#include "common/cluster/view_delta.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace tandem {
namespace {

using Records = std::unordered_map<ServerId, const ServerRecord*>;

// By id; those of one id are an error: fewer entries than records.
Records by_id(const std::vector<ServerRecord>& records) {
  Records found;
  for (const ServerRecord& record : records) found.emplace(record.id, &record);
  return found;
}

}  // namespace

ViewDelta diff(const View& from, const View& to) {
  ViewDelta delta{from.id(), to.id(), to.balancers, to.stand_in, {}, {}};
  const Records before = by_id(from.servers), after = by_id(to.servers);
  for (const ServerRecord& record : to.servers) {
    const auto known = before.find(record.id);
    if (known == before.end() || *known->second != record) delta.changed.push_back(record);
  }
  for (const ServerRecord& record : from.servers) {
    if (after.count(record.id) == 0) delta.gone.push_back(record.id);
  }
  return delta;
}

bool says_nothing(const ViewDelta& delta, const View& from) {
  return delta.to == from.id() && delta.balancers == from.balancers &&
         delta.stand_in == from.stand_in && delta.changed.empty() && delta.gone.empty();
}

Result<View> apply(const View& base, const ViewDelta& delta) {
  if (delta.from != base.id()) {
    return fail(
        Error::peer(fmt::format("a change of view {} of {:x}, but {} of {:x} is held",
                                delta.from.version, delta.from.maker, base.version, base.maker)));
  }
  const Records changed = by_id(delta.changed);
  const std::unordered_set<ServerId> gone(delta.gone.begin(), delta.gone.end());
  if (changed.size() != delta.changed.size() || gone.size() != delta.gone.size()) {
    return fail(Error::peer("a change of a view names a server twice"));
  }
  View next{delta.to.version, delta.balancers, {}, delta.to.maker, delta.stand_in};
  next.servers = delta.changed;
  std::size_t left_out = 0;
  for (const ServerRecord& record : base.servers) {
    const bool replaced = changed.count(record.id) != 0;
    const bool removed = gone.count(record.id) != 0;
    if (replaced && removed) return fail(Error::peer("a change of a view contradicts itself"));
    left_out += removed;
    if (!replaced && !removed) next.servers.push_back(record);
  }
  if (left_out != gone.size()) {
    return fail(Error::peer("a change of a view removes a server that is not in it"));
  }
  std::sort(next.servers.begin(), next.servers.end(),
            [](const ServerRecord& a, const ServerRecord& b) { return a.name < b.name; });
  return next;
}

}  // namespace tandem
