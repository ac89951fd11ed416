#include "server/core/type_access.h"

#include <algorithm>

#include "server/core/write_fence.h"

namespace tandem {
namespace {

constexpr ServerId kNobody{~std::uint32_t{0}};

}  // namespace

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

TypeAccess::Step TypeAccess::begin(Instant now, std::string_view target, const Origin& origin,
                                   Request& request) {
  request = Request{.type = ownership_.types().type_of(target), .hops = origin.hops};
  request.write = origin.write;
  request.since = origin.since;
  if (request.write) request.give_up = now + options_.write_patience;
  return decide(now, request);
}

TypeAccess::Step TypeAccess::on_failure(Instant now, Failure why, Request& request,
                                        std::uint64_t since) {
  const ServerId server = request.asked;
  let_go(request);
  switch (why) {
    case Failure::kRefused:
      if (!request.write) return here(As::kBusy, request);
      if (since > request.sent.version) {
        told_[request.type.value] = {since, server};
        request.sent = {};
      } else {
        request.sent.server = kNobody;  // it has nothing of it
      }
      break;
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
  if (request.write) return decide_write(now, request);
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

TypeAccess::Step TypeAccess::decide_write(Instant now, Request& request) {
  const ServerId acting = ownership_.acting(request.type);
  if (!acting) return here(As::kNobodyElse, request);
  const ActingEpoch epoch = ownership_.epoch(request.type);
  if (request.hops > 0 && request.since != 0 && !may_accept({request.since, self_}, epoch)) {
    return here(As::kOutdated, request);
  }
  // One that has it may yet do it, and is never sent it again.
  const bool anew =
      request.sent.version == 0 || (request.sent < epoch && request.sent.server != acting);
  if (acting == self_ && anew) {
    return here(ownership_.owner(request.type) == self_ ? As::kOwn : As::kStandIn, request);
  }
  if (acting != self_ && anew && request.hops == 0 && request.attempts < kWriteAttemptsMax) {
    return try_write(now, acting, epoch, request);
  }
  return now < request.give_up ? wait(request.give_up, request) : here(As::kFailed, request);
}

TypeAccess::Step TypeAccess::try_write(Instant now, ServerId acting, const ActingEpoch& epoch,
                                       Request& request) {
  Peer& peer = peers_[acting];
  Instant until = request.give_up;
  if (!peer.linked) {
    if (request.wait_until == kNever) request.wait_until = now + options_.patience;
    if (now >= request.wait_until) {
      report(now, acting, Seen::kUnreachable);
    } else {
      until = std::min(until, request.wait_until);
    }
  } else if (now < peer.mistrusted_until) {
    until = std::min(until, peer.mistrusted_until);
  } else {
    if (peer.types == 0 || peer.asks >= options_.asks_max) return here(As::kBusy, request);
    const Step step = ask(now, acting, request);
    request.sent = epoch;
    const auto told = told_.find(request.type.value);
    if (told != told_.end() && told->second.server == acting) {
      request.sent = std::max(epoch, told->second);
    }
    return step;
  }
  return now < until ? wait(until, request) : here(As::kFailed, request);
}

std::uint64_t TypeAccess::acting_since(TypeId type) const {
  return ownership_.acting(type) == self_ ? ownership_.epoch(type).version : 0;
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
    case As::kOutdated:
      ++counters_.outdated;
      return {as, {}, kNever};
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
