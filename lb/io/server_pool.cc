#include "lb/io/server_pool.h"

#include <algorithm>
#include <utility>

namespace tandem {

ServerPool::ServerPool(FrontState& state, const ServerRecord& server)
    : state_(state), id_(server.id), name_(server.name), kind_(server.kind) {}

ServerPool::~ServerPool() = default;

bool ServerPool::update(const ServerRecord& server, const SocketAddress& address) {
  kind_ = server.kind;
  address_text_ = server.data_address;
  if (!(address == address_)) {
    address_ = address;
    ++address_generation_;
    close_idle();
  }
  const bool was_online = std::exchange(online_, server.online);
  if (!was_online || online_) return false;
  close_idle();
  return !server.left;  // one that announced its shutdown ends what it has begun
}

// Taken out of the conf, it may well be alive: what is under way goes on.
void ServerPool::retire() {
  close_idle();
  online_ = false;
}

// Each handler may give its upstream back or take others, from this very list.
void ServerPool::tell_offline() {
  std::vector<Upstream*> concerned;
  for (const auto& upstream : active_) concerned.push_back(upstream.get());
  for (Upstream* upstream : concerned) {
    const bool still =
        upstream->place < active_.size() && active_[upstream->place].get() == upstream;
    if (still && upstream->handler() != nullptr) upstream->handler()->on_server_offline();
  }
}

ServerPool::Acquired ServerPool::acquire(UpstreamHandler& handler, Want want) {
  while (want != Want::kFresh && !idle_.empty()) {
    Upstream& last = *idle_.back();
    if (!last.usable()) {
      drop_idle(last);
      continue;
    }
    if (state_.loop.now() - last.idle_since > usable_for(want)) break;
    put(active_, take(idle_, last));
    state_.counts.server_idle.sub();
    state_.counts.server_active.add();
    last.start(handler);
    return {&last};
  }
  if (!address_) return {nullptr, UpstreamFault::kConnect};
  auto fresh = std::make_unique<Upstream>(state_, *this);
  state_.counts.server_connects.add();
  if (const auto connected = fresh->connect(address_); !connected) {
    const bool ours = connected.error().side == Side::kSystem;
    return {nullptr, ours ? UpstreamFault::kShortage : UpstreamFault::kConnect};
  }
  Upstream& upstream = *fresh;
  upstream.address_generation = address_generation_;
  put(active_, std::move(fresh));
  state_.counts.server_active.add();
  upstream.start(handler);
  return {&upstream};
}

void ServerPool::put_back(Upstream& upstream) {
  const bool moved = upstream.address_generation != address_generation_;
  if (!online_ || moved || idle_.size() >= state_.options.upstream.idle_connections_max) {
    close(upstream);
    return;
  }
  upstream.idle_since = state_.loop.now();
  put(idle_, take(active_, upstream));
  state_.counts.server_active.sub();
  state_.counts.server_idle.add();
}

void ServerPool::close(Upstream& upstream) {
  state_.counts.server_active.sub();
  upstream.fall_silent();
  state_.loop.dispose(take(active_, upstream));
}

void ServerPool::drop_idle(Upstream& upstream) {
  state_.counts.server_idle.sub();
  upstream.fall_silent();
  state_.loop.dispose(take(idle_, upstream));
}

void ServerPool::close_idle() {
  while (!idle_.empty()) drop_idle(*idle_.back());
}

void ServerPool::sweep(Instant now) {
  while (!idle_.empty() && now - idle_.front()->idle_since > usable_for(Want::kAny)) {
    drop_idle(*idle_.front());
  }
}

// How long a connection may have been idle.
Duration ServerPool::usable_for(Want want) const {
  const UpstreamOptions& options = state_.options.upstream;
  if (want == Want::kRecent) return kRecent;
  return is_tandem() ? std::min(options.idle_timeout, options.surely_kept) : options.idle_timeout;
}

// From the idle list in order, so that it stays sorted by age; it is short. The active one may be
// long, and its order means nothing: the last takes the place.
std::unique_ptr<Upstream> ServerPool::take(List& list, Upstream& upstream) {
  const std::size_t place = upstream.place;
  auto taken = std::move(list[place]);
  if (&list == &active_) {
    if (place + 1 < list.size()) {
      list[place] = std::move(list.back());
      list[place]->place = place;
    }
    list.pop_back();
    return taken;
  }
  list.erase(list.begin() + static_cast<std::ptrdiff_t>(place));
  for (std::size_t i = place; i < list.size(); ++i) list[i]->place = i;
  return taken;
}

void ServerPool::put(List& list, std::unique_ptr<Upstream> upstream) {
  upstream->place = list.size();
  list.push_back(std::move(upstream));
}

}  // namespace tandem
