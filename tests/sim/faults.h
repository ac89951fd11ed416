// Every fault of the simulated world, by name. All zero: a fast network, processes that live, and
// clocks that agree.
#pragma once

#include "common/base/time.h"

namespace tandem::sim {

struct Faults {
  // Each message, request and connection takes this long; on one channel nothing overtakes but what
  // is said below.
  Duration delay_min = 100us;
  Duration delay_max = 2ms;
  double slow_chance = 0;  // of a message that takes slow_delay instead
  Duration slow_delay = 80ms;

  // Of messages between servers, while their connection stays: lost, delivered twice, or held back
  // for slow_delay at most, so that later ones overtake it.
  double lose_chance = 0;
  double double_chance = 0;
  double overtake_chance = 0;
  // A message is lost: its connection is reset, and what is in flight on it is lost as well.
  double reset_chance = 0;

  // Of requests: the connection between balancer and server breaks before the response (which may
  // have been made), or that between client and balancer; a request arrives twice (only those that
  // may); a request or its response trickles.
  double request_reset_chance = 0;
  double client_reset_chance = 0;
  double request_double_chance = 0;
  double drip_chance = 0;
  Duration drip_max = 3s;

  // A server's process dies at once and is started again, empty, under a new incarnation.
  double kills_per_minute = 0;
  Duration down_min = 500ms;
  Duration down_max = 10s;
  bool one_at_a_time = false;  // only when the last one killed has been alive again for mend_time
  Duration mend_time = 3s;
  // A balancer's, while another one lives.
  double balancer_kills_per_minute = 0;

  // A process (of a server or a balancer) stands still, and goes on where it stood.
  double pauses_per_minute = 0;
  Duration pause_min = 200ms;
  Duration pause_max = 8s;

  // Some servers are cut off from all others. Bytes wait; connections that are cut for
  // channel_timeout are reset.
  double partitions_per_minute = 0;
  Duration partition_min = 500ms;
  Duration partition_max = 12s;
  double one_way_share = 0.5;          // only what they send, or only what they are sent, is cut
  double spares_balancer_share = 0.3;  // each balancer may still be reached
  double largest_share = 0.4;          // of the servers that one partition cuts off
  double flapping_share = 0;           // of the partitions that heal and come again and again
  Duration flap_max = 600ms;

  // An administrator drains a server for a while.
  double drains_per_minute = 0;
  Duration drain_time = 8s;

  // Each process's wall clock is off by at most this, either way, from its start on.
  UnixSeconds skew_max = 0;

  Duration channel_timeout = 4s;
  Duration connect_timeout = 1s;
  Duration probe_timeout = 1s;

  // Nothing but deaths of servers: then no request fails, and no mirror that somebody has is lost.
  bool only_kills() const {
    return reset_chance == 0 && request_reset_chance == 0 && client_reset_chance == 0 &&
           pauses_per_minute == 0 && partitions_per_minute == 0 && drains_per_minute == 0 &&
           lose_chance == 0 && overtake_chance == 0 && drip_chance == 0 && slow_chance == 0;
  }
};

}  // namespace tandem::sim
