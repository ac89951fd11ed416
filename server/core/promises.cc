#include "server/core/promises.h"

#include <algorithm>

namespace tandem {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::uint64_t reading(Instant now) {
  return static_cast<std::uint64_t>(duration_cast<milliseconds>(now.time_since_epoch()).count());
}

}  // namespace

void Promises::link_up(Instant now, ServerId peer) {
  Link& link = links_[peer] = Link{};
  link.up = now;
  news_ = true;
}

void Promises::link_down(ServerId peer) { links_.erase(peer); }

// An old reading that has been overtaken says less than the one before.
void Promises::on_news(Instant now, ServerId from, const PromiseNews& news) {
  const auto found = links_.find(from);
  if (found == links_.end()) return;
  Link& link = found->second;
  if (!link.reading_ms || news.clock_ms > clock_of(now, link)) {
    link.reading_ms = news.clock_ms;
    link.read = now;
  }
  counters_.promises_ended += news.ended.size();
  for (const ItemKey key : news.ended) freshness_.end(now, from, key);
  if (news.all_ended) freshness_.end_all(now, from);
}

// No later than what the peer's clock reads now.
std::uint64_t Promises::clock_of(Instant now, const Link& link) const {
  const Duration passed = now - link.read;
  return *link.reading_ms + reading(Instant{passed - passed / kDriftShare});
}

void Promises::stamp(Instant now, ServerId to, MirrorBatch& batch) {
  const auto found = links_.find(to);
  if (found == links_.end() || !found->second.reading_ms) return;
  for (MirrorChange& change : batch.changes) {
    if (change.evicted) continue;
    const auto promise = freshness_.shared(now, {change.key, change.validator});
    if (!promise) continue;
    batch.as_of_ms = clock_of(now, found->second);
    change.fresh_s =
        static_cast<std::uint32_t>(duration_cast<seconds>(promise->until - now).count());
    change.host = promise->host;
    freshness_.on_told(change.key);
    ++counters_.promises_told;
  }
}

void Promises::learn(Instant now, ServerId from, const MirrorBatch& batch) {
  const Instant as_of{milliseconds(std::min(batch.as_of_ms, reading(now)))};
  bool fed = false;
  for (const MirrorChange& change : batch.changes) {
    fed = fed || !change.evicted;
    if (change.evicted || change.fresh_s == 0) continue;
    const Instant until = as_of + seconds(change.fresh_s);
    freshness_.learn(now, from, {change.key, change.validator}, {change.host, until, until}, as_of);
    ++counters_.promises_learned;
  }
  const auto found = links_.find(from);
  if (!fed || found == links_.end() || now < found->second.told + kReadingInterval) return;
  found->second.owed = news_ = true;
}

std::vector<ServerId> Promises::take_ready(Instant now) {
  std::vector<ServerId> peers;
  for (auto& [peer, link] : links_) {
    if (link.ready || now < ready_at(link)) continue;
    link.ready = true;
    peers.push_back(peer);
  }
  return peers;
}

Instant Promises::ready_at(const Link& link) {
  return link.reading_ms ? link.read : link.up + kReadingPatience;
}

Instant Promises::next_deadline() const {
  Instant next = kNever;
  for (const auto& [peer, link] : links_) {
    if (!link.ready) next = std::min(next, ready_at(link));
  }
  return next;
}

void Promises::flush(Instant now, Outbox<Message>& out) {
  if (!has_news() || out.room() < links_.size()) return;
  Freshness::Ended ended = freshness_.take_ended();
  const bool tells = !ended.keys.empty() || ended.all;
  for (auto& [peer, link] : links_) {
    if (!link.owed && !tells) continue;
    link.owed = false;
    link.told = now;
    out.send(peer, PromiseNews{reading(now), ended.keys, ended.all});
  }
  news_ = false;
}

}  // namespace tandem
