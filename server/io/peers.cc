#include "server/io/peers.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"
#include "common/net/entropy.h"

namespace tandem::server {
namespace {

ChannelOptions channel_options(const Hello& self) {
  ChannelOptions options;
  options.self = self;
  return options;
}

}  // namespace

Peers::Peers(EventLoop& loop, Resolver& resolver, NodeDriver& driver, PeersOptions options)
    : loop_(loop),
      resolver_(resolver),
      driver_(driver),
      options_(std::move(options)),
      server_(loop, options_.accepting, channel_options(options_.self), *this),
      misled_timer_(loop, [this] { try_misled(); }) {
  driver_.set_carrier(this);
}

Peers::~Peers() { driver_.set_carrier(nullptr); }

void Peers::on_view(const ViewPtr& view) {
  const auto is_member = [&](const std::string& name) {
    const ServerRecord* record = view->find(ServerId::of(name));
    return record != nullptr && record->online;
  };
  std::vector<std::string> gone;
  for (const auto& [id, link] : links_) {
    if (!is_member(link.channel->peer().name)) gone.push_back(link.channel->peer().name);
  }
  for (const auto& [name, client] : clients_) {
    if (!is_member(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) leave(name);

  for (const ServerRecord& record : view->servers) {
    if (!record.online || record.peer_address.empty() || !(options_.self.name < record.name)) {
      continue;
    }
    const auto address = Address::parse(record.peer_address);
    if (!address) continue;
    const auto known = clients_.find(record.name);
    if (known != clients_.end() && known->second->to() == *address) continue;
    leave(record.name);
    auto& client = clients_[record.name];
    client = std::make_unique<ChannelClient>(loop_, resolver_, Random(random_u64()), *address,
                                             options_.connecting, channel_options(options_.self),
                                             static_cast<ChannelHandler&>(*this));
    client->start();
  }
  driver_.view(view);
}

void Peers::send(ServerId to, const Message& message) {
  const auto link = links_.find(to);
  if (link == links_.end()) return;
  const auto* ack = std::get_if<MirrorAck>(&message);
  const bool can_wait =
      ack != nullptr && ack->answer == MirrorAck::Answer::kApplied && !answers_at_once_;
  if (can_wait) {
    link->second.channel->send_within(message, options_.answer_delay);
  } else {
    link->second.channel->send(message);
  }
}

PeerTraffic Peers::traffic() const {
  PeerTraffic sum = past_;
  for (const auto& [peer, link] : links_) {
    sum.bytes_sent += link.channel->bytes_sent();
    sum.bytes_received += link.channel->bytes_received();
  }
  return sum;
}

void Peers::stop() {
  misled_timer_.cancel();
  clients_.clear();
  server_.stop();
  links_.clear();
}

const std::string* Peers::wanted_on(const Channel& channel) const {
  const auto entry = std::find_if(clients_.begin(), clients_.end(), [&](const auto& one) {
    return one.second->channel() == &channel;
  });
  return entry == clients_.end() ? nullptr : &entry->first;
}

void Peers::on_channel_open(Channel& channel) {
  // A link under another name than its client's would outlive the client.
  if (const std::string* wanted = wanted_on(channel);
      wanted != nullptr && *wanted != channel.peer().name) {
    ++misdirected_;
    TANDEM_WARN_LIMITED("{} was to be at {}, but {} answers there: no link", *wanted,
                        channel.peer_address().text(), channel.peer().name);
    misled_.insert(*wanted);
    if (!misled_timer_.armed()) misled_timer_.set_after(options_.misled_pause);
    return channel.close();
  }
  const ServerId peer = channel.peer_id();
  const std::uint64_t incarnation = channel.peer().incarnation;
  const auto known = links_.find(peer);
  if (known != links_.end()) {
    if (incarnation < known->second.incarnation) {
      ++refused_;
      log::warn("an older {} at {} is refused: a newer one is here", channel.peer().name,
                channel.peer_address().text());
      close_accepted(channel);
      return;
    }
    close_accepted(*known->second.channel);
    forget(peer);
  }
  links_[peer] = {&channel, incarnation};
  log::info("linked with {}", channel.peer().name);
  driver_.peer_connected(peer, incarnation);
  for (PeerListener* one : listeners_) one->on_peer_linked(channel.peer(), channel.peer_address());
}

void Peers::on_channel_message(Channel& channel, Message message) {
  const auto link = links_.find(channel.peer_id());
  if (link == links_.end() || link->second.channel != &channel) return;
  for (PeerListener* one : listeners_) one->on_peer_message(channel.peer_id(), message);
  if (is_of_items(message)) return;  // nothing of it is the node's
  const auto* batch = std::get_if<MirrorBatch>(&message);
  // Contents end the wait of answers, and are rare.
  answers_at_once_ =
      batch != nullptr ? batch->urgent : std::holds_alternative<MirrorContents>(message);
  driver_.deliver(channel.peer_id(), message);
  answers_at_once_ = false;
}

void Peers::on_channel_closed(Channel& channel, const Error& why) {
  const auto link = links_.find(channel.peer_id());
  if (link == links_.end() || link->second.channel != &channel) return;
  if (channel.garbled()) {
    ++garbled_;
    log::warn("the link with {} is closed: {}", channel.peer().name, why.message);
  } else {
    log::info("the link with {} is gone: {}", channel.peer().name, why.message);
  }
  unlink(channel.peer_id());
}

// Whoever was meant may be there by now.
void Peers::try_misled() {
  for (const std::string& name : std::exchange(misled_, {})) clients_.at(name)->start();
}

// Of ours there is one for each name, which its client keeps.
void Peers::close_accepted(Channel& channel) {
  if (wanted_on(channel) == nullptr) server_.drop(channel);
}

void Peers::unlink(ServerId peer) {
  forget(peer);
  for (PeerListener* one : listeners_) one->on_peer_unlinked(peer);
}

void Peers::forget(ServerId peer) {
  const auto link = links_.find(peer);
  past_.bytes_sent += link->second.channel->bytes_sent();
  past_.bytes_received += link->second.channel->bytes_received();
  links_.erase(link);
  driver_.peer_disconnected(peer);
}

// Whoever is left may live, and not know that it was given up: it is told before the channel
// closes, and does not take that for our death.
void Peers::leave(const std::string& name) {
  const ServerId peer = ServerId::of(name);
  const auto found = links_.find(peer);
  if (found != links_.end()) {
    const Link link = found->second;
    unlink(peer);
    link.channel->send(Suspect{peer, link.incarnation, Seen::kUnknown});
    link.channel->flush();  // a client of ours closes it at once
    close_accepted(*link.channel);
  }
  clients_.erase(name);
  misled_.erase(name);
}

}  // namespace tandem::server
