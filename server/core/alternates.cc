#include "server/core/alternates.h"

#include <algorithm>

#include "common/cluster/choose.h"

namespace tandem {
namespace {

bool has_more(const std::set<ServerId>& now, const std::set<ServerId>& before) {
  return !std::includes(before.begin(), before.end(), now.begin(), now.end());
}

}  // namespace

void Alternates::provide(Instant now, Session& session) {
  const ServerId holder = session.stream.target;
  if (holder && will_do(now, holder)) {
    state_.sender.announce(session);
    state_.partners.update(session);
    return;
  }
  retarget(session, choose(now, session));
  // Also to one that has been fed all the time and is taken back: the epoch is new.
  state_.sender.announce(session);
}

std::uint64_t Alternates::provide_after_swap(Instant now, Session& session, ServerId former) {
  if (session.retiring) end_retiring(session);
  const ServerId holder = session.stream.target;
  if (holder && holder != former && will_do(now, holder)) {
    state_.sender.announce(session);
    state_.partners.update(session);
    state_.unburden(former, session);
    return 0;
  }
  if (holder && holder != former) release(session, holder, former);
  state_.sender.adopt(session, former);
  const std::uint64_t next = session.stream.next;
  ServerId chosen = former;
  if (!will_do(now, former) || state_.cluster.shares_zone(former)) {
    const ServerId other = choose(now, session);
    const bool better = !will_do(now, former) || !state_.cluster.shares_zone(other);
    if (will_do(now, other) && better) chosen = other;
  }
  retarget(session, chosen);
  return next;
}

void Alternates::on_refused(Instant now, Session& session, ServerId from) {
  refused_until_[from] = now + state_.options.refusal_pause;
  ++state_.counters.mirror_refused;
  if (!session.serves() && !wants_third(session)) return release_third(session);
  reconsider(now, session);
}

void Alternates::on_applied(Session& session) {
  if (!session.retiring || !session.stream.whole()) return;
  end_retiring(session);
}

void Alternates::end_retiring(Session& session) {
  release(session, session.retiring->target, session.stream.target);
  state_.sender.end_retiring(session);
  state_.partners.update(session);
}

void Alternates::release_third(Session& session) {
  if (session.serves() || !session.stream.target) return;
  retarget(session, ServerId{});
}

void Alternates::on_cluster(Instant now) {
  relief_due_ = true;
  std::set<ServerId> takers, online;
  for (const ServerRecord& server : state_.cluster.view().servers) {
    if (server.id == state_.self) continue;
    if (server.takes_sessions()) takers.insert(server.id);
    if (server.online) online.insert(server.id);
    if (server.online && !state_.sender.linked(server.id)) {
      unlinked_since_.try_emplace(server.id, now);
    }
  }
  std::erase_if(unlinked_since_,
                [this](const auto& entry) { return !state_.cluster.online(entry.first); });
  std::erase_if(given_up_, [this](ServerId server) { return unlinked_since_.count(server) == 0; });
  const bool more = has_more(takers, takers_) || has_more(online, online_);
  if (takers == takers_ && online == online_) return;
  takers_ = std::move(takers);
  online_ = std::move(online);
  for (const Tie tie : {Tie::kAlternate, Tie::kThird}) {
    for (const ServerId server : state_.partners.servers(tie)) {
      if (takers_.count(server) == 0 && (server || more)) work_[{tie, server}] = SessionId{};
    }
  }
  for (const ServerId server : state_.partners.servers(Tie::kRetiring)) {
    if (online_.count(server) == 0) work_[{Tie::kRetiring, server}] = SessionId{};
  }
  look_again_for_orphans();
}

void Alternates::on_link_up(ServerId peer) {
  unlinked_since_.erase(peer);
  given_up_.erase(peer);
}

std::vector<ServerId> Alternates::not_met(Instant now) const {
  std::vector<ServerId> servers;
  for (const auto& [server, since] : unlinked_since_) {
    const bool met = state_.sender.link_number(server) != 0;
    if (!met && !out_of_patience(now, server)) servers.push_back(server);
  }
  return servers;
}

void Alternates::on_fresh(Instant now, ServerId peer) {
  work_[{Tie::kPrimary, peer}] = SessionId{};
  work_[{Tie::kRelay, peer}] = SessionId{};
  step(now);
}

void Alternates::on_link_down(Instant now, ServerId peer) {
  if (state_.cluster.online(peer)) unlinked_since_.try_emplace(peer, now);
}

void Alternates::step(Instant now) {
  for (const auto& [server, since] : unlinked_since_) {
    if (out_of_patience(now, server) && given_up_.insert(server).second) look_again_at(server);
  }
  for (auto entry = refused_until_.begin(); entry != refused_until_.end();) {
    if (entry->second > now) {
      ++entry;
      continue;
    }
    entry = refused_until_.erase(entry);
    look_again_at(ServerId{});
    look_again_for_orphans();
  }
  if (std::exchange(relief_due_, false)) relieve(now);
  for (std::size_t moves = state_.options.moves_per_step; moves > 0 && !work_.empty(); --moves) {
    auto& [task, done] = *work_.begin();
    const auto next = state_.partners.next(task.first, task.second, done);
    if (!next) {
      work_.erase(work_.begin());
      continue;
    }
    done = *next;
    reconsider(now, *state_.table.find(*next));
  }
}

Instant Alternates::next_deadline() const {
  Instant next = kNever;
  for (const auto& [server, until] : refused_until_) next = std::min(next, until);
  for (const auto& [server, since] : unlinked_since_) {
    if (given_up_.count(server) == 0) next = std::min(next, since + state_.options.link_patience);
  }
  return next;
}

bool Alternates::will_do(Instant now, ServerId server) const {
  return state_.cluster.takes_sessions(server) && refused_until_.count(server) == 0 &&
         !out_of_patience(now, server);
}

bool Alternates::out_of_patience(Instant now, ServerId server) const {
  const auto found = unlinked_since_.find(server);
  return found != unlinked_since_.end() && now - found->second >= state_.options.link_patience;
}

void Alternates::reconsider(Instant now, Session& session) {
  const ServerId holder = session.stream.target;
  if (session.role == Role::kProvisional) return;
  if (session.role == Role::kAlternate && !wants_third(session)) return;
  if (session.retiring && !may_hold(session.retiring->target)) end_retiring(session);
  if (holder && will_do(now, holder)) return;
  ServerId chosen = choose(now, session);
  if (session.retiring && will_do(now, session.retiring->target)) {
    chosen = session.retiring->target;  // it has the copy
  }
  // Rather one who drains or has no link now than none; but not one who has refused.
  if (!state_.cluster.takes_sessions(chosen) && may_hold(holder)) chosen = holder;
  retarget(session, chosen);
}

// Ours is the only copy that is known to be left: whoever feeds it is gone. (A primary that was
// only out of reach feeds its alternates again when it is back, and releases the others.)
bool Alternates::wants_third(const Session& session) const { return !state_.feeder_lives(session); }

ServerId Alternates::choose(Instant now, const Session& session) const {
  std::vector<ServerId> refused;
  for (const auto& [server, until] : refused_until_) refused.push_back(server);
  if (!session.serves()) refused.push_back(session.primary);
  std::vector<ServerId> hopeless = refused, lost = refused;
  for (const auto& [server, since] : unlinked_since_) {
    const bool out = out_of_patience(now, server);
    if (out) hopeless.push_back(server);
    if (out || state_.sender.link_number(server) != 0) lost.push_back(server);
  }
  // Of all that we answer for: our death brings it at once.
  const AlternateShares& alternates = state_.partners.shares(Tie::kAlternate);
  const AlternateShares& thirds = state_.partners.shares(Tie::kThird);
  AlternateShares both;
  if (!thirds.empty()) {
    both = alternates;
    for (const auto& [server, count] : thirds) both[server] += count;
  }
  const AlternateShares& shares = thirds.empty() ? alternates : both;
  const View& view = state_.cluster.view();
  // Whose link is gone is likely to be, too, and the view does not know yet. Rather it than none.
  for (const auto* excluded : {&lost, &hopeless, &refused}) {
    const ServerId best = choose_alternate(view, state_.self, shares, session.id.low, *excluded);
    if (best) return best;
  }
  return choose_draining(refused);
}

// A copy on a server that drains is better than none: on the one that has the fewest.
ServerId Alternates::choose_draining(const std::vector<ServerId>& refused) const {
  const ServerRecord* best = nullptr;
  for (const ServerRecord& server : state_.cluster.view().servers) {
    const bool may = server.id != state_.self && server.online &&
                     std::find(refused.begin(), refused.end(), server.id) == refused.end();
    if (!may || (best && best->status.alternates <= server.status.alternates)) continue;
    best = &server;
  }
  return best == nullptr ? ServerId{} : best->id;
}

void Alternates::retarget(Session& session, ServerId target) {
  const ServerId before = session.stream.target;
  if (!target) {
    for (const ServerId holder : session.holders()) release(session, holder, ServerId{});
    state_.sender.close(session);
  } else if (session.retiring && session.retiring->target == target) {
    release(session, before, target);
    state_.sender.take_back(session);
  } else if (before != target) {
    if (!session.retiring && session.stream.whole() && may_hold(before)) {
      state_.sender.open_beside(session, target);
      owe_if_unlinked(session, before);
    } else {
      state_.sender.open(session, target);
      if (before) release(session, before, session.best_stream().target);
    }
    ++(session.serves() ? state_.counters.alternates_chosen : state_.counters.thirds_chosen);
  }
  state_.partners.update(session);
}

void Alternates::release(Session& session, ServerId holder, ServerId alternate) {
  state_.release(holder, session, session.epoch, alternate);
  owe_if_unlinked(session, holder);
}

// Without a link its copy grows old, and it hears of that only when it is met; also by who serves
// the session then, which learns of it now.
void Alternates::owe_if_unlinked(Session& session, ServerId holder) {
  if (!session.serves() || state_.sender.linked(holder)) return;
  state_.owe(session, holder);
  state_.sender.announce(session);
}

// Can it hold a copy for a while? Also one that drains, or has no link for a moment.
bool Alternates::may_hold(ServerId server) const {
  return state_.cluster.online(server) && refused_until_.count(server) == 0;
}

void Alternates::relieve(Instant now) {
  std::size_t moves = state_.options.relief_per_status;
  for (const Tie tie : {Tie::kAlternate, Tie::kThird}) {
    for (const ServerId holder : state_.partners.servers(tie)) {
      while (holder && moves > 0 && !fits(holder, 0)) {
        const auto first = state_.partners.next(tie, holder, SessionId{});
        if (!first) break;
        Session& session = *state_.table.find(*first);
        const ServerId chosen = choose(now, session);
        if (!will_do(now, chosen) || chosen == holder || !fits(chosen, 1)) break;
        retarget(session, chosen);
        ++state_.counters.alternates_relieved;
        --moves;
      }
    }
  }
}

// Would the server stay within its capacity if we died, with so many more of our sessions?
bool Alternates::fits(ServerId server, std::uint32_t more) const {
  const ServerRecord* record = state_.cluster.view().find(server);
  std::uint64_t ours = more;
  for (const Tie tie : {Tie::kAlternate, Tie::kThird}) {
    const auto& shares = state_.partners.shares(tie);
    if (const auto share = shares.find(server); share != shares.end()) ours += share->second;
  }
  return record == nullptr || ours <= room_of(record->status);
}

void Alternates::look_again_at(ServerId server) {
  work_[{Tie::kAlternate, server}] = SessionId{};
  work_[{Tie::kThird, server}] = SessionId{};
}

void Alternates::look_again_for_orphans() {
  for (const Tie tie : {Tie::kPrimary, Tie::kRelay}) {
    for (const ServerId server : state_.partners.servers(tie)) {
      const bool may_be_gone =
          !state_.cluster.online(server) || state_.fresh_since.count(server) != 0;
      if (may_be_gone) work_[{tie, server}] = SessionId{};
    }
  }
}

}  // namespace tandem
