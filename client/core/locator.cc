#include "client/core/locator.h"

#include "common/base/address.h"

namespace tandem {

bool Locator::wants_map(Instant now) const {
  return direct_ && stale_ && !fetching_ && now >= next_fetch_;
}

// Whoever serves the session has told of a newer view, and is asked first; the balancer is asked
// by a client that knows no server, and before the rest.
Destination Locator::map_source(unsigned tries, const Avoids& avoids) const {
  std::vector<Destination> line;
  for (const std::string& name : {primary_, alternate_}) {
    const auto server = name.empty() ? std::nullopt : find(name);
    if (server && !avoids(name)) line.push_back(*server);
  }
  if (!by_type_) line.emplace_back();
  for (const auto& [name, server] : servers_) {
    if (server.direct() && name != primary_ && name != alternate_ && !avoids(name)) {
      line.push_back({name, server.address});
    }
  }
  if (by_type_) line.emplace_back();  // it does not know how the data is shared out
  return line[tries % line.size()];
}

void Locator::on_map_begin(Instant now) {
  fetching_ = true;
  next_fetch_ = now + kMapPause;
}

void Locator::on_map(const ServerListing& listing) {
  fetching_ = stale_ = false;
  version_ = listing.version;
  servers_.clear();
  for (const ListedServer& server : listing.servers) {
    const std::string& address = tls_ ? server.tls_address : server.address;
    const bool usable = Address::parse(address).has_value();
    servers_[server.name] = {usable ? address : std::string(), server.online};
  }
  stale_ = servers_.empty();
  if (by_type_ && listing.types) {
    share_out(listing);
  } else if (owners_) {
    stale_ = true;  // the balancer's list does not tell who owns what in this view
  }
}

void Locator::share_out(const ServerListing& listing) {
  if (!owners_ || types_ != listing.types) {
    types_ = listing.types;
    owners_.emplace(Types(types_->rules, types_->virtual_types), types_->group);
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
    view.servers.push_back(std::move(record));
    members_[ServerId::of(server.name)] = server.name;
  }
  owners_->apply(view);
}

std::optional<Destination> Locator::by_type(std::string_view target, const Avoids& avoids) const {
  for (const ServerId id : owners_->order(owners_->types().type_of(target))) {
    const auto name = members_.find(id);
    const auto server = name == members_.end() ? servers_.end() : servers_.find(name->second);
    if (server == servers_.end() || !server->second.direct() || avoids(server->first)) continue;
    return Destination{server->first, server->second.address, true};
  }
  return std::nullopt;
}

void Locator::on_no_map() { fetching_ = false; }

std::optional<Destination> Locator::find(std::string_view server) const {
  const auto known = servers_.find(server);
  if (known == servers_.end() || known->second.address.empty()) return std::nullopt;
  return Destination{known->first, known->second.address};
}

std::optional<Destination> Locator::anyone(const Avoids& avoids, bool online) {
  std::vector<const decltype(servers_)::value_type*> fit;
  for (const auto& entry : servers_) {
    const Server& server = entry.second;
    const bool fits = online ? server.direct() : !server.address.empty();
    if (fits && !avoids(entry.first)) fit.push_back(&entry);
  }
  if (fit.empty()) return std::nullopt;
  const auto& [name, server] = *fit[dice_.below(fit.size())];
  return Destination{name, server.address};
}

Destination Locator::choose(bool has_token, const Avoids& avoids, std::string_view target) {
  const Destination balancer;
  if (!direct_ || !has_map()) return balancer;
  if (owners_ && !target.empty()) {
    if (const auto owner = by_type(target, avoids)) return *owner;
  }
  if (!has_token) {
    if (!avoids({})) return balancer;
    if (const auto any = anyone(avoids, true)) return *any;
    return anyone(avoids, false).value_or(balancer);
  }
  for (const std::string& name : {primary_, alternate_}) {
    const auto known = servers_.find(name);
    if (known == servers_.end() || !known->second.online || avoids(name)) continue;
    if (known->second.direct()) return {name, known->second.address};
    if (!avoids({})) return balancer;
  }
  // Any server finds the session, or refers to who may.
  if (const auto any = anyone(avoids, true)) return *any;
  if (!avoids({})) return balancer;
  if (const auto any = anyone(avoids, false)) return *any;
  return find(primary_).value_or(balancer);
}

void Locator::on_answer(const Destination& from, std::string_view server,
                        const std::optional<Whereabouts>& where) {
  if (!direct_) return;
  if (where && where->view > version_) stale_ = true;
  if (from.by_type) {
    // It tells of no session.
  } else if (where) {
    if (!where->primary.empty()) {
      primary_ = where->primary;
      alternate_ = where->alternate;
    }
  } else if (!server.empty() && server != primary_) {
    primary_ = server;
    alternate_.clear();
  }
  // Another server lives at the address, or the map lacks who is named.
  if (from.direct() && !server.empty() && server != from.server) stale_ = true;
  for (const std::string& name : {primary_, alternate_}) {
    if (!name.empty() && servers_.count(name) == 0) stale_ = true;
  }
}

void Locator::on_untrusted(const Destination& at) {
  const auto known = servers_.find(at.server);
  if (known != servers_.end()) known->second.address.clear();
}

void Locator::on_failure(const Destination& at) {
  if (at.direct()) stale_ = true;
}

}  // namespace tandem
