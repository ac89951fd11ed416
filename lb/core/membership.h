// Who is a member of the cluster, who of them is online, and who has to be told: the balancer's
// seat of membership. A machine: messages, results and the time in, actions out; the shell
// (lb/io/control, lb/io/check) and the simulator carry the actions out.
//
// tandem-servers register over the control wire and are judged by Master, which keeps their ring;
// plain servers come from the conf and are judged by HealthCheck. The view's version grows with
// every change but those of status. Everybody gets every view, or what changed in it (ViewTeller);
// a status at once when it changes a choice (a threshold or the capacity is crossed, draining),
// else all new ones together once a status interval.
//
// Of several balancers one may be the master. The others connect to it like servers, and follow()
// its view (lb/core/follower): they judge their servers as ever, but workers and servers are told
// the master's view, under its version, until act_alone(). A master adopts the servers that only a
// follower sees. Views of a maker have growing versions, and whoever begins to make views goes on
// above those that it has followed or heard of, so that the later view has the greater version.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/deadlines.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/cluster/choose.h"
#include "common/cluster/view.h"
#include "common/wire/messages.h"
#include "lb/core/directory_change.h"
#include "lb/core/directory_record.h"
#include "lb/core/health_check.h"
#include "lb/core/master.h"
#include "lb/core/n_plus_one_watch.h"
#include "lb/core/view_teller.h"

namespace tandem {

struct PlainServer {
  std::string name;
  std::string address;  // host:port
  std::uint32_t capacity = 1000;
  std::uint32_t threshold = 800;
  std::string zone;
  std::string group = "default";

  bool operator==(const PlainServer&) const = default;
};

// --- what the shell is to do --------------------------------------------------------------------
// Contact the server's data port, then say on_probe_result(). kTandem: an answer to the health
// request; kPlain: what the conf asks for.
struct StartProbe {
  ServerId server;
  ServerKind kind = ServerKind::kTandem;
  std::string address;
  std::uint64_t serial = 0;
  Duration timeout = 0s;  // 0: the shell's own
};
struct SendMessage {
  ConnectionId to = 0;
  Message message;
};
// To all of these.
struct Broadcast {
  std::vector<ConnectionId> to;
  Message message;
};
// Once what was sent on it has left.
struct CloseConnection {
  ConnectionId connection = 0;
};
// A new view, for the workers.
struct PublishView {
  ViewPtr view;
};
// New status of some servers, for the workers.
struct PublishStatus {
  StatusUpdate update;
};
// A change that an administrator wants to read of.
struct Note {
  std::string text;
  bool error = false;
};
// To be written to the directory, in order; before the view that says the same.
struct StoreChange {
  DirectoryChange change;
};
using MembershipAction = std::variant<StartProbe, SendMessage, Broadcast, CloseConnection,
                                      PublishView, PublishStatus, StoreChange, Note>;
using MembershipActions = std::vector<MembershipAction>;

// What becomes of the wish that a server drains.
enum class DrainOrder : std::uint8_t {
  kTaken,
  kUnknown,    // no such server
  kElsewhere,  // it is online, and not registered here, so that nothing can be told to it
};

class Membership {
 public:
  struct Options {
    Duration status_interval = 1s;
    std::uint32_t balancers = 0;  // that assign sessions; 0: this one, and those that follow it
    HealthCheck::Options check;
    Master::Options master;   // but for its status_interval
    std::uint64_t maker = 0;  // of views: this process
    bool has_master = false;  // its own views are a stand-in's
    // Of the view; greater than any of an earlier process, so that a restart is seen as a change.
    std::uint64_t first_version = 1;
    // A fingerprint of the routes. Others make another view, so that direct clients, who know the
    // routes with the list of servers, ask for it again.
    std::uint64_t routes = 0;
  };
  static constexpr std::size_t kMembersMax = 16'384;  // more are refused
  static constexpr std::size_t kFollowersMax = 64;    // balancers; more are refused
  static constexpr std::size_t kNameBytesMax = 64;
  // So many views an earlier process may have published after the last one that was stored.
  static constexpr std::uint64_t kVersionsUnstored = 1'000'000;
  static constexpr Duration kViewGap = 10ms;  // between two views, unless nothing was sent for long

