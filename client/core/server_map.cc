#include "client/core/server_map.h"

#include <algorithm>
#include <utility>

#include "common/base/address.h"

namespace tandem {

// --- fetching ----------------------------------------------------------------------------------

bool ServerMap::wanted(Instant now) const {
  if (fetching_ || now < next_fetch_) return false;
  return stale_ || (routed() && now - routes_asked_ >= kRoutesLife);
}

void ServerMap::begin(Instant now) {
  fetching_ = true;
  found_ = false;
  tries_ = 0;
  asked_.clear();
  told_.clear();
  next_fetch_ = now + kPause;
  // Who knows no server has nobody else to ask.
  balancer_first_ = empty() || routed() || doubts_routes_ || now - routes_asked_ >= kRoutesLife;
  if (balancer_first_) routes_asked_ = now;
}

// By type a server of each group is asked, since balancers do not know how data is shared out.
std::vector<Destination> ServerMap::sources(const std::vector<std::string>& preferred,
                                            const Avoids& avoids) const {
  std::vector<Destination> line;
  if (balancer_first_) line.emplace_back();
  const auto untold = untold_pool();
  for (const auto& entry : servers_) {
    const bool tells = untold && entry.second.group == *untold;
    if (tells && entry.second.direct() && !avoids(entry.first)) line.push_back(to(entry));
  }
  for (const std::string& name : preferred) {
    const auto server = find(name);
    if (server && !avoids(name)) line.push_back(*server);
  }
  if (!by_type_) line.emplace_back();
  for (const auto& entry : servers_) {
    if (entry.second.direct() && !avoids(entry.first)) line.push_back(to(entry));
  }
  line.emplace_back();
  return line;
}

Destination ServerMap::next_source(const std::vector<std::string>& preferred,
                                   const Avoids& avoids) {
  ++tries_;
  const std::vector<Destination> line = sources(preferred, avoids);
  const auto next = std::find_if(line.begin(), line.end(), [this](const Destination& one) {
    return asked_.count(one.server) == 0;
  });
  if (next == line.end()) {  // all of them, in vain: once more
    asked_.clear();
    asked_.insert(line.front().server);
    return line.front();
  }
  asked_.insert(next->server);
  return *next;
}

bool ServerMap::wants_more() const {
  const std::size_t groups = by_type_ && routed() ? routes_->pools() : 0;
  return (!found_ || wants_types()) && tries_ < kTriesMax + groups;
}

std::optional<std::string_view> ServerMap::untold_pool() const {
  if (!by_type_) return std::nullopt;
  for (const auto& [name, server] : servers_) {
    const bool worth_it = server.direct() && asked_.count(name) == 0;
    if (worth_it && told_.count(server.group) == 0) return server.group;
  }
  return std::nullopt;
}

// --- what it says ------------------------------------------------------------------------------

void ServerMap::take(const ServerListing& listing, const Destination& from) {
  // A second list of this fetch, of who has not yet seen what the first one says.
  const bool late = std::exchange(found_, true) && listing.version < version_;
  if (listing.routes) {
    if (!routes_ || routes_->rules() != *listing.routes) {
      auto made = Routes::make(*listing.routes);
      if (made) routes_ = std::move(*made);
    }
    doubts_routes_ = false;
  }
  if (!late) take_servers(listing);
  stale_ = late || servers_.empty();
  if (by_type_) take_types(listing, from);
}

std::string_view ServerMap::pool_of(std::string_view own_group) const {
  return routes_ ? std::string_view(routes_->group(routes_->pool_of(own_group))) : "";
}

void ServerMap::take_servers(const ServerListing& listing) {
  version_ = listing.version;
  Servers former = std::exchange(servers_, {});
  for (const ListedServer& listed : listing.servers) {
    const std::string& address = tls_ ? listed.tls_address : listed.address;
    Server server;
    server.online = listed.online;
    server.own_group = listed.group;
    const auto known = former.find(listed.name);
    if (server.own_group.empty() && known != former.end()) {
      server.own_group = known->second.own_group;
    }
    server.group = pool_of(server.own_group);
    const bool whose = !routed() || !server.own_group.empty();
    if (whose && Address::parse(address)) server.address = address;
    servers_[listed.name] = std::move(server);
  }
}

void ServerMap::take_types(const ServerListing& listing, const Destination& from) {
  if (listing.types) {
    const std::string group(pool_of(listing.types->group));
    told_.insert(group);
    const auto known = shared_.find(group);
    if (known == shared_.end() || known->second.types != *listing.types) {
      Types types(listing.types->rules, listing.types->virtual_types);
      shared_.insert_or_assign(
          group, Shared{*listing.types, Ownership(std::move(types), listing.types->group)});
    }
  } else if (from.direct()) {
    told_.insert(from.group);
    shared_.erase(from.group);
  }
  if (shared_.empty()) return;
  const bool complete =
      std::all_of(listing.servers.begin(), listing.servers.end(),
                  [](const ListedServer& server) { return !server.group.empty(); });
  if (!complete) {  // it does not tell who owns what in this view
    stale_ = true;
    return;
  }
  View view;
  view.version = listing.version;
  members_.clear();
  for (const ListedServer& server : listing.servers) {
    ServerRecord record;
    record.id = ServerId::of(server.name);
    record.name = server.name;
    record.group = server.group;
    record.online = server.online;
    record.left = server.left;
    record.status.capacity = server.capacity;
    members_[record.id] = server.name;
    view.servers.push_back(std::move(record));
  }
  for (auto& [group, shared] : shared_) shared.owners.apply(view);
}

bool ServerMap::online(std::string_view server) const {
  const auto known = servers_.find(server);
  return known != servers_.end() && known->second.online;
}

Destination ServerMap::to(const Servers::value_type& server, bool by_type) {
  return {server.first, server.second.address, by_type, server.second.group};
}

std::optional<Destination> ServerMap::find(std::string_view server) const {
  const auto known = servers_.find(server);
  if (known == servers_.end() || known->second.address.empty()) return std::nullopt;
  return to(*known);
}

std::optional<std::string_view> ServerMap::group_of(std::string_view host,
                                                    std::string_view target) const {
  if (!routes_) return std::nullopt;
  return routes_->group(routes_->pool(host, target));
}

std::optional<Destination> ServerMap::owner(std::string_view group, std::string_view target,
                                            const Avoids& avoids) const {
  const auto shared = shared_.find(group);
  if (shared == shared_.end()) return std::nullopt;
  const Ownership& owners = shared->second.owners;
  for (const ServerId id : owners.order(owners.types().type_of(target))) {
    const auto name = members_.find(id);
    const auto server = name == members_.end() ? servers_.end() : servers_.find(name->second);
    if (server == servers_.end() || !server->second.direct() || avoids(server->first)) continue;
    return to(*server, true);
  }
  return std::nullopt;
}

std::optional<Destination> ServerMap::anyone(std::string_view group, const Avoids& avoids,
                                             bool online, Random& dice) const {
  std::vector<const Servers::value_type*> fit;
  for (const auto& entry : servers_) {
    const Server& server = entry.second;
    const bool fits = online ? server.direct() : !server.address.empty();
    if (fits && server.group == group && !avoids(entry.first)) fit.push_back(&entry);
  }
  if (fit.empty()) return std::nullopt;
  return to(*fit[dice.below(fit.size())]);
}

void ServerMap::distrust(std::string_view server) {
  const auto known = servers_.find(server);
  if (known != servers_.end()) known->second.address.clear();
}

}  // namespace tandem
