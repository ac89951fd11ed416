#include "common/net/channel_client.h"

#include "common/base/log.h"

namespace tandem {

ChannelClient::ChannelClient(EventLoop& loop, Resolver& resolver, Random dice, Address to,
                             ContextChoice choice, ChannelOptions options, ChannelHandler& handler,
                             Backoff backoff)
    : loop_(loop),
      dice_(dice),
      to_(std::move(to)),
      choice_(std::move(choice)),
      options_(std::move(options)),
      handler_(handler),
      backoff_(backoff),
      connector_(loop, resolver, *this),
      timer_(loop, [this] { start(); }) {}

ChannelClient::~ChannelClient() { stop(); }

void ChannelClient::start() { connector_.start(to_, kConnectTimeout); }

void ChannelClient::stop() {
  connector_.cancel();
  timer_.cancel();
  if (channel_ == nullptr) return;
  channel_->close();
  loop_.dispose(std::move(channel_));
}

void ChannelClient::on_connected(std::unique_ptr<Stream> stream) {
  context_ = choice_(failures_);
  channel_ = std::make_unique<Channel>(loop_, std::move(stream), *context_, options_,
                                       static_cast<ChannelHandler&>(*this));
}

void ChannelClient::on_connect_failed(Error error) { try_again(error); }

void ChannelClient::on_channel_open(Channel& channel) {
  failures_ = 0;
  opened_ = loop_.now();
  handler_.on_channel_open(channel);
}

void ChannelClient::on_channel_message(Channel& channel, Message message) {
  handler_.on_channel_message(channel, std::move(message));
}

void ChannelClient::on_channel_closed(Channel& channel, const Error& why) {
  const bool was_open = !channel.peer().name.empty();
  // Out of the way before the handler is told: it may call stop() or start().
  std::unique_ptr<Disposable> dead = std::move(channel_);
  loop_.dispose(std::move(dead));
  // Who was let in and thrown out at once, again and again, is refused: no reason to hurry.
  if (was_open && loop_.now() - opened_ > backoff_.limit) tries_ = 0;
  try_again(why);
  if (was_open) handler_.on_channel_closed(channel, why);
}

void ChannelClient::try_again(const Error& why) {
  ++failures_;
  if (++tries_ == 1) log::warn("no channel to {}: {}; trying again", to_.text(), why.message);
  timer_.set_after(backoff_.delay(tries_, dice_));
}

}  // namespace tandem
