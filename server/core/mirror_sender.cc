#include "server/core/mirror_sender.h"

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

constexpr unsigned kDoublingsMax = 3;  // of resend_after

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

void MirrorSender::link_up(ServerId peer) {
  Link& link = links_[peer];
  const std::uint64_t number = link.number + 1;
  link = Link{};
  link.up = true;
  link.number = number;
  note_readiness(peer, link);
}

void MirrorSender::hold(ServerId peer) {
  Link& link = links_[peer];
  link.held = true;
  note_readiness(peer, link);
}

void MirrorSender::release(ServerId peer) {
  Link* link = link_of(peer);
  if (link == nullptr) return;
  link->held = false;
  note_readiness(peer, *link);
}

void MirrorSender::link_down(ServerId peer) {
  const auto found = links_.find(peer);
  if (found == links_.end()) return;
  const std::uint64_t number = found->second.number;
  found->second = Link{};
  found->second.number = number;
  note_readiness(peer, found->second);
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
  session.stream.since = now_;
  queue(session.id, session.stream);
}

void MirrorSender::open_beside(Session& session, ServerId target) {
  session.retiring = std::make_unique<MirrorStream>(std::move(session.stream));
  open(session, target);
}

void MirrorSender::end_retiring(Session& session) {
  if (!session.retiring) return;
  reset(*session.retiring, ServerId{});
  session.retiring.reset();
}

void MirrorSender::take_back(Session& session) {
  reset(session.stream, ServerId{});
  session.stream = std::move(*session.retiring);
  session.retiring.reset();
}

void MirrorSender::restart(Session& session, ServerId peer) {
  if (MirrorStream* stream = session.stream_to(peer)) restart(session.id, *stream);
}

void MirrorSender::restart(Session& session) {
  restart(session.id, session.stream);
  if (session.retiring) restart(session.id, *session.retiring);
}

void MirrorSender::restart(SessionId id, MirrorStream& stream) {
  reset(stream, stream.target);
  stream.since = now_;
  queue(id, stream);
}

void MirrorSender::adopt(Session& session, ServerId target) {
  reset(session.stream, target);
  session.stream.wants_snapshot = false;
  session.stream.whole_at = session.stream.acknowledged;
  announce(session.id, session.stream);
}

void MirrorSender::close(Session& session) {
  end_retiring(session);
  reset(session.stream, ServerId{});
}

std::uint64_t MirrorSender::next_number(const Session& session) const {
  const std::uint64_t next = std::max(session.stream.next, next_unused_);
  return session.retiring ? std::max(session.retiring->next, next) : next;
}

void MirrorSender::changed(Session& session, const MirrorChange& change) {
  changed(session, session.stream, change);
  if (session.retiring) changed(session, *session.retiring, change);
}

void MirrorSender::changed(const Session& session, MirrorStream& stream,
                           const MirrorChange& change) {
  if (!stream.target) return;
  if (stream.since == kNever) stream.since = now_;
  if (stream.wants_snapshot) return;
  if (stream.backlog.size() - stream.taken >=
      pool_.options.backlog_changes_max + session.mirror.size()) {
    stream.backlog.clear();
    stream.taken = 0;
    stream.wants_snapshot = true;
  } else {
    stream.backlog.push_back(change);
  }
  queue(session.id, stream);
}

void MirrorSender::announce(Session& session) {
  announce(session.id, session.stream);
  if (session.retiring) announce(session.id, *session.retiring);
}

void MirrorSender::announce(SessionId id, MirrorStream& stream) {
  if (!stream.target) return;
  stream.announces = true;
  queue(id, stream);
}

// Its place among the ordinary turns, if it has one, comes to nothing.
void MirrorSender::hurry(Session& session) {
  MirrorStream& stream = session.stream;
  if (!stream.target || stream.complete() || std::exchange(stream.urgent, true)) return;
  if (std::exchange(stream.queued, false)) queue(session.id, stream);
}

bool MirrorSender::on_ack(Session* session, ServerId from, const MirrorAck& ack) {
  Link* link = link_of(from);
  if (link == nullptr) return false;
  settle(*link, ack);
  note_readiness(from, *link);
  if (session == nullptr) return false;
  MirrorStream* stream = session->stream_to(from);
  const bool of_this_stream =
      stream != nullptr && ack.sequence >= stream->first && ack.sequence < stream->next;
  if (!of_this_stream) return false;
  if (ack.answer == MirrorAck::Answer::kApplied) {
    stream->acknowledged = std::max(stream->acknowledged, ack.sequence);
  }
  if (stream->complete()) stream->urgent = false;
  if (ack.answer == MirrorAck::Answer::kWantSnapshot) {
    ++counters_.mirror_gaps;
    restart(session->id, *stream);
  }
  return true;
}

