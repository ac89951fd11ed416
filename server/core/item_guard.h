// Nobody in the group is served from a cache what an acknowledged write has changed: who may use
// what is cached, and when a write may be acknowledged. docs/consistency.md has the model.
//
// Only the server that acts for a type writes, under its epoch, which the database keeps
// (server/core/write_fence.h). It uses what it has cached of the type only for `lease` after the
// database said that the epoch is still the greatest. Another server uses what it has cached of the
// type only under a lease of the acting one, which ends no later than that. Leases count from when
// they were asked for, on the asker's clock, so that no delay makes one longer.
//
// So whoever has just claimed a type knows that after `lease` nobody uses anything of before; and
// who has written waits for those alone to whom it gave leases: until they say that they have
// dropped the item, or their leases are over.
//
// Where nothing arbitrates (an HTTP origin keeps no epochs) the acting server trusts its view.
//
// Pure. One thread. Instants are the clock's when something is to be used, not those of a round of
// the loop: a process may be stopped in between.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/machine.h"
#include "common/cluster/ownership.h"
#include "common/wire/messages.h"
#include "server/core/write_fence.h"

namespace tandem {

struct ItemGuardOptions {
  std::string group = "default";  // whose servers may have cached what is written
  Duration lease = 2s;
  Duration ask_again = 200ms;  // a question without an answer
  bool arbitrated = true;      // by a database that keeps epochs
  // Where the numbers of questions begin: at random, so that no answer to a former process of this
  // name is taken for ours.
  std::uint64_t first_number = 0;
  // What is cached is used under leases. If not, the source's version proves it, nobody asks
  // may_use(), and a new epoch need not wait for anybody's leases.
  bool leased = true;
};

class ItemGuard {
 public:
  // Clocks may differ in speed by one part in so many.
  static constexpr int kDriftShare = 1000;

  using Out = Outbox<Message>;

  // `ownership` outlives the guard; it has applied a view before on_view() is called with it.
  ItemGuard(ServerId self, const Ownership& ownership, ItemGuardOptions options);

  void on_view(const View& view);
  void on_message(Instant now, ServerId from, const Message& message, Out& out);
  void on_deadline(Instant now);
  Instant next_deadline() const;

  // May what is cached of the type be used now? If not, the source is to be asked, and what is
  // cached of the item not to be used later either.
  bool may_use(Instant now, TypeId type, Out& out);

  // --- writes ---
  // Under which a write of the type is done that comes now. Nothing: another acts for it.
  std::optional<OwnerClaim> claim(TypeId type) const;
  // The items are no more what they were, or may be no more. `write`: who is to be told by
  // take_acknowledged(), perhaps at once.
  void on_written(Instant now, std::uint64_t write, TypeId type, std::vector<ItemKey> keys,
                  Out& out);
  // Which writes may be acknowledged now.
  std::vector<std::uint64_t> take_acknowledged() { return std::exchange(acknowledged_, {}); }

  // --- the database ---
  // To be asked: is the epoch the stored one? Else, if it is greater, it is to be stored.
  struct Check {
    TypeId type;
    OwnerClaim claim;
  };
  std::vector<Check> take_checks() { return std::exchange(checks_, {}); }
  // What the database said to a check or a write that was handed to it at `asked`: it has passed
  // the fence, where `before` was stored.
  void on_passed(Instant now, Instant asked, TypeId type, const ActingEpoch& epoch,
                 const std::optional<ActingEpoch>& before, Out& out);
  // It was refused by the fence; or (a check) nothing is known.
  void on_refused(TypeId type, const ActingEpoch& epoch);
  void on_check_failed(TypeId type);

  // --- what is cached ---
  // Drop these items, wherever they are kept.
  std::vector<ItemKey> take_invalidated() { return std::exchange(invalidated_, {}); }
  // Drop everything of these types.
  std::vector<TypeId> take_forgotten() { return std::exchange(forgotten_, {}); }

  struct Counters {
    std::uint64_t used = 0;      // may_use() that said yes
    std::uint64_t not_used = 0;  // ... no
    std::uint64_t asked = 0;     // leases
    std::uint64_t granted = 0;
    std::uint64_t invalidations_sent = 0;
    std::uint64_t invalidations_answered = 0;
    std::uint64_t silences = 0;  // leases that were waited for, since their holders said nothing
    std::uint64_t claims = 0;    // epochs newly stored
    std::uint64_t refused = 0;   // by the fence
  };
  const Counters& counters() const { return counters_; }
  std::size_t waiting() const { return rounds_.size(); }  // writes

 private:
  // Of a type for which this server acts.
  struct Authority {
    ActingEpoch epoch;   // stored in the database, as far as is known
    Instant verified{};  // when the database was asked, the last time that it said so
    bool checking = false;
    Instant grace{};                     // until then somebody may hold a lease of a former owner
    std::map<ServerId, Instant> leases;  // how long they last, at the most
    std::map<ServerId, std::uint64_t> asking;  // until the database has answered
  };
  // Of a type for which another acts.
  struct Lease {
    ServerId owner;
    std::uint64_t version = 0;  // of the owner's epoch
    Instant until{};
    std::uint64_t number = 0;  // of the last question; 0: none is open
    Instant asked{};
  };
  struct Round {
    std::uint64_t write = 0;
    TypeId type;
    std::map<ServerId, Instant> waiting;
    Instant not_before{};
  };

  void on_invalidate(ServerId from, const Invalidate& message, Out& out);
  void on_invalidated(Instant now, ServerId from, const Invalidated& message);
  void on_ask(Instant now, ServerId from, const LeaseAsk& message, Out& out);
  void on_grant(Instant now, ServerId from, const LeaseGrant& message);
  bool holds(Instant now, TypeId type, const Authority& authority) const;
  void check(TypeId type, Authority& authority);
  void grant(Instant now, ServerId to, std::uint64_t number, TypeId type, Authority& authority,
             Out& out);
  bool may_use_leased(Instant now, TypeId type, ServerId owner, Out& out);
  void settle(Instant now);
  std::optional<TypeId> type_of_key(std::uint64_t key) const;
  // `lease`, and what a clock may be off.
  Duration whole_lease() const { return options_.lease + options_.lease / kDriftShare + 1ms; }

  ServerId self_;
  const Ownership& ownership_;
  ItemGuardOptions options_;
  std::unordered_map<std::uint64_t, TypeId> types_;  // by their keys
  std::vector<ServerId> members_;                    // the others of the group that are online
  std::unordered_map<std::uint32_t, Authority> authorities_;
  std::unordered_map<std::uint32_t, Lease> leases_;
  std::map<std::uint64_t, Round> rounds_;  // by number
  std::uint64_t last_number_ = 0;
  std::vector<std::uint64_t> acknowledged_;
  std::vector<Check> checks_;
  std::vector<ItemKey> invalidated_;
  std::vector<TypeId> forgotten_;
  Counters counters_;
};

}  // namespace tandem
