// A small cluster in virtual time: the real machines of balancers (Membership with its Master, ring
// and verification; Follower) and of servers (BuddyWatch, ViewSources), and between them a network
// in which every message takes a millisecond. What an administrator or a reader of the algorithm
// wants to see of it becomes lines of a transcript.
//
// One thread. Nothing is random: the same commands make the same transcript.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/cluster/view_sources.h"
#include "lb/core/follower.h"
#include "lb/core/membership.h"
#include "server/core/buddy_watch.h"

namespace tandem::scenario {

class World {
 public:
  static constexpr Duration kTrip = 1ms;         // of a message
  static constexpr Duration kInterval = 1s;      // of status, and of the buddies' pings
  static constexpr Duration kReconnect = 200ms;  // after this a lost balancer is tried again
  static constexpr Duration kGoodbye = 100ms;    // from Leave to the end of the process
  static constexpr Duration kUsualProbe = 1s;    // the longest a probe takes
  using OnLine = std::function<void(Duration at, const std::string& line)>;

  // `on_line`: the transcript, with the time since the world began.
  explicit World(OnLine on_line) : on_line_(std::move(on_line)) {}

  // --- what may happen; the names must be those of servers or balancers that were begun ---
  // A balancer's process, new or started again with its directory; `master`: whom it follows.
  void begin_balancer(const std::string& name, const std::string& master);
  void begin_server(const std::string& name, const std::string& zone);  // the same, of a server
  void kill(const std::string& name);    // the process; its host closes its connections
  void vanish(const std::string& name);  // the host, without a word: a server's
  void freeze(const std::string& name);  // it stands still
  void thaw(const std::string& name);
  void cut(const std::string& a, const std::string& b);  // what they send each other is lost
  void heal(const std::string& a, const std::string& b);
  void stop(const std::string& server);  // SIGTERM
  // Somebody who is wrong tells the balancers that the server is dead.
  void accuse(const std::string& by, const std::string& suspect);
  void run(Duration span);

  // --- what is to be seen ---
  bool has(const std::string& name) const;
  bool is_server(const std::string& name) const { return servers_.count(name) != 0; }
  bool is_balancer(const std::string& name) const { return balancers_.count(name) != 0; }
  Duration now() const { return now_ - kBegin; }
  std::string ring_of(const std::string& balancer) const;
  std::vector<std::string> servers_of(const std::string& balancer) const;
  std::vector<std::string> watches() const;
  std::string counts_of(const std::string& balancer) const;

 private:
  static constexpr Instant kBegin = Instant{} + 1000s;

  struct Balancer {
    std::string name;
    std::string master;
    std::uint64_t number = 0;  // in the order of the servers' conf
    std::uint64_t life = 0;
    bool alive = false;
    std::unique_ptr<Membership> machine;
    std::unique_ptr<Follower> follower;  // null: it is the master
    MembershipActions actions;
    FollowerActions upward;
    std::map<ConnectionId, std::string> peers;  // servers, and balancers that follow
    DirectoryContents directory;
    ViewPtr published;
  };
  struct Server {
    std::string name;
    std::string zone;
    std::uint64_t life = 0;  // the incarnation as well
    bool alive = false;
    bool frozen = false;
    bool leaving = false;
    bool host = true;  // answers for a dead process
    std::unique_ptr<BuddyWatch> watch;
    std::unique_ptr<ViewSources> sources;
    ViewPtr view;
    std::set<std::string> linked;
    std::map<std::string, ConnectionId> connections;  // by balancer
    std::uint64_t statuses = 0;
    std::vector<std::function<void()>> inbox;  // while frozen

    bool runs() const { return alive && !frozen; }
  };

  void after(Duration delay, std::function<void()> event);
  void say(const std::string& line) { on_line_(now(), line); }
  bool apart(const std::string& a, const std::string& b) const {
    return cuts_.count(std::minmax(a, b)) != 0;
  }
  std::string name_of(ServerId id) const;
  std::string ring_text(const View& view) const;

  // Balancers (world.cc).
  void to_balancer(const std::string& from, Balancer& to, ConnectionId on, Message message);
  void lose(Balancer& at, ConnectionId connection);
  void pump(Balancer& balancer);
  void carry_out(Balancer& balancer, MembershipAction& action);
  void carry_out(Balancer& balancer, FollowerAction& action);
  void send(Balancer& from, ConnectionId to, const Message& message);
  void send_upward(Balancer& from, const Message& message);
  void probe(Balancer& by, const StartProbe& probe);
  void publish(Balancer& balancer, const ViewPtr& view);
  void store(Balancer& balancer, const DirectoryChange& change);
  void follow_master(Balancer& balancer);
  void kill_balancer(Balancer& balancer);

  // Servers (world_servers.cc).
  void to_server(Server& to, std::function<void()> event);
  void connect(Server& server, Balancer& balancer);
  void kill_server(Server& server);
  void on_balancer_message(Server& server, Balancer& from, const Message& message);
  void on_balancer_lost(Server& server, Balancer& balancer);
  void tell_balancers(Server& server, const Message& message);
  void tick(Server& server, std::uint64_t life);
  void follow(Server& server);
  void link(Server& a, Server& b);
  void unlink(Server& a, Server& b);
  void link_all(Server& server);
  void settle(Server& server);

  OnLine on_line_;
  Instant now_ = kBegin;
  std::multimap<Instant, std::function<void()>> events_;
  std::map<std::string, Balancer> balancers_;
  std::map<std::string, Server> servers_;
  std::set<std::pair<std::string, std::string>> cuts_;
  BuddyWatch::Out out_;
  ConnectionId connections_ = 0;
};

}  // namespace tandem::scenario
