// Whose view a process works from, when several balancers tell it theirs. Pure: what each of them
// says and the time in, the view to work from out.
//
// The rule. A balancer's view counts from the first that it tells on a connection until that is
// lost. Of those that count, the best is followed:
//   1. one of a balancer that is *fresh*, heard within `silent_after`, before one of a silent one;
//   2. one that has *settled*, connected for `settle`, before one that has come back only now: a
//      restarted balancer does not know yet who all is there;
//   3. a master's before a stand-in's (View::stand_in), so that a master's return heals;
//   4. the balancer named first in the conf;
//   5. several may pass on the views of one maker: of these the newest.
// While nobody is connected, or all are silent, the last view stays. So it does while the best has
// not settled, and its view is another maker's and lacks a server that the last one shows online: a
// balancer that was restarted without its directory meets one server after the other.
//
// A change (ViewDelta) that does not fit the view held of its balancer is a gap: nothing is
// applied, and the balancer is to be asked once for its whole view.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/view.h"
#include "common/cluster/view_delta.h"

namespace tandem {

class ViewSources {
 public:
  struct Options {
    Duration silent_after = 3s;
    Duration settle = 3s;
  };
  // Of one balancer, for the metrics. Counts are of all its connections.
  struct Facts {
    ViewId view;  // of the last view that it told on this connection; {0, 0}: none
    bool stand_in = false;
    bool followed = false;
    Instant heard{};  // the last message of this connection; its view is no older than that
    std::uint64_t snapshots = 0;
    std::uint64_t deltas = 0;
    std::uint64_t gaps = 0;
  };

  // Balancers are numbered in the order of the conf.
  ViewSources(std::size_t balancers, Options options) : options_(options), sources_(balancers) {}

  void on_connected(std::size_t balancer, Instant now);
  void on_lost(std::size_t balancer);
  // Any message of it.
  void on_heard(std::size_t balancer, Instant now);

  void on_view(std::size_t balancer, View view);
  // False: a gap, and its whole view is to be asked for now (ViewRequest).
  [[nodiscard]] bool on_delta(std::size_t balancer, const ViewDelta& delta);

  // The view to work from; null: none was ever told. Changes with time, too: ask now and then.
  ViewPtr follow(Instant now);
  // Who is followed; sources() if nobody is connected that is.
  std::size_t leader() const { return leader_; }
  std::size_t sources() const { return sources_.size(); }
  Facts facts(std::size_t balancer) const;

 private:
  struct Source {
    ViewPtr view;        // null: none on this connection
    bool asked = false;  // for the whole view
    Instant connected{};
    Facts facts;
  };
  int standing(const Source& source, Instant now) const;
  bool settled(const Source& source, Instant now) const;
  bool is_told(std::uint64_t maker) const;

  Options options_;
  std::vector<Source> sources_;
  std::size_t leader_ = static_cast<std::size_t>(-1);
  ViewPtr followed_;
};

}  // namespace tandem
