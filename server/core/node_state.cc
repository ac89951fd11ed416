#include "server/core/node_state.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace tandem {

NodeState::NodeState(NodeOptions given, Instant now)
    : options(std::move(given)),
      self(ServerId::of(options.name)),
      started(now),
      pool(options.mirror),
      freshness(options.fresh_items_max),
      table({.provisional_ttl = options.provisional_ttl,
             .idle_ttl = std::chrono::seconds(options.token_ttl) + options.idle_slack,
             .copy_slack = sign_interval(),
             .sessions_max = options.sessions_max,
             .provisional_max = options.provisional_max},
            pool),
      notes(options.notes_max, std::chrono::seconds(options.token_ttl)),
      promises(freshness, counters),
      sender(pool, promises, options.resend_after, counters),
      wants(pool, counters),
      cluster(self, options.zone),
      mail(options.resend_after, counters),
      questions(counters, options.questions_max, options.ask_patience) {}

Session& NodeState::create(Instant now, SessionId id, Role role, Epoch epoch) {
  make_room(now, role);
  notes.erase(id);
  Session& session = table.create(now, id, role);
  session.epoch = epoch;
  session.primary = epoch.server;
  return session;
}

// Of a copy it is remembered which epoch it was of: its client's token may be older.
void NodeState::make_room(Instant now, Role role) {
  while (Session* victim = table.to_displace(role)) {
    ++counters.sessions_displaced;
    const SessionId id = victim->id;
    const ForwardingNote note{victim->epoch, ServerId{}};
    const bool copy = !victim->serves();
    drop(*victim);
    if (copy) notes.put(now, id, note);
  }
}

void NodeState::drop(Session& session) {
  sender.close(session);
  wants.forget(session.id);
  partners.remove(session);
  table.erase(session);
}

void NodeState::lose(Instant now, Session& session, Epoch newer) {
  if (session.role == Role::kPrimary) ++counters.sessions_lost;
  for (const ServerId holder : session.holders()) {
    if (holder != newer.server) release(holder, session, newer, ServerId{});
  }
  const SessionId id = session.id;
  // Who fed our copy may be the older one, and hear of the newer from nobody else.
  const ServerId feeder = session.serves() ? ServerId{} : session.fed_by;
  if (feeder && feeder != newer.server) mail.tell(feeder, {id, newer, false});
  drop(session);
  notes.put(now, id, {newer, ServerId{}});
}

void NodeState::become_primary(Instant used, Session& session, Epoch epoch) {
  std::vector<ServerId>& formers = session.formers;
  std::erase(formers, self);
  std::erase(formers, session.primary);
  formers.insert(formers.begin(), std::exchange(session.primary, self));
  if (formers.size() > MirrorBatch::kFormersMax) {
    formers.resize(MirrorBatch::kFormersMax);
    formers.back() = ServerId{};
  }
  session.epoch = epoch;
  session.requests = 0;
  wants.forget(session.id);
  session.mirror.keep_all();
  table.set_role(used, session, Role::kPrimary);
}

void NodeState::become_copy(Session& session, Epoch epoch, std::uint64_t expected) {
  for (const ServerId holder : session.holders()) {
    if (holder != epoch.server) release(holder, session, epoch, ServerId{});
  }
  sender.close(session);
  session.epoch = epoch;
  session.primary = session.fed_by = epoch.server;
  session.fed_link = sender.link_number(epoch.server);
  session.expected = expected;
  session.whole = true;
  session.swapping = false;
  table.set_role(session.last_used, session, Role::kAlternate);
  partners.update(session);
}

void NodeState::owe(Session& session, ServerId server) {
  std::vector<ServerId>& formers = session.formers;
  const auto owed = [&](ServerId one) {
    return std::find(formers.begin(), formers.end(), one) != formers.end();
  };
  if (owed(server) || owed(ServerId{})) return;
  if (formers.size() < MirrorBatch::kFormersMax) {
    formers.push_back(server);
  } else {
    formers.back() = ServerId{};
  }
}

void NodeState::tell(ServerId peer, const Session& session) {
  if (!peer || peer == self) return;
  mail.tell(peer, {session.id, session.epoch, session.serves()});
}

// Whoever holds our copy hears of the epoch with it, and would drop it if it heard it here first.
void NodeState::tell_formers(const Session& session) {
  const auto& formers = session.formers;
  for (const ServerId former : formers) {
    if (!session.feeds(former)) tell(former, session);
  }
  if (std::find(formers.begin(), formers.end(), ServerId{}) == formers.end()) return;
  for (const ServerId peer : sender.linked_peers()) {
    if (!session.feeds(peer)) tell(peer, session);
  }
}

void NodeState::pass_on_forgotten() {
  if (pool.forgotten.empty()) return;
  for (const MirrorPool::Forgotten& one : pool.take_forgotten()) {
    if (Session* session = table.find(one.session)) sender.changed(*session, one.change);
  }
}

void NodeState::unburden(ServerId holder, const Session& session) {
  release(holder, session, session.epoch, session.best_stream().target);
}

void NodeState::release(ServerId holder, const Session& session, Epoch epoch, ServerId alternate) {
  mail.post(holder, {session.id, epoch, alternate, sender.next_number(session), 0});
}

void NodeState::note_fresh(ServerId peer) { fresh_since[peer] = sender.link_number(peer); }

bool NodeState::feeder_lives(const Session& session) const {
  if (!cluster.online(session.fed_by)) return false;
  const auto fresh = fresh_since.find(session.fed_by);
  return fresh == fresh_since.end() || session.fed_link >= fresh->second;
}

bool NodeState::primary_lives(const Session& session) const {
  if (session.fed_by == session.primary) return feeder_lives(session);
  return cluster.online(session.primary) && fresh_since.count(session.primary) == 0;
}

Status NodeState::status() const {
  return {.sequence = status_sequence,
          .primaries = static_cast<std::uint32_t>(table.count(Role::kPrimary)),
          .capacity = options.capacity,
          .threshold = options.threshold,
          .alternates = static_cast<std::uint32_t>(table.count(Role::kAlternate)),
          .draining = draining};
}

// A copy is next in line when whoever feeds it dies: who has died leaves orphans.
Status NodeState::full_status() const {
  Status full = status();
  for (const auto& [feeder, copies] : partners.shares(Partners::Tie::kFeeder)) {
    if (cluster.online(feeder)) {
      full.reserve = std::max(full.reserve, copies);
    } else {
      full.orphans += copies;
    }
  }
  return full;
}

Backing NodeState::backing() const {
  std::map<ServerId, std::uint32_t> copies;
  std::uint32_t thirds = 0;
  for (const auto& [holder, count] : partners.shares(Partners::Tie::kAlternate)) {
    copies[holder] += count;
  }
  for (const auto& [holder, count] : partners.shares(Partners::Tie::kThird)) {
    copies[holder] += count;
    thirds += count;
  }
  const std::uint32_t orphans = full_status().orphans;
  if (orphans > thirds) copies[ServerId{}] += orphans - thirds;
  Backing backing;
  for (const auto& [holder, count] : copies) {
    if (backing.entries.size() < Backing::kEntriesMax) backing.entries.push_back({holder, count});
  }
  return backing;
}

}  // namespace tandem
