#include "server/core/freshness.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/hash.h"

namespace tandem {
namespace {

// Terms are whole seconds, wherever they come from: an end moves by so much, and nothing has
// changed.
constexpr Duration kTermStep = 1s;

}  // namespace

Freshness::Host Freshness::host_of(std::string_view authority) {
  std::string lower(authority);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return stable_hash(lower);
}

void Freshness::record(Instant now, Host host, const HeldItem& item, const Promise& promise,
                       std::uint64_t mark) {
  if (slot(item.key).mark > mark || items_max_ == 0) return;
  const bool promises = promise.lifetime > Duration{0} || promise.version;
  Known known{.host = host,
              .validator = item.validator,
              .until = now + promise.lifetime,
              .first_until = now + promise.lifetime,
              .promise = promise,
              .told_until = Instant::min(),
              .age = {}};
  if (const auto found = items_.find(item.key); found != items_.end()) {
    // What was known of it is older than this.
    const Known& before = found->second;
    const bool elsewhere = before.host != host;
    if (elsewhere && !promises) return;
    const bool goes_on = promises && !elsewhere && before.validator == item.validator;
    if (goes_on && now < before.until) {
      known.first_until = std::min(before.first_until, known.until);
    }
    if (elsewhere || (goes_on && before.told_until <= known.until + kTermStep)) {
      known.told_until = before.told_until;
    } else {
      note_ended(now, found);
    }
    forget(found);
  }
  if (promises) put(item.key, known);
}

void Freshness::invalidate(Instant now, ItemKey key) {
  slot(key) = {++invalidations_, now, ServerId{}};
  if (const auto found = items_.find(key); found != items_.end()) {
    note_ended(now, found);
    forget(found);
  } else if (now < forgotten_until_) {
    tell_ended(key);
  }
}

std::optional<Duration> Freshness::current(Instant now, Host host, const HeldItem& item,
                                           std::optional<std::uint64_t> version) const {
  const auto found = items_.find(item.key);
  if (found == items_.end()) return std::nullopt;
  const Known& known = found->second;
  if (known.host != host || known.validator != item.validator) return std::nullopt;
  if (known.promise.version) {
    if (known.promise.version != version) return std::nullopt;
    return known.promise.lifetime;
  }
  if (now >= known.until) return std::nullopt;
  return known.until - now;
}

std::optional<Freshness::Shared> Freshness::shared(Instant now, const HeldItem& item) const {
  const auto found = items_.find(item.key);
  if (found == items_.end()) return std::nullopt;
  const Known& known = found->second;
  const bool is = known.validator == item.validator && !known.promise.version &&
                  known.until >= now + Shared::kLeftMin;
  if (!is) return std::nullopt;
  return Shared{known.host, known.until, known.first_until};
}

void Freshness::on_told(ItemKey key) {
  const auto found = items_.find(key);
  if (found == items_.end()) return;
  found->second.told_until = std::max(found->second.told_until, found->second.until);
}

// What ended after it was said, or may have, is not taken; but what one server says comes in its
// order. Of two contents the one that is promised for longer is likely to be the newer.
void Freshness::learn(Instant now, ServerId from, const HeldItem& item, const Shared& promise,
                      Instant as_of) {
  const Invalidation& last = slot(item.key);
  const bool ended_since = last.mark > 0 && last.by != from && last.at >= as_of;
  if (promise.until <= now || ended_since || items_max_ == 0) return;
  Known known{.host = promise.host,
              .validator = item.validator,
              .until = promise.until,
              .first_until = promise.until,
              .promise = {},
              .told_until = promise.until,
              .age = {}};
  if (const auto found = items_.find(item.key); found != items_.end()) {
    const Known& here = found->second;
    if (here.promise.version || here.until >= promise.until) return;
    const bool same = here.host == promise.host && here.validator == item.validator;
    if (same && now < here.until) known.first_until = here.first_until;
    known.told_until = std::max(known.told_until, here.told_until);
    forget(found);
  }
  put(item.key, known);
}

void Freshness::end(Instant now, ServerId from, ItemKey key) {
  slot(key) = {++invalidations_, now, from};
  if (const auto found = items_.find(key); found != items_.end()) forget(found);
}

void Freshness::end_all(Instant now, ServerId from) {
  invalidated_.fill({++invalidations_, now, from});
  items_.clear();
  ages_.clear();
}

Freshness::Ended Freshness::take_ended() {
  return {std::exchange(ended_, {}), std::exchange(all_ended_, false)};
}

void Freshness::put(ItemKey key, Known known) {
  if (items_.size() >= items_max_) {
    const auto longest = items_.find(ages_.front());
    forgotten_until_ = std::max(forgotten_until_, longest->second.told_until);
    forget(longest);
  }
  ages_.push_back(key);
  known.age = std::prev(ages_.end());
  items_.emplace(key, known);
}

void Freshness::forget(Items::iterator at) {
  ages_.erase(at->second.age);
  items_.erase(at);
}

void Freshness::note_ended(Instant now, Items::iterator at) {
  if (now < at->second.told_until) tell_ended(at->first);
}

void Freshness::tell_ended(ItemKey key) {
  if (all_ended_) return;
  if (ended_.size() < kEndedMax) return ended_.push_back(key);
  ended_.clear();
  all_ended_ = true;
}

}  // namespace tandem
