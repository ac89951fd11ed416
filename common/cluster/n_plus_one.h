// What if a server died? Who would take its sessions over, and would any pass its capacity?
//
// A cluster is N+1-safe while every other server stays within its capacity after the death of any
// single one. Pure formulas over a view and over who backs whom; the same input, the same answer.
//
// What a server answers for is what it serves and what it holds for a primary that is offline
// (answers_for). It dies, and each of these goes where its copy is, as the server itself has told
// (Backing). Those of which no copy is known, or only one on a server that is offline, may go
// anywhere: to the room that is left. So do all sessions of plain servers, whose alternates only
// tokens know. Servers of one kind and group stand in for each other, and for nobody else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/cluster/view.h"

namespace tandem {

// Of one server: how many of the sessions that it answers for have their copy on each other one.
struct Backing {
  static constexpr std::size_t kEntriesMax = 4096;
  struct Entry {
    ServerId server;
    std::uint32_t sessions = 0;

    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries;  // in the order of ids

  bool operator==(const Backing&) const = default;
};

// Can either take over what the other serves?
inline bool stand_in_for_each_other(const ServerRecord& one, const ServerRecord& other) {
  return one.kind == other.kind && one.group == other.group;
}

// By the server that answers for the sessions.
using Backings = std::map<ServerId, Backing>;

struct IfDies {
  struct Heir {
    ServerId server;
    std::uint64_t answers_for = 0;  // before
    std::uint64_t inherits = 0;
    std::uint64_t capacity = 0;

    std::uint64_t over() const {
      return answers_for + inherits > capacity ? answers_for + inherits - capacity : 0;
    }
    bool operator==(const Heir&) const = default;
  };
  ServerId server;
  std::uint64_t sessions = 0;  // that it answers for
  std::uint64_t unbacked = 0;  // of these, without a copy on a server that is online
  std::uint64_t homeless = 0;  // of these, those for which no server has room
  std::vector<Heir> heirs;     // all that are online and stand in for it, in the order of the view

  // Sessions over capacity on all heirs, and the homeless: 0 is safe.
  std::uint64_t over() const;
  // The heir that is most over its capacity, the first of equals; null if none is.
  const Heir* worst() const;
};

// A server that is offline or not in the view has nothing to lose.
IfDies if_dies(const View& view, const Backings& backings, ServerId server);

struct NPlusOne {
  struct Death {
    ServerId server;
    std::uint64_t over = 0;  // IfDies::over()

    bool operator==(const Death&) const = default;
  };
  std::vector<Death> deaths;  // of all that are online, in the order of the view

  bool safe() const;
  // The first of those with the most sessions over capacity; null if it is safe.
  const Death* worst() const;
  bool operator==(const NPlusOne&) const = default;
};

NPlusOne n_plus_one(const View& view, const Backings& backings);

// How many more sessions the servers of a kind in a group can be given so that alternates still can
// be chosen N+1-safe; negative: they cannot now. It does not matter who gets them: a server's death
// is survived if its sessions fit into the room of the others, that is, if the room of all (its own
// included) is its capacity at least, and every new session takes one place of that room. So
// assignment cannot spoil N+1 by its choice, it can only make alternates move.
std::int64_t n_plus_one_slack(std::span<const ServerRecord> servers, ServerKind kind,
                              std::string_view group);

}  // namespace tandem
