#include "server/core/node.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

#include "common/cluster/choose.h"
#include "server/core/account.h"
#include "server/core/admission.h"
#include "server/core/alternates.h"
#include "server/core/claims.h"
#include "server/core/meetings.h"
#include "server/core/mirror_receiver.h"
#include "server/core/node_state.h"
#include "server/core/requests.h"
#include "server/core/swap.h"

namespace tandem {

// Dispatches to the parts; the decisions are theirs.
class Node::Parts {
 public:
  Parts(NodeOptions options, Instant now)
      : state(std::move(options), now),
        alternates(state),
        claims(state),
        requests(state, alternates, claims),
        meetings(state, alternates),
        swap(state, alternates, claims) {}

  void on(Instant now, ServerId from, const MirrorBatch& batch, PeerOutbox& out);
  void on(Instant now, ServerId from, const MirrorAck& ack);
  void on(Instant now, ServerId from, const MirrorRelease& release);
  // The time at which whatever follows happens.
  void at(Instant now) {
    last_seen = now;
    state.sender.at(now);
  }
  void apply(Instant now, ServerId from, const MirrorBatch& batch, Session& session);
  bool takes_copies(ServerId from) const;
  void expire(Instant now);
  std::optional<Epoch> noted(Instant now, SessionId session) const;
  bool overtaken(ServerId from, const MirrorRelease& release, const Session& session) const;
  // Work that cannot wait for an event.
  bool is_busy() const {
    return alternates.has_work() || meetings.has_work() || state.questions.has_work() ||
           state.mail.has_work() || state.promises.has_news();
  }

