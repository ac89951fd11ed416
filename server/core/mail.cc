#include "server/core/mail.h"

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

constexpr unsigned kDoublingsMax = 3;  // of the time to the next try

}  // namespace

std::optional<SessionExchange> Mail::on_ack(ServerId from, std::uint64_t number) {
  const auto box = boxes_.find(from);
  if (box == boxes_.end()) return std::nullopt;
  auto letter = box->second.unanswered.extract(number);
  if (letter.empty()) return std::nullopt;
  auto* part = std::get_if<SessionExchange>(&letter.mapped().content);
  if (part == nullptr) return std::nullopt;
  --box->second.parts_unanswered;
  return std::move(*part);
}

bool Mail::wants_entries(ServerId peer) const {
  const auto box = boxes_.find(peer);
  if (box == boxes_.end()) return true;
  return box->second.told.empty() && box->second.parts_unanswered < kPartsUnansweredMax;
}

std::size_t Mail::waiting() const {
  std::size_t sum = 0;
  for (const auto& [peer, box] : boxes_) {
    sum += box.told.size();
    for (const auto& [number, letter] : box.unanswered) {
      const auto* part = std::get_if<SessionExchange>(&letter.content);
      if (part != nullptr) sum += part->entries.size();
    }
  }
  return sum;
}

bool Mail::drain(Instant now, const std::function<bool(ServerId)>& linked, Outbox<Message>& out) {
  for (auto entry = boxes_.begin(); entry != boxes_.end();) {
    auto& [peer, box] = *entry;
    if (!linked(peer)) {
      entry = boxes_.erase(entry);
      continue;
    }
    if (!resend(now, peer, box, out)) return false;
    for (; box.may_release(); box.releases.pop_front()) {
      if (out.room() == 0) return false;
      send(now, peer, box, {box.releases.front(), {}}, out);
    }
    for (; box.may_compare(); box.digests.pop_front()) {
      if (out.room() == 0) return false;
      send(now, peer, box, {std::move(box.digests.front()), {}}, out);
    }
    while (box.may_tell()) {
      if (out.room() == 0) return false;
      send(now, peer, box, {next_part(box), {}}, out);
      ++box.parts_unanswered;
    }
    ++entry;
  }
  return true;
}

SessionExchange Mail::next_part(Box& box) {
  const std::size_t count = std::min(box.told.size(), SessionExchange::kEntriesMax);
  SessionExchange part;
  part.entries.assign(box.told.end() - static_cast<std::ptrdiff_t>(count), box.told.end());
  box.told.resize(box.told.size() - count);
  part.last = box.told.empty();
  counters_.exchange_entries_sent += count;
  return part;
}

void Mail::send(Instant now, ServerId peer, Box& box, Letter letter, Outbox<Message>& out) {
  const std::uint64_t number = ++box.last_number;
  letter.again = now + resend_after_;
  std::visit(
      [&](auto& content) {
        content.number = number;
        out.send(peer, content);
      },
      letter.content);
  box.unanswered.emplace(number, std::move(letter));
}

// False: `out` is full.
bool Mail::resend(Instant now, ServerId peer, Box& box, Outbox<Message>& out) {
  for (auto at = box.unanswered.begin(); at != box.unanswered.end();) {
    Letter& letter = at->second;
    if (letter.again > now) {
      ++at;
    } else if (letter.tries == kTriesMax) {
      box.parts_unanswered -= std::holds_alternative<SessionExchange>(letter.content);
      at = box.unanswered.erase(at);
    } else {
      if (out.room() == 0) return false;
      ++counters_.letters_resent;
      letter.again = now + resend_after_ * (1 << std::min(letter.tries, kDoublingsMax));
      ++letter.tries;
      std::visit([&](const auto& content) { out.send(peer, content); }, letter.content);
      ++at;
    }
  }
  return true;
}

bool Mail::has_work() const {
  return std::any_of(boxes_.begin(), boxes_.end(), [](const auto& entry) {
    const Box& box = entry.second;
    return box.may_release() || box.may_compare() || box.may_tell();
  });
}

Instant Mail::next_deadline() const {
  Instant next = kNever;
  for (const auto& [peer, box] : boxes_) {
    for (const auto& [number, letter] : box.unanswered) next = std::min(next, letter.again);
  }
  return next;
}

}  // namespace tandem
