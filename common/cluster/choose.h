// Choices by status that balancers and servers make alike: the second server of a new session, and
// the alternate of a session. Pure formulas over a view; the same input gives the same choice.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/cluster/n_plus_one.h"
#include "common/cluster/view.h"

namespace tandem {

// More sessions than its threshold: new ones are better given to another.
inline bool over_threshold(const Status& status) { return status.primaries > status.threshold; }
// No room for another session as primary.
inline bool at_capacity(const Status& status) { return status.primaries >= status.capacity; }

// After one more session as primary: room for what the death of any single server would bring it?
inline bool keeps_reserve(const Status& status) { return room_of(status) > status.reserve; }

// Can a server of this one's kind and group be given a session so that they stay N+1-safe
// (n_plus_one_slack)? Who is alone there has nobody to stand in for it wherever sessions go: that
// must not keep them away.
bool has_slack(std::span<const ServerRecord> servers, const ServerRecord& of);

// Has `a` fewer sessions for its capacity than `b`; if as many, fewer as alternate? A server
// without capacity is the most loaded of all.
bool less_loaded(const Status& a, const Status& b);

// Which server takes a new session when the first one is over its threshold?
struct SecondChoice {
  ServerId server;
  bool over_threshold = false;  // all are: the least loaded with room for one more
  bool safe = false;            // the cluster stays N+1-safe without an alternate moving
};

// The best by status of those that take sessions and are not in `excluded`: of those within their
// threshold if there are any, else of those under their capacity; nothing if all are at capacity.
// Best is: safe (keeps_reserve and has_slack); less_loaded; first in the view.
std::optional<SecondChoice> choose_second(std::span<const ServerRecord> servers,
                                          std::span<const ServerId> excluded = {});

// How many sessions of one primary have their alternate on each server.
using AlternateShares = std::unordered_map<ServerId, std::uint32_t>;

// The alternate of a session of `primary`, or nobody if no other server of its kind and group takes
// sessions.
//
// In this order: not on a server that would pass its capacity if the primary died, while another
// would not (N+1-safe); in another zone than the primary's, where zones are named; spread over all
// others in proportion to the room that they have (fewest of the primary's sessions for each free
// place), so that the primary's death loads no single neighbour; fewest as alternate for its
// capacity; `dice`, so that equals share (take some bits of the session's id).
//
// `shares` counts the alternates of the sessions of `primary` alone. `excluded` are never chosen.
ServerId choose_alternate(const View& view, ServerId primary, const AlternateShares& shares,
                          std::uint64_t dice, std::span<const ServerId> excluded = {});

}  // namespace tandem
