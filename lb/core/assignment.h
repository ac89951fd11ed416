// Which server takes a new session. One machine for each worker: no locks; the workers' counts meet
// in the servers' status.
//
// New sessions go round robin, smooth and weighted, from a random start. A server's weight is the
// room that it has up to the level (sessions for capacity, alike on all) that is reached when the
// sessions expected in the next kHorizon status intervals are filled in like water. Equal loads
// make that the capacity, and equal capacities plain round robin. All assigners (workers of all
// balancers) know the same old status, expect the same arrivals (what they were given themselves in
// an interval, as many times as there are assigners), and so fill the same dents in proportion:
// none herds. One status interval must have passed; until then the weight is the capacity.
//
// A server over its threshold passes its turn to a second one, chosen by status. So does one that
// keeps its last places for sessions that another's death would bring it, if a second one within
// its threshold need not. What a server said of itself is a little old, so the assignments made
// here since then are added, as many times as there are assigners. These additions are provisional
// sessions: they move a choice, they never refuse a session; only what the servers say does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/cluster/choose.h"
#include "common/cluster/view.h"

namespace tandem {

struct Choice {
  ServerId server;
  bool must_serve = false;  // all are over their threshold: this one may not hand it on

  bool operator==(const Choice&) const = default;
};

class Assignment {
 public:
  // In how many status intervals a dent is filled. More: status may be later, and sessions may take
  // longer to be counted, before filling overshoots; less: dents are shallower.
  static constexpr double kHorizon = 2;
  // The most that a dent, an empty newcomer say, gets of the sessions: as many times its share by
  // capacity. It is cold, and many at once would find it so.
  static constexpr double kFillMax = 4;

  // `random` decides where round robin starts; `workers` is how many of these one balancer runs.
  Assignment(Random random, std::uint32_t workers);

  // The servers, their order, state and status. Servers that stay keep their turn and, unless their
  // status is newer or they were restarted, the count of what was assigned to them here.
  void on_view(const View& view);

  // A server's status. An older sequence than the one known is ignored; a newer one settles what
  // was assigned here until now.
  void on_status(ServerId server, const Status& status);

  // The server for a new session, and counts it; `tried` are not chosen. Nothing: no server takes
  // sessions, or all of them are at capacity (503 with Retry-After).
  std::optional<Choice> choose(std::span<const ServerId> tried = {});

  // The server for a session whose primary and alternate are both gone, and counts it: capacity
  // does not matter. One of `group`, where others may know the session, if any of it takes
  // sessions; empty: it is not known. Nothing: no server takes sessions.
  std::optional<ServerId> choose_takeover(std::span<const ServerId> tried = {},
                                          std::string_view group = {});

  // The alternate for a session whose primary is the plain server `primary` (tandem-servers choose
  // their own), and counts it; nobody if there is no other. `dice`: some bits of the session's id.
  ServerId choose_alternate(ServerId primary, std::uint64_t dice);

  // What is believed of a server: its last status and the assignments made since. For tests,
  // /status.
  std::optional<Status> believed(ServerId server) const;

 private:
  struct Entry {
    std::int64_t turn = 0;    // smooth weighted round robin: the greatest has the next turn
    std::int64_t weight = 0;  // of kTurn, which all weights together are
    std::uint32_t own = 0;    // assigned here since its status
    std::optional<std::uint64_t> told;  // assigned_ when its last status came
    double pace = -1;  // assigned here to all between two status of this one, averaged; -1: unknown
    bool slack = false;      // its kind and group may be given a session and stay N+1-safe
    AlternateShares shares;  // plain: alternates chosen here for its sessions, halved now and then
  };

  static constexpr std::uint64_t kSharesMin = 64;
  static constexpr double kTurn = 1LL << 32;  // one session
  static constexpr double kPaceMemory = 4;    // status intervals that a pace is averaged over
  static constexpr int kLevelPassesMax = 8;   // more would hardly change the level

  std::optional<std::size_t> index_of(ServerId server) const;
  std::optional<std::size_t> next_turn(std::span<const ServerId> tried);
  Choice take(std::size_t index);
  bool safe(std::size_t index) const;
  void assigned(std::size_t index);
  void refresh(std::size_t index);
  void settle(std::size_t index);
  void weigh();
  void find_slack();
  std::optional<ServerId> least_loaded(std::span<const ServerId> tried, std::string_view group);
  double expected() const;
  double level(double arrivals) const;

  Random random_;
  std::uint32_t workers_;
  bool started_ = false;
  bool weighed_ = false;                // the weights are those of the status now known
  bool any_slack_ = false;              // of entries_
  bool one_group_ = true;               // all servers are of one
  std::uint64_t assigned_ = 0;          // here, ever
  View view_;                           // as told
  std::vector<ServerRecord> believed_;  // of view_.servers, with our own assignments added
  std::vector<Entry> entries_;          // of view_.servers
};

}  // namespace tandem
