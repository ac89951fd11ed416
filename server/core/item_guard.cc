#include "server/core/item_guard.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>
#include <variant>

namespace tandem {

ItemGuard::ItemGuard(ServerId self, const Ownership& ownership, ItemGuardOptions options)
    : self_(self),
      ownership_(ownership),
      options_(std::move(options)),
      last_number_(options_.first_number) {
  for (std::uint32_t i = 0; i < ownership.types().size(); ++i) {
    types_.emplace(ownership.types().key(TypeId{i}), TypeId{i});
  }
}

void ItemGuard::on_view(const View& view) {
  members_.clear();
  for (const ServerRecord& server : view.servers) {
    if (server.online && server.id != self_ && server.group == options_.group) {
      members_.push_back(server.id);
    }
  }
}

std::optional<TypeId> ItemGuard::type_of_key(std::uint64_t key) const {
  const auto at = types_.find(key);
  return at == types_.end() ? std::nullopt : std::optional(at->second);
}

void ItemGuard::on_message(Instant now, ServerId from, const Message& message, Out& out) {
  if (const auto* invalidate = std::get_if<Invalidate>(&message)) {
    on_invalidate(from, *invalidate, out);
  } else if (const auto* invalidated = std::get_if<Invalidated>(&message)) {
    on_invalidated(now, from, *invalidated);
  } else if (const auto* ask = std::get_if<LeaseAsk>(&message)) {
    on_ask(now, from, *ask, out);
  } else if (const auto* grant = std::get_if<LeaseGrant>(&message)) {
    on_grant(now, from, *grant);
  }
}

// --- what may be used --------------------------------------------------------------------------

bool ItemGuard::may_use(Instant now, TypeId type, Out& out) {
  const ServerId acting = ownership_.acting(type);
  bool may = false;
  if (acting && acting != self_) {
    may = may_use_leased(now, type, acting, out);
  } else if (!options_.arbitrated) {
    may = true;
  } else if (acting == self_) {
    Authority& authority = authorities_[type.value];
    may = holds(now, type, authority);
    if (!may || now >= authority.verified + options_.lease / 2) check(type, authority);
  }
  ++(may ? counters_.used : counters_.not_used);
  return may;
}

bool ItemGuard::holds(Instant now, TypeId type, const Authority& authority) const {
  return authority.epoch.version != 0 && authority.epoch == ownership_.epoch(type) &&
         now < authority.verified + options_.lease;
}

void ItemGuard::check(TypeId type, Authority& authority) {
  if (authority.checking) return;
  auto ours = claim(type);
  if (!ours) return;
  authority.checking = true;
  checks_.push_back({type, std::move(*ours)});
}

bool ItemGuard::may_use_leased(Instant now, TypeId type, ServerId owner, Out& out) {
  Lease& lease = leases_[type.value];
  const bool may = lease.owner == owner && now < lease.until;
  if (may && lease.until - now > options_.lease / 2) return true;
  if (lease.number == 0 || now >= lease.asked + options_.ask_again) {
    lease.number = ++last_number_;
    lease.asked = now;
    ++counters_.asked;
    out.send(owner, LeaseAsk{lease.number, ownership_.types().key(type)});
  }
  return may;
}

// What was cached while there was no lease may have been changed without a word to us.
void ItemGuard::on_grant(Instant now, ServerId from, const LeaseGrant& message) {
  const auto type = type_of_key(message.type);
  if (!type || ownership_.acting(*type) != from) return;
  Lease& lease = leases_[type->value];
  if (message.number == 0 || message.number != lease.number) return;
  lease.number = 0;
  // Under another epoch the owner may have missed a write of somebody who acted in between.
  const bool goes_on = lease.owner == from && lease.version == message.version && now < lease.until;
  if (!goes_on) forgotten_.push_back(*type);
  lease.owner = from;
  lease.version = message.version;
  const Duration left = std::min<Duration>(message.left_ms * 1ms, options_.lease);
  lease.until = goes_on ? std::max(lease.until, lease.asked + left) : lease.asked + left;
}

void ItemGuard::on_invalidate(ServerId from, const Invalidate& message, Out& out) {
  invalidated_.insert(invalidated_.end(), message.keys.begin(), message.keys.end());
  ++counters_.invalidations_answered;
  out.send(from, Invalidated{message.number});
}

// --- leases that are given ---------------------------------------------------------------------

void ItemGuard::on_ask(Instant now, ServerId from, const LeaseAsk& message, Out& out) {
  const auto type = type_of_key(message.type);
  if (!type || ownership_.acting(*type) != self_) return;
  Authority& authority = authorities_[type->value];
  const bool fresh = holds(now, *type, authority) && now < authority.verified + options_.lease / 2;
  if (fresh || !options_.arbitrated) {
    return grant(now, from, message.number, *type, authority, out);
  }
  authority.asking[from] = message.number;
  check(*type, authority);
}

void ItemGuard::grant(Instant now, ServerId to, std::uint64_t number, TypeId type,
                      Authority& authority, Out& out) {
  // Who has not dropped yet what was written would go on with it.
  for (const auto& [round_number, round] : rounds_) {
    if (round.type == type && round.waiting.contains(to)) return;
  }
  const Instant from = options_.arbitrated ? authority.verified : now;
  const Duration left = from + options_.lease - now;
  if (left < 1ms) return;
  Instant& until = authority.leases[to];
  until = std::max(until, now + left + left / kDriftShare + 1ms);
  ++counters_.granted;
  const auto left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  out.send(to, LeaseGrant{number, ownership_.types().key(type), static_cast<std::uint32_t>(left_ms),
                          ownership_.epoch(type).version});
}

// --- the database ------------------------------------------------------------------------------

std::optional<OwnerClaim> ItemGuard::claim(TypeId type) const {
  if (ownership_.acting(type) != self_) return std::nullopt;
  const ActingEpoch epoch = ownership_.epoch(type);
  if (epoch.version == 0) return std::nullopt;
  return OwnerClaim{ownership_.types().key(type), ownership_.types().name(type), epoch};
}

void ItemGuard::on_passed(Instant now, Instant asked, TypeId type, const ActingEpoch& epoch,
                          const std::optional<ActingEpoch>& before, Out& out) {
  Authority& authority = authorities_[type.value];
  authority.checking = false;
  if (epoch < authority.epoch) return;
  if (epoch != authority.epoch) {
    // Leases of this process go on and are known; those of others, and of a process of this name
    // that has ended, are not.
    const bool known = authority.epoch.version != 0 && before == authority.epoch;
    if (before && !known && options_.leased) authority.grace = now + whole_lease();
    authority.epoch = epoch;
    authority.verified = asked;
    forgotten_.push_back(type);
    ++counters_.claims;
  }
  authority.verified = std::max(authority.verified, asked);
  const auto asking = std::exchange(authority.asking, {});
  if (!holds(now, type, authority)) return;
  for (const auto& [to, number] : asking) grant(now, to, number, type, authority, out);
}

// From now on somebody else writes; what we have cached is of no use.
void ItemGuard::on_refused(TypeId type, const ActingEpoch& epoch) {
  ++counters_.refused;
  Authority& authority = authorities_[type.value];
  authority.checking = false;
  authority.asking.clear();
  if (authority.epoch == epoch) authority.epoch = {};
}

void ItemGuard::on_check_failed(TypeId type) {
  Authority& authority = authorities_[type.value];
  authority.checking = false;
  authority.asking.clear();
}

// --- writes ------------------------------------------------------------------------------------

void ItemGuard::on_written(Instant now, std::uint64_t write, TypeId type, std::vector<ItemKey> keys,
                           Out& out) {
  const std::uint64_t number = ++last_number_;
  Round& round = rounds_[number];
  round.write = write;
  round.type = type;
  Authority& authority = authorities_[type.value];
  round.not_before = authority.grace;
  for (auto at = authority.leases.begin(); at != authority.leases.end();) {
    if (at->second > now) {
      round.waiting.insert(*at++);
    } else {
      at = authority.leases.erase(at);
    }
  }
  invalidated_.insert(invalidated_.end(), keys.begin(), keys.end());
  const Invalidate message{number, ownership_.types().key(type), std::move(keys)};
  std::set<ServerId> told(members_.begin(), members_.end());
  for (const auto& [holder, until] : round.waiting) told.insert(holder);
  for (const ServerId member : told) {
    ++counters_.invalidations_sent;
    out.send(member, message);
  }
  settle(now);
}

void ItemGuard::on_invalidated(Instant now, ServerId from, const Invalidated& message) {
  const auto round = rounds_.find(message.number);
  if (round == rounds_.end()) return;
  round->second.waiting.erase(from);
  settle(now);
}

void ItemGuard::on_deadline(Instant now) { settle(now); }

void ItemGuard::settle(Instant now) {
  for (auto at = rounds_.begin(); at != rounds_.end();) {
    Round& round = at->second;
    counters_.silences +=
        std::erase_if(round.waiting, [now](const auto& holder) { return holder.second <= now; });
    if (round.waiting.empty() && round.not_before <= now) {
      acknowledged_.push_back(round.write);
      at = rounds_.erase(at);
    } else {
      ++at;
    }
  }
}

Instant ItemGuard::next_deadline() const {
  Instant next = kNever;
  for (const auto& [number, round] : rounds_) {
    Instant end = round.not_before;
    for (const auto& [holder, until] : round.waiting) end = std::max(end, until);
    next = std::min(next, end);
  }
  return next;
}

}  // namespace tandem
