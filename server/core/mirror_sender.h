// Keeps the copies of our sessions at other servers equal to ours: a stream of numbered batches for
// each session, paced by a window for each link.
//
// A stream begins with a snapshot; so it does after a link has gone down, when the receiver asks
// for it, and when the backlog has grown longer than `backlog_changes_max`. Contents go along once
// for each content and peer, as far as is remembered. Streams take turns on their link, batch by
// batch. The sender keeps no sessions: whoever calls it looks them up.
//
// Batches and their answers may be lost, doubled and overtaken while a link is up. A batch without
// an answer for `resend_after` is taken for lost, and an empty one with the next number is sent:
// the receiver applies it, or meets the gap and asks for a snapshot.
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
  MirrorSender(MirrorPool& pool, Duration resend_after, NodeCounters& counters)
      : pool_(pool), resend_after_(resend_after), counters_(counters) {}

  // A link starts anew: streams to the peer are to be opened again. What a peer of the same
  // incarnation knew it still knows.
  void link_up(ServerId peer, std::uint64_t incarnation);
  void link_down(ServerId peer);
  bool linked(ServerId peer) const;
  // Counts the links with this peer, from 1; 0: there has been none.
  std::uint64_t link_number(ServerId peer) const;
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
  void flush(Instant now, const Find& find, Outbox<Message>& out);
  // Would flush() send something, given room?
  bool can_send() const { return !ready_.empty(); }
  // When a batch without an answer will be taken for lost.
  Instant next_deadline() const;

  std::size_t links() const;
  std::size_t batches_in_flight() const;
  std::uint64_t bytes_in_flight() const;

 private:
  struct InFlight {
    SessionId session;
    std::uint64_t sequence;
    std::uint64_t bytes;
    Instant sent;
    std::vector<Validator> contents;  // that went along
  };
  // The validators whose contents a peer has been sent; the oldest are forgotten.
  struct Known {
    std::list<Validator> ages;
    std::unordered_map<Validator, std::list<Validator>::iterator, ValidatorHash> index;
  };
  struct Link {
    bool up = false;
    std::uint64_t number = 0;
    std::uint64_t incarnation = 0;
    std::deque<SessionId> turns;  // sessions with something to send
    std::deque<InFlight> in_flight;
    std::uint64_t bytes = 0;  // of in_flight
    unsigned doublings = 0;   // of resend_after, since the last answer
    Known known;
  };

  Link* link_of(ServerId peer);
  void queue(Session& session);
  void reset(MirrorStream& stream, ServerId target);
  void settle(Link& link, const MirrorAck& ack);
  void take_for_lost(Instant now, const Find& find);
  Duration patience(const Link& link) const { return resend_after_ * (1U << link.doublings); }
  void note_readiness(ServerId peer, const Link& link);
  bool window_open(const Link& link) const;
  MirrorBatch next_batch(Session& session, Link& link, std::uint64_t& bytes);
  bool add_content(const Validator& validator, Link& link, MirrorBatch& batch,
                   std::uint64_t& bytes);
  void remember(Known& known, const Validator& validator);
  static void forget(Known& known, const std::vector<Validator>& contents);

  MirrorPool& pool_;
  Duration resend_after_;
  NodeCounters& counters_;
  std::map<ServerId, Link> links_;
  std::set<ServerId> ready_;       // links that are up, with turns to give and an open window
  std::uint64_t next_unused_ = 1;  // number of a batch: no stream that has ended went so far
};

}  // namespace tandem
