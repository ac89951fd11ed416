// A client of the simulation: keeps its token and a small validated cache, and fetches item after
// item, now and then two at once, now and then with an order (POST); naps now and then. It has a
// balancer that it prefers; if its connection breaks it sends again to the next one, but no order.
// Failures are tried again after a moment.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/sim_balancer.h"
#include "tests/sim/world.h"

namespace tandem::sim {

struct ClientOptions {
  Duration think = 500ms;      // between requests, on average
  double pair_chance = 0.1;    // of two requests at once
  double order_chance = 0.05;  // of an order before the request
  double roam_chance = 0.2;    // of another balancer than the one that is preferred
  double nap_chance = 0.02;    // instead of a request
  Duration nap_max = 10s;
  std::size_t cache_items = 12;
  bool with_library = true;  // announces its cache id; else an ordinary client
  bool keeps_token = true;   // false: a bot without cookies
  Duration retry = 200ms;
  UnixSeconds token_ttl = 1800;
  bool keeps_session = true;  // nothing in this world may make it lose its session
};

struct ClientCounts {
  using Failure = std::pair<int, std::string>;  // status (0: no answer) and cause
  std::uint64_t requests = 0;
  std::uint64_t orders = 0;
  std::uint64_t failed = 0;                   // but orders, and new sessions without a place
  std::map<Failure, std::uint64_t> failures;  // of them
  std::map<Failure, std::uint64_t> lost_orders;
  std::uint64_t resent = 0;  // over another connection, by the client itself
  std::uint64_t fetched = 0;
  std::uint64_t reused_by_mirror = 0;
  std::uint64_t reused_by_validator = 0;
  std::uint64_t moved = 0;          // the primary changed
  std::uint64_t sessions_lost = 0;  // another session than before
  Duration slowest{};

  void add(const ClientCounts& other);
};

class SimClient {
 public:
  using Balancers = std::vector<std::unique_ptr<SimBalancer>>;

  SimClient(World& world, Balancers& balancers, ClientOptions options, Random random,
            ClientCounts& counts);

  void start();
  void stop() { running_ = false; }
  // One request, also when stopped; tried once.
  void ask_once() {
    fetch([] {});
  }
  // A balancer's process has died: connections to it break.
  void on_balancer_killed(Place place);

  const std::optional<SessionToken>& token() const { return token_; }
  Instant last_served() const { return last_served_; }

 private:
  struct Held {
    std::size_t item;
    Validator validator;
    std::uint64_t version;
  };
  using HeldList = std::list<Held>;  // the least recently used in front
  // A request that is under way.
  struct Asked {
    HttpRequest request;
    std::optional<SessionToken> token;  // that it was sent with
    std::optional<Held> announced;
    std::function<void()> done;
    Instant began;
    std::size_t balancer = 0;
    unsigned attempts = 0;
  };
  using AskedId = std::uint64_t;

  void think();
  void fetch(std::function<void()> done);
  void order();
  void ask(Asked asked);
  void send(AskedId id);
  void on_answer(AskedId id, unsigned attempt, const HttpResponse& response);
  void on_served(const Asked& asked, const HttpResponse& response);
  void take_token(const Asked& asked, const SessionToken& token);
  void keep(std::size_t item, const HttpResponse& response);
  HeldList::iterator find(std::size_t item);

  World& world_;
  Balancers& balancers_;
  const ClientOptions options_;
  Random random_;
  ClientCounts& counts_;
  const CacheId cache_id_;
  std::size_t preferred_;
  bool running_ = false;
  std::optional<SessionToken> token_;
  HeldList held_;
  std::set<ItemKey> evicted_;  // not told yet
  Instant last_served_{};
  AskedId last_asked_ = 0;
  std::map<AskedId, Asked> asked_;
};

}  // namespace tandem::sim
