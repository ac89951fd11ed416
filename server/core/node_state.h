// What the parts of a node share: the session table with its index, notes, mirrors, the view of the
// cluster, and the mail. The few operations here keep them consistent with each other.
#pragma once

#include <map>

#include "server/core/cluster.h"
#include "server/core/content_wants.h"
#include "server/core/forwarding_notes.h"
#include "server/core/freshness.h"
#include "server/core/mail.h"
#include "server/core/mirror_sender.h"
#include "server/core/node_options.h"
#include "server/core/partners.h"
#include "server/core/promises.h"
#include "server/core/questions.h"
#include "server/core/session_table.h"

namespace tandem {

struct NodeState {
  NodeState(NodeOptions given, Instant now);

  // Displaces others until there is a place for one more of this role.
  void make_room(Instant now, Role role);
  // Creates it under this epoch; displaces another if the table is full.
  Session& create(Instant now, SessionId id, Role role, Epoch epoch);
  // Takes it out of everything.
  void drop(Session& session);
  // A newer epoch is known: drops it, notes where it went, and releases who holds our copy.
  void lose(Instant now, Session& session, Epoch newer);
  // We serve it now, under an epoch of our own: as alternate until now. `used`: when it was, last.
  void become_primary(Instant used, Session& session, Epoch epoch);
  // We hold a copy now, of the primary of this epoch, who will send the batch `expected` next; 0:
  // it is to be asked for everything.
  void become_copy(Session& session, Epoch epoch, std::uint64_t expected);
  // There is no link with this server, which may hold an old copy: it is told when it is met, by us
  // or by whoever serves the session then.
  static void owe(Session& session, ServerId server);
  // Tells a peer what we know of the session.
  void tell(ServerId peer, const Session& session);
  // Tells those who are owed it (Session::formers), as far as there are links.
  void tell_formers(const Session& session);
  // What mirrors have forgotten for their bounds the copies elsewhere forget, too. After every
  // change of a mirror, before the change itself is passed on.
  void pass_on_forgotten();
  // It holds a copy that is not wanted.
  void unburden(ServerId holder, const Session& session);
  // It is no longer to hold a copy; it notes this epoch, and who has the copy.
  void release(ServerId holder, const Session& session, Epoch epoch, ServerId alternate);
  // The peer knows of no session, or is another process than last time, though others may have told
  // it of some already: what it fed us before this link it has lost.
  void note_fresh(ServerId peer);
  // Does whoever feeds this copy of ours still have the session? Not if it is offline, or was
  // started anew since.
  bool feeder_lives(const Session& session) const;
  // Has it been fed since the link with whoever feeds it came up?
  bool is_fed(const Session& session) const {
    return sender.linked(session.fed_by) && session.fed_link == sender.link_number(session.fed_by);
  }
  // A session that is used gives its copy a sign of life at least so often, and the copy lasts so
  // much longer than the session would: it does not know of the uses in between.
  Duration sign_interval() const { return std::chrono::seconds(options.token_ttl) / 8; }
  // Does the primary of a session of which we hold a copy still know it, as far as we can tell?
  bool primary_lives(const Session& session) const;
  // As now; but for orphans and reserve.
  Status status() const;
  // With them, for others to read.
  Status full_status() const;
  // Who has the copies of what we answer for.
  Backing backing() const;

  NodeOptions options;
  ServerId self;
  Instant started;
  bool draining = false;
  std::uint64_t status_sequence = 0;
  NodeCounters counters;
  MirrorPool pool;
  Freshness freshness;
  SessionTable table;
  ForwardingNotes notes;
  Partners partners;
  Promises promises;
  MirrorSender sender;
  ContentWants wants;
  Cluster cluster;
  Mail mail;
  Questions questions;
  std::map<ServerId, std::uint64_t> incarnations;  // of the processes that we were linked with last
  std::map<ServerId, std::uint64_t> fresh_since;   // the number of our link with it at that time
};

}  // namespace tandem
