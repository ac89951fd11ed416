// What everything in a simulation shares: time, the network, the places, the transcript and the
// checks. Places 0 to N-1 are servers, the places from N on are balancers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "tests/sim/event_heap.h"
#include "tests/sim/faults.h"
#include "tests/sim/invariants.h"
#include "tests/sim/network.h"
#include "tests/sim/origin.h"
#include "tests/sim/transcript.h"

namespace tandem::sim {

// How servers or balancers of this world are broken on purpose, to see the checks go red. Wrapped
// around the machines' answers; the machines themselves are what ships.
enum class Sabotage {
  kNone,
  // Servers.
  kServesWhatItLost,      // answers as primary although it should refer
  kKeepsEpochOnTakeover,  // the token after a takeover has the old epoch
  kNamesItselfTwice,      // alternate = primary
  kReusesUnseen,          // "use yours" without looking at the content
  kNeverHearsOfNewer,     // what tells of newer epochs reaches it, but is not looked at
  kAcksUnapplied,         // batches are answered as applied, and thrown away
  kIgnoresBounds,         // tables that are larger than allowed
  kSwallowsRequests,      // now and then no answer at all
  kRefusesTakeovers,      // 503 instead of a takeover
  // Balancers.
  kResendsAnything,   // requests that may not be executed twice, too
  kForgetsAlternate,  // a dead primary's request goes to anyone, and no copy is told of
  kTakesFromLiving,   // marks requests as takeovers although the primary lives
  kForgetsSessions,   // now and then a client's token is not looked at
};

struct HttpRequest {
  std::uint64_t id = 0;
  SessionToken token;
  CacheId cache;
  std::vector<ItemKey> evicted;
  std::size_t item = 0;
  std::vector<Validator> announced;
  bool post = false;  // not to be executed twice
};

// The cause of the one failure that is no fault: all servers are at capacity, and the request has
// no session.
inline constexpr const char* kNoPlace = "no place for a new session";

struct HttpResponse {
  int status = 0;                     // 0: the connection broke
  const char* cause = "";             // of a failure
  std::optional<SessionToken> token;  // to be set
  SessionToken refer;                 // of a 421
  bool reuse_by_mirror = false;
  Validator etag;
  std::uint64_t version = 0;  // of the item, as the server retrieved it
  ServerId server;

  bool served() const { return status == 200 || status == 304; }
};

struct World {
  World(std::uint64_t seed, const Faults& given, std::size_t items)
      : random(seed),
        faults(given),
        network(heap, random.fork(1), given),
        origin(items, random.fork(2)),
        clocks(random.fork(4)),
        dice(random.fork(5)),
        invariants(heap) {}

  // The time that a process sees whose clock is off by `skew`.
  UnixSeconds wall(UnixSeconds skew) const {
    return 1'700'000'000 + skew +
           std::chrono::duration_cast<std::chrono::seconds>(heap.now().time_since_epoch()).count();
  }
  // Of a process that starts.
  UnixSeconds new_skew() {
    const UnixSeconds most = faults.skew_max;
    if (most == 0) return 0;
    return static_cast<UnixSeconds>(clocks.below(static_cast<std::uint64_t>(2 * most + 1))) - most;
  }
  // No more faults of the network and of requests.
  void calm() {
    network.calm();
    faults.request_reset_chance = faults.client_reset_chance = 0;
    faults.request_double_chance = faults.drip_chance = 0;
  }
  bool hit(double chance) { return chance > 0 && dice.chance(chance); }
  Duration drip() {
    if (!hit(faults.drip_chance)) return Duration{};
    return Duration(dice.below(static_cast<std::uint64_t>(faults.drip_max.count())));
  }
  void note(std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) {
    transcript.note(heap.now(), what, a, b, c);
  }
  template <class Text>
  void explain(const Text& text) {
    transcript.explain(heap.now(), text);
  }

  EventHeap heap;
  Random random;
  Faults faults;
  Network network;
  Origin origin;
  Random clocks, dice;
  Transcript transcript;
  Invariants invariants;
};

}  // namespace tandem::sim
