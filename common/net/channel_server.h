// Accepts channels on a listening address and owns them while they live.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/net/channel.h"
#include "common/net/listener.h"
#include "common/net/tls.h"

namespace tandem {

class ChannelServer final : private AcceptHandler, private ChannelHandler {
 public:
  // The handler's rules are those of ChannelHandler, but the channels belong to the server: they
  // may be closed (drop()), never disposed of. on_channel_closed() is told only of channels that
  // were open.
  ChannelServer(EventLoop& loop, std::shared_ptr<const TlsContext> context, ChannelOptions options,
                ChannelHandler& handler);
  ~ChannelServer();

  Result<void> listen(const SocketAddress& at);
  const SocketAddress& address() const { return listener_->address(); }  // as bound

  // What channels that come from now on speak TLS with (other keys).
  void set_context(std::shared_ptr<const TlsContext> context);
  // Closes a channel of this server, after what is queued has been sent; no call follows.
  void drop(Channel& channel);
  void stop();  // no more channels, and those that exist are closed
  std::size_t channels() const { return channels_.size(); }

  static constexpr std::size_t kChannelsMax = 8192;

 private:
  void on_accept(Descriptor socket, const SocketAddress& peer) override;
  void on_channel_open(Channel& channel) override;
  void on_channel_message(Channel& channel, Message message) override;
  void on_channel_closed(Channel& channel, const Error& why) override;
  void remove(Channel& channel);

  EventLoop& loop_;
  std::vector<std::shared_ptr<const TlsContext>>
      contexts_;  // the last one is in use; old ones stay
  ChannelOptions options_;
  ChannelHandler& handler_;
  std::unique_ptr<Listener> listener_;
  std::unordered_map<Channel*, std::unique_ptr<Channel>> channels_;
};

}  // namespace tandem
