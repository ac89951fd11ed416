#include "server/io/balancer_links.h"

#include <utility>
#include <variant>

#include "common/base/log.h"
#include "common/net/entropy.h"

namespace tandem::server {

BalancerLinks::BalancerLinks(EventLoop& loop, Resolver& resolver, NodeDriver& driver,
                             ViewFollower& follower, BalancerLinksOptions options)
    : loop_(loop),
      driver_(driver),
      follower_(follower),
      options_(std::move(options)),
      status_timer_(loop, [this] { push_status(); }) {
  ChannelOptions channel;
  channel.self = options_.self;
  for (const Address& balancer : options_.balancers) {
    links_.push_back({std::make_unique<ChannelClient>(loop, resolver, Random(random_u64()),
                                                      balancer, options_.connecting, channel,
                                                      static_cast<ChannelHandler&>(*this)),
                      nullptr});
  }
  driver_.set_on_urgent([this] { push_status(); });
}

BalancerLinks::~BalancerLinks() { driver_.set_on_urgent(nullptr); }

void BalancerLinks::start() {
  for (Link& link : links_) link.client->start();
  status_timer_.set_after(options_.status_interval);
}

void BalancerLinks::push_status() {
  status_timer_.set_after(options_.status_interval);
  push_backing();
  send_all(StatusReport{driver_.node().next_status()});
}

// It may be long, and nothing urgent hangs on it: not with every status that is urgent.
void BalancerLinks::push_backing() {
  if (loop_.now() < backing_due_) return;
  backing_due_ = loop_.now() + options_.status_interval / 2;
  Backing backing = driver_.node().backing();
  if (told_ == backing) return;
  send_all(backing);
  told_ = std::move(backing);
}

void BalancerLinks::leave() {
  status_timer_.cancel();
  driver_.set_on_urgent(nullptr);
  send_all(Leave{});
}

std::size_t BalancerLinks::connected() const {
  std::size_t open = 0;
  for (const Link& link : links_) open += link.client->channel() != nullptr;
  return open;
}

void BalancerLinks::send_all(const Message& message) {
  for (Link& link : links_) {
    if (Channel* channel = link.client->channel()) channel->send(message);
  }
}

BalancerLinks::Link* BalancerLinks::link_of(const Channel& channel) {
  for (Link& link : links_) {
    if (link.client->channel() == &channel) return &link;
  }
  return nullptr;
}

bool BalancerLinks::leads(const Link& link) const {
  for (const Link& other : links_) {
    if (&other == &link) return true;
    if (other.view != nullptr) return false;
  }
  return false;
}

// What the first balancer that has told its view says, if that is not what is followed already.
void BalancerLinks::follow() {
  for (const Link& link : links_) {
    if (link.view == nullptr) continue;
    if (link.view == followed_) return;
    followed_ = link.view;
    has_view_ = true;
    view_version_ = followed_->version;
    follower_.on_view(followed_);
    return;
  }
}

void BalancerLinks::on_channel_open(Channel& channel) {
  if (!channel.peer().balancer) {
    log::error("{} is no balancer", channel.peer_address().text());
    channel.close_when_sent();
    return;
  }
  log::info("registering with the balancer at {}", channel.peer_address().text());
  Register registration = options_.registration;
  registration.status = driver_.node().next_status();
  channel.send(registration);
  told_.reset();
}

void BalancerLinks::on_channel_message(Channel& channel, Message message) {
  Link* link = link_of(channel);
  if (link == nullptr) return;
  if (auto* update = std::get_if<ViewUpdate>(&message)) {
    link->view = std::make_shared<const View>(std::move(update->view));
    follow();
  } else if (auto* status = std::get_if<StatusUpdate>(&message)) {
    if (leads(*link)) driver_.status(*status);
  } else if (auto* drain = std::get_if<Drain>(&message)) {
    follower_.on_drain(drain->draining);
  } else if (const auto* query = std::get_if<SessionQuery>(&message)) {
    channel.send(driver_.node().account(loop_.now(), *query));
  } else if (auto* refused = std::get_if<Refused>(&message)) {
    log::error("the balancer at {} refuses us: {}", channel.peer_address().text(), refused->reason);
  }
}

void BalancerLinks::on_channel_closed(Channel& channel, const Error& why) {
  log::warn("the balancer at {} is gone: {}", channel.peer_address().text(), why.message);
  for (Link& link : links_) {
    if (link.client->channel() == nullptr) link.view = nullptr;
  }
  follow();
}

}  // namespace tandem::server
