#include "server/core/mirror_sender.h"

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

constexpr std::uint64_t kBatchOverheadBytes = 64;
constexpr std::uint64_t kChangeBytes = 64;
constexpr unsigned kDoublingsMax = 3;

bool has_something(const MirrorStream& stream) {
  return stream.wants_snapshot || stream.announces || !stream.backlog.empty();
}

}  // namespace

// A later stream has greater numbers, even if the session was forgotten in between: what was under
// way of an earlier one is told from it.
void MirrorSender::reset(MirrorStream& stream, ServerId target) {
  const std::uint64_t next = next_unused_ = std::max(stream.next, next_unused_);
  stream = MirrorStream{};
  stream.target = target;
  stream.first = stream.next = next;
  stream.acknowledged = next - 1;
  stream.wants_snapshot = static_cast<bool>(target);
}

void MirrorSender::link_up(ServerId peer, std::uint64_t incarnation) {
  Link& link = links_[peer];
  Known known;
  if (link.incarnation == incarnation) known = std::move(link.known);
  const std::uint64_t number = link.number + 1;
  link = Link{};
  link.up = true;
  link.number = number;
  link.incarnation = incarnation;
  link.known = std::move(known);
  note_readiness(peer, link);
}

void MirrorSender::link_down(ServerId peer) {
  const auto found = links_.find(peer);
  if (found == links_.end()) return;
  Link& link = found->second;
  link.up = false;
  link.turns.clear();
  for (const InFlight& batch : link.in_flight) forget(link.known, batch.contents);
  link.in_flight.clear();
  link.bytes = 0;
  note_readiness(peer, link);
}

bool MirrorSender::linked(ServerId peer) const {
  const auto found = links_.find(peer);
  return found != links_.end() && found->second.up;
}

std::uint64_t MirrorSender::link_number(ServerId peer) const {
  const auto found = links_.find(peer);
  return found == links_.end() ? 0 : found->second.number;
}

void MirrorSender::open(Session& session, ServerId target) {
  reset(session.stream, target);
  queue(session);
}

void MirrorSender::close(Session& session) { reset(session.stream, ServerId{}); }

void MirrorSender::changed(Session& session, const MirrorChange& change) {
  MirrorStream& stream = session.stream;
  if (!stream.target || stream.wants_snapshot) return;
  if (stream.backlog.size() - stream.taken >=
      pool_.options.backlog_changes_max + session.mirror.size()) {
    stream.backlog.clear();
    stream.taken = 0;
    stream.wants_snapshot = true;
  } else {
    stream.backlog.push_back(change);
  }
  queue(session);
}

void MirrorSender::announce(Session& session) {
  if (!session.stream.target) return;
  session.stream.announces = true;
  queue(session);
}

bool MirrorSender::on_ack(Session* session, ServerId from, const MirrorAck& ack) {
  Link* link = link_of(from);
  if (link == nullptr) return false;
  settle(*link, ack);
  note_readiness(from, *link);
  if (session == nullptr) return false;
  MirrorStream& stream = session->stream;
  const bool of_this_stream =
      stream.target == from && ack.sequence >= stream.first && ack.sequence < stream.next;
  if (!of_this_stream) return false;
  if (ack.answer == MirrorAck::Answer::kApplied) {
    stream.acknowledged = std::max(stream.acknowledged, ack.sequence);
  }
  if (ack.answer == MirrorAck::Answer::kWantSnapshot) {
    ++counters_.mirror_gaps;
    open(*session, from);
  }
  return true;
}

// The batch is no longer in flight, nor are those before it of the same session. Contents arrived
// for certain only with the batch itself, and only if it was applied.
void MirrorSender::settle(Link& link, const MirrorAck& ack) {
  link.doublings = 0;
  std::erase_if(link.in_flight, [&](const InFlight& batch) {
    if (batch.session != ack.session || batch.sequence > ack.sequence) return false;
    const bool applied =
        batch.sequence == ack.sequence && ack.answer == MirrorAck::Answer::kApplied;
    if (!applied) forget(link.known, batch.contents);
    link.bytes -= batch.bytes;
    return true;
  });
}

void MirrorSender::take_for_lost(Instant now, const Find& find) {
  for (auto& [peer, link] : links_) {
    if (link.in_flight.empty() || link.in_flight.front().sent + patience(link) > now) continue;
    std::set<SessionId> concerned;
    while (!link.in_flight.empty() && link.in_flight.front().sent + patience(link) <= now) {
      InFlight& batch = link.in_flight.front();
      ++counters_.batches_unanswered;
      concerned.insert(batch.session);
      forget(link.known, batch.contents);
      link.bytes -= batch.bytes;
      link.in_flight.pop_front();
    }
    link.doublings = std::min(link.doublings + 1, kDoublingsMax);
    for (const SessionId id : concerned) {
      Session* session = find(id);
      if (session != nullptr && session->stream.target == peer && !session->stream.complete()) {
        announce(*session);
      }
    }
    note_readiness(peer, link);
  }
}

Instant MirrorSender::next_deadline() const {
  Instant next = kNever;
  for (const auto& [peer, link] : links_) {
    if (!link.in_flight.empty())
      next = std::min(next, link.in_flight.front().sent + patience(link));
  }
  return next;
}

