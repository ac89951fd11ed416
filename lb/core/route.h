// Routing: which server gets a request, and what the server is told about it.
//
// All that routing needs is in the client's token and the view; the balancer holds no session
// table.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/routes.h"
#include "common/cluster/view.h"
#include "common/session/token.h"
#include "lb/core/assignment.h"

namespace tandem {

// A worker's hash index over one immutable view: ServerId -> slot, the server's place in
// view->servers. Open addressing at a load of at most one half; built once for each view.
class ViewIndex {
 public:
  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

  ViewIndex() : ViewIndex(std::make_shared<const View>()) {}
  explicit ViewIndex(ViewPtr view, const Routes& routes = {});

  std::uint32_t slot(ServerId id) const {
    for (std::uint32_t at = id.value & mask_;; at = (at + 1) & mask_) {
      if (table_[at].id == id) return table_[at].slot;
      if (!table_[at].id) return kNoSlot;
    }
  }
  // The slot of a server that is online; kNoSlot if it is unknown or offline.
  std::uint32_t online_slot(ServerId id) const {
    const std::uint32_t found = id ? slot(id) : kNoSlot;
    return found != kNoSlot && view_->servers[found].online ? found : kNoSlot;
  }
  // In which pool the server is. Without routes there is one for all, and nothing to look up.
  PoolNumber pool(std::uint32_t slot) const { return one_pool() ? 0 : pools_[slot]; }
  bool one_pool() const { return pools_.empty(); }
  const ServerRecord& at(std::uint32_t slot) const { return view_->servers[slot]; }
  std::size_t size() const { return view_->servers.size(); }
  const ViewPtr& view() const { return view_; }

 private:
  struct Entry {
    ServerId id;
    std::uint32_t slot = kNoSlot;
  };
  ViewPtr view_;
  std::uint32_t mask_ = 0;
  std::vector<Entry> table_;
  std::vector<PoolNumber> pools_;  // by slot; empty: there is one pool
};

enum class RouteKind : std::uint8_t {
  kWarm,         // to the primary, the client's token verbatim
  kNew,          // no token: a new session
  kTakeover,     // the primary is gone: to the alternate
  kLost,         // primary and alternate are gone: to any, which knows or asks who has a copy
  kRejected,     // primary and alternate are gone, no other can know it: reject
  kUnavailable,  // nobody can serve it: 503 with Retry-After
};

// What becomes of a request whose session has neither primary nor alternate left. Before it is
// rejected, a tandem-server is asked whether any has a copy (kKnownOnly). While no server takes
// sessions at all nothing is rejected: that is an outage, and 503.
struct LossPolicy {
  std::uint16_t reject_status = 0;  // 400 to 599; 0: any server takes the session

  bool rejects() const { return reject_status != 0; }
  // 4xx says that the session is gone, and its token is taken back. 5xx says "not now": the token
  // stays, and the session goes on when one of its servers comes back.
  bool ends_session() const { return rejects() && reject_status < 500; }
};

struct Route {
  RouteKind kind = RouteKind::kUnavailable;
  std::uint32_t slot = ViewIndex::kNoSlot;
  std::uint8_t flags = kNoFlags;  // of the request token; kNoFlags: the client's own will do

  bool operator==(const Route&) const = default;
};

// Is what a referral says of the client's session (`known`: its token, or an earlier referral;
// null: it has none) to be routed by, should the server that it names fail? The client's token may
// lead back to who referred, who does not know of the failure.
bool supersedes(const SessionToken& referral, const SessionToken* known);

// May a request that goes to this pool be routed by the token? Not if the server that it names is
// of another pool: a session is of one group. Who has gone to another group is as good as gone, so
// it may be, too, if the alternate is of this pool.
bool is_of_pool(const SessionToken& token, const ViewIndex& index, PoolNumber pool);

// Where a request with this token (null: none) goes. `failed` are the servers that have failed for
// this request already; they count as offline, as do those of other pools than `pool`, whose the
// assignment is.
Route route(const SessionToken* token, const ViewIndex& index, Assignment& assignment,
            std::span<const ServerId> failed = {}, LossPolicy on_lost = {}, PoolNumber pool = 0);

// The token for this one request, to be sealed for a tandem-server: `client` is the token that it
// was routed by, null for a new session, which gets the id `fresh`.
SessionToken request_token(const Route& route, const SessionToken* client, const ViewIndex& index,
                           SessionId fresh, UnixSeconds wall);

// The client's token for a session on a plain server, whose tokens the balancer itself seals.
struct PlainToken {
  bool set = false;      // `token` is to be set in this response
  bool counted = false;  // the session counts from now on, or goes on counting: a renewal
  SessionToken token;
};

// A provisional token is {epoch 1, no alternate}. Once it has come back the session is confirmed:
// the epoch is raised, an alternate chosen, and the session counted. A lasting token (kLasting) is
// confirmed from the start: the application itself says that there is a session, and may never give
// us another occasion. Renewed at half of `ttl`; also set anew when the alternate is gone and
// another is to be had.
PlainToken plain_token(const Route& route, const SessionToken* client, const ViewIndex& index,
                       Assignment& assignment, SessionId fresh, UnixSeconds wall, UnixSeconds ttl,
                       bool lasting = false);

}  // namespace tandem
