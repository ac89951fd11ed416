// What everything in a simulation shares: time, the network, the places, the transcript and the
// checks. Places 0 to N-1 are servers, place N is the balancer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "tests/sim/event_heap.h"
#include "tests/sim/faults.h"
#include "tests/sim/invariants.h"
#include "tests/sim/network.h"
#include "tests/sim/transcript.h"

namespace tandem::sim {

// How a server of this world is broken on purpose, to see the checks go red. Wrapped around the
// node's answers; the node itself is what ships.
enum class Sabotage {
  kNone,
  kServesWhatItLost,      // answers as primary although it should refer
  kKeepsEpochOnTakeover,  // the token after a takeover has the old epoch
  kNamesItselfTwice,      // alternate = primary
  kReusesUnseen,          // "use yours" without looking at the content
  kNeverHearsOfNewer,     // messages that tell of newer epochs are lost: it keeps what it lost
};

// The data source behind all servers: items that change from time to time.
class Origin {
 public:
  Origin(std::size_t items, Random random) : random_(random), versions_(items), contents_(items) {
    for (std::size_t item = 0; item < items; ++item) change(item);
  }
  std::size_t items() const { return versions_.size(); }
  void change_one() { change(random_.below(versions_.size())); }
  std::uint64_t version(std::size_t item) const { return versions_[item]; }
  std::shared_ptr<const std::string> content(std::size_t item) const { return contents_[item]; }
  static std::string target(std::size_t item) { return "/item/" + std::to_string(item); }

 private:
  void change(std::size_t item) {
    std::string text = target(item) + " version " + std::to_string(++versions_[item]) + "\n";
    text.append(50 + random_.below(400), static_cast<char>('a' + item % 26));
    contents_[item] = std::make_shared<const std::string>(std::move(text));
  }
  Random random_;
  std::vector<std::uint64_t> versions_;
  std::vector<std::shared_ptr<const std::string>> contents_;
};

struct HttpRequest {
  SessionToken token;
  CacheId cache;
  std::vector<ItemKey> evicted;
  std::size_t item = 0;
  std::vector<Validator> announced;
};

struct HttpResponse {
  int status = 0;
  std::optional<SessionToken> token;  // to be set
  SessionToken refer;                 // of a 421
  bool reuse_by_mirror = false;
  Validator etag;
  std::uint64_t version = 0;  // of the item, as the server retrieved it
  ServerId server;
};

struct World {
  World(std::uint64_t seed, const Faults& given, std::size_t items)
      : random(seed),
        faults(given),
        network(heap, random.fork(1), given),
        origin(items, random.fork(2)),
        invariants(heap) {}

  UnixSeconds wall() const {
    return 1'700'000'000 +
           std::chrono::duration_cast<std::chrono::seconds>(heap.now().time_since_epoch()).count();
  }
  void note(std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) {
    transcript.note(heap.now(), what, a, b, c);
  }

  EventHeap heap;
  Random random;
  Faults faults;
  Network network;
  Origin origin;
  Transcript transcript;
  Invariants invariants;
};

}  // namespace tandem::sim
