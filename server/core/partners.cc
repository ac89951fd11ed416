#include "server/core/partners.h"

#include "common/base/error.h"

namespace tandem {

Partners::Ties Partners::ties_of(const Session& session) {
  Ties ties;
  const auto tie = [&ties](Tie one) -> std::optional<ServerId>& {
    return ties[static_cast<std::size_t>(one)];
  };
  if (session.role == Role::kPrimary) {
    tie(Tie::kAlternate) = session.stream.target;
    if (session.former) tie(Tie::kFormer) = session.former;
  } else if (session.role == Role::kAlternate) {
    tie(Tie::kPrimary) = session.primary;
    if (session.stream.target) tie(Tie::kThird) = session.stream.target;
  }
  return ties;
}

void Partners::update(const Session& session) {
  const Ties after = ties_of(session);
  Ties& known = known_[session.id];
  replace(session.id, known, after);
  known = after;
}

void Partners::remove(const Session& session) {
  const auto found = known_.find(session.id);
  if (found == known_.end()) return;
  replace(session.id, found->second, {});
  known_.erase(found);
}

void Partners::replace(SessionId id, const Ties& before, const Ties& after) {
  for (std::size_t i = 0; i < kTies; ++i) {
    if (before[i] == after[i]) continue;
    if (before[i]) {
      const auto held = ids_[i].find(*before[i]);
      TANDEM_CHECK(held != ids_[i].end() && held->second.erase(id) == 1);
      if (held->second.empty()) ids_[i].erase(held);
      const auto share = shares_[i].find(*before[i]);
      if (--share->second == 0) shares_[i].erase(share);
    }
    if (after[i]) {
      ids_[i][*after[i]].insert(id);
      ++shares_[i][*after[i]];
    }
  }
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
