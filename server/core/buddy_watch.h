// The buddy watch of one server: are my buddies alive? A machine (common/cluster/machine.h).
//
// A link is watched once a period: one end pings, the other answers, and says with its answer when
// it will ping in its turn. So the ends take turns and agree on the time by the messages alone;
// clocks are not compared. The server's two links are held half a period apart (next_exchange()).
// Two pings that cross: the answer to that of the lower id takes the turn. Anything heard from a
// buddy counts as its answer.
//
// A miss is followed by quick probes, these by suspicion: a FailureReport to the balancers and a
// Suspect to the suspect's other buddy, which looks at once, too. A channel that closes is a
// suspicion without any wait. As long as the suspect stays silent and nobody takes it off the ring,
// it is pinged each period and reported again, ever more rarely.
//
// A server suspects itself first. A deadline of its own that fires too late says that it was
// frozen or starved: the watch begins anew, nobody is accused. The same if both buddies are missed
// at once; but then it looks a second time, asks bystanders, and accuses both if it hears a
// bystander or a balancer: so it is not cut off, and two buddies may well die together.
//
// Whoever was away may have been given up by others, who close their channels. They say so first
// (a Suspect to the suspect itself), but where packets were lost that may be lost, too. So of a
// server that doubted itself, or was told, no channel that closes says anything before the buddy
// was heard there again, and for a period, and nobody's silence does for some. And while somebody
// is being missed a closed channel is judged as silence is, by the quick probes.
//
// Envelopes to kBalancers are for the balancers. What comes from them is handed in as from it.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/cluster/machine.h"
#include "common/wire/messages.h"
#include "server/core/neighbourhood.h"
#include "server/core/watch_times.h"

namespace tandem {

class BuddyWatch {
 public:
  using Out = Outbox<Message>;
  static constexpr ServerId kBalancers{};
  static constexpr std::size_t kLooksMax = 1024;     // for a balancer; over it the oldest goes
  static constexpr unsigned kReportPeriodsMost = 8;  // between two reports of one suspect
  static constexpr int kReturnPeriods = 4;           // to be heard again after this server was away

  struct Counters {
    std::uint64_t pings_sent = 0;  // quick probes included
    std::uint64_t pongs_sent = 0;
    std::uint64_t answered = 0;  // of the pings
    std::uint64_t missed = 0;    // exchanges
    std::uint64_t suspicions = 0;
    std::uint64_t recovered = 0;     // suspects that were heard again
    std::uint64_t reports = 0;       // to balancers, repetitions included
    std::uint64_t self_late = 0;     // the watch began anew: a deadline fired late
    std::uint64_t self_cut_off = 0;  // both buddies were missed at once
    std::uint64_t looks = 0;         // that balancers asked for
  };
  enum class LinkState : std::uint8_t { kQuiet, kAsked, kMissing, kSuspected };
  struct LinkReport {
    ServerId buddy;
    LinkState state = LinkState::kQuiet;
    Instant heard{};
  };

  struct Options {
    Duration period = 1s;
    bool checks_hosts = false;  // whoever drives it asks the hosts that take_host_checks() names
  };

  BuddyWatch(ServerId self, Options options);

  // Links to buddies that stay go on as they are. Call it before channels of former buddies close.
  void set_neighbourhood(Instant now, const Neighbourhood& neighbourhood, Out& out);
  void on_channel_up(Instant now, ServerId peer, Out& out);
  void on_channel_down(Instant now, ServerId peer, Out& out);
  // Any message of the peer: it counts as heard, though only Ping, Pong, Suspect and (of
  // balancers) Look say something here.
  void on_message(Instant now, ServerId from, const Message& message, Out& out);
  // What a ping of the host by other means has found (take_host_checks()).
  void on_host_answer(ServerId buddy);

  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

  // Buddies that have been missed since the last call: the host may be pinged meanwhile.
  std::vector<ServerId> take_host_checks() { return std::exchange(host_checks_, {}); }
  // Whoever is suspected now; for a balancer that has just been connected.
  std::vector<FailureReport> suspects() const;

  const Counters& counters() const { return counters_; }
  std::vector<LinkReport> links() const;

 private:
  struct Link {
    Neighbourhood::Buddy buddy;  // linked: as of now
    LinkState state = LinkState::kQuiet;
    bool ours = false;       // the turn to ping
    Instant exchange{};      // the next, or (not quiet) the one that is not answered yet
    Instant due{};           // of the next step
    Instant heard{};         // anything, last
    Instant looked{};        // since when it is missed, or not linked
    Instant trusted{};       // from then on it says something if the channel closes
    bool shaken = false;     // this server was away while it stood: not at once when it is heard
    std::uint64_t ping = 0;  // the number of the first ping of this exchange
    unsigned probes = 0;     // kMissing: sent
    bool host_answers = false;
    Seen seen = Seen::kUnknown;  // kSuspected
    Instant report_due{};        // kSuspected: the next
    unsigned report_periods = 1;
  };
  // A balancer asks whether this server is to be reached from here.
  struct Looking {
    Look question;
    Instant due{};
    unsigned probes = 0;  // sent
  };

  WatchTimes times() const;
  Link* find(ServerId buddy);
  Link* other_than(const Link& link);
  void begin(Instant now, Link& link);
  void expect(Link& link, Instant exchange, bool ours);
  void begin_anew_if_late(Instant now);
  void begin_anew(Instant now);
  void distrust(Instant now);
  void heard(Instant now, ServerId from, Out& out);
  void on_ping(Instant now, ServerId from, const Ping& ping, bool crossed, Out& out);
  void on_pong(Instant now, ServerId from, const Pong& pong);
  void on_suspect(Instant now, const Suspect& told, Out& out);
  void on_look(Instant now, const Look& question, Out& out);
  void step(Instant now, Link& link, Out& out);
  void step_quiet(Instant now, Link& link, Out& out);
  bool step(Instant now, Looking& looking, Out& out);
  void send_ping(ServerId to, Out& out);
  void look(Instant now, Link& link, Out& out);
  void probe(Instant now, Link& link, Out& out);
  void conclude(Instant now, Link& link, Out& out);
  void doubt(Instant now, Out& out);
  void suspect(Instant now, Link& link, Seen seen, Out& out);
  void report(Instant now, Link& link, Out& out);

  ServerId self_;
  Options options_;
  std::vector<Link> links_;  // two at most
  std::vector<ServerId> bystanders_;
  std::vector<Looking> looks_;
  std::vector<ServerId> host_checks_;
  Instant doubts_since_ = kNever;  // both buddies were missed at once: it may be we
  bool others_heard_ = false;      // since then: bystanders or balancers
  Instant unsure_until_{};         // this server was away a moment ago
  bool was_on_ring_ = false;       // ever
  std::uint64_t last_ping_ = 0;
  Counters counters_;
};

}  // namespace tandem
