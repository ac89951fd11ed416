// Where is my session? The bounded question to all peers, for a request whose session nobody can
// name a server of: neither this server, nor the token, nor a forwarding note.
//
// One question per session at a time. It is settled when every peer that was asked has answered or
// lost its link, or after `patience`; what was found then holds for the requests that waited, and
// is forgotten with the first step after it was taken. A peer without a link is asked when its link
// comes up. Nothing is asked twice: a question or an answer that is lost costs the patience.
//
// A server that has just started and has no view yet does not know whom to ask: its questions are
// held until it does, for the same patience.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/cluster/machine.h"
#include "common/wire/messages.h"
#include "server/core/node_options.h"

namespace tandem {

// What the peers said of a session.
struct Finding {
  Epoch epoch;       // the newest that anyone knows; counter 0: nobody knows the session
  ServerId primary;  // who itself says that it serves it under this epoch
  ServerId holder;   // who has a copy of its mirror; the fullest, if several say so themselves
  // Who was asked and has neither: not worth a referral, whatever a token or a note says.
  std::vector<ServerId> ignorant;
};

class Questions {
 public:
  Questions(NodeCounters& counters, std::size_t questions_max, Duration patience)
      : counters_(counters), questions_max_(questions_max), patience_(patience) {}

  // Begins a question to these peers. False: nobody is there to ask, or there are too many
  // questions; the session is then as good as unknown to all. It must not have been asked about.
  bool ask(Instant now, SessionId session, const std::vector<ServerId>& peers);
  // The same, but as yet it is not known who there is.
  bool hold(Instant now, SessionId session);
  // Now it is: those that were held are to be decided anew, as if nobody had been asked.
  void release();
  bool waits(SessionId session) const;
  // What was found, once settled; null before, and when nothing was asked.
  const Finding* finding(SessionId session) const;

  void on_answer(ServerId from, const WhereAnswer& answer);
  void on_link_up(ServerId peer);
  void on_link_down(ServerId peer);

  // Sends what is to be asked, as much as `out` has room for; true if all is gone.
  bool drain(const std::function<bool(ServerId)>& linked, Outbox<Message>& out);
  bool has_work() const { return !unsent_.empty(); }

  // Ends what has waited long enough, and forgets what was taken.
  void step(Instant now);
  // The sessions whose questions have been settled since the last call. Has to be called: a
  // question counts against the bound until it was.
  std::vector<SessionId> take_settled();
  Instant next_deadline() const { return ends_.empty() ? kNever : ends_.begin()->first; }
  std::size_t size() const { return questions_.size(); }

 private:
  struct Question {
    std::vector<ServerId> awaited;
    Finding finding;
    std::uint32_t entries = 0;    // in the mirror of finding.holder
    bool holder_is_sure = false;  // it said so itself
    bool settled = false;
    Instant ends;
  };
  Question* begin(Instant now, SessionId session);
  static void merge(Question& question, ServerId from, const WhereAnswer& answer);
  void heard_of(SessionId session, Question& question, ServerId peer);
  void settle(SessionId session, Question& question);

  NodeCounters& counters_;
  std::size_t questions_max_;
  Duration patience_;
  std::unordered_map<SessionId, Question> questions_;
  std::set<std::pair<Instant, SessionId>> ends_;  // of those that wait
  std::deque<std::pair<ServerId, SessionId>> unsent_;
  std::vector<SessionId> settled_;   // not yet taken
  std::vector<SessionId> released_;  // the same, of those that were held
  std::vector<SessionId> taken_;
};

}  // namespace tandem
