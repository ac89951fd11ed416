// A balancer that follows a master: whether the master's view counts, or what is seen here. A
// machine: what the connection to the master brings and the time in, actions out; the shell is
// lb/io/master_link, and Membership does what follow() and act_alone() say.
//
// The master's view is followed from the first that it tells on a connection until that is lost, or
// silent for kSilentIntervals status intervals; when it is heard again, its view is followed again.
// It is told what is seen here, for the servers that are registered here alone, and every failure
// that this balancer's workers and servers meet. While it cannot be reached, failures wait: each
// server's latest, at most kReportsMax, for at most kReportAge. After kWitnessAge it is no
// witness's word any more (Seen::kUnknown): the server may have come back since.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/view_sources.h"
#include "common/wire/messages.h"

namespace tandem {

// --- what the shell is to do ---
struct TellMaster {
  Message message;
};
struct TellMasterSeen {};    // ViewUpdate{Membership::seen()}
struct TellMasterFollow {};  // Follow{Membership::view_id()}
struct FollowView {
  ViewPtr view;
};
struct FollowStatus {
  StatusUpdate update;
};
struct ActAlone {};
// What an administrator wants to read.
struct FollowerNote {
  std::string text;
};
using FollowerAction = std::variant<TellMaster, TellMasterSeen, TellMasterFollow, FollowView,
                                    FollowStatus, ActAlone, FollowerNote>;
using FollowerActions = std::vector<FollowerAction>;

class Follower {
 public:
  struct Options {
    Duration status_interval = 1s;
    std::uint64_t maker = 0;  // of views: this process
  };
  struct Counts {
    std::uint64_t reports = 0;       // told to the master
    std::uint64_t reports_lost = 0;  // for want of room, or too old when it was back
    std::uint64_t times_alone = 0;   // that the master could not be reached any more
  };
  static constexpr int kSilentIntervals = 3;
  static constexpr std::size_t kReportsMax = 256;
  static constexpr Duration kReportAge = 30s;
  static constexpr Duration kWitnessAge = 1s;
  static constexpr Duration kSeenGap = 50ms;  // from one telling of what is seen to the next

  explicit Follower(Options options);

  void on_connected(Instant now, FollowerActions& actions);
  void on_lost(Instant now, FollowerActions& actions);
  void on_message(Instant now, const Message& message, FollowerActions& actions);
  // A worker or a server of this balancer has met it, or a client says so.
  void on_failure(Instant now, const FailureReport& report, FollowerActions& actions);
  // Membership::seen_version() is this now.
  void on_seen(Instant now, std::uint64_t version);
  // Status of servers that is seen here.
  void on_status_seen(const StatusUpdate& update, FollowerActions& actions);
  void on_deadline(Instant now, FollowerActions& actions);
  Instant next_deadline() const;

  bool connected() const { return connected_; }
  bool following() const { return following_; }
  std::size_t reports_waiting() const { return reports_.size(); }
  const Counts& counts() const { return counts_; }
  ViewSources::Facts facts() const { return master_.facts(0); }

 private:
  struct Waiting {
    FailureReport report;
    Instant since;
  };
  bool fresh(Instant now) const;
  void take_view(Instant now, const Message& message, FollowerActions& actions);
  void settle(Instant now, FollowerActions& actions);
  void send_reports(Instant now, FollowerActions& actions);
  void ask_whole(FollowerActions& actions);

  Options options_;
  ViewSources master_;
  bool connected_ = false;
  bool following_ = false;
  bool reflected_ = false;  // our own views come back as the master's: a circle
  ViewPtr followed_;        // told last, while following_
  std::deque<Waiting> reports_;
  Instant beat_due_ = kNever;
  Instant seen_due_ = kNever;
  Instant seen_told_{};
  std::uint64_t seen_ = 0;
  Counts counts_;
};

}  // namespace tandem
