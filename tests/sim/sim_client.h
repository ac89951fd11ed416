// A client of the simulation: keeps its token and a small validated cache, and fetches item after
// item, now and then two at once. Failures are tried again after a moment.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "tests/sim/sim_balancer.h"
#include "tests/sim/world.h"

namespace tandem::sim {

struct ClientOptions {
  Duration think = 500ms;    // between requests, on average
  double pair_chance = 0.1;  // of two requests at once
  std::size_t cache_items = 12;
  bool library = true;      // announces its cache id; else an ordinary client
  bool keeps_token = true;  // false: a bot without cookies
  Duration retry = 200ms;
};

struct ClientCounts {
  std::uint64_t requests = 0;
  std::uint64_t failed = 0;
  std::uint64_t fetched = 0;
  std::uint64_t reused_by_mirror = 0;
  std::uint64_t reused_by_validator = 0;
  std::uint64_t moved = 0;  // the primary changed
  Duration slowest{};
};

class SimClient {
 public:
  SimClient(World& world, SimBalancer& balancer, ClientOptions options, Random random,
            ClientCounts& counts)
      : world_(world),
        balancer_(balancer),
        options_(options),
        random_(random),
        counts_(counts),
        cache_id_{options.library ? random_.next() | 1 : 0} {}

  void start();
  void stop() { running_ = false; }
  // One request now; `done` hears whether it was served.
  void fetch(std::function<void(bool)> done);

  const std::optional<SessionToken>& token() const { return token_; }
  Instant last_served() const { return last_served_; }

 private:
  struct Held {
    std::size_t item;
    Validator validator;
    std::uint64_t version;
  };
  using HeldList = std::list<Held>;  // the least recently used in front

  void think();
  void on_response(std::size_t item, const std::optional<Held>& announced,
                   const HttpResponse& response);
  void keep(std::size_t item, const HttpResponse& response);
  HeldList::iterator find(std::size_t item);

  World& world_;
  SimBalancer& balancer_;
  const ClientOptions options_;
  Random random_;
  ClientCounts& counts_;
  const CacheId cache_id_;
  bool running_ = false;
  std::optional<SessionToken> token_;
  HeldList held_;
  std::set<ItemKey> evicted_;  // not told yet
  Instant last_served_{};
};

}  // namespace tandem::sim
