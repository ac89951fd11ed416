// The master: which registered servers are online, and the buddy ring of those. A machine over ids
// and virtual time; Membership carries its orders out and tells its rulings to everybody.
//
// It verifies before it believes (lb/core/liveness), and it does not believe its own eyes alone: a
// server whose verification failed is dead if
//   1. its host refuses connections and its control connection is gone, or
//   2. a witness agrees: another server reported it, or looked (Look) and could not reach it, or
//   3. nobody who was asked says anything, though one of them is heard of (an older version) - and
//      this is not one of most, or
//   4. it is deaf (it reports, but its data port fails), and this is not one of most.
// A witness that did reach it contradicts, unless it is deaf: then nothing changes, and neither if
// nobody can be asked. From then on, until the master hears of it again, a report is not enough:
// its reporter may be cut off from it, too. Several are asked, and none of them may contradict.
// Those who are asked may have died with it, unnoticed yet: if none is heard
// of, others are asked, once.
//
// *Most looks dead*: if more than half of those online would be offline by what was confirmed
// within `window`, or could not be judged, it may be the master itself that is cut off. Rules 3 and
// 4 then end; who is not dead by 1 or 2 stays online, and that is said loudly. For rule 4 those
// whose data ports have not answered lately count as well: they may be about to be deaf.
//
// The dead leave the ring in transactions (lb/core/rounds). With the first of them all who are
// online are called, once: one ping each. Who is not heard of within a verification's time is
// suspected, and judged as any.
//
// Offline servers are looked at ever more rarely, and one that answers returns, into another place
// on the ring. One that was believed dead and comes back, the same process, is held back, unless it
// has done so `returns_free` times at most, or most are offline anyway: it has to be well for a
// while before it counts again. The first time for twice as long as it was away, within kHoldLeast
// and `hold_back`; then for twice `hold_back`, doubled each time.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/deadlines.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/wire/messages.h"
#include "lb/core/directory_change.h"
#include "lb/core/liveness.h"
#include "lb/core/ring.h"
#include "lb/core/rounds.h"

namespace tandem {

// --- orders -------------------------------------------------------------------------------------
// Probe its data port, and ping its control connection if there is one.
struct Contact {
  ServerId server;
  std::uint64_t serial = 0;
  Duration timeout = 0s;  // 0: the usual one
  bool ping = true;
};
// Ping its control connection, no more: does it answer the roll call?
struct Call {
  ServerId server;
  std::uint64_t serial = 0;
};
struct AskWitness {
  ServerId witness;
  Look look;
};
// The server is in this state from now on.
struct Ruling {
  ServerId server;
  ServerState state = ServerState::kOffline;
  std::string why;
};
// For the log alone.
struct Remark {
  ServerId server;
  std::string text;
};
// For the log, as an error, and the directory; of no server.
struct Alarm {
  MembershipEvent::Kind kind = MembershipEvent::Kind::kMostLooksDead;
  std::string text;
};
using MasterOrder = std::variant<Contact, Call, AskWitness, Ruling, Remark, Alarm>;
using MasterOrders = std::vector<MasterOrder>;

class Master {
 public:
  struct Options {
    Liveness::Options liveness;
    Duration window = 10s;
    Duration hold_back = 30s;
    Duration hold_back_max = 10min;
    std::uint32_t returns_free = 0;
    std::uint64_t seed = 1;
  };
  static constexpr std::size_t kWitnessesMax = 3;   // asked about one server
  static constexpr std::size_t kWitnessTries = 16;  // so often the dice may name the wrong ones
  static constexpr unsigned kLookTimeouts = 4;      // so many verification times a witness has
  static constexpr Duration kHoldLeast = 5s;        // but for a shorter hold_back
  static constexpr Duration kReturnsKept = 10min;   // then the returns of a server are forgotten

  struct Counts {
    std::uint64_t reports = 0;        // by servers and balancers
    std::uint64_t verifications = 0;  // of who was online
    std::uint64_t confirmed = 0;
    std::uint64_t refuted = 0;           // the server gave a sign of life
    std::uint64_t false_suspicions = 0;  // of these, those that were reported
    std::uint64_t contradicted = 0;      // a witness reached it
    std::uint64_t unjudged = 0;          // nobody could be asked, or most looked dead
    std::uint64_t looks = 0;
    std::uint64_t calls = 0;  // of a server, in a roll call
    std::uint64_t held_back = 0;
    std::uint64_t transactions = 0;  // removals from the ring
    Duration detection_total = 0s;   // of the confirmed, from the first sign to the ruling
    Duration detection_last = 0s;
  };

  explicit Master(Options options);
  void set_options(Instant now, const Options& options);

  // A registered server, known before or not, on a new control connection. A new process counts at
  // once; so does who was never believed dead.
  void on_registered(Instant now, ServerId server, const std::string& zone,
                     std::uint64_t incarnation, MasterOrders& orders);
  // Known from elsewhere (the directory, another balancer), without a control connection: verified
  // at once if online.
  void adopt(Instant now, ServerId server, const std::string& zone, std::uint64_t incarnation,
             ServerState state);
  // The places of those adopted; whoever is online and has none goes anywhere.
  void restore_ring(const std::vector<Ring::Place>& places);
  void forget(ServerId server);

