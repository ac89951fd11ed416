// What processes tell each other on the control wire (server–balancer) and the peer wire
// (server–server), as plain values. The codec (common/wire/codec.h) turns them into protobuf;
// machines and the simulator see only these.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/cluster/n_plus_one.h"
#include "common/cluster/view.h"
#include "common/cluster/view_delta.h"
#include "common/session/epoch.h"
#include "common/session/validator.h"
#include "common/wire/guard_messages.h"
#include "common/wire/item_messages.h"

namespace tandem {

// --- both wires -------------------------------------------------------------------------------

// The first message on every connection. The key proves membership, not identity: one's own name
// (a reflection) and the name of a living other are refused.
struct Hello {
  std::uint32_t protocol = 1;
  std::string name;
  bool balancer = false;
  std::uint64_t incarnation = 0;
  // The packed form of mirror batches and their answers (common/wire/packing.h) that it reads; 0:
  // none. Like `protocol`, the channel's matter.
  std::uint32_t packing = 0;
  // Of a server's types (Types::fingerprint()), on which a group must agree; 0: it has none, and
  // answers for nobody.
  std::uint64_t types = 0;

  bool operator==(const Hello&) const = default;
};

// --- control wire -----------------------------------------------------------------------------

// server -> balancer, after Hello.
struct Register {
  std::string data_address;
  std::string peer_address;
  std::string zone;
  std::string group;
  Status status;
  std::string tls_address{};  // empty: it has none

  bool operator==(const Register&) const = default;
};

// balancer -> server: the registration is refused, and the connection will be closed.
struct Refused {
  std::string reason;

  bool operator==(const Refused&) const = default;
};

// server -> balancer.
struct StatusReport {
  Status status;

  bool operator==(const StatusReport&) const = default;
};

// server -> balancer: Backing (common/cluster/n_plus_one.h), before the status that it belongs to,
// when it has changed. Of its figures the last one told counts.

// balancer -> server: the view, whole. Follower -> master: what it sees itself, whenever that has
// changed, for the servers that are not registered with the master; with StatusUpdate the status of
// these.
struct ViewUpdate {
  View view;

  bool operator==(const ViewUpdate&) const = default;
};

// balancer -> server: ViewDelta (common/cluster/view_delta.h), the change from the view told before
// on this connection; only to those who have said ViewRequest.

// server or follower -> balancer: tell me the view whole, and its changes from then on. Asked again
// when a change does not fit what was told before.
struct ViewRequest {
  bool operator==(const ViewRequest&) const = default;
};

// follower -> master, after Hello and then every status interval: I follow you. The newest view
// that the follower knows, whoever made it: the master's go on above it.
struct Follow {
  ViewId view;

  bool operator==(const Follow&) const = default;
};

// The answer: what the master's view is now.
struct FollowAck {
  ViewId view;

  bool operator==(const FollowAck&) const = default;
};

// balancer -> server: the status of the servers in the view; does not change its version.
struct StatusUpdate {
  struct Entry {
    ServerId server;
    Status status;

    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries;

  bool operator==(const StatusUpdate&) const = default;
};

// balancer -> server: the administrator wants it drained (or no longer).
struct Drain {
  bool draining = true;

  bool operator==(const Drain&) const = default;
};

// server -> balancer: a normal shutdown, announced.
struct Leave {
  bool operator==(const Leave&) const = default;
};

// What was seen of a server that looks dead.
enum class Seen : std::uint8_t {
  kUnknown,
  kClosed,       // its connection ended
  kSilent,       // it did not answer in time
  kUnreachable,  // no connection to it could be made
  kHostSilent,   // kSilent, and its host does not answer either
  kHostAnswers,  // kSilent, but its host answers: the process is dead or frozen
};

// server -> its balancers, balancer -> master: this one looks dead from here. Verify it.
struct FailureReport {
  ServerId suspect;
  std::uint64_t incarnation = 0;  // of the suspect, as far as is known; 0: not known
  Seen seen = Seen::kUnknown;

