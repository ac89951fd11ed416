// What a node is told at its start, and what it tells of itself: options, counters, gauges.
// Every bound of the node has its name here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/session/cache_digest.h"
#include "common/session/epoch.h"

namespace tandem {

// Whose caches are mirrored.
enum class MirrorClients : std::uint8_t {
  kOff,
  kLibrary,  // of requests that carry a cache id
  kAll,      // of ordinary clients, too: the session is then the cache
};

struct MirrorOptions {
  MirrorClients clients = MirrorClients::kLibrary;
  std::uint64_t content_bytes_max = 256ULL << 20;    // of the store that all sessions share
  std::size_t caches_max = 4;                        // per session; the least recently used goes
  std::size_t entries_max = 1 << 14;                 // per cache
  std::uint64_t reference_bytes_max = 256ULL << 20;  // of all mirrors, without contents
  // The sender.
  Duration round = 5ms;                 // from one round of batches to the next, at least
  Duration delay_max = 20ms;            // the same while little waits: the most that a change waits
  std::size_t round_full = 64;          // sessions that wait: no longer little
  std::size_t round_batches_max = 512;  // of one round
  std::size_t round_bytes_max = 256 << 10;  // of one round, contents included
  std::size_t batch_changes_max = 256;
  std::size_t batch_bytes_max = 256 << 10;      // contents in one message; a larger one goes alone
  std::size_t content_sent_max = 2 << 20;       // a larger content is not sent or asked for at all
  std::size_t window_batches_max = 1024;        // unacknowledged, per peer
  std::uint64_t window_bytes_max = 4ULL << 20;  // unacknowledged, per peer
  std::size_t backlog_changes_max = 1024;       // per session; over it a snapshot is sent instead
  // The receiver.
  std::size_t want_contents_max = 256;     // asked for in one question
  std::uint64_t want_bytes_max = 1 << 20;  // the same; a larger content alone
  std::size_t awaited_max = 1 << 15;       // asked for or to be asked for; over it: not at all
  std::size_t waiters_max = 1 << 16;  // mirrored items that wait for these; over it: not at all
  Duration want_patience = 5s;        // for the answer; what has not come then is given up
};

// Moving sessions to other servers: while draining, and to even out.
struct SwapOptions {
  double drain_rate = 1000;           // sessions a second
  std::size_t in_flight_max = 64;     // sessions that are being moved at once
  Duration patience = 2s;             // for a copy to become whole, and for an answer
  Duration busy_patience = 2s;        // draining waits so long for a session's requests to end
  Duration request_patience = 300ms;  // a request waits so long for the answer, then is served
  Duration refusal_pause = 1s;        // a server that refused one is asked for none so long
  Duration pass_pause = 50ms;         // before those that were not ready are looked at again
  std::size_t looks_per_step = 512;   // sessions looked at in one step

  bool rebalances = true;
  double rebalance_rate = 100;         // sessions a second
  std::uint32_t spread_percent = 10;   // of sessions per capacity: more is worked on
  Duration rebalance_pause = 3s;       // between two looks: status has come by then
  unsigned rebalance_rounds_max = 5;   // then it waits for another reason
  Duration rebalance_round_max = 10s;  // what a plan says is too old after this
};

struct NodeOptions {
  std::string name;  // its id is ServerId::of(name)
  std::string zone;
  std::uint32_t capacity = 1000;
  std::uint32_t threshold = 800;

  UnixSeconds token_ttl = 1800;    // renewed at half of it
  Duration provisional_ttl = 10s;  // a session whose token has not come back
  Duration idle_slack = 60s;       // a session is idle after token_ttl and this
  Duration link_patience = 5s;     // an alternate without link is replaced after this
  Duration refusal_pause = 5s;     // a server that refused a mirror is not asked again so soon
  Duration resend_after = 3s;      // what a peer has not answered by then is sent again; doubled
  Duration ask_patience = 300ms;   // a question to all peers is over after this

  std::size_t sessions_max = 1 << 18;     // as primary and alternate; over it the idlest goes
  std::size_t provisional_max = 1 << 16;  // over it the oldest goes
  std::size_t notes_max = 1 << 16;        // forwarding notes; over it the oldest goes
  std::size_t questions_max = 1 << 12;    // sessions asked about at once; over it nobody is asked
  std::size_t moves_per_step = 512;       // alternates chosen anew in one step
  std::size_t relief_per_status = 32;     // of them, those that are too full, with each status
  std::size_t expiries_per_step = 512;

  std::size_t fresh_items_max = 1 << 16;  // known to be current; over it the longest known goes

