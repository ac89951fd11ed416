// Keeps the copies of our sessions at other servers equal to ours: a stream of numbered batches for
// each session, paced by a window for each link and by rounds.
//
// A stream begins with a snapshot; so it does after a link has gone down, when the receiver asks
// for it, and when the backlog has grown longer than `backlog_changes_max`. Streams take turns on
// their link, batch by batch.
//
// Mirroring waits for serving: batches leave in rounds, `round` apart at least and of bounded size,
// and while fewer than `round_full` sessions wait, `delay_max` apart, so that many share a frame, a
// TLS record and a system call. A stream that somebody waits for (hurry()) is exempt.
//
// Batches and their answers may be lost, doubled and overtaken while a link is up. A batch without
// an answer for `resend_after` is taken for lost, and an empty one with the next number is sent:
// the receiver applies it, or meets the gap and asks for a snapshot.
//
// Contents that peers ask for (server/core/content_wants.h) go along in what room a round leaves. A
// batch that names contents is answered when they are there, so nothing is taken for lost while the
// peer asks for some.
// The sender keeps no sessions: whoever calls it looks them up.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "common/cluster/machine.h"
#include "server/core/node_options.h"
#include "server/core/promises.h"
#include "server/core/session.h"

namespace tandem {

class MirrorSender {
 public:
  // What a batch, a change and a content besides its bytes are counted for: the most that they
  // take on the wire.
  static constexpr std::uint64_t kBatchBytes = 64;
  static constexpr std::uint64_t kChangeBytes = 64;
  static constexpr std::uint64_t kContentBytes = 64;

  MirrorSender(MirrorPool& pool, Promises& promises, Duration resend_after, NodeCounters& counters)
      : pool_(pool), promises_(promises), resend_after_(resend_after), counters_(counters) {}

  // The time of what is told next.
  void at(Instant now) { now_ = now; }

  // A link starts anew: streams to the peer are to be opened again.
  void link_up(ServerId peer);
  // Nothing leaves for the peer until release(): its clock has not been read (Promises).
  void hold(ServerId peer);
  void release(ServerId peer);
  void link_down(ServerId peer);
  bool linked(ServerId peer) const;
  // Counts the links with this peer, from 1; 0: there has been none.
  std::uint64_t link_number(ServerId peer) const;
  std::vector<ServerId> linked_peers() const;

  // Starts a stream to `target`, with a snapshot; the former stream ends.
  void open(Session& session, ServerId target);
  // The same, but the former stream goes on beside it, as session.retiring.
  void open_beside(Session& session, ServerId target);
  // The retiring stream ends; or it is the stream again, and the other one ends.
  void end_retiring(Session& session);
  void take_back(Session& session);
  // The stream to this peer, or every stream, begins anew with a snapshot.
  void restart(Session& session, ServerId peer);
  void restart(Session& session);
  // The same to one who has all that we have: without a snapshot, with a batch that says the epoch.
  void adopt(Session& session, ServerId target);
  void close(Session& session);
  // No stream of the session, of those that are there and those that have ended, went so far.
  std::uint64_t next_number(const Session& session) const;
  // A change that the mirror has made already.
  void changed(Session& session, const MirrorChange& change);
  // A batch is due even if nothing changed: the epoch did, or the copy is to be kept from idling.
  void announce(Session& session);
  // From now until its copy is complete the stream's batches leave at once, and so do their
  // answers: the session is about to move.
  void hurry(Session& session);
  // The same for all streams: this server is about to leave.
  void hurry_all(bool yes) { hurries_all_ = yes; }

  // Accounts for an acknowledgement; `session` is null if it is no longer known here. True if it
  // concerns the stream that the session has now: kStale and kRefused are then the caller's matter.
  bool on_ack(Session* session, ServerId from, const MirrorAck& ack);
  // A peer lacks contents. A new question ends the one before.
  void on_want(ServerId from, const MirrorWant& want);

  using Find = std::function<Session*(SessionId)>;
  // Sends as far as it is time, and as the windows and `out` allow.
  void flush(Instant now, const Find& find, Outbox<Message>& out);
  // When flush() has something to do, given room: kNever, or a time that may have passed.
  Instant next_deadline() const;
  // When it would send something.
  Instant next_round() const;

  std::size_t links() const;
  std::size_t batches_in_flight() const;
  std::size_t changes_in_flight() const;
  std::uint64_t bytes_in_flight() const;
  // The contents that peers have asked for and not been sent.
  std::size_t contents_waiting() const;
  std::uint64_t content_bytes_waiting() const;
  // When the oldest change in flight was made; kNever: there is none.
  Instant oldest_in_flight() const;

 private:
  struct InFlight {
    SessionId session;
    std::uint64_t sequence;
    std::uint64_t bytes;
    std::size_t changes;
    Instant since;  // of its oldest change
    Instant sent;
  };
  struct Link {
    bool up = false;
    bool held = false;
    std::uint64_t number = 0;
    std::deque<SessionId> turns;  // sessions with something to send
    std::deque<SessionId> hurried;
    std::deque<InFlight> in_flight;
    std::uint64_t bytes = 0;  // of in_flight
    unsigned doublings = 0;   // of resend_after, since the last answer
    // The peer's question for contents, and what it has not been answered yet.
    std::uint64_t question = 0;
    std::deque<Validator> wanted;
    Instant asked = Instant::min();  // or sent some, last
    bool answering = false;          // the last part is still to go
  };
  // What one round may still send.
  struct Room {
    std::size_t batches;
    std::uint64_t bytes;
  };

  Link* link_of(ServerId peer);
  void queue(SessionId id, MirrorStream& stream);
  void reset(MirrorStream& stream, ServerId target);
  void restart(SessionId id, MirrorStream& stream);
  void changed(const Session& session, MirrorStream& stream, const MirrorChange& change);
  void announce(SessionId id, MirrorStream& stream);
  static void settle(Link& link, const MirrorAck& ack);
  void take_for_lost(const Find& find);
  Instant lost_at(const Link& link) const;
  void note_readiness(ServerId peer, const Link& link);
  bool window_open(const Link& link) const;
  bool hurries(const Link& link) const { return !link.hurried.empty() && window_open(link); }
  bool has_work(const Link& link) const;
  void send_hurried(const Find& find, Outbox<Message>& out);
  void send_batches(const Find& find, Room& room, Outbox<Message>& out);
  void send_contents(Room& room, Outbox<Message>& out);
  std::uint64_t send_batch(ServerId peer, Link& link, std::deque<SessionId>& turns,
                           const Find& find, Outbox<Message>& out);
  MirrorBatch next_batch(const Session& session, MirrorStream& stream);
  MirrorContents next_contents(Link& link, std::uint64_t& bytes);

  MirrorPool& pool_;
  Promises& promises_;
  Duration resend_after_;
  NodeCounters& counters_;
  Instant now_{};
  Instant last_round_ = Instant::min();
  bool cut_short_ = false;  // the last round had no room for all
  bool hurries_all_ = false;
  std::map<ServerId, Link> links_;
  std::set<ServerId> ready_;       // links that are up, with something to send and an open window
  std::uint64_t next_unused_ = 1;  // number of a batch: no stream that has ended went so far
};

}  // namespace tandem
