// Tells the servers that hold our copies for how long the source has promised that an item is
// current, so that who takes a session over can vouch for what it never fetched itself.
//
// Servers have no common clock, and a message may be under way, or wait in a stopped process, for
// any time. So each tells the others what its own clock reads; a batch names a time on the
// receiver's clock that had passed for certain when it was sent (the last reading that came, and
// what has gone by here since), and terms count from there. Delays shorten a promise, and never
// make it longer.
//
// What ends before its time is told to all that we are linked with, at once. That news may be lost
// with its link: then the promise ends with its time.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/cluster/machine.h"
#include "common/wire/messages.h"
#include "server/core/freshness.h"
#include "server/core/node_options.h"

namespace tandem {

class Promises {
 public:
  // A new link waits so long for the reading of the other's clock, before the first batch.
  static constexpr Duration kReadingPatience = 100ms;
  // Who is fed says so often what its clock reads.
  static constexpr Duration kReadingInterval = 60s;
  // Clocks may differ in speed by one part in so many.
  static constexpr int kDriftShare = 1000;

  Promises(Freshness& freshness, NodeCounters& counters)
      : freshness_(freshness), counters_(counters) {}

  void link_up(Instant now, ServerId peer);
  void link_down(ServerId peer);
  void on_news(Instant now, ServerId from, const PromiseNews& news);

  // Writes into a batch that is about to be sent what is fresh of it.
  void stamp(Instant now, ServerId to, MirrorBatch& batch);
  // Takes from a batch that has been applied what is fresh of it.
  void learn(Instant now, ServerId from, const MirrorBatch& batch);

  // The peers whose clock has been read by now, or waited for long enough: once for each link.
  std::vector<ServerId> take_ready(Instant now);
  // When there is one of them: kNever, or a time that may have passed.
  Instant next_deadline() const;

  bool has_news() const { return news_ || freshness_.has_ended(); }
  void flush(Instant now, Outbox<Message>& out);

 private:
  struct Link {
    Instant up{};
    std::optional<std::uint64_t> reading_ms;
    Instant read{};  // when it came
    Instant told{};  // when it was told ours
    bool owed = true;
    bool ready = false;  // said so
  };
  std::uint64_t clock_of(Instant now, const Link& link) const;
  static Instant ready_at(const Link& link);

  Freshness& freshness_;
  NodeCounters& counters_;
  std::map<ServerId, Link> links_;
  bool news_ = false;  // to some link a reading is owed
};

}  // namespace tandem