// The batch is no longer in flight, nor are those before it of the same session. Answers come in
// order, nearly always: then it is in front.
void MirrorSender::settle(Link& link, const MirrorAck& ack) {
  link.doublings = 0;
  const auto settled = [&ack](const InFlight& batch) {
    return batch.session == ack.session && batch.sequence <= ack.sequence;
  };
  if (!link.in_flight.empty() && settled(link.in_flight.front()) &&
      link.in_flight.front().sequence == ack.sequence) {
    link.bytes -= link.in_flight.front().bytes;
    link.in_flight.pop_front();
    return;
  }
  std::erase_if(link.in_flight, [&](const InFlight& batch) {
    if (!settled(batch)) return false;
    link.bytes -= batch.bytes;
    return true;
  });
}

void MirrorSender::take_for_lost(const Find& find) {
  for (auto& [peer, link] : links_) {
    if (lost_at(link) > now_) continue;
    std::set<SessionId> concerned;
    for (; lost_at(link) <= now_; link.in_flight.pop_front()) {
      const InFlight& batch = link.in_flight.front();
      ++counters_.batches_unanswered;
      concerned.insert(batch.session);
      link.bytes -= batch.bytes;
    }
    link.doublings = std::min(link.doublings + 1, kDoublingsMax);
    for (const SessionId id : concerned) {
      Session* session = find(id);
      MirrorStream* stream = session == nullptr ? nullptr : session->stream_to(peer);
      if (stream != nullptr && !stream->complete()) announce(id, *stream);
    }
    note_readiness(peer, link);
  }
}

// When the batch that has been in flight for the longest time is taken for lost.
Instant MirrorSender::lost_at(const Link& link) const {
  if (link.in_flight.empty()) return kNever;
  return std::max(link.in_flight.front().sent, link.asked) + resend_after_ * (1U << link.doublings);
}

Instant MirrorSender::next_deadline() const {
  Instant next = next_round();
  for (const auto& [peer, link] : links_) next = std::min(next, lost_at(link));
  return next;
}

void MirrorSender::on_want(ServerId from, const MirrorWant& want) {
  Link* link = link_of(from);
  if (link == nullptr) return;
  link->asked = now_;
  link->question = want.number;
  link->wanted.assign(want.validators.begin(), want.validators.end());
  link->answering = true;
  note_readiness(from, *link);
}

void MirrorSender::flush(Instant now, const Find& find, Outbox<Message>& out) {
  at(now);
  take_for_lost(find);
  send_hurried(find, out);
  if (now_ < next_round()) return;
  Room room{pool_.options.round_batches_max, pool_.options.round_bytes_max};
  last_round_ = now_;
  send_batches(find, room, out);
  send_contents(room, out);
  cut_short_ = !ready_.empty();
}

Instant MirrorSender::next_round() const {
  if (ready_.empty()) return kNever;
  bool full = cut_short_;
  std::size_t waiting = 0;
  for (const ServerId peer : ready_) {
    const Link& link = links_.at(peer);
    if (hurries(link)) return now_;
    full = full || link.answering;
    waiting += link.turns.size();
  }
  full = full || waiting >= pool_.options.round_full;
  return last_round_ + (full ? pool_.options.round : pool_.options.delay_max);
}

void MirrorSender::send_hurried(const Find& find, Outbox<Message>& out) {
  for (const ServerId peer : std::vector<ServerId>(ready_.begin(), ready_.end())) {
    Link& link = links_.at(peer);
    while (hurries(link) && out.room() > 0) send_batch(peer, link, link.hurried, find, out);
    note_readiness(peer, link);
  }
}

// Every link sends one batch, then the next lap: no link starves another of room.
void MirrorSender::send_batches(const Find& find, Room& room, Outbox<Message>& out) {
  for (bool more = true; more;) {
    more = false;
    for (const ServerId peer : std::vector<ServerId>(ready_.begin(), ready_.end())) {
      if (out.room() == 0 || room.batches == 0 || room.bytes == 0) return;
      Link& link = links_.at(peer);
      if (link.turns.empty() || !window_open(link)) continue;
      const std::uint64_t bytes = send_batch(peer, link, link.turns, find, out);
      room.bytes -= std::min(room.bytes, bytes);
      if (bytes > 0) --room.batches;
      note_readiness(peer, link);
      more = true;
    }
  }
}

// The bytes of the batch; 0: the turn had come to nothing.
std::uint64_t MirrorSender::send_batch(ServerId peer, Link& link, std::deque<SessionId>& turns,
                                       const Find& find, Outbox<Message>& out) {
  const SessionId id = turns.front();
  turns.pop_front();
  Session* session = find(id);
  MirrorStream* stream = session == nullptr ? nullptr : session->stream_to(peer);
  if (stream == nullptr || !std::exchange(stream->queued, false)) return 0;
  if (!has_something(*stream)) return 0;
  const Instant since = stream->since;
  MirrorBatch batch = next_batch(*session, *stream);
  promises_.stamp(now_, peer, batch);
  const std::size_t changes = batch.changes.size();
  const std::uint64_t bytes = kBatchBytes + kChangeBytes * changes;
  link.in_flight.push_back({id, batch.sequence, bytes, changes, since, now_});
  link.bytes += bytes;
  out.send(peer, std::move(batch));
  if (has_something(*stream)) queue(id, *stream);
  return bytes;
}

