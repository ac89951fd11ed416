#include "lb/core/ring.h"

#include <algorithm>
#include <utility>

namespace tandem {

void Ring::insert(ServerId server, const std::string& zone, Random& dice) {
  if (has(server)) return;
  put_after(gap_for(zone, false, dice), server, zone);
}

std::vector<Ring::Closing> Ring::remove(const std::vector<ServerId>& servers) {
  std::vector<Closing> closings;
  for (const ServerId server : servers) {
    if (!has(server)) continue;
    const Closing closing = take_out(server);
    // A gap that met this one is part of it now.
    std::erase_if(closings, [server](const Closing& other) {
      return other.before == server || other.after == server;
    });
    closings.push_back(closing);
  }
  if (nodes_.empty()) closings.clear();
  return closings;
}

void Ring::restore(const std::vector<Place>& places, const std::map<ServerId, std::string>& zones,
                   Random& dice) {
  std::map<ServerId, ServerId> after;
  for (const Place& place : places) {
    if (zones.count(place.server) != 0) after[place.server] = place.second;
  }
  // Each chain of places, from whoever is reached first.
  for (const auto& [server, second] : after) {
    if (has(server)) continue;
    ServerId last = gap_for({}, true, dice);
    for (ServerId at = server; at && !has(at) && after.count(at) != 0; at = after[at]) {
      put_after(last, at, zones.find(at)->second);
      last = at;
    }
  }
  for (const auto& [server, zone] : zones) insert(server, zone, dice);
  mend(dice);
}

ServerId Ring::first(ServerId server) const {
  const auto it = nodes_.find(server);
  return it == nodes_.end() || size() < 2 ? ServerId{} : it->second.before;
}

ServerId Ring::second(ServerId server) const {
  const auto it = nodes_.find(server);
  return it == nodes_.end() || size() < 2 ? ServerId{} : it->second.after;
}

ServerId Ring::step(ServerId server, bool forward) const {
  return forward ? node(server).after : node(server).before;
}

ServerId Ring::any(Random& dice) const {
  return all_.empty() ? ServerId{} : all_[dice.below(all_.size())];
}

std::vector<ServerId> Ring::in_order() const {
  std::vector<ServerId> order;
  if (all_.empty()) return order;
  order.reserve(size());
  const ServerId begin = *std::min_element(all_.begin(), all_.end());
  ServerId at = begin;
  do {
    order.push_back(at);
    at = node(at).after;
  } while (at != begin);
  return order;
}

std::set<ServerId> Ring::take_changed() { return std::exchange(changed_, {}); }

bool Ring::clash(ServerId a, ServerId b) const {
  const std::string& zone = node(a).zone;
  return a != b && !zone.empty() && zone == node(b).zone;
}

// Notes whether the one after it is of its zone.
void Ring::look_after(ServerId before) {
  const Node& here = node(before);
  if (here.zone.empty()) return;
  Zone& zone = zones_[here.zone];
  if (clash(before, here.after)) {
    zone.clashes.insert(before);
  } else {
    zone.clashes.erase(before);
  }
}

void Ring::put_after(ServerId before, ServerId server, const std::string& zone) {
  const ServerId left = before ? before : server;
  const ServerId right = before ? node(before).after : server;
  nodes_.emplace(server, Node{left, right, zone, all_.size()});
  all_.push_back(server);
  node(left).after = server;
  node(right).before = server;
  if (!zone.empty()) ++zones_[zone].servers;
  look_after(left);
  look_after(server);
  changed_.insert({left, server, right});
}

Ring::Closing Ring::take_out(ServerId server) {
  const Node gone = node(server);
  if (!gone.zone.empty()) {
    const auto zone = zones_.find(gone.zone);
    zone->second.clashes.erase(server);
    if (--zone->second.servers == 0) zones_.erase(zone);
  }
  node(gone.before).after = gone.after;
  node(gone.after).before = gone.before;
  node(all_.back()).place = gone.place;
  all_[gone.place] = all_.back();
  all_.pop_back();
  nodes_.erase(server);
  changed_.insert({gone.before, server, gone.after});
  if (gone.before != server) look_after(gone.before);
  return {gone.before, gone.after};
}

// After whom one of this zone is to go: a random place, or from there on the first where it meets
// nobody of its zone; one between two of another zone above all, unless it only moves there.
// Nobody, if the ring is empty.
ServerId Ring::gap_for(const std::string& zone, bool moving, Random& dice) const {
  const ServerId begin = any(dice);
  if (!begin) return begin;
  if (!moving) {
    for (const auto& [name, other] : zones_) {
      if (name != zone && !other.clashes.empty()) return *other.clashes.begin();
    }
  }
  if (zone.empty()) return begin;
  ServerId at = begin;
  do {
    const Node& here = node(at);
    if (here.zone != zone && node(here.after).zone != zone) return at;
    at = here.after;
  } while (at != begin);
  return begin;
}

// Of `servers` of one zone among n, max(0, 2 * servers - n) neighbours of the same zone cannot be
// avoided. One over that can be moved between two of other zones: there is such a gap, since the
// others are more than the runs of this zone.
void Ring::mend(Random& dice) {
  if (size() < 3) return;
  for (;;) {
    const auto over = std::find_if(zones_.begin(), zones_.end(), [this](const auto& entry) {
      const auto& [servers, clashes] = entry.second;
      const std::size_t must = 2 * servers > size() ? 2 * servers - size() : 0;
      return clashes.size() > must;
    });
    if (over == zones_.end()) return;
    const std::string zone = over->first;
    const ServerId moves = node(*over->second.clashes.begin()).after;
    take_out(moves);
    put_after(gap_for(zone, true, dice), moves, zone);
  }
}

}  // namespace tandem
