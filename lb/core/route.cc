#include "lb/core/route.h"

#include <algorithm>
#include <bit>

namespace tandem {

ViewIndex::ViewIndex(ViewPtr view, const Routes& routes) : view_(std::move(view)) {
  const std::size_t size = std::bit_ceil(2 * view_->servers.size() + 2);
  mask_ = static_cast<std::uint32_t>(size - 1);
  table_.resize(size);
  for (std::uint32_t slot = 0; slot < view_->servers.size(); ++slot) {
    const ServerId id = view_->servers[slot].id;
    std::uint32_t at = id.value & mask_;
    while (table_[at].id) at = (at + 1) & mask_;
    table_[at] = Entry{id, slot};
  }
  if (routes.empty()) return;
  pools_.reserve(view_->servers.size() + 1);
  for (const ServerRecord& server : view_->servers) {
    pools_.push_back(routes.pool_of(server.group));
  }
  if (pools_.empty()) pools_.push_back(0);  // no server, and yet several pools
}

namespace {

bool contains(std::span<const ServerId> failed, ServerId id) {
  return std::find(failed.begin(), failed.end(), id) != failed.end();
}

std::uint32_t living_slot(const ViewIndex& index, ServerId id, std::span<const ServerId> failed,
                          PoolNumber pool) {
  const std::uint32_t slot = contains(failed, id) ? ViewIndex::kNoSlot : index.online_slot(id);
  return slot != ViewIndex::kNoSlot && index.pool(slot) == pool ? slot : ViewIndex::kNoSlot;
}

bool is_plain(const ViewIndex& index, ServerId id) {
  const std::uint32_t slot = index.slot(id);
  return slot != ViewIndex::kNoSlot && index.at(slot).kind == ServerKind::kPlain;
}

bool anyone_lives(const ViewIndex& index, std::span<const ServerId> failed, PoolNumber pool) {
  for (std::uint32_t slot = 0; slot < index.size(); ++slot) {
    const ServerRecord& server = index.at(slot);
    if (server.online && index.pool(slot) == pool && !contains(failed, server.id)) return true;
  }
  return false;
}

// Of the session's servers; empty: none is known.
std::string_view group_of(const SessionToken& token, const ViewIndex& index) {
  std::uint32_t slot = index.slot(token.primary);
  if (slot == ViewIndex::kNoSlot && token.alternate) slot = index.slot(token.alternate);
  return slot == ViewIndex::kNoSlot ? std::string_view{} : index.at(slot).group;
}

// The assignment and the index may be a view apart for a moment: a server that the index does not
// know is none.
Route to_server(const ViewIndex& index, ServerId server, RouteKind kind, std::uint8_t flags) {
  const std::uint32_t slot = index.slot(server);
  return slot == ViewIndex::kNoSlot ? Route{} : Route{kind, slot, flags};
}

}  // namespace

bool supersedes(const SessionToken& referral, const SessionToken* known) {
  return known != nullptr && known->session == referral.session &&
         (referral.flags & kNewSession) == 0 && referral.epoch >= known->epoch;
}

bool is_of_pool(const SessionToken& token, const ViewIndex& index, PoolNumber pool) {
  if (index.one_pool()) return true;
  bool elsewhere = false;
  for (const ServerId server : {token.primary, token.alternate}) {
    const std::uint32_t slot = server ? index.slot(server) : ViewIndex::kNoSlot;
    if (slot == ViewIndex::kNoSlot) continue;
    if (index.pool(slot) == pool) return true;
    elsewhere = true;
  }
  return !elsewhere;
}

Route route(const SessionToken* token, const ViewIndex& index, Assignment& assignment,
            std::span<const ServerId> failed, LossPolicy on_lost, PoolNumber pool) {
  if (token == nullptr) {
    const auto choice = assignment.choose(failed);
    if (!choice) return Route{};
    const std::uint8_t flags = choice->must_serve ? kNewSession | kMustServe : kNewSession;
    return to_server(index, choice->server, RouteKind::kNew, flags);
  }
  if (const auto slot = living_slot(index, token->primary, failed, pool);
      slot != ViewIndex::kNoSlot) {
    return Route{RouteKind::kWarm, slot, kNoFlags};
  }
  if (const auto slot = living_slot(index, token->alternate, failed, pool);
      slot != ViewIndex::kNoSlot) {
    // It may have lost its copy since.
    std::uint8_t flags = kTakeover;
    if (on_lost.rejects() && !is_plain(index, token->alternate)) flags |= kKnownOnly;
    return Route{RouteKind::kTakeover, slot, flags};
  }
  const Route rejected{RouteKind::kRejected, ViewIndex::kNoSlot, kNoFlags};
  if (on_lost.rejects() && is_plain(index, token->primary) && anyone_lives(index, failed, pool)) {
    return rejected;
  }
  const auto any = assignment.choose_takeover(failed, group_of(*token, index));
  if (!any) return Route{};
  if (!on_lost.rejects()) return to_server(index, *any, RouteKind::kLost, kTakeover);
  if (is_plain(index, *any)) return rejected;
  return to_server(index, *any, RouteKind::kLost, kTakeover | kKnownOnly);
}

SessionToken request_token(const Route& route, const SessionToken* client, const ViewIndex& index,
                           SessionId fresh, UnixSeconds wall) {
  SessionToken token;
  if (client != nullptr) {
    token = *client;
  } else {
    token.session = fresh;
    token.primary = index.at(route.slot).id;
  }
  token.flags = route.flags;
  token.issued = wall;
  return token;
}

PlainToken plain_token(const Route& route, const SessionToken* client, const ViewIndex& index,
                       Assignment& assignment, SessionId fresh, UnixSeconds wall, UnixSeconds ttl,
                       bool lasting) {
  const ServerId self = index.at(route.slot).id;
  PlainToken result;
  if (client == nullptr) {
    result.set = true;
    result.counted = lasting;
    result.token.session = fresh;
    result.token.epoch = Epoch{lasting ? 2U : 1U, self};
    result.token.primary = self;
    if (lasting) result.token.alternate = assignment.choose_alternate(self, fresh.low);
    result.token.issued = wall;
    if (lasting) result.token.flags = kLasting;
    return result;
  }
  result.token = *client;
  result.token.issued = wall;
  result.token.flags = lasting ? kLasting : kNoFlags;
  const bool provisional = client->epoch.counter < 2;
  if (route.kind != RouteKind::kWarm || provisional) {
    result.token.epoch = client->epoch.raised_by(self);
    if (result.token.epoch.counter < 2) result.token.epoch.counter = 2;
    result.token.primary = self;
    result.token.alternate = assignment.choose_alternate(self, client->session.low);
    result.set = result.counted = true;
    return result;
  }
  if (index.online_slot(client->alternate) == ViewIndex::kNoSlot) {
    result.token.alternate = assignment.choose_alternate(self, client->session.low);
    result.set = result.token.alternate && result.token.alternate != client->alternate;
  }
  if (wall - client->issued >= ttl / 2) result.set = true;
  result.counted = result.set;
  return result;
}

}  // namespace tandem
