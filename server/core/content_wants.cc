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
  counters_.mirror_contents_given_up += peer.asked.size() + peer.queue.size();
  for (const Validator& validator : peer.asked) fail(id, validator);
  for (const Validator& validator : peer.queue) fail(id, validator);
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
    if (awaited_.size() >= options.awaited_max || waiters_ >= options.waiters_max) {
      ++counters_.mirror_contents_given_up;
      return;
    }
    awaited = awaited_.try_emplace(validator).first;
    peer->second.queue.push_back(validator);
  }
  if (waiters_ >= options.waiters_max) return;
  Lacking& lacking = lacking_[session];
  if (lacking.contents++ == 0) lacking.number = ++begun_;
  awaited->second.push_back({session, lacking.number, id});
  ++waiters_;
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
    if (peer.asked.empty() && !peer.queue.empty()) return Instant::min();
    next = std::min(next, peer.patience);
  }
  return next;
}

void ContentWants::ask(Instant now, ServerId id, Peer& peer, Outbox<Message>& out) {
  MirrorWant want{.number = peer.question + 1, .validators = {}};
  std::uint64_t bytes = 0;
  const std::size_t most = std::min(pool_.options.want_contents_max, MirrorWant::kValidatorsMax);
  for (; !peer.queue.empty() && want.validators.size() < most; peer.queue.pop_front()) {
    const Validator& validator = peer.queue.front();
    if (pool_.contents.find(validator) != nullptr) {  // our own source has it meanwhile
      end(validator);
      continue;
    }
    if (bytes > 0 && bytes + validator.length > pool_.options.want_bytes_max) break;
    bytes += validator.length;
    want.validators.push_back(validator);
  }
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
    peers_.at(waiters.front().feeder).queue.push_back(validator);
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
