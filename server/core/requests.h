// Requests of the data wire: whose they are, and what the client may reuse.
#pragma once

#include <optional>

#include "server/core/alternates.h"
#include "server/core/claims.h"
#include "server/core/node.h"
#include "server/core/takeover.h"

namespace tandem {

class Requests {
 public:
  Requests(NodeState& state, Alternates& alternates, Claims& claims)
      : state_(state), alternates_(alternates), claims_(claims) {}

  // As Node's methods.
  Decision decide(Instant now, UnixSeconds wall, const RequestInfo& request);
  Comparison compare_retrieved(Instant now, const Retrieved& item);
  ValidationAnswer validate_cache(Instant now, const ValidationQuery& query,
                                  const ValidationRequest& request);
  std::optional<SessionToken> token_to_set(UnixSeconds wall, const SessionToken& request_token);
  // What this server says to a peer who asks where a session is.
  WhereAnswer answer(Instant now, SessionId id) const;

 private:
  Decision serve(Instant now, const RequestInfo& request, Session& session);
  Decision decide_new(Instant now, UnixSeconds wall, const RequestInfo& request);
  Decision decide_moved(Instant now, UnixSeconds wall, const RequestInfo& request);
  void learn(Instant now, const SessionToken& token, bool asks);
  Ruling rule_or_ask(Instant now, const RequestInfo& request);
  bool gone(const RequestInfo& request, ServerId server) const;
  Known known(Instant now, SessionId id) const;
  void give_sign_of_life(Instant now, Session& session);
  Session& take_over(Instant now, Session& session, Epoch epoch);
  Session& start_empty(Instant now, const SessionToken& token, Epoch epoch);
  CacheId mirrored_cache(CacheId announced) const;
  void keep(Instant now, Session& session, CacheId cache, const Retrieved& item,
            const Validator& validator);

  NodeState& state_;
  Alternates& alternates_;
  Claims& claims_;
};

}  // namespace tandem
