// Keeps a channel to an address: connects, and connects again, with bounded backoff, for as long as
// it is running. The backoff begins anew only after a channel that was open for longer than its
// limit: one that opens and is closed at once (the other end refuses us) is a failure like others.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/base/address.h"
#include "common/base/backoff.h"
#include "common/base/random.h"
#include "common/net/channel.h"
#include "common/net/connector.h"
#include "common/net/tls.h"

namespace tandem {

// What to speak TLS with, after so many failures in a row.
using ContextChoice = std::function<std::shared_ptr<const TlsContext>(unsigned failures)>;
inline ContextChoice always(std::shared_ptr<const TlsContext> context) {
  return [context = std::move(context)](unsigned) { return context; };
}

class ChannelClient final : private ConnectHandler, private ChannelHandler {
 public:
  // The handler's rules are those of ChannelHandler, but the channels belong to the client: they
  // may be closed, never disposed of. on_channel_closed() is told only of channels that were open;
  // a failure to connect is logged when it begins, and told by failures().
  ChannelClient(EventLoop& loop, Resolver& resolver, Random dice, Address to, ContextChoice choice,
                ChannelOptions options, ChannelHandler& handler, Backoff backoff = {});
  ~ChannelClient();

  void start();
  void stop();  // closes without a call
  const Address& to() const { return to_; }
  // The channel, if it is open; else null.
  Channel* channel() {
    return channel_ != nullptr && channel_->is_open() ? channel_.get() : nullptr;
  }
  unsigned failures() const { return failures_; }  // since it was open last

  static constexpr Duration kConnectTimeout = 3s;

 private:
  void on_connected(std::unique_ptr<Stream> stream) override;
  void on_connect_failed(Error error) override;
  void on_channel_open(Channel& channel) override;
  void on_channel_message(Channel& channel, Message message) override;
  void on_channel_closed(Channel& channel, const Error& why) override;
  void try_again(const Error& why);

  EventLoop& loop_;
  Random dice_;
  Address to_;
  ContextChoice choice_;
  std::shared_ptr<const TlsContext> context_;  // of the channel
  ChannelOptions options_;
  ChannelHandler& handler_;
  Backoff backoff_;
  unsigned failures_ = 0;
  unsigned tries_ = 0;  // in a row that came to nothing lasting
  Instant opened_;
  Connector connector_;
  Timer timer_;
  std::unique_ptr<Channel> channel_;
};

}  // namespace tandem
