#include "server/core/meetings.h"

#include <algorithm>
#include <utility>

#include "server/core/session_exchange.h"

namespace tandem {

void Meetings::on_link_up(ServerId peer) {
  meetings_[peer] = Meeting{};
  SessionDigest greeting;
  greeting.first = true;
  greeting.fresh = state_.table.size() == 0 && state_.notes.size() == 0;
  if (state_.self < peer && !greeting.fresh) {
    greeting.ranges.push_back({0, 0, state_.partners.shared(peer).of(0, 0).digest, false});
  }
  state_.mail.post(peer, std::move(greeting));
}

void Meetings::on_link_down(ServerId peer, bool alone) {
  const auto meeting = meetings_.find(peer);
  if (meeting != meetings_.end()) {
    if (!meeting->second.walks.empty()) doubts_told_.erase(peer);
    meetings_.erase(meeting);
  }
  if (alone) ++doubts_;
}

void Meetings::on_thought_dead() {
  ++doubts_;
  for (auto& [peer, meeting] : meetings_) {
    if (!meeting.greeted) continue;
    doubts_told_[peer] = doubts_;
    tell_all_served(meeting);
  }
}

void Meetings::on_digest(Instant now, ServerId from, const SessionDigest& digest) {
  const auto found = meetings_.find(from);
  if (found == meetings_.end()) return;
  Meeting& meeting = found->second;
  if (digest.first && !std::exchange(meeting.greeted, true)) {
    if (digest.fresh) {
      state_.note_fresh(from);
      alternates_.on_fresh(now, from);
    } else {
      greet_back(from, meeting);
    }
  }
  if (state_.table.size() == 0 && state_.notes.size() == 0) return;
  std::vector<SessionDigest::Range> closer;
  for (const SessionDigest::Range& theirs : digest.ranges) compare(from, meeting, theirs, closer);
  for (std::size_t begin = 0; begin < closer.size(); begin += SessionDigest::kRangesMax) {
    const std::size_t end = std::min(closer.size(), begin + SessionDigest::kRangesMax);
    SessionDigest part;
    part.ranges.assign(closer.begin() + static_cast<std::ptrdiff_t>(begin),
                       closer.begin() + static_cast<std::ptrdiff_t>(end));
    state_.mail.post(from, std::move(part));
  }
}

// What the peer is to be told without being asked.
void Meetings::greet_back(ServerId peer, Meeting& meeting) {
  meeting.walks.push_back({Tie::kFormer, peer, {}});
  meeting.walks.push_back({Tie::kFormer, ServerId{}, {}});
  if (std::exchange(doubts_told_[peer], doubts_) != doubts_) tell_all_served(meeting);
}

void Meetings::tell_all_served(Meeting& meeting) {
  for (const ServerId server : state_.partners.servers(Tie::kAlternate)) {
    meeting.walks.push_back({Tie::kAlternate, server, {}});
  }
}

// One range: the same, or told, or to be compared closer.
void Meetings::compare(ServerId peer, Meeting& meeting, const SessionDigest::Range& theirs,
                       std::vector<SessionDigest::Range>& closer) {
  const RangeDigest& ours = state_.partners.shared(peer);
  const RangeDigest::Sum sum = ours.of(theirs.depth, theirs.index);
  if (sum.digest == theirs.digest) return;
  if (theirs.tell) return tell_range(peer, meeting, theirs.depth, theirs.index);
  if (sum.count <= kFewEntries || theirs.depth == RangeDigest::kLeafDepth) {
    tell_range(peer, meeting, theirs.depth, theirs.index);
    closer.push_back({theirs.depth, theirs.index, sum.digest, true});
    return;
  }
  const std::uint32_t depth = theirs.depth + 1;
  for (std::uint32_t index = theirs.index * 16; index < (theirs.index + 1) * 16; ++index) {
    closer.push_back({depth, index, ours.of(depth, index).digest, false});
  }
}

void Meetings::tell_range(ServerId peer, Meeting& meeting, std::uint32_t depth,
                          std::uint32_t index) {
  if (meeting.walks.size() > kWalksMax) {
    meeting.walks.clear();
    greet_back(peer, meeting);
    depth = index = 0;
  }
  const auto [first, last] = RangeDigest::bounds(depth, index);
  const SessionId before = first == 0 ? SessionId{} : SessionId{first - 1, ~std::uint64_t{0}};
  for (const Tie tie : Partners::kShared) {
    const auto next = state_.partners.next(tie, peer, before);
    if (next && next->high <= last) meeting.walks.push_back({tie, peer, before, last});
  }
}

void Meetings::on_exchange(Instant now, ServerId from, const SessionExchange& exchange) {
  for (const SessionExchange::Entry& entry : exchange.entries) {
    Session* session = state_.table.find(entry.session);
    const ForwardingNote* note = state_.notes.find(now, entry.session);
    const auto noted = note == nullptr ? std::nullopt : std::optional<Epoch>(note->epoch);
    switch (rule_on_entry(from, entry, session, noted)) {
      case ExchangeRuling::kAgree:
        break;
      case ExchangeRuling::kLost:
        state_.lose(now, *session, entry.epoch);
        break;
      case ExchangeRuling::kNoteNewer:
        // Who is said to serve it by our note may not know of whom we are told.
        if (noted->counter > 0 && noted->server != entry.epoch.server && noted->server != from) {
          state_.mail.tell(noted->server, {entry.session, entry.epoch, false});
        }
        state_.notes.put(now, entry.session, {entry.epoch, ServerId{}});
        break;
      case ExchangeRuling::kTellNewer:
        if (session != nullptr) {
          state_.tell(from, *session);
        } else {
          state_.mail.tell(from, {entry.session, *noted, false});
        }
        break;
      case ExchangeRuling::kRelease:
        state_.unburden(from, *session);
        break;
      case ExchangeRuling::kReleaseThird:
        alternates_.release_third(*session);
        break;
    }
  }
}

// A former primary that has been told, or never knew, is owed no further notice.
void Meetings::on_told(ServerId peer, const SessionExchange& exchange) {
  for (const SessionExchange::Entry& entry : exchange.entries) {
    Session* session = state_.table.find(entry.session);
    if (session == nullptr || !session->serves() || session->epoch != entry.epoch) continue;
    if (std::erase(session->formers, peer) > 0) state_.partners.update(*session);
  }
}

void Meetings::step() {
  for (auto& [peer, meeting] : meetings_) {
    if (!state_.mail.wants_entries(peer)) continue;
    for (std::size_t room = kPartEntries; room > 0 && !meeting.walks.empty();) {
      Walk& walk = meeting.walks.front();
      const auto next = state_.partners.next(walk.tie, walk.server, walk.told);
      if (!next || next->high > walk.last_high) {
        meeting.walks.pop_front();
        continue;
      }
      walk.told = *next;
      state_.tell(peer, *state_.table.find(*next));
      --room;
    }
  }
}

bool Meetings::has_work() const {
  return std::any_of(meetings_.begin(), meetings_.end(), [this](const auto& entry) {
    return !entry.second.walks.empty() && state_.mail.wants_entries(entry.first);
  });
}

std::size_t Meetings::walks() const {
  std::size_t sum = 0;
  for (const auto& [peer, meeting] : meetings_) sum += meeting.walks.size();
  return sum;
}

}  // namespace tandem
