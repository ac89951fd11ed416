#include "common/cluster/choose.h"

#include <algorithm>
#include <tuple>

#include "common/base/hash.h"

namespace tandem {
namespace {

// Is a/a_of < b/b_of? Nothing of something (x/0) is infinitely much.
int compare_ratio(std::uint64_t a, std::uint64_t a_of, std::uint64_t b, std::uint64_t b_of) {
  if (a_of == 0 || b_of == 0) return (a_of == 0) - (b_of == 0);
  const std::uint64_t left = a * b_of, right = b * a_of;  // 33 bits times 32 bits at most
  return (left > right) - (left < right);
}

bool contains(std::span<const ServerId> ids, ServerId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// A server as a candidate for alternate; the lesser of two is the better.
struct Candidate {
  const ServerRecord* server;
  std::uint64_t sessions_then;  // of the primary's, if this one is chosen
  std::uint64_t room;
  bool same_zone;
  std::uint64_t tie;

  bool better_than(const Candidate& other) const {
    const bool overflow = sessions_then > room, other_overflow = other.sessions_then > other.room;
    if (overflow != other_overflow) return other_overflow;
    if (same_zone != other.same_zone) return other.same_zone;
    if (int c = compare_ratio(sessions_then, room, other.sessions_then, other.room)) return c < 0;
    const Status& mine = server->status;
    const Status& theirs = other.server->status;
    if (int c = compare_ratio(mine.alternates, mine.capacity, theirs.alternates, theirs.capacity)) {
      return c < 0;
    }
    return std::tuple(tie, server->id) < std::tuple(other.tie, other.server->id);
  }
};

}  // namespace

bool has_slack(std::span<const ServerRecord> servers, const ServerRecord& of) {
  const bool alone = std::none_of(servers.begin(), servers.end(), [&](const ServerRecord& other) {
    return other.online && other.id != of.id && stand_in_for_each_other(other, of);
  });
  return alone || n_plus_one_slack(servers, of.kind, of.group) > 0;
}

bool less_loaded(const Status& a, const Status& b) {
  if (int c = compare_ratio(a.primaries, a.capacity, b.primaries, b.capacity)) return c < 0;
  return compare_ratio(a.alternates, a.capacity, b.alternates, b.capacity) < 0;
}

std::optional<SecondChoice> choose_second(std::span<const ServerRecord> servers,
                                          std::span<const ServerId> excluded) {
  const ServerRecord* best = nullptr;
  const ServerRecord* judged = nullptr;  // whose kind and group `slack` is of
  bool slack = false;
  SecondChoice choice;
  for (const ServerRecord& server : servers) {
    if (!server.takes_sessions() || at_capacity(server.status)) continue;
    if (contains(excluded, server.id)) continue;
    if (judged == nullptr || !stand_in_for_each_other(*judged, server)) {
      judged = &server;
      slack = has_slack(servers, server);
    }
    const SecondChoice other{.server = server.id,
                             .over_threshold = over_threshold(server.status),
                             .safe = slack && keeps_reserve(server.status)};
    if (best != nullptr) {
      if (other.over_threshold != choice.over_threshold) {
        if (other.over_threshold) continue;
      } else if (other.safe != choice.safe) {
        if (choice.safe) continue;
      } else if (!less_loaded(server.status, best->status)) {
        continue;
      }
    }
    best = &server;
    choice = other;
  }
  if (best == nullptr) return std::nullopt;
  return choice;
}

ServerId choose_alternate(const View& view, ServerId primary, const AlternateShares& shares,
                          std::uint64_t dice, std::span<const ServerId> excluded) {
  const ServerRecord* from = view.find(primary);
  std::optional<Candidate> best;
  for (const ServerRecord& server : view.servers) {
    if (server.id == primary || !server.takes_sessions() || contains(excluded, server.id)) continue;
    if (from != nullptr && !stand_in_for_each_other(*from, server)) continue;
    const auto share = shares.find(server.id);
    const Status& status = server.status;
    const Candidate candidate{
        .server = &server,
        .sessions_then = (share == shares.end() ? 0ULL : share->second) + 1,
        .room = room_of(status),
        .same_zone = from != nullptr && !from->zone.empty() && from->zone == server.zone,
        .tie = mix64(dice ^ server.id.value)};
    if (!best || candidate.better_than(*best)) best = candidate;
  }
  return best ? best->server->id : ServerId{};
}

}  // namespace tandem