  Membership(Instant now, Options options);

  // What an earlier process left in the directory, before configure(): its servers, those online
  // still online (until a probe, which starts at once, fails), its ring, and a version greater than
  // any that it may have published. Later, when the directory could not be read at first: only
  // servers that are not known yet.
  void restore(Instant now, const DirectoryContents& contents);

  // Sets options and plain servers: those not named any more leave, new ones join, others keep
  // their state and take their new figures. Fails, and changes nothing, if a name belongs to a
  // registered server or the id of two names is the same.
  Result<void> configure(Instant now, Options options, const std::vector<PlainServer>& plain);

  void on_message(Instant now, ConnectionId from, const Message& message,
                  MembershipActions& actions);
  void on_connection_lost(Instant now, ConnectionId connection, MembershipActions& actions);
  // `detail`: what failed, for the log.
  void on_probe_result(Instant now, ServerId server, std::uint64_t serial, ProbeResult result,
                       std::string_view detail, MembershipActions& actions);
  // This process met a connect failure or a reset.
  void on_failure_report(Instant now, ServerId server, MembershipActions& actions);
  // What the workers counted for a plain server.
  void on_plain_count(Instant now, ServerId server, std::uint32_t primaries,
                      std::uint32_t alternates);
  // An administrator's wish; kept while the name is known, in the directory, too.
  DrainOrder set_drain(Instant now, std::string_view name, bool draining,
                       MembershipActions& actions);

  // Everything above may leave something due at once: call on_deadline() after it.
  void on_deadline(Instant now, MembershipActions& actions);
  Instant next_deadline() const;

  // The servers as they are now (newer than in the last view published, maybe).
  View view() const;

  // --- several balancers (membership_follow.cc) ---
  // The master's view, from now on the one that counts.
  void follow(Instant now, const View& view);
  // Status that the master tells of servers that are not registered here.
  void follow_status(const StatusUpdate& update, MembershipActions& actions);
  // The master cannot be reached: what is seen here counts, and until more is known of it whatever
  // the master said last of servers that are not registered here.
  void act_alone(Instant now);
  bool follows() const { return followed_.has_value(); }
  ViewId view_id() const;
  // What is seen here, of tandem-servers alone, whoever's view counts; grows with every change.
  View seen() const;
  std::uint64_t seen_version() const { return version_; }
  std::size_t followers() const { return followers_.size(); }
  std::uint64_t follower_reports() const { return follower_reports_; }  // FailureReports of theirs
  // Does what is said on this connection of another server count as a witness's word?
  bool can_witness(Instant now, ConnectionId connection) const;
  // Is this the connection of a registered server or a follower?
  bool listens(ConnectionId connection) const {
    return connections_.count(connection) != 0 || followers_.count(connection) != 0;
  }
  const ViewTeller& teller() const { return teller_; }

  const Master& master() const { return master_; }

  // For /status.
  struct MemberState {
    bool connected = false;  // a control connection (kTandem)
    bool left = false;       // announced its shutdown
    bool held_back = false;  // see Master
    bool drain_wanted = false;
    bool drained = false;  // as wanted, and it has no session left, by what it says since then
  };
  MemberState state_of(ServerId server) const;
  // Who would be over capacity after which death, as of the last status published; with view() and
  // backings(), if_dies() says more.
  const NPlusOne& n_plus_one() const { return n_plus_one_.state(); }
  const Backings& backings() const { return n_plus_one_.backings(); }

  // Whoever can be told something now.
  struct Registered {
    ConnectionId connection = 0;
    ServerId server;
  };
  std::vector<Registered> registered_servers() const;

