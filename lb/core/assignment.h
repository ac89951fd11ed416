// Which server takes a new session. One machine for each worker: no locks; the workers' counts meet
// in the servers' status.
//
// New sessions go round robin, smooth and weighted by capacity, from a random start. A server over
// its threshold passes its turn to a second one, chosen by status. What a server said of itself is
// a little old, so the assignments made here since then are added, as many times as there are
// assigners (balancers x workers): no herd forms. These additions are provisional sessions: they
// move a choice, they never refuse a session; only what the servers say does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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
  // does not matter. Nothing: no server takes sessions.
  std::optional<ServerId> choose_takeover(std::span<const ServerId> tried = {});

  // The alternate for a session whose primary is the plain server `primary` (tandem-servers choose
  // their own), and counts it; nobody if there is no other. `dice`: some bits of the session's id.
  ServerId choose_alternate(ServerId primary, std::uint64_t dice);

  // What is believed of a server: its last status and the assignments made since. For tests,
  // /status.
  std::optional<Status> believed(ServerId server) const;

 private:
  struct Entry {
    std::int64_t turn = 0;   // smooth weighted round robin: the greatest has the next turn
    std::uint32_t own = 0;   // assigned here since its status
    AlternateShares shares;  // plain: alternates chosen here for its sessions, halved now and then
  };

  static constexpr std::uint64_t kSharesMin = 64;

  std::optional<std::size_t> index_of(ServerId server) const;
  std::optional<std::size_t> next_turn(std::span<const ServerId> tried);
  void assigned(std::size_t index);
  void refresh(std::size_t index);

  Random random_;
  std::uint32_t workers_;
  bool started_ = false;
  View view_;                           // as told
  std::vector<ServerRecord> believed_;  // of view_.servers, with our own assignments added
  std::vector<Entry> entries_;          // of view_.servers
};

}  // namespace tandem
