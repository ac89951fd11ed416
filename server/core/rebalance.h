// When this server gives sessions away since it has more than its share, and how many to whom.
//
// Works in rounds: a plan (server/core/rebalance_plan.h), its gifts, then a pause until everyone's
// status tells of them. Begins when the spread is over the limit because a server has come that
// takes sessions, or, for longer than one look, by more than chance does; ends when it is within
// the limit, and after some rounds in any case: so ordinary fluctuation moves nobody. A machine
// without messages: `Swap` carries the gifts out.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/cluster/view.h"
#include "server/core/node_options.h"

namespace tandem {

class Rebalance {
 public:
  explicit Rebalance(const SwapOptions& options) : options_(options) {}

  // The status of some servers has come, or another view. Looks if it is time to, unless a round is
  // under way.
  void on_cluster(Instant now, ServerId self, const Status& own,
                  std::span<const ServerRecord> servers);
  // A look that was put off is due.
  void on_deadline(Instant now, ServerId self, const Status& own,
                   std::span<const ServerRecord> servers);
  Instant next_deadline() const { return news_ || !gifts_.empty() ? next_look_ : kNever; }

  // What is still to be given, never 0 for a server.
  const std::map<ServerId, std::uint32_t>& gifts() const { return gifts_; }
  void on_given(Instant now, ServerId to);
  // No more to this one in this round: it refuses, or there is nothing to give.
  void give_up(Instant now, ServerId to);

  // Is there something to give, this round or the next?
  bool running() const { return running_; }
  double spread() const { return spread_; }  // as last seen

 private:
  void look(Instant now, ServerId self, const Status& own, std::span<const ServerRecord> servers);

  const SwapOptions& options_;
  std::set<ServerId> takers_;
  bool newcomer_ = false;
  bool beyond_before_ = false;  // chance, at the last look
  bool running_ = false;
  bool news_ = false;
  double spread_ = 0;
  std::uint64_t rounds_ = 0;
  std::uint64_t runs_until_ = 0;  // a number of rounds
  Instant next_look_{};
  std::map<ServerId, std::uint32_t> gifts_;
};

}  // namespace tandem
