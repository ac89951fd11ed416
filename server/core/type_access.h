// Who processes a request for an item, by the item's type: this server, or the one that acts for
// it.
//
//   its own type, or one for which it acts     here
//   another's                                  ask the one that acts for it (Ownership)
//   the owner is offline                       the one that acts in its stead does it: maybe here
//   asking fails                               here, and the master is told
//
// A server that is asked for a type for which it does not act, since it has another view, asks on,
// once. If the asked one goes away with the request, a view is on its way that names another: the
// request waits for that a moment (patience), and asks once more. So one death costs one fetch more
// in the whole group. A server that was silent is not asked for a while (mistrust), but by one
// request now and then.
//
// A write is done by the one that acts for the type, or by nobody: that one alone may pass a
// database's fence (server/core/write_fence.h), and drops what it has cached. It is never asked on,
// and asked of another server only when a newer view names one; until then it waits
// (write_patience). Each says since which view the asked one acts; it is refused if that one acts
// anew, since somebody else may have written meanwhile. Who acts tells the asker since when it
// does, so that the refused one is asked again.
//
// What is processed here for a type that is another's is temporary: when another acts for the type
// again, or answers for it again, what is kept of it is to be forgotten (take_forgotten()). So is
// what is kept of an own type for which another acted meanwhile.
//
// Pure; the shell (server/io/type_source) carries the requests. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/ownership.h"
#include "common/wire/messages.h"

namespace tandem {

struct TypeAccessOptions {
  Duration answer_within = 1s;    // that the asked one has the request; then it is silent
  Duration patience = 250ms;      // for a link, or for a view that names another
  Duration write_patience = 5s;   // of a write, for somebody who acts and can be asked
  Duration mistrust = 1s;         // between requests to one that was silent, or that has no link
  std::uint32_t asks_max = 4096;  // under way to one server; over it: here
  std::uint32_t waiting_max = 4096;
};

class TypeAccess {
 public:
  static constexpr std::uint32_t kHopsMax = 2;      // servers asked one by another
  static constexpr std::uint32_t kAttemptsMax = 2;  // servers asked one after another
  static constexpr std::uint32_t kWriteAttemptsMax = 4;

  enum class As : std::uint8_t {
    kAsk,   // the server of the step, which is to say by `until` that it has the request
    kWait,  // for on_changed(), or until then
    // Here, since
    kOwn,         // the type is this server's
    kStandIn,     // it acts in the owner's stead
    kNobodyElse,  // no view, or all are offline, or it was passed on often enough
    kFailed,      // asking failed
    kBusy,        // too much is under way there, or waits here; or it answers for nobody
    // Nowhere: the write was sent before somebody else acted, or may have. See acting_since().
    kOutdated,
  };
  // How a request comes.
  struct Origin {
    std::uint32_t hops = 0;  // servers that have been asked already
    bool write = false;
    std::uint64_t since = 0;  // ItemRequest::since
  };
  struct Step {
    As as = As::kOwn;
    ServerId server;
    Instant until = kNever;
  };
  // A request as this machine knows it, from begin() to end().
  struct Request {
    TypeId type = {};
    std::uint32_t hops = 0;  // servers that were asked before this one
    std::uint32_t attempts = 0;
    ServerId asked = {};  // nobody: no answer is awaited
    ServerId failed = {};
    Instant wait_until = kNever;
    bool waits = false;
    // Of a write.
    bool write = false;
    std::uint64_t since = 0;
    ActingEpoch sent = {};  // to whom; version 0: to nobody
    Instant give_up = kNever;
  };
  enum class Failure : std::uint8_t {
    kClosed,   // the link went
    kSilent,   // nothing came by `until`
    kRefused,  // it does not want it
  };
  struct Counters {
    std::uint64_t own = 0;
    std::uint64_t stood_in = 0;
    std::uint64_t nobody_else = 0;
    std::uint64_t asked = 0;
    std::uint64_t asked_again = 0;
    std::uint64_t failed = 0;  // processed here since asking failed
    std::uint64_t busy = 0;
    std::uint64_t waited = 0;
    std::uint64_t outdated = 0;
    std::uint64_t reports = 0;
    std::uint64_t forgotten = 0;  // types
  };

  TypeAccess(ServerId self, Ownership ownership, TypeAccessOptions options = {});

  void on_view(const View& view);
  // With Hello::types of the peer. A second one without an end in between: the first has ended.
  void on_linked(ServerId peer, std::uint64_t types);
  void on_unlinked(ServerId peer);

  // What to do first. Of a request that is processed here nothing more is told: begin() and the
  // others forget it.
  Step begin(Instant now, std::string_view target, const Origin& origin, Request& request);
  // The asked one did not do it, and it may be done again. `since`: ItemEnd::since.
  Step on_failure(Instant now, Failure why, Request& request, std::uint64_t since = 0);
  // Of one that waits: a view has come, a link stands, or its time is over.
  Step on_changed(Instant now, Request& request);
  // The asked one has the request.
  void on_taken(const Request& request);
  // The answer has come, whole; or nobody waits for it any more.
  void end(Request& request);

  // For ItemEnd::since: since which view this server acts; 0: it does not.
  std::uint64_t acting_since(TypeId type) const;
  const Ownership& ownership() const { return ownership_; }
  const Counters& counters() const { return counters_; }
  std::uint32_t waiting() const { return waiting_; }
  std::uint32_t under_way() const;
  // Servers of the group that are linked, and have other types, or none.
  std::vector<ServerId> disagreeing() const;

  // For the balancers, at most one for a suspect in `mistrust`.
  std::vector<FailureReport> take_reports() { return std::exchange(reports_, {}); }
  // Types of which nothing is to be kept any more.
  std::vector<TypeId> take_forgotten() { return std::exchange(forgotten_, {}); }

 private:
  struct Peer {
    bool linked = false;
    bool known = false;  // of the group, by the view
    std::uint64_t types = 0;
    std::uint64_t incarnation = 0;
    std::uint32_t asks = 0;
    Instant mistrusted_until{};
    Instant reported_until{};
  };

  Step decide(Instant now, Request& request);
  Step decide_write(Instant now, Request& request);
  Step try_write(Instant now, ServerId acting, const ActingEpoch& epoch, Request& request);
  Step ask(Instant now, ServerId server, Request& request);
  Step wait(Instant until, Request& request);
  Step here(As as, Request& request);
  void let_go(Request& request);
  void report(Instant now, ServerId suspect, Seen seen);
  void forget(TypeId type);

  ServerId self_;
  Ownership ownership_;
  TypeAccessOptions options_;
  std::unordered_map<ServerId, Peer> peers_;
  // By type: since which view something of it has been processed here; 0: nothing. kTemporary: it
  // is another's.
  static constexpr std::uint64_t kTemporary = ~std::uint64_t{0};
  std::vector<std::uint64_t> processed_;
  // By type: since when others act by their own word, if that is later than what we know.
  std::unordered_map<std::uint32_t, ActingEpoch> told_;
  std::uint32_t waiting_ = 0;
  Counters counters_;
  std::vector<FailureReport> reports_;
  std::vector<TypeId> forgotten_;
};

}  // namespace tandem
