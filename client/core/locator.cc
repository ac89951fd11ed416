#include "client/core/locator.h"

namespace tandem {

// Whoever serves a session has told of a newer view.
Destination Locator::map_source(const Avoids& avoids) {
  std::vector<std::string> preferred;
  for (const auto& [group, place] : places_) {
    for (const std::string& name : {place.primary, place.alternate}) {
      if (!name.empty()) preferred.push_back(name);
    }
  }
  return map_.next_source(preferred, avoids);
}

const Locator::Place& Locator::place(std::string_view group) const {
  static const Place kNowhere;
  const auto known = places_.find(group);
  return known == places_.end() ? kNowhere : known->second;
}

Destination Locator::choose(std::string_view group, bool has_token, const Avoids& avoids,
                            std::string_view target) {
  const Destination balancer;
  if (!direct_ || !has_map()) return balancer;
  const Place& at = place(group);
  if (!map_.knows_routes()) group = {};
  if (!target.empty()) {
    if (const auto owner = map_.owner(group, target, avoids)) return *owner;
  }
  if (!has_token) {
    if (!avoids({})) return balancer;
    if (const auto any = map_.anyone(group, avoids, true, dice_)) return *any;
    return map_.anyone(group, avoids, false, dice_).value_or(balancer);
  }
  for (const std::string& name : {at.primary, at.alternate}) {
    if (!map_.online(name) || avoids(name)) continue;
    const auto server = map_.find(name);
    if (server && server->group == group) return *server;
    if (!avoids({})) return balancer;
  }
  // Any server of the group finds the session, or refers to who may.
  if (const auto any = map_.anyone(group, avoids, true, dice_)) return *any;
  if (!avoids({})) return balancer;
  if (const auto any = map_.anyone(group, avoids, false, dice_)) return *any;
  return map_.find(at.primary).value_or(balancer);
}

void Locator::take_place(std::string_view group, std::string_view server,
                         const std::optional<Whereabouts>& where) {
  const auto known = places_.find(group);
  if (known == places_.end() && places_.size() == kGroupsMax) return;
  Place& at = known == places_.end() ? places_[std::string(group)] : known->second;
  if (where) {
    if (!where->primary.empty()) at = {where->primary, where->alternate};
  } else if (!server.empty() && server != at.primary) {
    at = {std::string(server), {}};
  }
  for (const std::string& name : {at.primary, at.alternate}) {
    if (!name.empty() && !map_.has(name)) map_.mark_stale();
  }
}

void Locator::on_answer(const Destination& from, std::string_view group, std::string_view server,
                        const std::optional<Whereabouts>& where) {
  if (!direct_) return;
  if (where && where->view > map_.version()) map_.mark_stale();
  if (!from.by_type) take_place(group, server, where);  // by type it tells of no session
  // Another server lives at the address.
  if (from.direct() && !server.empty() && server != from.server) map_.mark_stale();
}

void Locator::on_failure(const Destination& at) {
  if (at.direct()) map_.mark_stale();
}

}  // namespace tandem