  bool validator_digest = true;  // false: validator = "crc32"
  MirrorOptions mirror;
  SwapOptions swap;
};

// Counts since the start.
struct NodeCounters {
  std::uint64_t sessions_new = 0;
  std::uint64_t sessions_confirmed = 0;
  std::uint64_t sessions_expired = 0;  // idle
  std::uint64_t provisional_expired = 0;
  std::uint64_t sessions_displaced = 0;  // dropped for a bound
  std::uint64_t sessions_lost = 0;       // a newer epoch was learned: removed from the clients
  std::uint64_t takeovers_warm = 0;      // as alternate, with the mirror
  std::uint64_t takeovers_cold = 0;      // nothing was known of the session
  std::uint64_t referrals_new = 0;       // hand-off over the threshold
  std::uint64_t referrals_moved = 0;     // another is primary, or has the mirror
  std::uint64_t unavailable = 0;
  std::uint64_t alternates_chosen = 0;
  std::uint64_t alternates_relieved = 0;  // of them, in place of one that had become too full
  std::uint64_t thirds_chosen = 0;        // the primary is offline: a copy of the copy
  std::uint64_t reused_by_mirror = 0;
  std::uint64_t reused_by_validator = 0;
  std::uint64_t changed = 0;             // announced, but the content is another one
  std::uint64_t sent = 0;                // nothing was announced
  std::uint64_t validations = 0;         // of whole caches
  std::uint64_t validation_items = 0;    // announced by them
  std::uint64_t validation_current = 0;  // and called current
  std::uint64_t validation_repairs = 0;  // changes of mirrors that they brought
  std::uint64_t mirror_batches_sent = 0;
  std::uint64_t mirror_items_sent = 0;
  std::uint64_t mirror_snapshots_sent = 0;
  std::uint64_t mirror_contents_sent = 0;
  std::uint64_t mirror_content_bytes_sent = 0;
  std::uint64_t mirror_contents_received = 0;
  std::uint64_t mirror_contents_wrong = 0;     // not what was asked for: not kept
  std::uint64_t mirror_contents_given_up = 0;  // asked for in vain, or not for want of room
  std::uint64_t mirror_batches_applied = 0;
  std::uint64_t promises_told = 0;     // of items in batches: for how long they are fresh
  std::uint64_t promises_learned = 0;  // the same, from others
  std::uint64_t promises_ended = 0;    // others said so
  std::uint64_t mirror_gaps = 0;
  std::uint64_t mirror_stale = 0;
  std::uint64_t mirror_refused = 0;
  std::uint64_t exchange_entries_sent = 0;
  std::uint64_t batches_unanswered = 0;   // taken for lost
  std::uint64_t letters_resent = 0;       // releases and exchanges
  std::uint64_t questions_asked = 0;      // of all peers: where is the session?
  std::uint64_t questions_found = 0;      // somebody knew
  std::uint64_t questions_timed_out = 0;  // not all peers answered in time
  std::uint64_t questions_refused = 0;    // over questions_max: nobody was asked
  std::uint64_t questions_answered = 0;   // those of peers
  std::uint64_t guests = 0;               // served once without their session, which is elsewhere
  std::uint64_t swaps_begun = 0;          // another was commanded to take a session over
  std::uint64_t swaps_done = 0;           // and did; also after it was given up
  std::uint64_t swaps_refused = 0;        // it refused
  std::uint64_t swaps_timed_out = 0;      // it did not answer
  std::uint64_t rebalance_moves = 0;      // of those done: to even out
  std::uint64_t swaps_taken = 0;          // taken over here on command
  std::uint64_t swaps_refused_here = 0;
  std::uint64_t swap_waits = 0;  // requests that waited for the end of one
};

// As now.
struct NodeGauges {
  std::size_t sessions_primary = 0;
  std::size_t sessions_alternate = 0;
  std::size_t sessions_provisional = 0;
  std::size_t sessions_alone = 0;   // primary here, but no alternate is to be had
  std::size_t copies_retiring = 0;  // of former alternates, kept until another's is whole
  // Copies here that nobody feeds on a link that is up, and that no other has from us: perhaps the
  // only ones. So it is for a moment when whoever feeds them dies, or its link does.
  std::size_t copies_unfed = 0;
  std::size_t notes = 0;
  std::size_t questions = 0;  // open
  std::size_t links = 0;
  std::size_t mirror_entries = 0;
  std::uint64_t mirror_bytes = 0;    // as bounded: without contents
  std::uint64_t mirror_dropped = 0;  // entries forgotten for a bound, since the start
  std::size_t contents = 0;
  std::uint64_t content_bytes = 0;
  std::size_t fresh_items = 0;  // known to be current
  // What the copies elsewhere lack.
  std::size_t lag_sessions = 0;       // whose copy is not complete
  std::size_t lag_batches = 0;        // sent, not acknowledged
  std::size_t lag_items = 0;          // changes that are not sent, or not acknowledged
  std::uint64_t lag_bytes = 0;        // of these, as on the wire, and of contents asked for
  Instant lag_since = kNever;         // when the oldest of them was made
  std::uint64_t in_flight_bytes = 0;  // of lag_bytes, what is sent
  std::size_t contents_owed = 0;      // peers have asked for them
  std::size_t contents_awaited = 0;   // we have asked for them, or shall
  std::size_t sessions_lacking = 0;   // of our copies, those that wait for these
  std::size_t swaps_in_flight = 0;
  bool rebalancing = false;
};

enum class Role : std::uint8_t { kProvisional, kPrimary, kAlternate };

struct SessionReport {
  Role role = Role::kProvisional;
  Epoch epoch;
  ServerId primary;
  ServerId alternate;           // as alternate: the third server that has a copy, if any
  bool copy_complete = false;   // that copy holds all that this one holds
  ServerId fed_by;              // as alternate: who fed this copy last
  bool lacks_contents = false;  // as alternate: contents of this copy are on their way
  std::size_t mirror_entries = 0;
  CacheDigest digest;  // of the mirror; equal where two mirrors mean the same
};

}  // namespace tandem
