// What both clusters of this simulation run on: one heap of events in virtual time, and a network
// that is late and loses. The same seed gives the same run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"

namespace tandem::sim {

struct WireOptions {
  std::uint64_t seed = 1;
  Duration latency_min = 100us;
  Duration latency_max = 300us;
  double loss = 0;          // of each message
  Duration resend = 200ms;  // what is sent reliably is resent after this, until it gets through
};

template <class Event>
class Wire {
 public:
  explicit Wire(const WireOptions& options) : options_(options), dice_(options.seed) {}

  Instant now() const { return now_; }
  std::uint64_t events() const { return sequence_; }
  Random& dice() { return dice_; }
  const WireOptions& options() const { return options_; }

  void at(Instant when, const Event& event) {
    heap_.push_back({std::max(when, now_), ++sequence_, event});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
  }
  // A datagram.
  void send(const Event& event) {
    if (!lost()) at(now_ + latency(), event);
  }
  Duration latency() {
    const auto range =
        static_cast<std::uint64_t>((options_.latency_max - options_.latency_min) / 1ns);
    return options_.latency_min + Duration(static_cast<std::int64_t>(dice_.below(range + 1)));
  }
  bool lost() { return options_.loss > 0 && dice_.chance(options_.loss); }

  // Hands every event that is due by `end` to `handle`.
  template <class Handle>
  void run(Instant end, Handle handle) {
    while (!heap_.empty() && heap_.front().when <= end) {
      std::pop_heap(heap_.begin(), heap_.end(), Later{});
      const Entry entry = heap_.back();
      heap_.pop_back();
      now_ = entry.when;
      handle(entry.event);
    }
    now_ = end;
  }

 private:
  struct Entry {
    Instant when;
    std::uint64_t sequence;
    Event event;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return std::pair(a.when, a.sequence) > std::pair(b.when, b.sequence);
    }
  };
  WireOptions options_;
  Random dice_;
  Instant now_ = Instant{} + 24h;
  std::uint64_t sequence_ = 0;
  std::vector<Entry> heap_;
};

// A part of the servers is frozen at any time, each for 1 to 10 periods; or nobody (0).
struct Pauses {
  double share = 0;
  double least = 1, most = 10;  // periods

  double length(Random& dice) const { return least + (most - least) * dice.unit(); }
  // Between two pauses of one server; uniform from 0 to twice the mean.
  double gap(Random& dice) const { return (least + most) * (1 - share) / share * dice.unit(); }
};

// What came of a run, in periods and messages.
struct Findings {
  double server_periods = 0;           // of servers that ran and were online
  std::uint64_t messages = 0;          // of the watch
  std::uint64_t offlines = 0;          // servers marked offline
  std::uint64_t false_offlines = 0;    // of them, running, and for at least a round trip
  std::uint64_t in_flight = 0;         // running for less: its first word was still on its way
  std::uint64_t false_suspicions = 0;  // what would be marked if nothing were confirmed
  std::uint64_t transactions = 0;
  std::vector<double> detections;  // of silent deaths
};

}  // namespace tandem::sim
