#include "server/core/content_wants.h"

#include <algorithm>
#include <utility>

namespace tandem {

void ContentWants::link_up(ServerId peer) {
  link_down(peer);
  peers_[peer];
}

void ContentWants::link_down(ServerId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  give_up(found->second);
  for (const Validator& validator : found->second.queue) awaited_.erase(validator);
  counters_.mirror_contents_given_up += found->second.queue.size();
  peers_.erase(found);
}

void ContentWants::mentioned(ServerId id, const Validator& validator) {
  const MirrorOptions& options = pool_.options;
  if (validator.length > options.content_sent_max || !pool_.contents.would_keep(validator)) return;
  const auto peer = peers_.find(id);
  if (peer == peers_.end() || awaited_.count(validator) != 0) return;
  if (pool_.contents.find(validator) != nullptr) return;
  if (awaited_.size() >= options.awaited_max) {
    ++counters_.mirror_contents_given_up;
    return;
  }
  awaited_.insert(validator);
  peer->second.queue.push_back(validator);
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
    if (asked) awaited_.erase(content.validator);
    if (good) pool_.contents.put(content.validator, content.bytes);
  }
  if (answer.last) give_up(peer);
}

void ContentWants::flush(Instant now, Outbox<Message>& out) {
  for (auto& [id, peer] : peers_) {
    if (peer.patience <= now) give_up(peer);
    if (peer.asked.empty() && out.room() > 0) ask(now, id, peer, out);
  }
}

Instant ContentWants::next_deadline() const {
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
      awaited_.erase(validator);
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
void ContentWants::give_up(Peer& peer) {
  for (const Validator& validator : peer.asked) awaited_.erase(validator);
  counters_.mirror_contents_given_up += peer.asked.size();
  peer.asked.clear();
  peer.patience = kNever;
}

}  // namespace tandem