void MirrorSender::send_contents(Room& room, Outbox<Message>& out) {
  for (bool more = true; more;) {
    more = false;
    for (const ServerId peer : std::vector<ServerId>(ready_.begin(), ready_.end())) {
      Link& link = links_.at(peer);
      if (!link.answering) continue;
      if (out.room() == 0 || room.bytes == 0) return;
      std::uint64_t bytes = 0;
      link.asked = now_;
      out.send(peer, next_contents(link, bytes));
      room.bytes -= std::min(room.bytes, bytes);
      note_readiness(peer, link);
      more = true;
    }
  }
}

// As many as fit a batch; a larger one goes alone.
MirrorContents MirrorSender::next_contents(Link& link, std::uint64_t& bytes) {
  MirrorContents answer{.number = link.question, .contents = {}, .last = false};
  for (; !link.wanted.empty(); link.wanted.pop_front()) {
    const Validator& validator = link.wanted.front();
    const ContentStore::Bytes content = pool_.contents.find(validator);
    if (content == nullptr || content->size() > pool_.options.content_sent_max) continue;
    if (bytes > 0 && bytes + content->size() > pool_.options.batch_bytes_max) break;
    bytes += content->size() + kContentBytes;
    ++counters_.mirror_contents_sent;
    counters_.mirror_content_bytes_sent += content->size();
    answer.contents.push_back({validator, content});
  }
  answer.last = link.wanted.empty();
  link.answering = !answer.last;
  return answer;
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

std::size_t MirrorSender::changes_in_flight() const {
  std::size_t sum = 0;
  for (const auto& [peer, link] : links_) {
    for (const InFlight& batch : link.in_flight) sum += batch.changes;
  }
  return sum;
}

std::uint64_t MirrorSender::bytes_in_flight() const {
  std::uint64_t sum = 0;
  for (const auto& [peer, link] : links_) sum += link.bytes;
  return sum;
}

std::size_t MirrorSender::contents_waiting() const {
  std::size_t sum = 0;
  for (const auto& [peer, link] : links_) sum += link.wanted.size();
  return sum;
}

std::uint64_t MirrorSender::content_bytes_waiting() const {
  std::uint64_t sum = 0;
  for (const auto& [peer, link] : links_) {
    for (const Validator& validator : link.wanted) sum += validator.length;
  }
  return sum;
}

Instant MirrorSender::oldest_in_flight() const {
  Instant oldest = kNever;
  for (const auto& [peer, link] : links_) {
    for (const InFlight& batch : link.in_flight) oldest = std::min(oldest, batch.since);
  }
  return oldest;
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
void MirrorSender::queue(SessionId id, MirrorStream& stream) {
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
  (hurries_all_ || stream.urgent ? link->hurried : link->turns).push_back(id);
  note_readiness(stream.target, *link);
}

void MirrorSender::note_readiness(ServerId peer, const Link& link) {
  if (link.up && !link.held && has_work(link)) {
    ready_.insert(peer);
  } else {
    ready_.erase(peer);
  }
}

bool MirrorSender::has_work(const Link& link) const {
  const bool batches = !link.turns.empty() || !link.hurried.empty();
  return link.answering || (batches && window_open(link));
}

bool MirrorSender::window_open(const Link& link) const {
  return link.in_flight.size() < pool_.options.window_batches_max &&
         link.bytes < pool_.options.window_bytes_max;
}

MirrorBatch MirrorSender::next_batch(const Session& session, MirrorStream& stream) {
  MirrorBatch batch{.session = session.id,
                    .epoch = session.epoch,
                    .primary = session.primary,
                    .formers = session.formers,
                    .sequence = stream.next++,
                    .snapshot = stream.wants_snapshot,
                    .ends = false,
                    .urgent = hurries_all_ || stream.urgent,
                    .changes = {}};
  if (stream.wants_snapshot) {
    stream.backlog = session.mirror.snapshot();
    stream.taken = 0;
    stream.first = batch.sequence;
    stream.whole_at = MirrorStream::kNotSent;
    stream.wants_snapshot = false;
    ++counters_.mirror_snapshots_sent;
  }
  stream.announces = false;
  const std::size_t count =
      std::min(stream.backlog.size() - stream.taken, pool_.options.batch_changes_max);
  const auto from = stream.backlog.begin() + static_cast<std::ptrdiff_t>(stream.taken);
  batch.changes.assign(from, from + static_cast<std::ptrdiff_t>(count));
  stream.taken += count;
  if (stream.taken == stream.backlog.size()) {
    stream.backlog = {};
    stream.taken = 0;
    stream.since = kNever;
    if (stream.whole_at == MirrorStream::kNotSent) {
      stream.whole_at = batch.sequence;
      batch.ends = true;
    }
  }
  ++counters_.mirror_batches_sent;
  counters_.mirror_items_sent += count;
  return batch;
}

}  // namespace tandem