  bool operator==(const FailureReport&) const = default;
};

// master -> server: contact this server yourself, and say (Looked) whether you can.
struct Look {
  std::uint64_t number = 0;  // the master's; comes back with the answer
  ServerId server;
  std::string peer_address;  // where, should its view not say

  bool operator==(const Look&) const = default;
};

// server -> master.
struct Looked {
  std::uint64_t number = 0;
  ServerId server;
  bool reached = false;  // it answered: a ping, or anything else since the question

  bool operator==(const Looked&) const = default;
};

// --- peer wire --------------------------------------------------------------------------------

// One change of a mirror: the client's cache now holds this item with this content, or no longer
// holds it.
struct MirrorChange {
  CacheId cache;
  ItemKey key;
  bool evicted = false;
  Validator validator;  // meaningless if evicted
  // For so long from the batch's `as_of_ms` on it is what the source has promised to be current, to
  // those who ask for it at `host` (server/core/freshness.h). 0: nothing of the kind is known.
  std::uint32_t fresh_s = 0;
  std::uint64_t host = 0;

  bool operator==(const MirrorChange&) const = default;
};

// primary -> alternate (or alternate -> third server while the primary is offline): the session
// exists, at this epoch, with this primary, and its mirror changes like this. The first batch of a
// stream (a session on a link, until it goes down or another receiver is chosen) begins a snapshot,
// which replaces what the receiver has: with the batch that ends it, until then that stays.
// Contents are named, not sent: the receiver asks for those that it lacks.
struct MirrorBatch {
  // Former primaries are told of the takeover when they are met; instead of more, everyone is.
  static constexpr std::size_t kFormersMax = 4;
  SessionId session;
  Epoch epoch;
  ServerId primary;
  std::vector<ServerId> formers;  // the latest first; nobody: somebody who is not known
  std::uint64_t sequence = 0;     // grows by 1; a snapshot may start at any number
  bool snapshot = false;          // begins with this batch
  bool ends = false;              // with this batch the snapshot is whole
  bool urgent = false;  // the sender waits for the answer, which is not to wait for others
  std::vector<MirrorChange> changes;
  // A time on the receiver's clock (PromiseNews) that had passed when this was sent; of meaning
  // only where a change is fresh.
  std::uint64_t as_of_ms = 0;

  bool operator==(const MirrorBatch&) const = default;
};

// Both ways between servers when they meet, and now and then to who feeds us: what our clock reads,
// so that the other can say by it until when something is fresh. And what is not fresh any more,
// before its time.
struct PromiseNews {
  static constexpr std::size_t kEndedMax = 1024;
  std::uint64_t clock_ms = 0;
  std::vector<ItemKey> ended;
  bool all_ended = false;  // more than could be listed

  bool operator==(const PromiseNews&) const = default;
};

// alternate -> primary.
struct MirrorAck {
  enum class Answer : std::uint8_t {
    kApplied,
    kWantSnapshot,  // a gap, or the session is not known here
    kStale,         // this epoch is known here, a newer one, or the same from the primary itself
    kRefused,       // no room, or draining, or the primary itself has yet to make it whole: choose
                    // another
  };
  SessionId session;
  Epoch epoch;
  std::uint64_t sequence = 0;  // of the batch
  Answer answer = Answer::kApplied;

  bool operator==(const MirrorAck&) const = default;
};

// Who is fed -> who feeds it: send me these contents. A new question ends the one before.
struct MirrorWant {
  static constexpr std::size_t kValidatorsMax = 1024;
  std::uint64_t number = 0;
  std::vector<Validator> validators;

  bool operator==(const MirrorWant&) const = default;
};

struct Content {
  Validator validator;
  std::shared_ptr<const std::string> bytes;  // null: not to be had any more

  bool operator==(const Content& other) const {
    return validator == other.validator &&
           (bytes == other.bytes || (bytes && other.bytes && *bytes == *other.bytes));
  }
};

// The answer, in parts. What is not in it is not to be had.
struct MirrorContents {
  std::uint64_t number = 0;  // of the question
  std::vector<Content> contents;
  bool last = true;