  NodeState state;
  Alternates alternates;
  Claims claims;
  Requests requests;
  Meetings meetings;
  Swap swap;
  Instant last_seen{};
  Status pushed;
};

std::optional<Epoch> Node::Parts::noted(Instant now, SessionId session) const {
  const ForwardingNote* note = state.notes.find(now, session);
  if (note == nullptr) return std::nullopt;
  return note->epoch;
}

void Node::Parts::on(Instant now, ServerId from, const MirrorBatch& batch, PeerOutbox& out) {
  Session* session = state.table.find(batch.session);
  const bool same_link = session != nullptr && session->fed_link == state.sender.link_number(from);
  // Of two that feed each other one yields.
  const bool orphan = session != nullptr && !state.feeder_lives(*session) &&
                      !(session->feeds(from) && state.self < from);
  BatchRuling ruling =
      rule_on_batch(from, batch, session, noted(now, batch.session), same_link, orphan);
  if (ruling.lost) {
    state.lose(now, *session, batch.epoch);
    session = nullptr;
  }
  if (ruling.answer == MirrorAck::Answer::kApplied && batch.primary == state.self) {
    // Nobody is the alternate of what is its own: who was primary, and has forgotten it, has its
    // clients come to the copy.
    ruling.answer = MirrorAck::Answer::kRefused;
    if (session != nullptr) state.lose(now, *session, batch.epoch);
    session = nullptr;
  }
  if (ruling.answer == MirrorAck::Answer::kApplied && session == nullptr) {
    if (!takes_copies(from) || state.table.to_displace(Role::kAlternate) != nullptr) {
      ruling.answer = MirrorAck::Answer::kRefused;
    } else {
      session = &state.create(now, batch.session, Role::kAlternate, batch.epoch);
    }
  }
  if (ruling.answer == MirrorAck::Answer::kApplied && !ruling.old) {
    apply(now, from, batch, *session);
  }
  if (ruling.answer == MirrorAck::Answer::kStale) ++state.counters.mirror_stale;
  if (session == nullptr) state.notes.put(now, batch.session, {ruling.epoch, ServerId{}});
  const MirrorAck answer{batch.session, ruling.epoch, batch.sequence, ruling.answer};
  if (ruling.answer == MirrorAck::Answer::kApplied) {
    state.wants.answer(from, answer, out);
  } else {
    out.send(from, answer);
  }
}

void Node::Parts::apply(Instant now, ServerId from, const MirrorBatch& batch, Session& session) {
  ++state.counters.mirror_batches_applied;
  state.table.use(now, session);
  session.epoch = batch.epoch;
  session.primary = batch.primary;
  session.formers = batch.formers;
  session.fed_by = from;
  session.fed_link = state.sender.link_number(from);
  session.expected = batch.sequence + 1;
  // A copy that is there is not given up for one that is on its way.
  if (batch.snapshot && batch.ends) {
    session.mirror.clear();
  } else if (batch.snapshot) {
    session.mirror.begin_snapshot();
  }
  for (const MirrorChange& change : batch.changes) {
    session.mirror.apply(change);
    state.pass_on_forgotten();
    if (!change.evicted) state.wants.mentioned(from, session.id, change.validator);
  }
  std::vector<MirrorChange> gone;
  if (batch.ends) gone = session.mirror.end_snapshot();
  session.whole = session.whole || batch.ends;
  state.promises.learn(now, from, batch);
  state.partners.update(session);
  if (session.stream.target && from == batch.primary && state.cluster.online(from)) {
    alternates.release_third(session);
  } else if (session.stream.target) {
    if (batch.snapshot) state.sender.restart(session);
    for (const MirrorChange& change : batch.changes) state.sender.changed(session, change);
    for (const MirrorChange& change : gone) state.sender.changed(session, change);
  } else {
    alternates.on_copy(now, session);
  }
}

void Node::Parts::on(Instant now, ServerId from, const MirrorAck& ack) {
  Session* session = state.table.find(ack.session);
  const bool current = state.sender.on_ack(session, from, ack);
  if (ack.answer == MirrorAck::Answer::kStale) {
    if (session == nullptr) return state.notes.put(now, ack.session, {ack.epoch, ServerId{}});
    if (ack.epoch > session->epoch) {
      state.lose(now, *session, ack.epoch);
    } else if (current && !session->serves()) {  // the primary itself feeds it
      alternates.release_third(*session);
    }
  } else if (session != nullptr && current && ack.answer == MirrorAck::Answer::kRefused) {
    alternates.on_refused(now, *session, from);
  } else if (session != nullptr && ack.answer == MirrorAck::Answer::kApplied) {
    // It may hold a copy that is no longer wanted: its release may have been overtaken.
    if (!session->feeds(from)) return state.unburden(from, *session);
    alternates.on_applied(*session);
  }
}

// A draining server takes no new copies, unless that leaves the session alone.
bool Node::Parts::takes_copies(ServerId from) const {
  if (!state.draining) return true;
  const auto& servers = state.cluster.view().servers;
  return std::none_of(servers.begin(), servers.end(), [&](const ServerRecord& server) {
    return server.id != from && server.id != state.self && server.takes_sessions();
  });
}

// Has the sender fed us anew since it wrote this?
bool Node::Parts::overtaken(ServerId from, const MirrorRelease& release,
                            const Session& session) const {
  return release.sequence != 0 && from == session.fed_by &&
         session.fed_link == state.sender.link_number(from) && session.expected > release.sequence;
}

void Node::Parts::on(Instant now, ServerId from, const MirrorRelease& release) {
  Session* session = state.table.find(release.session);
  if (session == nullptr) {
    return state.notes.put(now, release.session, {release.epoch, release.alternate});
  }
  if (session->epoch > release.epoch) return state.tell(from, *session);
  // Of our own epoch it ends a copy, if it comes from who feeds it and is of this stream.
  const bool ends_copy = !session->serves() && !overtaken(from, release, *session) &&
                         (from == session->fed_by || from == session->primary);
  if (session->epoch == release.epoch && !ends_copy) return;
  state.lose(now, *session, release.epoch);
  state.notes.put(now, release.session, {release.epoch, release.alternate});
}

void Node::Parts::expire(Instant now) {
  std::size_t steps = state.options.expiries_per_step;
  while (Session* session = state.table.expired(now, steps)) {
    const bool provisional = session->role == Role::kProvisional;
    ++(provisional ? state.counters.provisional_expired : state.counters.sessions_expired);
    state.drop(*session);
  }
  state.notes.expire(now, state.options.expiries_per_step);
}

Node::Node(NodeOptions options, Instant now)
    : parts_(std::make_unique<Parts>(std::move(options), now)) {
  parts_->at(now);
  parts_->state.cluster.set_own(parts_->state.status());
}

Node::~Node() = default;

Decision Node::on_request(Instant now, UnixSeconds wall, const RequestInfo& request) {
  parts_->at(now);
  return parts_->requests.decide(now, wall, request);
}

Comparison Node::on_retrieved(Instant now, const Retrieved& item) {
  parts_->at(now);
  return parts_->requests.compare_retrieved(now, item);
}

std::vector<SessionId> Node::take_settled() {
  std::vector<SessionId> settled = parts_->state.questions.take_settled();
  const std::vector<SessionId> swapped = parts_->swap.take_settled();
  settled.insert(settled.end(), swapped.begin(), swapped.end());
  return settled;
}

ValidationAnswer Node::on_validation(Instant now, const ValidationQuery& query,
                                     const ValidationRequest& request) {
  parts_->last_seen = now;
  return parts_->requests.validate_cache(now, query, request);
}

Freshness& Node::freshness() { return parts_->state.freshness; }

ContentStore& Node::contents() { return parts_->state.pool.contents; }

void Node::on_request_end(SessionId id) {
  Session* session = parts_->state.table.find(id);
  if (session != nullptr && session->requests > 0) --session->requests;
}

std::optional<SessionToken> Node::token_to_set(UnixSeconds wall, const SessionToken& request) {
  return parts_->requests.token_to_set(wall, request);
}

void Node::on_peer_connected(Instant now, ServerId peer, std::uint64_t incarnation,
                             PeerOutbox& out) {
  using Tie = Partners::Tie;
  if (peer == self()) return;
  NodeState& state = parts_->state;
  parts_->at(now);
  state.promises.link_up(now, peer);
  state.sender.link_up(peer);
  state.sender.hold(peer);
  state.wants.link_up(peer);
  parts_->alternates.on_link_up(peer);
  state.questions.on_link_up(peer);
  for (const Tie tie : {Tie::kAlternate, Tie::kThird, Tie::kRetiring}) {
    for (const SessionId id : state.partners.of(tie, peer)) {
      state.sender.restart(*state.table.find(id), peer);
    }
  }
  parts_->meetings.on_link_up(peer);
  const auto known = state.incarnations.try_emplace(peer, incarnation).first;
  if (std::exchange(known->second, incarnation) != incarnation) {
    state.note_fresh(peer);
    parts_->alternates.on_fresh(now, peer);
  }
  flush(now, out);
}

void Node::on_peer_disconnected(Instant now, ServerId peer, PeerOutbox& out) {
  NodeState& state = parts_->state;
  parts_->at(now);
  state.promises.link_down(peer);
  state.sender.link_down(peer);
  state.mail.link_down(peer);
  state.questions.on_link_down(peer);
  state.wants.link_down(peer);
  parts_->alternates.on_link_down(now, peer);
  parts_->swap.on_link_down(peer);
  parts_->meetings.on_link_down(peer, state.sender.links() == 0);
  flush(now, out);
}

void Node::on_message(Instant now, ServerId from, const Message& message, PeerOutbox& out) {
  parts_->at(now);
  if (!parts_->state.sender.linked(from)) return;
  if (const auto* batch = std::get_if<MirrorBatch>(&message)) {
    parts_->on(now, from, *batch, out);
  } else if (const auto* ack = std::get_if<MirrorAck>(&message)) {
    parts_->on(now, from, *ack);
  } else if (const auto* news = std::get_if<PromiseNews>(&message)) {
    parts_->state.promises.on_news(now, from, *news);
  } else if (const auto* want = std::get_if<MirrorWant>(&message)) {
    parts_->state.sender.on_want(from, *want);
  } else if (const auto* contents = std::get_if<MirrorContents>(&message)) {
    parts_->state.wants.on_contents(from, *contents);
  } else if (const auto* release = std::get_if<MirrorRelease>(&message)) {
    if (release->number != 0) out.send(from, MailAck{release->number});
    parts_->on(now, from, *release);
  } else if (const auto* exchange = std::get_if<SessionExchange>(&message)) {
    if (exchange->number != 0) out.send(from, MailAck{exchange->number});
    parts_->meetings.on_exchange(now, from, *exchange);
  } else if (const auto* digest = std::get_if<SessionDigest>(&message)) {
    if (digest->number != 0) out.send(from, MailAck{digest->number});
    parts_->meetings.on_digest(now, from, *digest);
  } else if (const auto* read = std::get_if<MailAck>(&message)) {
    const auto told = parts_->state.mail.on_ack(from, read->number);
    if (told) parts_->meetings.on_told(from, *told);
  } else if (const auto* where = std::get_if<WhereIs>(&message)) {
    ++parts_->state.counters.questions_answered;
    out.send(from, parts_->requests.answer(now, where->session));
  } else if (const auto* answer = std::get_if<WhereAnswer>(&message)) {
    parts_->state.questions.on_answer(from, *answer);
  } else if (const auto* command = std::get_if<SwapCommand>(&message)) {
    parts_->swap.on_command(now, from, *command, out);
  } else if (const auto* taken = std::get_if<SwapAnswer>(&message)) {
    parts_->swap.on_answer(now, from, *taken);
  }
}

void Node::on_view(Instant now, const ViewPtr& view, PeerOutbox& out) {
  NodeState& state = parts_->state;
  parts_->at(now);
  const bool thought_dead_before = state.cluster.thought_dead();
  state.cluster.apply(*view);
  state.cluster.set_own(state.status());
  parts_->alternates.on_cluster(now);
  state.questions.release();
  parts_->swap.on_cluster(now);
  if (state.cluster.thought_dead() && !thought_dead_before) {
    parts_->meetings.on_thought_dead();
  }
  flush(now, out);
}

void Node::on_status(Instant now, const StatusUpdate& update) {
  parts_->at(now);
  parts_->state.cluster.apply(update);
  parts_->alternates.on_cluster(now);
  parts_->swap.on_cluster(now);
}

void Node::set_draining(bool draining) {
  parts_->state.draining = draining;
  parts_->state.sender.hurry_all(draining);
}

bool Node::drained() const { return parts_->state.draining && !parts_->swap.can_drain(); }

void Node::set_limits(std::uint32_t capacity, std::uint32_t threshold) {
  parts_->state.options.capacity = capacity;
  parts_->state.options.threshold = threshold;
}

bool Node::holds_copies_for_others() const {
  const NodeState& state = parts_->state;
  if (!state.draining || state.table.count(Role::kAlternate) == 0) return false;
  const auto& servers = state.cluster.view().servers;
  return std::count_if(servers.begin(), servers.end(), [&](const ServerRecord& server) {
           return server.id != state.self && server.takes_sessions();
         }) >= 2;
}

Status Node::next_status() {
  ++parts_->state.status_sequence;
  parts_->pushed = parts_->state.full_status();
  return parts_->pushed;
}

bool Node::status_is_urgent() const {
  const Status now = parts_->state.status();
  const Status& then = parts_->pushed;
  return over_threshold(now) != over_threshold(then) || at_capacity(now) != at_capacity(then) ||
         now.draining != then.draining || now.capacity != then.capacity ||
         now.threshold != then.threshold ||
         (now.draining && now.primaries == 0 && then.primaries > 0);
}

void Node::on_deadline(Instant now, PeerOutbox& out) {
  parts_->at(now);
  parts_->expire(now);
  flush(now, out);
}

Instant Node::next_deadline() const {
  if (parts_->is_busy()) return parts_->last_seen;
  const NodeState& state = parts_->state;
  return std::min({state.table.next_expiry(), state.notes.next_expiry(),
                   state.questions.next_deadline(), parts_->alternates.next_deadline(),
                   parts_->swap.next_deadline(), parts_->claims.next_deadline(),
                   state.mail.next_deadline(), state.sender.next_deadline(),
                   state.wants.next_deadline(), state.promises.next_deadline()});
}

void Node::flush(Instant now, PeerOutbox& out) {
  NodeState& state = parts_->state;
  parts_->at(now);
  state.questions.step(now);
  parts_->alternates.step(now);
  parts_->claims.step(now);
  parts_->meetings.step();
  parts_->swap.step(now, out);
  for (const ServerId peer : state.promises.take_ready(now)) state.sender.release(peer);
  state.promises.flush(now, out);
  const auto linked = [&state](ServerId peer) { return state.sender.linked(peer); };
  if (!state.questions.drain(linked, out) || !state.mail.drain(now, linked, out)) return;
  state.wants.flush(now, out);
  state.sender.flush(
      now, [&state](SessionId id) { return state.table.find(id); }, out);
}

ServerId Node::self() const { return parts_->state.self; }
Status Node::status() const { return parts_->state.full_status(); }
Backing Node::backing() const { return parts_->state.backing(); }
const NodeCounters& Node::counters() const { return parts_->state.counters; }

NodeGauges Node::gauges() const {
  const NodeState& state = parts_->state;
  std::size_t retiring = 0;
  for (const auto& [holder, count] : state.partners.shares(Partners::Tie::kRetiring)) {
    retiring += count;
  }
  NodeGauges gauges{
      .sessions_primary = state.table.count(Role::kPrimary),
      .sessions_alternate = state.table.count(Role::kAlternate),
      .sessions_provisional = state.table.count(Role::kProvisional),
      .sessions_alone = state.partners.of(Partners::Tie::kAlternate, ServerId{}).size(),
      .copies_retiring = retiring,
      .copies_unfed = 0,
      .notes = state.notes.size(),
      .questions = state.questions.size(),
      .links = state.sender.links(),
      .mirror_entries = state.pool.entries,
      .mirror_bytes = state.pool.bytes(),
      .mirror_dropped = state.pool.dropped,
      .contents = state.pool.contents.size(),
      .content_bytes = state.pool.contents.bytes(),
      .fresh_items = state.freshness.size(),
      .lag_sessions = 0,
      .lag_batches = state.sender.batches_in_flight(),
      .lag_items = state.sender.changes_in_flight(),
      .lag_bytes = state.sender.bytes_in_flight() + state.sender.content_bytes_waiting(),
      .lag_since = state.sender.oldest_in_flight(),
      .in_flight_bytes = state.sender.bytes_in_flight(),
      .contents_owed = state.sender.contents_waiting(),
      .contents_awaited = state.wants.awaited(),
      .sessions_lacking = state.wants.lacking(),
      .swaps_in_flight = parts_->swap.in_flight(),
      .rebalancing = parts_->swap.rebalancing()};
  state.table.for_each([&](const Session& session) {
    const MirrorStream& stream = session.stream;
    if (!session.serves() && !stream.complete() && !state.is_fed(session)) ++gauges.copies_unfed;
    if (!stream.target || stream.complete()) return;
    const std::size_t items =
        stream.wants_snapshot ? session.mirror.size() : stream.backlog.size() - stream.taken;
    ++gauges.lag_sessions;
    gauges.lag_items += items;
    gauges.lag_bytes += MirrorSender::kChangeBytes * items;
    gauges.lag_since = std::min(gauges.lag_since, stream.since);
  });
  return gauges;
}

SessionAccount Node::account(Instant now, const SessionQuery& query) const {
  return account_of(parts_->state, now, query);
}

std::optional<SessionReport> Node::report(SessionId id) const {
  const Session* session = parts_->state.table.find(id);
  if (session == nullptr) return std::nullopt;
  return SessionReport{.role = session->role,
                       .epoch = session->epoch,
                       .primary = session->primary,
                       .alternate = session->best_stream().target,
                       .copy_complete = session->best_stream().complete(),
                       .fed_by = session->fed_by,
                       .lacks_contents = parts_->state.wants.lacks(id),
                       .mirror_entries = session->mirror.size(),
                       .digest = session->mirror.digest()};
}

}  // namespace tandem
