// Asks for the contents that our copies of mirrors refer to and our store lacks.
//
// Batches name contents by their validators. What this server has already, from its own source or
// from any other server, never crosses the wire; what it lacks it asks of who named it, once,
// whoever else names it meanwhile. One question at a time to each peer, bounded in contents and
// bytes, so that the asking end sets the pace. What does not come within `want_patience`, or is not
// what its validator says, costs a comparison by validator later and nothing else.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <unordered_set>
#include <vector>

#include "common/cluster/machine.h"
#include "server/core/mirror.h"

namespace tandem {

class ContentWants {
 public:
  ContentWants(MirrorPool& pool, NodeCounters& counters) : pool_(pool), counters_(counters) {}

  void link_up(ServerId peer);
  void link_down(ServerId peer);
  // A batch from the peer refers to this content.
  void mentioned(ServerId peer, const Validator& validator);
  void on_contents(ServerId from, const MirrorContents& answer);

  // Asks what is to be asked now, as far as there is room.
  void flush(Instant now, Outbox<Message>& out);
  // When flush() has something to do: kNever, or a time that may have passed.
  Instant next_deadline() const;
  // Asked for, or to be asked for.
  std::size_t awaited() const { return awaited_.size(); }

 private:
  using Validators = std::unordered_set<Validator, ValidatorHash>;
  struct Peer {
    std::deque<Validator> queue;
    std::uint64_t question = 0;
    Validators asked;  // in the question that is open; none: empty
    Instant patience = kNever;
  };
  void ask(Instant now, ServerId id, Peer& peer, Outbox<Message>& out);
  void give_up(Peer& peer);

  MirrorPool& pool_;
  NodeCounters& counters_;
  std::map<ServerId, Peer> peers_;  // linked ones
  Validators awaited_;              // by all peers together; at most options.awaited_max
};

}  // namespace tandem
