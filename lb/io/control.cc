#include "lb/io/control.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/log.h"

namespace tandem {
namespace {

ChannelOptions channel_options(Hello self) {
  ChannelOptions options;
  options.self = std::move(self);
  return options;
}

}  // namespace

Hello balancer_hello(std::uint64_t maker, std::uint64_t incarnation) {
  Hello hello;
  hello.name = fmt::format("@{:016x}", maker);
  hello.balancer = true;
  hello.incarnation = incarnation;
  return hello;
}

Control::Control(EventLoop& loop, std::shared_ptr<const TlsContext> context, Hello self,
                 Cluster& cluster)
    : loop_(loop),
      cluster_(cluster),
      server_(loop, std::move(context), channel_options(std::move(self)), *this) {
  cluster_.set_sender(this);
}

Control::~Control() { cluster_.set_sender(nullptr); }

void Control::send(const std::vector<ConnectionId>& to, const Message& message) {
  for (ConnectionId id : to) {
    const auto it = channels_.find(id);
    if (it != channels_.end()) it->second->send(message);
  }
}

void Control::close(ConnectionId connection) {
  const auto it = channels_.find(connection);
  if (it == channels_.end()) return;
  Channel& channel = *it->second;
  channels_.erase(it);
  ids_.erase(&channel);
  server_.drop(channel);
  // Later: this is called while the cluster carries out what it wants.
  loop_.defer([this, connection] { cluster_.on_connection_lost(connection); });
}

void Control::on_channel_open(Channel& channel) {
  const ConnectionId id = ++last_id_;
  channels_[id] = &channel;
  ids_[&channel] = id;
  cluster_.on_message(id, channel.peer());
}

void Control::on_channel_message(Channel& channel, Message message) {
  const auto it = ids_.find(&channel);
  if (it != ids_.end()) cluster_.on_message(it->second, message);
}

void Control::on_channel_closed(Channel& channel, const Error& why) {
  const auto it = ids_.find(&channel);
  if (it == ids_.end()) return;
  const ConnectionId id = it->second;
  log::info("the control connection of {} is gone: {}", channel.peer().name, why.message);
  channels_.erase(id);
  ids_.erase(it);
  cluster_.on_connection_lost(id);
}

}  // namespace tandem
