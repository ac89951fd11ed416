// Keeps the copies of our sessions at other servers equal to ours: a stream of numbered batches for
// each session, paced by a window for each link.
//
// A stream begins with a snapshot; so it does after a link has gone down, when the receiver asks
// for it, and when the backlog has grown longer than `backlog_changes_max`. Contents go along once
// for each content and peer, as far as is remembered. Streams take turns on their link, batch by
// batch. The sender keeps no sessions: whoever calls it looks them up.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "common/cluster/machine.h"
#include "server/core/node_options.h"
#include "server/core/session.h"

namespace tandem {

class MirrorSender {
 public:
  MirrorSender(MirrorPool& pool, NodeCounters& counters) : pool_(pool), counters_(counters) {}

  // A link starts anew: streams to the peer are to be opened again. What a peer of the same
  // incarnation knew it still knows.
  void link_up(ServerId peer, std::uint64_t incarnation);
  void link_down(ServerId peer);
  bool linked(ServerId peer) const;
  std::vector<ServerId> linked_peers() const;

  // Starts a stream to `target`, with a snapshot; the former stream ends.
  void open(Session& session, ServerId target);
  void close(Session& session);
  // A change that the mirror has made already.
  void changed(Session& session, const MirrorChange& change);
  // A batch is due even if nothing changed: the epoch did, or the copy is to be kept from idling.
  void announce(Session& session);

  // Accounts for an acknowledgement; `session` is null if it is no longer known here. True if it
  // concerns the stream that the session has now: kStale and kRefused are then the caller's matter.
  bool on_ack(Session* session, ServerId from, const MirrorAck& ack);

  using Find = std::function<Session*(SessionId)>;
  // Sends as far as the windows and `out` allow.
  void flush(const Find& find, Outbox<Message>& out);
  // Would flush() send something, given room?
  bool can_send() const { return !ready_.empty(); }

  std::size_t links() const;
  std::size_t batches_in_flight() const;
  std::uint64_t bytes_in_flight() const;

 private:
  struct InFlight {
    SessionId session;
    std::uint64_t sequence;
    std::uint64_t bytes;
  };
  // The validators whose contents a peer has been sent; the oldest are forgotten.
  struct Known {
    std::list<Validator> ages;
    std::unordered_map<Validator, std::list<Validator>::iterator, ValidatorHash> index;
  };
  struct Link {
    bool up = false;
    std::uint64_t incarnation = 0;
    std::deque<SessionId> turns;  // sessions with something to send
    std::deque<InFlight> in_flight;
    std::uint64_t bytes = 0;  // of in_flight
    Known known;
  };

  Link* link_of(ServerId peer);
  void queue(Session& session);
  void note_readiness(ServerId peer, const Link& link);
  bool window_open(const Link& link) const;
  MirrorBatch next_batch(Session& session, Link& link, std::uint64_t& bytes);
  bool add_content(const Validator& validator, Link& link, MirrorBatch& batch,
                   std::uint64_t& bytes);
  void remember(Known& known, const Validator& validator);

  MirrorPool& pool_;
  NodeCounters& counters_;
  std::map<ServerId, Link> links_;
  std::set<ServerId> ready_;  // links that are up, with turns to give and an open window
};

}  // namespace tandem
