// What two servers that meet (again) tell each other of their sessions: the newer epoch wins, and
// the older side drops the session from its clients.
//
// Each greets. One that knows of no session is told nothing. The one with the smaller id begins
// with a digest of all that the two share (each session of which one holds the copy that the other
// feeds); where digests differ the range is cut into 16, until few are left, and only those are
// told. Told as well is what cannot be compared, as the other may not know it: what was taken over
// from the other (once; when it has answered, no longer), what was started empty, and, by a server
// that was cut off, all that it serves.
//
// What is to be told is walked in the order of ids, a part at a time as answers come in: a meeting
// over 100,000 sessions holds a few parts in memory. Pure; the node calls it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include "server/core/alternates.h"
#include "server/core/node_state.h"

namespace tandem {

class Meetings {
 public:
  static constexpr std::size_t kPartEntries = 512;  // told in one letter
  static constexpr std::size_t kFewEntries = 32;    // told rather than compared further
  static constexpr std::size_t kWalksMax = 8192;    // for each peer; over it all is told

  Meetings(NodeState& state, Alternates& alternates) : state_(state), alternates_(alternates) {}

  // The link must be up in the sender.
  void on_link_up(ServerId peer);
  // `alone`: it was the last one. What was ours may be taken over now, and by whom we cannot know.
  void on_link_down(ServerId peer, bool alone);
  // The others have thought us dead.
  void on_thought_dead();

  void on_digest(Instant now, ServerId from, const SessionDigest& digest);
  void on_exchange(Instant now, ServerId from, const SessionExchange& exchange);
  // The peer has taken these in.
  void on_told(ServerId peer, const SessionExchange& exchange);

  // Puts the next parts into the mail.
  void step();
  bool has_work() const;
  std::size_t walks() const;  // ranges that are still to be told

 private:
  using Tie = Partners::Tie;
  // Sessions of one tie within a range of ids, and how far they have been told.
  struct Walk {
    Tie tie;
    ServerId server;
    SessionId told;
    std::uint64_t last_high = ~std::uint64_t{0};
  };
  struct Meeting {
    bool greeted = false;  // the peer has, and is to be told
    std::deque<Walk> walks;
  };

  void greet_back(ServerId peer, Meeting& meeting);
  void tell_all_served(Meeting& meeting);
  void compare(ServerId peer, Meeting& meeting, const SessionDigest::Range& theirs,
               std::vector<SessionDigest::Range>& closer);
  void tell_range(ServerId peer, Meeting& meeting, std::uint32_t depth, std::uint32_t index);

  NodeState& state_;
  Alternates& alternates_;
  std::map<ServerId, Meeting> meetings_;  // one for each link
  std::uint64_t doubts_ = 0;              // times that we were cut off
  std::map<ServerId, std::uint64_t> doubts_told_;
};

}  // namespace tandem
