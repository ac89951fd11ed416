// In which order the confirmed dead leave the ring, and who is verified because of them.
//
// Deaths that are confirmed together leave together, in one transaction: the first waits, for
// kGather at most, for those whose verification is under way. Then a *round* walks outward from
// each gap, in both directions: the neighbour there is verified, and if that one is dead too the
// next two, the next four, as far as the run of the dead goes. When every walk has met a living
// server, all the dead that were found leave in a second transaction. So a run of k neighbours that
// died at once is gone after two transactions and about log2(k) waves, though nobody but the two at
// its ends was missed by a living buddy.
//
// Elsewhere on the ring others may have died with them: a round begins with a *roll call* of all
// who are online. Whoever does not answer is verified for the round, too. One call is under way at
// a time, and serves every round that begins meanwhile.
//
// Pure. Knows of servers only what it is told; its owner verifies and removes.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "lb/core/ring.h"

namespace tandem {

class Rounds {
 public:
  static constexpr Duration kGather = 20ms;

  // What the owner is to do. `remove` have left the ring already.
  struct Orders {
    std::vector<ServerId> verify;  // at once; then confirm() or settle()
    std::vector<ServerId> remove;  // one transaction
    bool call = false;             // everybody; then absent()

    bool empty() const { return verify.empty() && remove.empty() && !call; }
  };

  explicit Rounds(Ring& ring) : ring_(ring) {}

  // It is dead. It is held until its transaction: its own round's; where it `may_wait`, that of the
  // round that calls (of what died together some is noticed later); or else the next first one.
  void confirm(Instant now, ServerId server, bool may_wait);
  // Nothing (more) is to be expected of it: it lives, or cannot be judged, or has left. Also of one
  // that was confirmed and not removed yet.
  void settle(ServerId server);
  // The roll call is over, and these did not answer it. Those to verify, as by next().
  std::vector<ServerId> absent(const std::vector<ServerId>& servers);
  // Call it after everything above; `others` are being verified, and no round waits for them.
  Orders next(Instant now, bool others);
  Instant next_deadline() const { return gathered_.empty() ? kNever : gather_until_; }

  // A round waits for its verification.
  bool awaits(ServerId server) const { return awaited_.count(server) != 0; }
  bool idle() const { return gathered_.empty() && rounds_.empty(); }
  // Confirmed, and not removed yet.
  std::size_t held() const { return held_; }
  std::uint64_t transactions() const { return transactions_; }

 private:
  struct Walk {
    ServerId at;  // the next to be verified; then the outermost that is being
    bool forward = false;
    std::size_t span = 1;  // so many in this wave
  };
  struct Round {
    std::vector<Walk> walks;
    std::set<ServerId> awaited;  // of the wave under way
    std::set<ServerId> seen;     // of all waves
    std::set<ServerId> dead;
  };

  void first_transaction(Orders& orders);
  void wave(std::uint64_t number, Round& round, Orders& orders);
  bool go_on(std::uint64_t number, Round& round, Orders& orders);

  Ring& ring_;
  std::set<ServerId> gathered_;
  Instant gather_until_ = kNever;
  std::map<std::uint64_t, Round> rounds_;
  std::map<ServerId, std::uint64_t> awaited_;  // which round waits
  std::map<ServerId, std::uint64_t> found_;    // dead, of which round
  std::uint64_t last_ = 0;
  std::uint64_t calling_ = 0;  // the round whose roll call is under way
  std::size_t held_ = 0;
  std::uint64_t transactions_ = 0;
};

}  // namespace tandem
