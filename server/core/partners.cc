#include "server/core/partners.h"

#include <algorithm>

#include "common/base/error.h"

namespace tandem {

Partners::Ties Partners::ties_of(const Session& session) {
  Ties ties;
  if (session.role == Role::kPrimary) {
    ties.emplace_back(Tie::kAlternate, session.stream.target);
    for (const ServerId former : session.formers) ties.emplace_back(Tie::kFormer, former);
  } else if (session.role == Role::kAlternate) {
    ties.emplace_back(Tie::kPrimary, session.primary);
    ties.emplace_back(Tie::kFeeder, session.fed_by);
    if (session.stream.target) ties.emplace_back(Tie::kThird, session.stream.target);
    if (session.fed_by && session.fed_by != session.primary) {
      ties.emplace_back(Tie::kRelay, session.fed_by);
    }
  }
  if (session.retiring) ties.emplace_back(Tie::kRetiring, session.retiring->target);
  std::sort(ties.begin(), ties.end());
  ties.erase(std::unique(ties.begin(), ties.end()), ties.end());
  return ties;
}

void Partners::update(const Session& session) {
  Ties after = ties_of(session);
  Known& known = known_[session.id];
  if (known.ties == after && known.epoch == session.epoch) return;
  for (const ServerId server : sharers(known.ties)) shared_[server].take(session.id, known.epoch);
  for (const ServerId server : sharers(after)) shared_[server].add(session.id, session.epoch);
  if (known.ties != after) {
    for (const auto& [tie, server] : known.ties) take(session.id, tie, server);
    for (const auto& [tie, server] : after) add(session.id, tie, server);
  }
  known = {std::move(after), session.epoch};
}

void Partners::remove(const Session& session) {
  const auto found = known_.find(session.id);
  if (found == known_.end()) return;
  const Known& known = found->second;
  for (const ServerId server : sharers(known.ties)) shared_[server].take(session.id, known.epoch);
  for (const auto& [tie, server] : known.ties) take(session.id, tie, server);
  known_.erase(found);
}

// The servers that share the session, each once.
std::vector<ServerId> Partners::sharers(const Ties& ties) {
  std::vector<ServerId> servers;
  for (const auto& [tie, server] : ties) {
    if (tie != Tie::kFormer && tie != Tie::kFeeder && server) servers.push_back(server);
  }
  std::sort(servers.begin(), servers.end());
  servers.erase(std::unique(servers.begin(), servers.end()), servers.end());
  return servers;
}

const RangeDigest& Partners::shared(ServerId server) const {
  static const RangeDigest kNone;
  const auto found = shared_.find(server);
  return found == shared_.end() ? kNone : found->second;
}

void Partners::add(SessionId id, Tie tie, ServerId server) {
  const auto i = static_cast<std::size_t>(tie);
  ++shares_[i][server];
  if (tie != Tie::kFeeder) ids_[i][server].insert(id);
}

void Partners::take(SessionId id, Tie tie, ServerId server) {
  const auto i = static_cast<std::size_t>(tie);
  const auto share = shares_[i].find(server);
  if (--share->second == 0) shares_[i].erase(share);
  if (tie == Tie::kFeeder) return;
  const auto held = ids_[i].find(server);
  TANDEM_CHECK(held != ids_[i].end() && held->second.erase(id) == 1);
  if (held->second.empty()) ids_[i].erase(held);
}

const Partners::Ids& Partners::of(Tie tie, ServerId server) const {
  static const Ids kNone;
  const auto& all = ids_[static_cast<std::size_t>(tie)];
  const auto found = all.find(server);
  return found == all.end() ? kNone : found->second;
}

std::optional<SessionId> Partners::next(Tie tie, ServerId server, SessionId last) const {
  const Ids& ids = of(tie, server);
  const auto found = ids.upper_bound(last);
  if (found == ids.end()) return std::nullopt;
  return *found;
}

std::vector<ServerId> Partners::servers(Tie tie) const {
  std::vector<ServerId> all;
  for (const auto& [server, ids] : ids_[static_cast<std::size_t>(tie)]) all.push_back(server);
  return all;
}

}  // namespace tandem
