// A balancer of the simulation: membership, assignment, routing and the life of a request are the
// code that ships (lb/core); around it is what its shell does. There may be several, each with its
// own view of the cluster; they share the key and nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "lb/core/assignment.h"
#include "lb/core/exchange.h"
#include "lb/core/membership.h"
#include "lb/core/route.h"
#include "tests/sim/host.h"
#include "tests/sim/sim_server.h"
#include "tests/sim/world.h"

namespace tandem::sim {

class SimBalancer {
 public:
  using Reply = std::function<void(const HttpResponse&)>;
  using Servers = std::vector<std::unique_ptr<SimServer>>;
  struct Options {
    std::uint32_t balancers = 1;
    UnixSeconds token_ttl = 1800;
    Sabotage sabotage = Sabotage::kNone;
  };

  SimBalancer(World& world, Place place, Servers& servers, const Options& options);

  Host& host() { return host_; }
  const Host& host() const { return host_; }
  Place place() const { return place_; }
  void start();
  // Requests under way get no answer.
  void kill();

  // For SimServer: a control connection from the server at `from`.
  std::optional<Network::ChannelId> accept(Place from, Network::Handlers at_server);

  // A client's request; `token` is null if it has none. The reply comes unless the process is
  // killed.
  void request(const SessionToken* token, HttpRequest request, Reply reply);
  // The server's process at `place` has died: connections to it break.
  void on_killed(Place place);

  std::uint64_t tokens_refused() const { return tokens_refused_; }

 private:
  struct Call {
    Exchange exchange;
    std::optional<SessionToken> client;  // its token, or what a referral said of its session
    HttpRequest request;                 // with the token of the attempt under way
    Reply reply;
    std::uint64_t attempt = 0;
    Place place = 0;
    bool waiting = false;    // for the server of this attempt
    const char* cause = "";  // of what happened to it last
  };
  using CallId = std::uint64_t;

  // Of the process that lives now.
  struct Life {
    Life(Instant now, Random& random, const Membership::Options& options)
        : membership(now, options), assignment(random.fork(1), 1) {}
    Membership membership;
    Assignment assignment;
    ViewIndex index;
    RetryBudget budget{RetryBudget::Options{}};
    Instant wakes = kNever;
    UnixSeconds skew = 0;
    std::map<CallId, Call> calls;
  };

  // What is stored outlives the process; writing takes no time.
  struct Directory {
    std::uint64_t version = 0;
    std::map<ServerId, ServerRow> servers;
    std::map<ServerId, BuddiesRow> buddies;
    std::set<std::string> drained;

    void store(const DirectoryChange& change);
    DirectoryContents contents() const;
  };

  using Machine = std::function<void(Membership&, MembershipActions&)>;
  void drive(const Machine& event);
  void drive();
  void carry_out(const MembershipAction& action);
  void probe(const StartProbe& probe);
  void send_to(ConnectionId channel, MessagePtr message);
  void on_view(const ViewPtr& view);
  void here(std::function<void()> work) { host_.run(host_.incarnation(), std::move(work)); }
  void after(Duration delay, std::function<void()> work);
  UnixSeconds wall() const { return world_.wall(life_->skew); }

  void route_call(CallId id);
  void attempt(CallId id, ServerId server, bool reused);
  void send(CallId id, std::uint64_t attempt, Duration in);
  void await_response(CallId id, std::uint64_t attempt, const HttpResponse& response);
  void on_response(CallId id, const HttpResponse& response);
  void fail_call(CallId id, std::uint64_t attempt, Verdict (Exchange::*event)(), const char* cause);
  void break_call(CallId id, std::uint64_t attempt, const char* cause);
  void follow(CallId id, const Verdict& verdict, const HttpResponse& response);
  void refer(CallId id, const SessionToken& refer);
  void answer(CallId id, int status);
  bool opens(const SessionToken& token) const;
  Call* waiting_call(CallId id, std::uint64_t attempt);
  std::optional<Place> place_of(ServerId server) const;

  World& world_;
  const Place place_;
  Servers& servers_;
  const Options options_;
  Random random_;
  Host host_;
  Directory directory_;
  std::map<ServerId, Place> places_;
  CallId last_call_ = 0;
  std::uint64_t tokens_refused_ = 0;
  std::unique_ptr<Life> life_;
};

}  // namespace tandem::sim
