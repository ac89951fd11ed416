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
  line.emplace_back();
  for (const auto& [name, server] : servers_) {
    if (server.online && name != primary_ && name != alternate_ && !avoids(name)) {
      line.push_back({name, server.address});
    }
  }
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
    if (Address::parse(server.address)) servers_[server.name] = {server.address, server.online};
  }
  stale_ = servers_.empty();
}

void Locator::on_no_map() { fetching_ = false; }

std::optional<Destination> Locator::find(std::string_view server) const {
  const auto known = servers_.find(server);
  if (known == servers_.end()) return std::nullopt;
  return Destination{known->first, known->second.address};
}

std::optional<Destination> Locator::anyone(const Avoids& avoids, bool online) {
  std::vector<const decltype(servers_)::value_type*> fit;
  for (const auto& entry : servers_) {
    if ((entry.second.online || !online) && !avoids(entry.first)) fit.push_back(&entry);
  }
  if (fit.empty()) return std::nullopt;
  const auto& [name, server] = *fit[dice_.below(fit.size())];
  return Destination{name, server.address};
}

Destination Locator::choose(bool has_token, const Avoids& avoids) {
  const Destination balancer;
  if (!direct_ || !has_map()) return balancer;
  if (!has_token) {
    if (!avoids({})) return balancer;
    if (const auto any = anyone(avoids, true)) return *any;
    return anyone(avoids, false).value_or(balancer);
  }
  for (const std::string& name : {primary_, alternate_}) {
    const auto known = servers_.find(name);
    if (known == servers_.end() || !known->second.online || avoids(name)) continue;
    return {name, known->second.address};
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
  if (where) {
    if (!where->primary.empty()) {
      primary_ = where->primary;
      alternate_ = where->alternate;
    }
    if (where->view > version_) stale_ = true;
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

void Locator::on_failure(const Destination& at) {
  if (at.direct()) stale_ = true;
}

}  // namespace tandem
