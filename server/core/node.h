// The node: everything that a tandem-server decides about sessions, mirrors and takeover.
//
// Pure: no socket, no clock, no lock; one thread. The shell (server/io) or the simulator
//   - asks on_request() before it executes a request, and carries out the Decision;
//   - shows on_retrieved() the body that it is about to send, and sends or says "use yours";
//   - asks token_to_set() when it writes the head of a response;
//   - delivers messages of the peer wire, links going up and down, views, status and the time;
//   - calls flush() at the end of every round of its event loop, and sends what is in the outbox.
// Only messages to peers whose link is up are ever put into an outbox. While a link is up, messages
// may be lost, doubled and overtaken: batches, releases and exchanges are numbered, answered, and
// repeated without an answer. Nothing of a former link arrives on a later one. The node seals
// nothing: tokens are values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/cluster/machine.h"
#include "common/cluster/view.h"
#include "common/session/token.h"
#include "common/session/validation.h"
#include "common/session/validator.h"
#include "common/wire/messages.h"
#include "server/core/comparison.h"
#include "server/core/freshness.h"
#include "server/core/node_options.h"

namespace tandem {

using PeerOutbox = Outbox<Message>;

struct RequestInfo {
  SessionToken token;                // the client's own (flags 0) or a request token; opened
  CacheId cache;                     // of the client library; none: an ordinary client
  std::span<const ItemKey> evicted;  // from that cache since its last request
  // Servers that a direct client says it cannot reach. Believed of those alone with which there is
  // no link: they count as offline for this request.
  std::span<const ServerId> unreachable = {};
  // The session is not to be begun anew if nobody knows it: as kKnownOnly in the token.
  bool known_only = false;
};

struct Decision {
  enum class Kind : std::uint8_t {
    kServe,        // execute the request; the session is `session`
    kRefer,        // 421, Tandem-Refer: `refer`, sealed; refer.primary is who shall get the request
    kUnavailable,  // 503 with Retry-After: no place for a new session
    kWait,         // peers are asked where the session is, or another is taking it over: once
                   // take_settled() names it, ask again
    kGuest,        // execute the request without its session, which is elsewhere and cannot come in
                   // time; the response sets `refer`, a client's token
    kGone,         // 421, Tandem-Refer: none; nobody knows the session, and it is not to be begun
                   // anew
  };
  Kind kind = Kind::kUnavailable;
  SessionId session;
  SessionToken refer;
};

// What the source said of an item's freshness.
struct Promised {
  Instant asked{};         // when the source was asked
  std::uint64_t mark = 0;  // of then (Freshness)
  Freshness::Host host = 0;
  Freshness::Promise promise;
};

// A whole body of a 200 response to GET that the source delivered.
struct Retrieved {
  SessionId session;
  CacheId cache;
  ItemKey key;
  std::span<const Validator> announced;        // those of If-None-Match that are ours; none: empty
  std::shared_ptr<const std::string> content;  // not null
  bool storable = true;                        // false (no-store): kept nowhere, only compared
  // Nothing, if it does not count for others.
  std::optional<Promised> promised = std::nullopt;
};

// A client asks about all that one of its caches holds (server/core/validation.h).
struct ValidationQuery {
  SessionId session;  // that on_request() has decided to serve
  CacheId cache;
  Freshness::Host host = 0;
  std::optional<std::uint64_t> source_version;
};

class Node {
 public:
  // `now` is the time of the process's start.
  Node(NodeOptions options, Instant now);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // --- the data wire ---
  // Decides before anything is executed. Forged, expired and flagged-by-the-client tokens never
  // come here: the shell answers 400 to a request without a token that opens.
  Decision on_request(Instant now, UnixSeconds wall, const RequestInfo& request);
  // Compares, and keeps the mirror. Answers "use yours" only if something was announced.
  Comparison on_retrieved(Instant now, const Retrieved& item);
  // Says which of a whole cache's copies are current, and puts what was listed into the mirror.
  ValidationAnswer on_validation(Instant now, const ValidationQuery& query,
                                 const ValidationRequest& request);
  // What the source's responses promised; whoever sees them records it, but for what goes to
  // on_retrieved().
  Freshness& freshness();
  // What the mirrors refer to.
  ContentStore& contents();
  // Sessions of requests that wait (kWait) and are to be decided now; ask after every event. What
  // the peers said is kept until the next flush() or message.
  std::vector<SessionId> take_settled();
  // A request that was to be served is over. A session is not moved to another server while
  // requests of it are under way, if that can be helped; a request that nobody ends costs patience.
  void on_request_end(SessionId session);
  // The token that the response to a request with `request_token` shall set, if any; asked when the
  // head is written. Nothing once the session has been lost to a newer epoch: what was executed is
  // answered, and the client's next request is referred.
  std::optional<SessionToken> token_to_set(UnixSeconds wall, const SessionToken& request_token);

  // --- the peer wire --- (others than its messages are ignored)
  void on_peer_connected(Instant now, ServerId peer, std::uint64_t incarnation, PeerOutbox& out);
  void on_peer_disconnected(Instant now, ServerId peer, PeerOutbox& out);
  void on_message(Instant now, ServerId from, const Message& message, PeerOutbox& out);

  // --- the control wire ---
  void on_view(Instant now, const ViewPtr& view, PeerOutbox& out);
  void on_status(Instant now, const StatusUpdate& update);
  // Takes no new sessions, as primary, and as alternate only where there is no other; its own are
  // moved to their alternates.
  void set_draining(bool draining);
  // Draining has an end: no session is left that could be moved. False while not draining.
  bool drained() const;
  // Copies are here, while draining, that other servers are about to get. False where the primaries
  // have nobody else.
  bool holds_copies_for_others() const;
  void set_limits(std::uint32_t capacity, std::uint32_t threshold);
  // The status to push, with the next sequence number.
  Status next_status();
  // To push before the status, if it is another than last time.
  Backing backing() const;
  // Threshold, capacity or draining was crossed since next_status(), or the last session has left a
  // draining server: push at once.
  bool status_is_urgent() const;

  // --- time ---
  void on_deadline(Instant now, PeerOutbox& out);
  Instant next_deadline() const;  // may be in the past: there is work left; kNever: nothing
  // Sends what mirrors owe their alternates, as far as windows and the outbox allow.
  void flush(Instant now, PeerOutbox& out);

  // --- what it says of itself ---
  ServerId self() const;
  Status status() const;  // as now, with the sequence number that was pushed last
  const NodeCounters& counters() const;
  NodeGauges gauges() const;
  // What this server knows of a session: for the simulator, and for `tandemctl explain`.
  std::optional<SessionReport> report(SessionId session) const;
  SessionAccount account(Instant now, const SessionQuery& query) const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tandem