  void on_heard(Instant now, ServerId server, bool is_pong, MasterOrders& orders);
  void on_connection_lost(Instant now, ServerId server, MasterOrders& orders);
  void on_left(Instant now, ServerId server, MasterOrders& orders);
  // This process met a failure of its own; `by` accuses.
  void on_failure(Instant now, ServerId server, MasterOrders& orders);
  void on_report(Instant now, ServerId by, const FailureReport& report, MasterOrders& orders);
  void on_probe_result(Instant now, ServerId server, std::uint64_t serial, ProbeResult result,
                       std::string_view detail, MasterOrders& orders);
  void on_looked(Instant now, ServerId by, const Looked& looked, MasterOrders& orders);

  // Call it after everything above.
  void on_deadline(Instant now, MasterOrders& orders);
  Instant next_deadline() const;

  const Liveness* liveness(ServerId server) const;
  bool online(ServerId server) const;
  // Does its word on others count? Whoever is suspected may be cut off.
  bool can_witness(Instant now, ServerId server) const;
  const std::set<ServerId>& held_back() const { return held_back_; }
  bool most_looks_dead() const { return most_; }
  Ring& ring() { return ring_; }
  const Ring& ring() const { return ring_; }
  const Counts& counts() const { return counts_; }
  std::uint64_t next_serial() { return ++serials_; }

 private:
  struct Subject {
    explicit Subject(const Liveness::Options& options) : live(options) {}
    Liveness live;
    std::string zone;
    std::uint64_t incarnation = 0;
    bool online = false;
    std::uint64_t first_serial = 0;            // of the verification under way
    std::string detail;                        // of the last failed probe
    std::map<std::uint64_t, Instant> patient;  // probes under way: when they began
    // A suspicion: from its first sign until it is refuted, or believed.
    Instant suspected = kNever;
    std::uint64_t signs = 0;   // good ones, when it began
    std::uint64_t judged = 0;  // the verification that came to nothing
    bool counted = false;      // among the verifications
    bool accused = false;      // by another server
    bool agreed = false;       // by a witness
    bool contradicted = false;
    bool disputed = false;   // it was contradicted, and nothing good was seen since
    bool confirmed = false;  // its transaction is to come
    std::uint64_t look = 0;  // the number of the question
    Instant asked_at = kNever;
    bool asked_again = false;  // nobody who was asked first was heard of
    std::vector<ServerId> asked;
    std::size_t answers = 0;  // of those
    // Of comings and goings.
    unsigned returns = 0;                // of the same process
    Instant returned = Instant{} - 24h;  // last
    Instant well_since = kNever;
    Instant gone_since{};  // offline
  };

  Subject* find(ServerId server);
  void review(Instant now, ServerId server, Subject& subject, MasterOrders& orders);
  void review_offline(Instant now, ServerId server, Subject& subject, MasterOrders& orders);
  void wake(Instant now, ServerId server, const Subject& subject);
  void suspect(Instant now, ServerId server, Subject& subject);
  void acquit(ServerId server, Subject& subject);
  void judge(Instant now, ServerId server, Subject& subject, MasterOrders& orders);
  void judge_deaf(Instant now, ServerId server, Subject& subject, MasterOrders& orders);
  void give_up(ServerId server, Subject& subject, std::string_view why, MasterOrders& orders);
  void ask(Instant now, ServerId server, Subject& subject, MasterOrders& orders);
  bool waits_for_witnesses(Instant now, const Subject& subject) const;
  bool somebody_is_heard(const Subject& subject) const;
  void confirm(Instant now, ServerId server, Subject& subject);
  void come_back(Instant now, ServerId server, Subject& subject, std::string why,
                 MasterOrders& orders);
  void go(Instant now, ServerId server, Subject& subject, ServerState state, MasterOrders& orders);
  void contact(Instant now, ServerId server, Subject& subject, MasterOrders& orders);
  void contact_patiently(Instant now, ServerId server, Subject& subject, MasterOrders& orders);
  bool held(Subject& subject) const;
  Duration hold_of(const Subject& subject) const;
  Duration look_time() const { return options_.liveness.timeout * kLookTimeouts; }
  bool most_with(std::size_t more) const;
  void carry_out_rounds(Instant now, MasterOrders& orders);
  void verify_for_round(Instant now, ServerId server, MasterOrders& orders);
  void call_roll(Instant now, MasterOrders& orders);
  void end_roll_call(Instant now, MasterOrders& orders);
  Instant roll_call_until() const {
    return called_at_ == kNever ? kNever : called_at_ + options_.liveness.timeout;
  }
  void judge_most(Instant now, MasterOrders& orders);

  Options options_;
  Random dice_;
  std::map<ServerId, Subject> subjects_;
  Deadlines<ServerId> deadlines_;
  Ring ring_;
  Rounds rounds_{ring_};
  Instant called_at_ = kNever;   // the roll, and not all have answered
  std::set<ServerId> suspects_;  // undecided, and no round waits for them
  std::set<ServerId> unjudged_;  // failed, but for want of a witness
  std::set<ServerId> failing_;   // online and heard of, but the last probe failed
  std::set<ServerId> held_back_;
  std::deque<Instant> gone_;  // the believed dead, within the window
  std::size_t online_ = 0;
  std::size_t left_ = 0;
  ServerId last_witness_;  // who reported or looked last: it lives
  bool most_ = false;
  std::uint64_t serials_ = 0;
  std::uint64_t looks_ = 0;
  Counts counts_;
};

}  // namespace tandem
