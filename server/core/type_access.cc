#include "server/core/type_access.h"

#include <algorithm>

namespace tandem {

TypeAccess::TypeAccess(ServerId self, Ownership ownership, TypeAccessOptions options)
    : self_(self),
      ownership_(std::move(ownership)),
      options_(options),
      processed_(ownership_.types().size()) {}

void TypeAccess::on_view(const View& view) {
  ownership_.apply(view);
  for (auto& [id, peer] : peers_) peer.known = false;
  for (const ServerRecord& server : view.servers) {
    if (server.id == self_ || server.kind != ServerKind::kTandem) continue;
    Peer& peer = peers_[server.id];
    peer.known = server.group == ownership_.group();
    // Another process has nothing to do with what the former one did.
    if (peer.incarnation != server.incarnation || !server.online) peer.mistrusted_until = {};
    peer.incarnation = server.incarnation;
  }
  std::erase_if(peers_, [](const auto& one) {
    return !one.second.known && !one.second.linked && one.second.asks == 0;
  });
  for (std::uint32_t i = 0; i < processed_.size(); ++i) {
    const TypeId type{i};
    if (processed_[i] == 0) continue;
    const ServerId acting = ownership_.acting(type);
    const bool stays = acting == self_ ? processed_[i] == ownership_.epoch(type).version
                                       : processed_[i] == kTemporary && !acting;
    if (!stays) forget(type);
  }
}

void TypeAccess::on_linked(ServerId peer, std::uint64_t types) {
  Peer& known = peers_[peer];
  known.linked = true;
  known.types = types;
  known.mistrusted_until = {};
}

void TypeAccess::on_unlinked(ServerId peer) { peers_[peer].linked = false; }

TypeAccess::Step TypeAccess::begin(Instant now, std::string_view target, std::uint32_t hops,
                                   Request& request) {
  request = Request{.type = ownership_.types().type_of(target), .hops = hops};
  return decide(now, request);
}

TypeAccess::Step TypeAccess::on_failure(Instant now, Failure why, Request& request) {
  const ServerId server = request.asked;
  let_go(request);
  switch (why) {
    case Failure::kRefused:
      return here(As::kBusy, request);
    case Failure::kSilent:
      report(now, server, Seen::kSilent);
      peers_[server].mistrusted_until = now + options_.mistrust;
      request.failed = server;
      break;
    case Failure::kClosed:  // it may be back, on another link, before a view says anything
      report(now, server, Seen::kClosed);
      request.wait_until = now + options_.patience;
      break;
  }
  return decide(now, request);
}

TypeAccess::Step TypeAccess::on_changed(Instant now, Request& request) {
  return decide(now, request);
}

void TypeAccess::on_taken(const Request& request) {
  peers_[request.asked].mistrusted_until = {};
  // It answers for the type: what is kept here of it, since it once did not, is of no use.
  if (processed_[request.type.value] == kTemporary) forget(request.type);
}

void TypeAccess::end(Request& request) { let_go(request); }

TypeAccess::Step TypeAccess::decide(Instant now, Request& request) {
  const ServerId acting = ownership_.acting(request.type);
  if (!acting || (acting != self_ && request.hops >= kHopsMax)) {
    return here(As::kNobodyElse, request);
  }
  if (acting == self_) {
    return here(ownership_.owner(request.type) == self_ ? As::kOwn : As::kStandIn, request);
  }
  if (request.attempts == kAttemptsMax) return here(As::kFailed, request);
  Peer& peer = peers_[acting];
  if (acting == request.failed) return here(As::kFailed, request);
  if (!peer.linked) {
    if (now < peer.mistrusted_until) return here(As::kFailed, request);
    if (request.wait_until == kNever) request.wait_until = now + options_.patience;
    if (now < request.wait_until) return wait(request.wait_until, request);
    report(now, acting, Seen::kUnreachable);
    peer.mistrusted_until = now + options_.mistrust;
    return here(As::kFailed, request);
  }
  if (peer.types == 0 || peer.asks >= options_.asks_max) return here(As::kBusy, request);
  if (now < peer.mistrusted_until) return here(As::kFailed, request);
  return ask(now, acting, request);
}

TypeAccess::Step TypeAccess::ask(Instant now, ServerId server, Request& request) {
  let_go(request);
  Peer& peer = peers_[server];
  // Of one that was silent the first to ask again finds out; the others need not wait with it.
  if (peer.mistrusted_until != Instant{}) peer.mistrusted_until = now + options_.mistrust;
  ++peer.asks;
  ++counters_.asked;
  if (request.attempts++ > 0) ++counters_.asked_again;
  request.asked = server;
  return {As::kAsk, server, now + options_.answer_within};
}

TypeAccess::Step TypeAccess::wait(Instant until, Request& request) {
  if (!request.waits) {
    if (waiting_ >= options_.waiting_max) return here(As::kBusy, request);
    request.waits = true;
    ++waiting_;
    ++counters_.waited;
  }
  return {As::kWait, {}, until};
}

TypeAccess::Step TypeAccess::here(As as, Request& request) {
  let_go(request);
  switch (as) {
    case As::kOwn:
      ++counters_.own;
      break;
    case As::kStandIn:
      ++counters_.stood_in;
      break;
    case As::kNobodyElse:
      ++counters_.nobody_else;
      break;
    case As::kFailed:
      ++counters_.failed;
      break;
    default:
      ++counters_.busy;
      break;
  }
  const bool acts = as == As::kOwn || as == As::kStandIn;
  processed_[request.type.value] = acts ? ownership_.epoch(request.type).version : kTemporary;
  return {as, {}, kNever};
}

void TypeAccess::let_go(Request& request) {
  if (request.asked) --peers_[request.asked].asks;
  request.asked = {};
  if (std::exchange(request.waits, false)) --waiting_;
}

void TypeAccess::report(Instant now, ServerId suspect, Seen seen) {
  Peer& peer = peers_[suspect];
  if (now < peer.reported_until) return;
  peer.reported_until = now + options_.mistrust;
  ++counters_.reports;
  reports_.push_back({suspect, peer.incarnation, seen});
}

void TypeAccess::forget(TypeId type) {
  processed_[type.value] = 0;
  ++counters_.forgotten;
  forgotten_.push_back(type);
}

std::uint32_t TypeAccess::under_way() const {
  std::uint32_t sum = 0;
  for (const auto& [id, peer] : peers_) sum += peer.asks;
  return sum;
}

std::vector<ServerId> TypeAccess::disagreeing() const {
  std::vector<ServerId> ids;
  for (const auto& [id, peer] : peers_) {
    if (peer.linked && peer.known && peer.types != ownership_.types().fingerprint()) {
      ids.push_back(id);
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace tandem
