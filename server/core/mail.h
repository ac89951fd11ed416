// What is to be told to peers besides mirror batches: releases, digests, and who has the newer
// epoch. Each
// goes as a letter with a number, is kept until the peer has answered (MailAck), and is sent again
// when no answer comes: a letter may be lost, doubled or overtaken. What is for a peer without a
// link is dropped, since meeting again tells it anew.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/machine.h"
#include "common/wire/messages.h"
#include "server/core/node_options.h"

namespace tandem {

class Mail {
 public:
  // Letters to one peer that are not answered yet; the others wait.
  static constexpr std::size_t kLettersUnansweredMax = 256;  // releases and digests
  static constexpr std::size_t kPartsUnansweredMax = 4;      // of SessionExchange::kEntriesMax each
  static constexpr unsigned kTriesMax = 6;  // then the peer does not answer such letters at all

  Mail(Duration resend_after, NodeCounters& counters)
      : resend_after_(resend_after), counters_(counters) {}

  void post(ServerId peer, const MirrorRelease& release) {
    boxes_[peer].releases.push_back(release);
  }
  void post(ServerId peer, SessionDigest digest) {
    boxes_[peer].digests.push_back(std::move(digest));
  }
  void tell(ServerId peer, const SessionExchange::Entry& entry) {
    boxes_[peer].told.push_back(entry);
  }
  // May the peer be told more? It has taken in all but the last parts, and nothing waits.
  bool wants_entries(ServerId peer) const;
  std::size_t waiting() const;  // entries that are to be told, or told again
  // The entries that the peer has taken in now, if it was those.
  std::optional<SessionExchange> on_ack(ServerId from, std::uint64_t number);
  void link_down(ServerId peer) { boxes_.erase(peer); }

  // Sends as much as `out` has room for, and again what has waited for its answer too long; true if
  // nothing is left that could be sent now.
  bool drain(Instant now, const std::function<bool(ServerId)>& linked, Outbox<Message>& out);
  // Is there a letter that drain() would send, given room?
  bool has_work() const;
  Instant next_deadline() const;  // of a letter without an answer

 private:
  struct Letter {
    std::variant<MirrorRelease, SessionExchange, SessionDigest> content;
    Instant again;  // when to send it again
    unsigned tries = 1;
  };
  struct Box {
    std::deque<MirrorRelease> releases;
    std::deque<SessionDigest> digests;
    std::vector<SessionExchange::Entry> told;
    std::map<std::uint64_t, Letter> unanswered;  // by number
    std::size_t parts_unanswered = 0;
    std::uint64_t last_number = 0;
    bool may_send() const { return unanswered.size() - parts_unanswered < kLettersUnansweredMax; }
    bool may_release() const { return !releases.empty() && may_send(); }
    bool may_compare() const { return !digests.empty() && may_send(); }
    bool may_tell() const { return !told.empty() && parts_unanswered < kPartsUnansweredMax; }
  };
  bool resend(Instant now, ServerId peer, Box& box, Outbox<Message>& out);
  void send(Instant now, ServerId peer, Box& box, Letter letter, Outbox<Message>& out);
  SessionExchange next_part(Box& box);

  Duration resend_after_;
  NodeCounters& counters_;
  std::map<ServerId, Box> boxes_;
};

}  // namespace tandem
