// The control listener: where tandem-servers register, over TLS 1.3 with the cluster key. Carries
// messages between their channels and Cluster; decides nothing.
#pragma once

#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/net/channel_server.h"
#include "lb/io/cluster.h"

namespace tandem {

// What a balancer says of itself. `maker` is the process's own number (View::maker): no server can
// have such a name ('@' is in none), and no other balancer has this one.
Hello balancer_hello(std::uint64_t maker, std::uint64_t incarnation);

// Belongs to the loop's thread.
class Control final : public ControlSender, private ChannelHandler {
 public:
  // `context` is the cluster key's; `self` is what this process says of itself.
  Control(EventLoop& loop, std::shared_ptr<const TlsContext> context, Hello self, Cluster& cluster);
  ~Control();

  Result<void> listen(const SocketAddress& at) { return server_.listen(at); }
  // Other keys, for servers that connect from now on.
  void set_context(std::shared_ptr<const TlsContext> context) {
    server_.set_context(std::move(context));
  }
  const SocketAddress& address() const { return server_.address(); }
  std::size_t connections() const { return channels_.size(); }

  void send(const std::vector<ConnectionId>& to, const Message& message) override;
  void close(ConnectionId connection) override;

 private:
  void on_channel_open(Channel& channel) override;
  void on_channel_message(Channel& channel, Message message) override;
  void on_channel_closed(Channel& channel, const Error& why) override;

  EventLoop& loop_;
  Cluster& cluster_;
  ChannelServer server_;
  std::unordered_map<ConnectionId, Channel*> channels_;
  std::unordered_map<const Channel*, ConnectionId> ids_;
  ConnectionId last_id_ = 0;
};

}  // namespace tandem
