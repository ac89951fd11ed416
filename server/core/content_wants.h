// Asks for the contents that our copies of mirrors refer to and our store lacks, and keeps the
// answer to a batch until they are here.
//
// Batches name contents by their validators. What this server has already, from its own source or
// from any other server, never crosses the wire; what it lacks it asks of who named it, once,
// whoever else names it meanwhile; if that one cannot give it, of another who has named it. One
// question at a time to each peer, bounded in contents and bytes, so that the asking end sets the
// pace. What does not come within `want_patience`, or is not what its validator says, costs a
// comparison by validator later and nothing else.
//
// Sessions take turns in questions, and each may await at most as many contents as there is room
// left for those of others. So one that names many, or such as nobody has, holds up itself alone.
//
// A copy is whole when its contents are here, too. So "applied" is answered to who feeds a session
// once nothing is awaited any more that its batches have named: what came, and what was given up.
// Of the answers that wait for that only the last one is sent; it stands for those before.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/cluster/machine.h"
#include "server/core/mirror.h"

namespace tandem {

class ContentWants {
 public:
  ContentWants(MirrorPool& pool, NodeCounters& counters) : pool_(pool), counters_(counters) {}

  void link_up(ServerId peer);
  void link_down(ServerId peer);
  // A batch from the peer, of the session named, refers to this content.
  void mentioned(ServerId peer, SessionId session, const Validator& validator);
  void on_contents(ServerId from, const MirrorContents& answer);

  // Answers that the batch has been applied: at once, or when the session lacks nothing any more.
  void answer(ServerId feeder, const MirrorAck& ack, Outbox<Message>& out);
  // Are contents awaited that the batches of a session have named?
  bool lacks(SessionId session) const { return lacking_.count(session) != 0; }
  // The session is no longer here, or no longer a copy.
  void forget(SessionId session) { lacking_.erase(session); }

  // Asks and answers what is to be asked and answered now, as far as there is room.
  void flush(Instant now, Outbox<Message>& out);
  // When flush() has something to do: kNever, or a time that may have passed.
  Instant next_deadline() const;
  // Asked for, or to be asked for.
  std::size_t awaited() const { return awaited_.size(); }
  // Sessions that wait for them.
  std::size_t lacking() const { return lacking_.size(); }

 private:
  using Validators = std::unordered_set<Validator, ValidatorHash>;
  struct Peer {
    std::map<SessionId, std::deque<Validator>> queues;  // to be asked for; none is empty
    std::deque<SessionId> turns;                        // those that have one, each once
    std::uint64_t question = 0;
    Validators asked;  // in the question that is open; none: empty
    Instant patience = kNever;
  };
  // A session, as `feeder` feeds it, whose mirror refers to a content.
  struct Waiter {
    SessionId session;
    std::uint64_t number;
    ServerId feeder;
  };
  struct Lacking {
    std::uint64_t number = 0;  // of those ever begun: the session may be forgotten and come again
    std::size_t contents = 0;
    std::optional<std::pair<ServerId, MirrorAck>> answer;
  };
  bool has_room(std::size_t taken, std::size_t most, SessionId session) const;
  static void queue(Peer& peer, SessionId session, const Validator& validator);
  std::vector<Validator> next_question(Peer& peer);
  void ask(Instant now, ServerId id, Peer& peer, Outbox<Message>& out);
  void give_up(ServerId id, Peer& peer);
  void fail(ServerId id, const Validator& validator);
  void end(const Validator& validator);
  void settle(const Waiter& waiter);

  MirrorPool& pool_;
  NodeCounters& counters_;
  std::map<ServerId, Peer> peers_;  // linked ones
  // By all peers together, at most options.awaited_max; with who waits, waiters_max in all.
  std::unordered_map<Validator, std::vector<Waiter>, ValidatorHash> awaited_;
  std::size_t waiters_ = 0;
  std::unordered_map<SessionId, Lacking> lacking_;
  std::uint64_t begun_ = 0;
  std::vector<std::pair<ServerId, MirrorAck>> answers_;  // due
};

}  // namespace tandem
