#include "tests/sim/network.h"

#include <utility>
#include <vector>

namespace tandem::sim {

Duration Network::delay() {
  if (faults_.slow_chance > 0 && random_.chance(faults_.slow_chance)) return faults_.slow_delay;
  const auto span = static_cast<std::uint64_t>((faults_.delay_max - faults_.delay_min).count());
  return faults_.delay_min + Duration(random_.below(span + 1));
}

Network::ChannelId Network::open(Place a, Place b, Handlers at_a, Handlers at_b, bool rough) {
  const ChannelId id = ++last_id_;
  Channel channel;
  channel.places = {a, b};
  channel.rough = rough;
  channel.handlers = {std::move(at_a), std::move(at_b)};
  channels_.emplace(id, std::move(channel));
  if (cut_off(a, b)) watch(id);
  return id;
}

void Network::send(ChannelId id, std::size_t from_end, MessagePtr message) {
  const auto found = channels_.find(id);
  if (found == channels_.end()) return;
  if (faults_.reset_chance > 0 && random_.chance(faults_.reset_chance)) return reset(id);
  Channel& channel = found->second;
  if (channel.rough) {
    const auto hit = [this](double chance) { return chance > 0 && random_.chance(chance); };
    if (hit(faults_.lose_chance)) return;
    if (hit(faults_.overtake_chance)) {
      const auto span = static_cast<std::uint64_t>(faults_.slow_delay.count());
      return post(id, from_end, heap_.now() + Duration(random_.below(span)), std::move(message));
    }
    if (hit(faults_.double_chance)) post(id, from_end, heap_.now() + 2 * delay(), message);
  }
  Instant& last = channel.last[from_end];
  last = std::max(last, heap_.now() + delay());
  post(id, from_end, last, std::move(message));
}

void Network::post(ChannelId id, std::size_t from_end, Instant when, MessagePtr message) {
  Channel& channel = channels_.at(id);
  const std::uint64_t number = channel.sent[from_end]++;
  heap_.at(when, [this, id, from_end, number, message = std::move(message)] {
    const auto open = channels_.find(id);
    if (open == channels_.end()) return;
    open->second.held[from_end].emplace(number, message);
    pump(id, from_end);
  });
}

// Delivers what has come, in order, unless a partition holds it.
void Network::pump(ChannelId id, std::size_t from_end) {
  for (;;) {
    const auto found = channels_.find(id);
    if (found == channels_.end()) return;
    Channel& channel = found->second;
    if (blocked(channel.places[from_end], channel.places[1 - from_end])) return;
    auto& held = channel.held[from_end];
    if (held.empty() || (!channel.rough && held.begin()->first != channel.due[from_end])) return;
    const auto next = held.extract(held.begin());
    ++channel.due[from_end];
    const auto deliver = channel.handlers[1 - from_end].deliver;  // which may reset the channel
    deliver(next.mapped());
  }
}

void Network::reset(ChannelId id) {
  const auto node = channels_.extract(id);
  if (node.empty()) return;
  for (const std::size_t end : {std::size_t{0}, std::size_t{1}}) {
    tell_closed(node.mapped(), end, delay());
  }
}

void Network::vanish(Place place) {
  std::vector<ChannelId> gone;
  for (const auto& [id, channel] : channels_) {
    if (channel.places[0] == place || channel.places[1] == place) gone.push_back(id);
  }
  for (const ChannelId id : gone) {
    const auto node = channels_.extract(id);
    const Channel& channel = node.mapped();
    const std::size_t other = channel.places[0] == place ? 1 : 0;
    const bool hears = !cut_off(channel.places[0], channel.places[1]);
    tell_closed(channel, other, hears ? delay() : faults_.channel_timeout);
  }
}

void Network::tell_closed(const Channel& channel, std::size_t end, Duration in) {
  heap_.after(in, channel.handlers[end].closed);
}

Network::PartitionId Network::split(std::set<Place> inside, std::set<Place> spared, Cut cut) {
  const PartitionId id = ++last_id_;
  partitions_.emplace(id, Partition{std::move(inside), std::move(spared), cut});
  for (const auto& [channel_id, channel] : channels_) {
    if (cut_off(channel.places[0], channel.places[1])) watch(channel_id);
  }
  return id;
}

// A connection that is cut for too long is reset by its ends.
void Network::watch(ChannelId id) {
  heap_.after(faults_.channel_timeout, [this, id] {
    const auto found = channels_.find(id);
    if (found == channels_.end()) return;
    if (cut_off(found->second.places[0], found->second.places[1])) reset(id);
  });
}

void Network::heal(PartitionId partition) {
  partitions_.erase(partition);
  for (auto& [id, channel] : channels_) {
    for (const std::size_t end : {std::size_t{0}, std::size_t{1}}) {
      if (channel.held[end].empty()) continue;
      heap_.after(delay(), [this, id = id, end] { pump(id, end); });
    }
  }
}

bool Network::blocked(Place from, Place to) const {
  for (const auto& [id, partition] : partitions_) {
    const bool from_inside = partition.inside.count(from) != 0;
    const bool to_inside = partition.inside.count(to) != 0;
    if (from_inside == to_inside) continue;
    if (partition.spared.count(from_inside ? to : from) != 0) continue;
    if (partition.cut == Cut::kBothWays) return true;
    if ((partition.cut == Cut::kWhatTheySend) == from_inside) return true;
  }
  return false;
}

}  // namespace tandem::sim