void MirrorSender::flush(Instant now, const Find& find, Outbox<Message>& out) {
  take_for_lost(now, find);
  // Every link sends one batch, then the next round: no link starves another of room.
  while (!ready_.empty() && out.room() > 0) {
    const std::vector<ServerId> round(ready_.begin(), ready_.end());
    for (const ServerId peer : round) {
      if (out.room() == 0) return;
      Link& link = links_.at(peer);
      const SessionId id = link.turns.front();
      link.turns.pop_front();
      Session* session = find(id);
      if (session != nullptr && session->stream.target == peer && session->stream.queued) {
        session->stream.queued = false;
        if (has_something(session->stream)) {
          std::uint64_t bytes = kBatchOverheadBytes;
          MirrorBatch batch = next_batch(*session, link, bytes);
          std::vector<Validator> contents;
          for (const Content& content : batch.contents) contents.push_back(content.validator);
          link.in_flight.push_back({id, batch.sequence, bytes, now, std::move(contents)});
          link.bytes += bytes;
          out.send(peer, std::move(batch));
          if (has_something(session->stream)) queue(*session);
        }
      }
      note_readiness(peer, link);
    }
  }
}

std::size_t MirrorSender::links() const {
  return static_cast<std::size_t>(std::count_if(links_.begin(), links_.end(),
                                                [](const auto& entry) { return entry.second.up; }));
}

std::size_t MirrorSender::batches_in_flight() const {
  std::size_t sum = 0;
  for (const auto& [peer, link] : links_) sum += link.in_flight.size();
  return sum;
}

std::uint64_t MirrorSender::bytes_in_flight() const {
  std::uint64_t sum = 0;
  for (const auto& [peer, link] : links_) sum += link.bytes;
  return sum;
}

MirrorSender::Link* MirrorSender::link_of(ServerId peer) {
  const auto found = links_.find(peer);
  return found == links_.end() || !found->second.up ? nullptr : &found->second;
}

std::vector<ServerId> MirrorSender::linked_peers() const {
  std::vector<ServerId> peers;
  for (const auto& [peer, link] : links_) {
    if (link.up) peers.push_back(peer);
  }
  return peers;
}

// A session has one place at most among the turns of its link; without a link it has none, and the
// stream is opened again when the link is up.
void MirrorSender::queue(Session& session) {
  MirrorStream& stream = session.stream;
  Link* link = link_of(stream.target);
  if (link == nullptr) {
    stream.queued = false;
    stream.backlog.clear();
    stream.taken = 0;
    stream.wants_snapshot = static_cast<bool>(stream.target);
    return;
  }
  if (stream.queued) return;
  stream.queued = true;
  link->turns.push_back(session.id);
  note_readiness(stream.target, *link);
}

void MirrorSender::note_readiness(ServerId peer, const Link& link) {
  if (link.up && !link.turns.empty() && window_open(link)) {
    ready_.insert(peer);
  } else {
    ready_.erase(peer);
  }
}

bool MirrorSender::window_open(const Link& link) const {
  return link.in_flight.size() < pool_.options.window_batches_max &&
         link.bytes < pool_.options.window_bytes_max;
}

MirrorBatch MirrorSender::next_batch(Session& session, Link& link, std::uint64_t& bytes) {
  MirrorStream& stream = session.stream;
  MirrorBatch batch{.session = session.id,
                    .epoch = session.epoch,
                    .primary = session.primary,
                    .formers = session.formers,
                    .sequence = stream.next++,
                    .snapshot = stream.wants_snapshot,
                    .changes = {},
                    .contents = {}};
  if (stream.wants_snapshot) {
    stream.backlog = session.mirror.snapshot();
    stream.taken = 0;
    stream.first = batch.sequence;
    stream.wants_snapshot = false;
    ++counters_.mirror_snapshots_sent;
  }
  stream.announces = false;
  while (stream.taken < stream.backlog.size() &&
         batch.changes.size() < pool_.options.batch_changes_max) {
    const MirrorChange& change = stream.backlog[stream.taken];
    if (!change.evicted && !add_content(change.validator, link, batch, bytes)) break;
    batch.changes.push_back(change);
    bytes += kChangeBytes;
    ++stream.taken;
  }
  if (stream.taken == stream.backlog.size()) {
    stream.backlog = {};
    stream.taken = 0;
  }
  ++counters_.mirror_batches_sent;
  return batch;
}

// The content goes along if the peer needs it and it fits. False: not in this batch, the next one.
bool MirrorSender::add_content(const Validator& validator, Link& link, MirrorBatch& batch,
                               std::uint64_t& bytes) {
  if (link.known.index.count(validator) != 0) return true;
  const ContentStore::Bytes content = pool_.contents.find(validator);
  if (content == nullptr || content->size() > pool_.options.content_sent_max) return true;
  if (!batch.contents.empty() && bytes + content->size() > pool_.options.batch_bytes_max) {
    return false;
  }
  bytes += content->size();
  remember(link.known, validator);
  ++counters_.mirror_contents_sent;
  counters_.mirror_content_bytes_sent += content->size();
  batch.contents.push_back({validator, content});
  return true;
}

void MirrorSender::remember(Known& known, const Validator& validator) {
  if (pool_.options.peer_contents_max == 0) return;
  if (known.index.size() >= pool_.options.peer_contents_max) {
    known.index.erase(known.ages.front());
    known.ages.pop_front();
  }
  known.ages.push_back(validator);
  known.index.emplace(validator, std::prev(known.ages.end()));
}

void MirrorSender::forget(Known& known, const std::vector<Validator>& contents) {
  for (const Validator& validator : contents) {
    const auto found = known.index.find(validator);
    if (found == known.index.end()) continue;
    known.ages.erase(found->second);
    known.index.erase(found);
  }
}

}  // namespace tandem
