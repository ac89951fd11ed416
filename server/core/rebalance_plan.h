// How many sessions this server gives to which others, so that all have as many for their capacity.
// A pure formula over what the servers say of themselves.
//
// Every server makes its own plan, from numbers that are a little old, at about the same time. So
// nobody fills up the emptiest one: who has more than the mean gives what is over the mean, to each
// server that has less in proportion to what it lacks. If all do so, each gets what it lacks.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "common/base/ids.h"
#include "common/cluster/view.h"

namespace tandem {

struct RebalancePlan {
  // Sessions per capacity of the fullest server less those of the emptiest, for the mean of all.
  double spread = 0;
  // Does a server differ from the mean by more than chance does, when sessions come and end at
  // random (four standard deviations)?
  bool beyond_chance = false;
  // Sessions that each server is to get from this one. Nobody gets one who had then more for its
  // capacity than this one is left with.
  std::map<ServerId, std::uint32_t> gifts;
};

// `own` is this server's status as it is now; in `servers` its record is passed over. Those that
// take no sessions, or have no capacity, do not count. `dice` decides on fractions of a session:
// another number for each plan.
RebalancePlan plan_rebalance(ServerId self, const Status& own,
                             std::span<const ServerRecord> servers, std::uint64_t dice);

// May a server with this status get another session from one that has too many: has it fewer than
// the mean, by what it knows itself?
bool takes_gift(ServerId self, const Status& own, std::span<const ServerRecord> servers);

}  // namespace tandem