  bool operator==(const MirrorContents&) const = default;
};

// who fed a mirror -> who was fed: forget the mirror, note where to refer. Another alternate has
// been chosen, or the sender has lost the session to a newer epoch.
struct MirrorRelease {
  SessionId session;
  Epoch epoch;         // the newest known; its server is the primary
  ServerId alternate;  // who has the mirror now, if the sender knows
  // Batches from this number on are of a later stream, and not meant. 0: all are meant.
  std::uint64_t sequence = 0;
  std::uint64_t number = 0;  // of the letter (MailAck); 0: no answer is wanted

  bool operator==(const MirrorRelease&) const = default;
};

// Both ways when two servers meet (again): what they share. The newer epoch wins; the older side
// drops the session from its clients. Sent in bounded parts, each acknowledged by its number.
struct SessionExchange {
  static constexpr std::size_t kEntriesMax = 4096;
  struct Entry {
    SessionId session;
    Epoch epoch;
    bool primary = false;  // the sender serves it as primary

    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries;
  bool last = true;
  std::uint64_t number = 0;  // of this part on its link (MailAck); 0: nobody waits for it

  bool operator==(const SessionExchange&) const = default;
};

// Answers every MirrorRelease, SessionExchange and SessionDigest that has a number: without it they
// are sent again.
struct MailAck {
  std::uint64_t number = 0;

  bool operator==(const MailAck&) const = default;
};

// Both ways when two servers meet (again), before any entry: what they share is compared by digests
// of ranges of ids, so that two who agree tell each other little.
struct SessionDigest {
  static constexpr std::size_t kRangesMax = 1024;
  static constexpr std::uint32_t kDepthMax = 3;  // each step cuts a range into 16
  struct Range {
    std::uint32_t depth = 0;   // 0: all ids
    std::uint32_t index = 0;   // of the 16^depth equal ranges of SessionId::high
    std::uint64_t digest = 0;  // of the sender's sessions there; 0: none
    bool tell = false;         // compared already: tell your entries there

    bool operator==(const Range&) const = default;
  };
  std::vector<Range> ranges;
  bool first = false;        // of this link: a greeting
  bool fresh = false;        // the sender knows of no session, and needs not be told of any
  std::uint64_t number = 0;  // of the letter (MailAck); 0: no answer is wanted

  bool operator==(const SessionDigest&) const = default;
};

// server -> all that it is linked with: a client of the session is here, and nobody else can say
// where it is served.
struct WhereIs {
  SessionId session;

  bool operator==(const WhereIs&) const = default;
};

// What the one who was asked knows of it.
struct WhereAnswer {
  enum class As : std::uint8_t {
    kNothing,
    kPrimary,  // it serves the session
    kCopy,     // it has a copy of the mirror
    kNote,     // it knows where it went
  };
  SessionId session;
  As as = As::kNothing;
  Epoch epoch;                // the newest that it knows
  ServerId alternate;         // kPrimary, kNote: who has a copy, if that is known
  std::uint32_t entries = 0;  // kPrimary, kCopy: items in the mirror

  bool operator==(const WhereAnswer&) const = default;
};

// primary -> alternate: take the session over from me, with the copy that you have. Sent again if
// no answer came; doing it twice changes nothing.
struct SwapCommand {
  SessionId session;
  Epoch epoch;                 // the one to be raised
  std::uint64_t sequence = 0;  // of the last mirror batch: all that the copy has to hold
  bool drains = false;         // the sender gives up all its sessions: capacity does not matter

