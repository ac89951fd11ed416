// One session, as its primary or a holder of its copy knows it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/session/epoch.h"
#include "common/wire/messages.h"
#include "server/core/mirror.h"
#include "server/core/node_options.h"

namespace tandem {

// The stream of batches that keeps another server's copy equal to ours
// (server/core/mirror_sender.h, which alone writes here).
struct MirrorStream {
  static constexpr std::uint64_t kNotSent = ~std::uint64_t{0};
  ServerId target;              // nobody: there is no stream
  bool wants_snapshot = false;  // the next batch replaces everything
  bool announces = false;       // a batch is due even without changes: a new epoch, a sign of life
  bool urgent = false;          // somebody waits for it to be complete
  bool queued = false;          // waits for its turn on the link to the target
  std::uint64_t first = 1;      // number of the stream's first batch
  std::uint64_t next = 1;       // number of the next batch; of a session never goes back
  // The greatest number that the target has applied, with the contents that it has asked for.
  std::uint64_t acknowledged = 0;
  std::uint64_t whole_at = kNotSent;  // the batch that ended the snapshot
  std::size_t taken = 0;              // of backlog, from its front
  std::vector<MirrorChange> backlog;
  Instant since = kNever;  // of the oldest change that is not sent

  // Has all that we have been sent?
  bool all_sent() const {
    return target && !wants_snapshot && !announces && backlog.empty() && next > first;
  }
  // Has the target all that we have?
  bool complete() const { return all_sent() && acknowledged + 1 == next; }
  // Has the target a whole copy, be it a few changes behind?
  bool whole() const { return !wants_snapshot && acknowledged >= whole_at; }
};

struct Session {
  Session(SessionId the_id, MirrorPool& pool) : id(the_id), mirror(pool, the_id) {}

  const SessionId id;
  Role role = Role::kProvisional;
  Epoch epoch;
  ServerId primary;                                            // who serves it under this epoch
  SessionAccount::Came came = SessionAccount::Came::kUnknown;  // how we came to serve it
  Instant came_at{};
  Instant last_used{};
  Instant signed_at = Instant::min();  // when its copy was given a sign of life, last
  Instant expires{};                   // its place among the expiries (session_table)

  // Who was primary before, the latest first, and who else may have an old copy: to be told when
  // they are met. Nobody among them: everyone is told. At most MirrorBatch::kFormersMax.
  std::vector<ServerId> formers;
  Mirror mirror;
  // To the alternate; as alternate, to a third server while the primary is offline.
  MirrorStream stream;
  // While that copy is not whole: to whom it replaces. Tokens name that one as alternate until
  // then, and both are fed. Null: there is none.
  std::unique_ptr<MirrorStream> retiring;

  // As primary: requests under way; and whether others wait, since the alternate has been told to
  // take it over.
  std::uint32_t requests = 0;
  bool swapping = false;

  // As alternate: who feeds our mirror, and the batch that is to come.
  ServerId fed_by;
  std::uint64_t fed_link = 0;  // which of our links with it that was (MirrorSender::link_number)
  std::uint64_t expected = 0;
  // A snapshot has come to its end: the mirror is one that the session had, not a part of it.
  bool whole = false;

  bool serves() const { return role != Role::kAlternate; }
  // The stream to the copy that is to be relied on.
  const MirrorStream& best_stream() const { return retiring ? *retiring : stream; }
  MirrorStream* stream_to(ServerId server) {
    if (stream.target == server) return &stream;
    return retiring && retiring->target == server ? retiring.get() : nullptr;
  }
  bool feeds(ServerId server) const {
    return stream.target == server || (retiring && retiring->target == server);
  }
  // Who has a copy from us.
  std::vector<ServerId> holders() const {
    std::vector<ServerId> all;
    if (stream.target) all.push_back(stream.target);
    if (retiring) all.push_back(retiring->target);
    return all;
  }
  ServerId alternate() const { return serves() ? best_stream().target : ServerId{}; }
};

}  // namespace tandem
