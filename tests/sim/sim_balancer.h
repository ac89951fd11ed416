// The balancer of the simulation: membership, assignment, routing and the life of a request are the
// code that ships (lb/core); around it is what its shell does.
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
#include "tests/sim/sim_server.h"
#include "tests/sim/world.h"

namespace tandem::sim {

class SimBalancer {
 public:
  using Reply = std::function<void(const HttpResponse&)>;

  SimBalancer(World& world, Place place, std::vector<std::unique_ptr<SimServer>>& servers);

  // For SimServer: a control connection from the server at `from`.
  std::optional<Network::ChannelId> accept(Place from, Network::Handlers at_server);

  // A client's request; `token` is null if it has none. The reply always comes.
  void request(const SessionToken* token, HttpRequest request, Reply reply);
  // The process at `place` has died: connections to it break.
  void on_killed(Place place);

  const View& view() const { return *index_.view(); }
  std::size_t calls() const { return calls_.size(); }

 private:
  struct Call {
    Exchange exchange;
    std::optional<SessionToken> client;  // its token
    HttpRequest request;                 // with the token of the attempt under way
    Reply reply;
    std::uint64_t attempt = 0;
    Place place = 0;
    bool waiting = false;  // for the server of this attempt
  };
  using CallId = std::uint64_t;

  void drive();
  void carry_out(const MembershipAction& action);
  void probe(const StartProbe& probe);
  void send_to(ConnectionId channel, MessagePtr message);
  void on_view(const ViewPtr& view);

  void route_call(CallId id);
  void attempt(CallId id, ServerId server, bool reused);
  void arrive(CallId id, std::uint64_t attempt, Place place, const HttpRequest& request);
  void await_response(CallId id, std::uint64_t attempt, const HttpResponse& response);
  void on_response(CallId id, const HttpResponse& response);
  void follow(CallId id, const Verdict& verdict, const HttpResponse& response);
  void answer(CallId id, int status);
  Call* waiting_call(CallId id, std::uint64_t attempt);
  std::optional<Place> place_of(ServerId server) const;

  World& world_;
  const Place place_;
  std::vector<std::unique_ptr<SimServer>>& servers_;
  std::map<ServerId, Place> places_;
  Random random_;
  Membership membership_;
  Assignment assignment_;
  ViewIndex index_;
  RetryBudget budget_{RetryBudget::Options{}};
  Instant wakes_ = kNever;
  CallId last_call_ = 0;
  std::map<CallId, Call> calls_;
};

}  // namespace tandem::sim
