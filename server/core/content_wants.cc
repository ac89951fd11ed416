#include "server/core/content_wants.h"

#include <algorithm>
#include <utility>

namespace tandem {

void ContentWants::link_up(ServerId peer) {
  link_down(peer);
  peers_[peer];
}

// Nothing of a former link is answered on a later one.
void ContentWants::link_down(ServerId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  const Peer peer = std::move(found->second);
  peers_.erase(found);
  counters_.mirror_contents_given_up += peer.asked.size();
  for (const Validator& validator : peer.asked) fail(id, validator);
  for (const auto& [session, queue] : peer.queues) {
    counters_.mirror_contents_given_up += queue.size();
    for (const Validator& validator : queue) fail(id, validator);
  }
  for (auto& [session, lacking] : lacking_) {
    if (lacking.answer && lacking.answer->first == id) lacking.answer.reset();
  }
  std::erase_if(answers_, [id](const auto& answer) { return answer.first == id; });
}

void ContentWants::mentioned(ServerId id, SessionId session, const Validator& validator) {
  const MirrorOptions& options = pool_.options;
  if (validator.length > options.content_sent_max || !pool_.contents.would_keep(validator)) return;
  const auto peer = peers_.find(id);
  if (peer == peers_.end()) return;
  auto awaited = awaited_.find(validator);
  if (awaited == awaited_.end()) {
    if (pool_.contents.find(validator) != nullptr) return;
    if (!has_room(awaited_.size(), options.awaited_max, session) ||
        !has_room(waiters_, options.waiters_max, session)) {
      ++counters_.mirror_contents_given_up;
      return;
    }
    awaited = awaited_.try_emplace(validator).first;
    queue(peer->second, session, validator);
  }
  if (!has_room(waiters_, options.waiters_max, session)) return;
  Lacking& lacking = lacking_[session];
  if (lacking.contents++ == 0) lacking.number = ++begun_;
  awaited->second.push_back({session, lacking.number, id});
  ++waiters_;
}

// However many sessions take all that they may, there is some left for the next one.
bool ContentWants::has_room(std::size_t taken, std::size_t most, SessionId session) const {
  const auto lacking = lacking_.find(session);
  return taken + (lacking == lacking_.end() ? 0 : lacking->second.contents) < most;
}

void ContentWants::queue(Peer& peer, SessionId session, const Validator& validator) {
  std::deque<Validator>& queue = peer.queues[session];
  if (queue.empty()) peer.turns.push_back(session);
  queue.push_back(validator);
}

void ContentWants::on_contents(ServerId from, const MirrorContents& answer) {
  const auto found = peers_.find(from);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  if (answer.number != peer.question) return;  // one that was given up
  for (const Content& content : answer.contents) {
    const bool asked = peer.asked.erase(content.validator) != 0;
    const bool good =
        asked && content.bytes != nullptr && matches(content.validator, *content.bytes);
    ++(good ? counters_.mirror_contents_received : counters_.mirror_contents_wrong);
    if (good) {
      pool_.contents.put(content.validator, content.bytes);
      end(content.validator);
    } else if (asked) {
      fail(from, content.validator);
    }
  }
  if (answer.last) give_up(from, peer);
}

void ContentWants::answer(ServerId feeder, const MirrorAck& ack, Outbox<Message>& out) {
  const auto lacking = lacking_.find(ack.session);
  if (lacking == lacking_.end()) {
    out.send(feeder, ack);
  } else {
    lacking->second.answer = {feeder, ack};
  }
}

void ContentWants::flush(Instant now, Outbox<Message>& out) {
  for (auto& [id, peer] : peers_) {
    if (peer.patience <= now) give_up(id, peer);
    if (peer.asked.empty() && out.room() > 0) ask(now, id, peer, out);
  }
  std::size_t sent = 0;
  for (; sent < answers_.size() && out.room() > 0; ++sent) {
    out.send(answers_[sent].first, answers_[sent].second);
  }
  answers_.erase(answers_.begin(), answers_.begin() + static_cast<std::ptrdiff_t>(sent));
}

Instant ContentWants::next_deadline() const {
  if (!answers_.empty()) return Instant::min();
  Instant next = kNever;
  for (const auto& [id, peer] : peers_) {
    if (peer.asked.empty() && !peer.turns.empty()) return Instant::min();
    next = std::min(next, peer.patience);
  }
  return next;
}

// One of each session, as long as there is room. Whose next one is too large for what is left of it
// comes first in the next question.
std::vector<Validator> ContentWants::next_question(Peer& peer) {
  std::vector<Validator> wanted;
  std::deque<SessionId> put_off;
  std::uint64_t bytes = 0;
  const std::size_t most = std::min(pool_.options.want_contents_max, MirrorWant::kValidatorsMax);
  while (!peer.turns.empty() && wanted.size() < most) {
    const SessionId session = peer.turns.front();
    peer.turns.pop_front();
    const auto found = peer.queues.find(session);
    const Validator validator = found->second.front();
    const bool is_here = pool_.contents.find(validator) != nullptr;  // from our own source
    if (!is_here && bytes > 0 && bytes + validator.length > pool_.options.want_bytes_max) {
      put_off.push_back(session);
      continue;
    }
    found->second.pop_front();
    if (found->second.empty()) {
      peer.queues.erase(found);
    } else {
      peer.turns.push_back(session);
    }
    if (is_here) {
      end(validator);
      continue;
    }
    bytes += validator.length;
    wanted.push_back(validator);
  }
  peer.turns.insert(peer.turns.begin(), put_off.begin(), put_off.end());
  return wanted;
}

void ContentWants::ask(Instant now, ServerId id, Peer& peer, Outbox<Message>& out) {
  MirrorWant want{.number = peer.question + 1, .validators = next_question(peer)};
  if (want.validators.empty()) return;
  peer.question = want.number;
  peer.asked.insert(want.validators.begin(), want.validators.end());
  peer.patience = now + pool_.options.want_patience;
  out.send(id, std::move(want));
}

// What is still open of the question does not come any more.
void ContentWants::give_up(ServerId id, Peer& peer) {
  peer.patience = kNever;
  const Validators asked = std::exchange(peer.asked, {});
  counters_.mirror_contents_given_up += asked.size();
  for (const Validator& validator : asked) fail(id, validator);
}

// The peer cannot give it. Perhaps another can who has named it, too; each is asked once.
void ContentWants::fail(ServerId id, const Validator& validator) {
  const auto found = awaited_.find(validator);
  if (found == awaited_.end()) return;
  std::vector<Waiter>& waiters = found->second;
  std::erase_if(waiters, [&](const Waiter& waiter) {
    if (waiter.feeder != id && peers_.count(waiter.feeder) != 0) return false;
    settle(waiter);
    return true;
  });
  if (waiters.empty()) {
    awaited_.erase(found);
  } else {
    queue(peers_.at(waiters.front().feeder), waiters.front().session, validator);
  }
}

// It is here.
void ContentWants::end(const Validator& validator) {
  const auto found = awaited_.find(validator);
  if (found == awaited_.end()) return;
  for (const Waiter& waiter : found->second) settle(waiter);
  awaited_.erase(found);
}

void ContentWants::settle(const Waiter& waiter) {
  --waiters_;
  const auto found = lacking_.find(waiter.session);
  if (found == lacking_.end() || found->second.number != waiter.number) return;
  if (--found->second.contents > 0) return;
  if (found->second.answer) answers_.push_back(*found->second.answer);
  lacking_.erase(found);
}

}  // namespace tandem