 private:
  struct Member {
    ServerRecord record;
    ConnectionId connection = 0;  // 0: none
    bool is_new = true;           // never online yet
    bool adopted = false;         // never registered here: a follower or the directory knows it
    bool drain_wanted = false;
    bool says_draining = false;        // the server itself
    bool status_new = false;           // in status_news_
    std::uint64_t serial = 0;          // of the check under way
    std::optional<HealthCheck> check;  // kPlain
  };

  static bool valid_name(const std::string& name);
  static Master::Options master_options(const Options& options);
  Member* registered_on(ConnectionId connection);
  Member* find(ServerId server);
  void on_hello(Instant now, ConnectionId from, const Hello& hello, MembershipActions& actions);
  void on_register(Instant now, ConnectionId from, const Register& message,
                   MembershipActions& actions);
  void on_status(Member& member, Status status);
  std::string objection(Instant now, ConnectionId from, const Hello& hello) const;
  std::string masters_objection(const Hello& hello, const Register& message) const;
  void refuse(ConnectionId from, std::string reason, MembershipActions& actions);
  bool make_room(Instant now);
  void put_plain(Instant now, const PlainServer& plain);
  void drain_as_before(Member& member);
  static bool gives_way(const Member& member);
  void give_way(Instant now, const PlainServer& plain);
  void remove(const std::string& name);
  void check_plain(Instant now, MembershipActions& actions);
  void set_state(Instant now, Member& member, ServerState state, std::string_view why,
                 MembershipActions& actions);
  void carry_out(Instant now, MembershipActions& actions);
  void on_server_message(Instant now, Member& member, const Message& message);
  void contact(const Contact& contact, MembershipActions& actions);
  void follow_ring();
  void publish(Instant now, MembershipActions& actions);
  void judge_n_plus_one(Instant now, bool published, MembershipActions& actions);
  void publish_view(Instant now, MembershipActions& actions);
  void publish_status(Instant now, MembershipActions& actions);
  std::vector<ConnectionId> listeners() const;

  bool on_views_message(Instant now, ConnectionId from, const Message& message,
                        MembershipActions& actions);
  void on_follow(ConnectionId from, const Follow& follow, MembershipActions& actions);
  // Null: it is not online by this record alone.
  Member* adopt(Instant now, const ServerRecord& record);
  void adopt_status(const StatusUpdate& update);
  View own_view() const;
  std::uint32_t balancers() const;

  Options options_;
  std::map<std::string, Member, std::less<>> members_;  // by name: the order of round robin
  std::map<ServerId, std::string> names_;               // of members_
  std::set<std::string> drained_;                       // names; of some nothing may be known yet
  std::map<ConnectionId, Hello> hellos_;                // greeted, not registered yet
  std::map<ConnectionId, std::string> connections_;     // registered: the member's name
  std::map<ConnectionId, std::string> followers_;       // balancers: their names
  std::optional<View> followed_;                        // none: what is seen here counts
  std::uint32_t followed_balancers_ = 0;  // as the master counted them, while it is away
  std::uint64_t follower_reports_ = 0;
  ViewTeller teller_;
  NPlusOneWatch n_plus_one_;
  DirectoryRecord directory_;
  Master master_;
  MasterOrders orders_;
  Deadlines<ServerId> checks_;         // of plain servers
  std::vector<ServerId> status_news_;  // whose status is not told yet
  std::uint64_t version_;
  bool view_new_ = true;         // not told yet
  bool status_new_ = false;      // of some members, not told yet
  bool status_urgent_ = false;   // at once
  bool directory_new_ = false;   // something that the directory has not been told
  bool n_plus_one_new_ = false;  // not judged since the last that was published
  Instant view_sent_;
  Instant status_sent_;
  Instant n_plus_one_judged_;
};

}  // namespace tandem