  bool operator==(const SwapCommand&) const = default;
};

// alternate -> primary.
struct SwapAnswer {
  enum class Answer : std::uint8_t {
    kTaken,    // it is served here under `epoch`
    kRefused,  // not now: the copy is not whole, or there is no place for it
    kStale,    // the command is of an older epoch than the one known here, `epoch`
  };
  SessionId session;
  Epoch epoch;
  Answer answer = Answer::kTaken;
  // kTaken: the number of the mirror batch that follows. With it the former primary's mirror goes
  // on as the copy, without a snapshot.
  std::uint64_t next = 0;

  bool operator==(const SwapAnswer&) const = default;
};

// Both ways between buddies, and in answer to Suspect and Look: are you there?
struct Ping {
  std::uint64_t number = 0;  // the sender's; comes back

  bool operator==(const Ping&) const = default;
};

// The answer, at once.
struct Pong {
  std::uint64_t number = 0;
  // The one who answers pings next, in so many microseconds. 0: it does not take the turn.
  std::uint64_t next_us = 0;

  bool operator==(const Pong&) const = default;
};

// buddy -> the suspect's other buddy: it looks dead from here, and is reported. Look too.
struct Suspect {
  ServerId suspect;
  std::uint64_t incarnation = 0;  // as of FailureReport
  Seen seen = Seen::kUnknown;

  bool operator==(const Suspect&) const = default;
};

// balancer -> server: what do you know of the session? For `tandemctl explain`.
struct SessionQuery {
  std::uint64_t number = 0;  // the balancer's; comes back with the account
  SessionId session;

  bool operator==(const SessionQuery&) const = default;
};

// server -> balancer.
struct SessionAccount {
  enum class As : std::uint8_t {
    kNothing,
    kProvisional,  // it serves the session, whose token has not come back yet
    kPrimary,
    kCopy,  // it is the alternate, or holds a third copy
    kNote,  // it had the session, and knows where it went
  };
  // How the one who serves it came by it.
  enum class Came : std::uint8_t {
    kUnknown,
    kAssigned,   // new, from a balancer or from a server that was over its threshold
    kTakenOver,  // from its copy, since the primary did not answer or was offline
    kFoundLost,  // started empty: nobody knew it
    kSwapped,    // from its copy, at the former primary's command
  };
  std::uint64_t number = 0;  // of the query
  SessionId session;
  As as = As::kNothing;
  Epoch epoch;
  ServerId primary;            // as far as is known here
  ServerId alternate;          // who is fed from here, or (kNote) who has the mirror
  Came came = Came::kUnknown;  // only of who serves it
  std::uint64_t since_ms = 0;  // how long ago it came
  std::uint64_t idle_ms = 0;   // since it was last used, or fed
  std::uint64_t items = 0;     // in the mirror, of all its caches
  std::uint64_t digest_high = 0, digest_low = 0;  // of the mirror: equal, if both hold the same
  bool complete = false;     // whoever is fed from here has acknowledged all of it
  std::uint64_t behind = 0;  // changes that wait to be sent there

  bool operator==(const SessionAccount&) const = default;
};

using Message =
    std::variant<Hello, Register, Refused, StatusReport, ViewUpdate, StatusUpdate, Drain, Leave,
                 MirrorBatch, MirrorAck, MirrorRelease, SessionExchange, SwapCommand, SwapAnswer,
                 WhereIs, WhereAnswer, SessionDigest, MailAck, Backing, SessionQuery,
                 SessionAccount, MirrorWant, MirrorContents, FailureReport, Look, Looked, Ping,
                 Pong, Suspect, ViewDelta, ViewRequest, Follow, FollowAck, PromiseNews, Invalidate,
                 Invalidated, LeaseAsk, LeaseGrant, ItemRequest, ItemResponse, ItemBody, ItemCredit,
                 ItemEnd>;

// Is it about items of other types (common/wire/item_messages.h)?
inline bool is_of_items(const Message& message) {
  return std::holds_alternative<ItemRequest>(message) ||
         std::holds_alternative<ItemResponse>(message) ||
         std::holds_alternative<ItemBody>(message) || std::holds_alternative<ItemCredit>(message) ||
         std::holds_alternative<ItemEnd>(message);
}

}  // namespace tandem
