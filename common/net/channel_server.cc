#include "common/net/channel_server.h"

#include "common/base/log.h"

namespace tandem {

ChannelServer::ChannelServer(EventLoop& loop, std::shared_ptr<const TlsContext> context,
                             ChannelOptions options, ChannelHandler& handler)
    : loop_(loop), options_(std::move(options)), handler_(handler) {
  set_context(std::move(context));
}

ChannelServer::~ChannelServer() { stop(); }

Result<void> ChannelServer::listen(const SocketAddress& at) {
  auto opened = Listener::open(loop_, at, {}, *this);
  if (!opened) return fail(opened.error());
  listener_ = std::move(*opened);
  return {};
}

void ChannelServer::set_context(std::shared_ptr<const TlsContext> context) {
  contexts_.push_back(std::move(context));  // channels that live refer to those before
}

void ChannelServer::stop() {
  listener_.reset();
  for (auto& [channel, owned] : channels_) {
    channel->close();
    loop_.dispose(std::move(owned));
  }
  channels_.clear();
}

void ChannelServer::drop(Channel& channel) { channel.close_when_sent(); }

void ChannelServer::remove(Channel& channel) {
  const auto at = channels_.find(&channel);
  if (at == channels_.end()) return;
  loop_.dispose(std::move(at->second));
  channels_.erase(at);
}

void ChannelServer::on_accept(Descriptor socket, const SocketAddress& peer) {
  if (channels_.size() >= kChannelsMax) {
    TANDEM_WARN_LIMITED("channel from {} refused: there are {} already", peer.text(), kChannelsMax);
    return;
  }
  auto stream = std::make_unique<Stream>(loop_, std::move(socket), nullptr);
  auto channel = std::make_unique<Channel>(loop_, std::move(stream), *contexts_.back(), options_,
                                           static_cast<ChannelHandler&>(*this));
  Channel* key = channel.get();
  channels_.emplace(key, std::move(channel));
}

void ChannelServer::on_channel_open(Channel& channel) { handler_.on_channel_open(channel); }

void ChannelServer::on_channel_message(Channel& channel, Message message) {
  handler_.on_channel_message(channel, std::move(message));
}

void ChannelServer::on_channel_closed(Channel& channel, const Error& why) {
  const bool was_open = !channel.peer().name.empty();
  if (!was_open) {
    TANDEM_WARN_LIMITED("channel from {} refused: {}", channel.peer_address().text(), why.message);
  }
  remove(channel);
  if (was_open && !channel.closing()) handler_.on_channel_closed(channel, why);
}

}  // namespace tandem
