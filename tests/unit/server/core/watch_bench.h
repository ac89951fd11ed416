// A ring of buddy watches in virtual time: what tests of them share.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/core/buddy_watch.h"

namespace tandem {

class WatchRing {
 public:
  static constexpr Duration kLatency = 200us;
  struct Sent {
    Instant at{};
    ServerId from, to;
    Message message;
  };

  // Servers 1 to n in a ring, linked, all at once.
  explicit WatchRing(std::uint32_t n, BuddyWatch::Options options = {}) : n_(n) {
    for (std::uint32_t i = 1; i <= n; ++i) watches.emplace(id(i), BuddyWatch(id(i), options));
    for (std::uint32_t i = 1; i <= n; ++i) place(i);
  }

  static ServerId id(std::uint32_t i) { return ServerId{i}; }
  BuddyWatch& watch(std::uint32_t i) { return watches.at(id(i)); }
  std::uint32_t before(std::uint32_t i) const { return i == 1 ? n_ : i - 1; }
  std::uint32_t behind(std::uint32_t i) const { return i == n_ ? 1 : i + 1; }

  Neighbourhood around(std::uint32_t i) const {
    Neighbourhood result;
    if (n_ < 2) return result;
    const auto buddy = [&](std::uint32_t b, std::uint32_t other) {
      result.buddies.push_back({id(b), 1, other == i ? ServerId{} : id(other), true});
    };
    buddy(before(i), before(before(i)));
    if (n_ > 2) buddy(behind(i), behind(behind(i)));
    for (std::uint32_t k = 1; k <= n_ && result.bystanders.size() < 3; ++k) {
      if (k != i && k != before(i) && k != behind(i)) result.bystanders.push_back(id(k));
    }
    return result;
  }
  void place(std::uint32_t i) {
    watch(i).set_neighbourhood(now, around(i), out_);
    carry(id(i));
  }

  // Whoever is in `dead` neither sends, nor hears, nor wakes up.
  void run(Duration duration) {
    const Instant end = now + duration;
    for (;;) {
      Instant next = end;
      for (auto& [server, watch] : watches) {
        if (!dead.contains(server)) next = std::min(next, watch.next_deadline());
      }
      const bool arrives = !under_way_.empty() && under_way_.begin()->first.first <= next;
      if (arrives) next = under_way_.begin()->first.first;
      now = std::max(now, next);
      if (!arrives && now >= end) return;
      arrives ? deliver() : wake();
    }
  }
  void carry(ServerId from) {
    for (auto& envelope : out_.take()) {
      const Sent one{now, from, envelope.to, envelope.message};
      sent.push_back(one);
      if (!loses || !loses(one)) {
        under_way_.emplace(std::pair(now + kLatency, ++sequence_), one);
      }
    }
  }
  // To one watch, outside of run(); `call` gets the watch and the outbox.
  template <class Call>
  void tell(std::uint32_t i, Call call) {
    call(watch(i), out_);
    carry(id(i));
  }

  template <class M>
  std::vector<Sent> all() const {
    std::vector<Sent> found;
    for (const Sent& one : sent) {
      if (std::holds_alternative<M>(one.message)) found.push_back(one);
    }
    return found;
  }
  // Who was reported to the balancers: {by, suspect}.
  std::set<std::pair<std::uint32_t, std::uint32_t>> reports() const {
    std::set<std::pair<std::uint32_t, std::uint32_t>> found;
    for (const Sent& one : all<FailureReport>()) {
      found.emplace(one.from.value, std::get<FailureReport>(one.message).suspect.value);
    }
    return found;
  }

  Instant now = Instant{} + 1h;
  std::map<ServerId, BuddyWatch> watches;
  std::set<ServerId> dead;
  std::function<bool(const Sent&)> loses;
  std::vector<Sent> sent;

 private:
  void deliver() {
    const Sent one = std::move(under_way_.begin()->second);
    under_way_.erase(under_way_.begin());
    if (!one.to || dead.contains(one.to) || !watches.contains(one.to)) return;
    watches.at(one.to).on_message(now, one.from, one.message, out_);
    carry(one.to);
  }
  void wake() {
    for (auto& [server, watch] : watches) {
      if (dead.contains(server) || watch.next_deadline() > now) continue;
      watch.on_deadline(now, out_);
      carry(server);
    }
  }

  std::uint32_t n_;
  BuddyWatch::Out out_;
  std::uint64_t sequence_ = 0;
  std::map<std::pair<Instant, std::uint64_t>, Sent> under_way_;
};

}  // namespace tandem
