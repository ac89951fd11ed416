#include "lb/core/route.h"

#include <algorithm>
#include <bit>

namespace tandem {

ViewIndex::ViewIndex(ViewPtr view) : view_(std::move(view)) {
  const std::size_t size = std::bit_ceil(2 * view_->servers.size() + 2);
  mask_ = static_cast<std::uint32_t>(size - 1);
  table_.resize(size);
  for (std::uint32_t slot = 0; slot < view_->servers.size(); ++slot) {
    const ServerId id = view_->servers[slot].id;
    std::uint32_t at = id.value & mask_;
    while (table_[at].id) at = (at + 1) & mask_;
    table_[at] = Entry{id, slot};
  }
}

namespace {

bool contains(std::span<const ServerId> failed, ServerId id) {
  return std::find(failed.begin(), failed.end(), id) != failed.end();
}

std::uint32_t living_slot(const ViewIndex& index, ServerId id, std::span<const ServerId> failed) {
  return contains(failed, id) ? ViewIndex::kNoSlot : index.online_slot(id);
}

bool is_plain(const ViewIndex& index, ServerId id) {
  const std::uint32_t slot = index.slot(id);
  return slot != ViewIndex::kNoSlot && index.at(slot).kind == ServerKind::kPlain;
}

bool anyone_lives(const ViewIndex& index, std::span<const ServerId> failed) {
  const auto& servers = index.view()->servers;
  return std::any_of(servers.begin(), servers.end(), [&](const ServerRecord& server) {
    return server.online && !contains(failed, server.id);
  });
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

Route route(const SessionToken* token, const ViewIndex& index, Assignment& assignment,
            std::span<const ServerId> failed, LossPolicy on_lost) {
  if (token == nullptr) {
    const auto choice = assignment.choose(failed);
    if (!choice) return Route{};
    const std::uint8_t flags = choice->must_serve ? kNewSession | kMustServe : kNewSession;
    return to_server(index, choice->server, RouteKind::kNew, flags);
  }
  if (const auto slot = living_slot(index, token->primary, failed); slot != ViewIndex::kNoSlot) {
    return Route{RouteKind::kWarm, slot, kNoFlags};
  }
  if (const auto slot = living_slot(index, token->alternate, failed); slot != ViewIndex::kNoSlot) {
    // It may have lost its copy since.
    std::uint8_t flags = kTakeover;
    if (on_lost.rejects() && !is_plain(index, token->alternate)) flags |= kKnownOnly;
    return Route{RouteKind::kTakeover, slot, flags};
  }
  const Route rejected{RouteKind::kRejected, ViewIndex::kNoSlot, kNoFlags};
  if (on_lost.rejects() && is_plain(index, token->primary) && anyone_lives(index, failed)) {
    return rejected;
  }
  const auto any = assignment.choose_takeover(failed);
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
