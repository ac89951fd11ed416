// The simulated network: channels, delays, and partitions. Places are numbered; each has one host.
// A channel is a connection: until it is reset it carries all messages in order; a rough one
// (between servers, whose contract asks for no more) may lose, double and reorder them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "common/base/random.h"
#include "common/wire/messages.h"
#include "tests/sim/event_heap.h"
#include "tests/sim/faults.h"

namespace tandem::sim {

using Place = std::size_t;
using MessagePtr = std::shared_ptr<const Message>;

class Network {
 public:
  struct Handlers {
    std::function<void(const MessagePtr&)> deliver;
    std::function<void()> closed;
  };
  using ChannelId = std::uint64_t;

  Network(EventHeap& heap, Random random, const Faults& faults)
      : heap_(heap), random_(random), faults_(faults) {}

  Duration delay();

  // --- channels: end 0 is at `a`, end 1 at `b` ---
  ChannelId open(Place a, Place b, Handlers at_a, Handlers at_b, bool rough = false);
  void send(ChannelId channel, std::size_t from_end, MessagePtr message);
  // Both ends learn of it, a little later.
  void reset(ChannelId channel);
  // The host is gone: its channels are, without its being told.
  void vanish(Place place);
  std::size_t channels() const { return channels_.size(); }

  // --- partitions ---
  enum class Cut { kBothWays, kWhatTheySend, kWhatTheyGet };
  using PartitionId = std::uint64_t;
  // `inside` is cut off from all places but those in `spared`.
  PartitionId split(std::set<Place> inside, std::set<Place> spared, Cut cut);
  void heal(PartitionId partition);
  bool blocked(Place from, Place to) const;
  bool cut_off(Place a, Place b) const { return blocked(a, b) || blocked(b, a); }

  // No more faults from the network itself.
  void calm() {
    faults_.reset_chance = faults_.slow_chance = 0;
    faults_.lose_chance = faults_.double_chance = faults_.overtake_chance = 0;
  }

 private:
  struct Channel {
    std::array<Place, 2> places;
    bool rough = false;
    std::array<Handlers, 2> handlers;
    std::array<Instant, 2> last{};  // when the last message from this end arrives
    // From this end: numbers given, the next one to be delivered, and what has come.
    std::array<std::uint64_t, 2> sent{}, due{};
    std::array<std::map<std::uint64_t, MessagePtr>, 2> held;
  };
  struct Partition {
    std::set<Place> inside, spared;
    Cut cut;
  };
  void post(ChannelId id, std::size_t from_end, Instant when, MessagePtr message);
  void pump(ChannelId id, std::size_t from_end);
  void tell_closed(const Channel& channel, std::size_t end, Duration in);
  void watch(ChannelId id);

  EventHeap& heap_;
  Random random_;
  Faults faults_;
  ChannelId last_id_ = 0;
  std::map<ChannelId, Channel> channels_;
  std::map<PartitionId, Partition> partitions_;
};

}  // namespace tandem::sim
