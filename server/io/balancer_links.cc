#include "server/io/balancer_links.h"

#include <utility>
#include <variant>

#include "common/base/log.h"
#include "common/net/entropy.h"

namespace tandem::server {
namespace {

// A balancer tells the status of its servers once an interval: one that says nothing for so many is
// frozen, or cut off.
constexpr int kSilentIntervals = 3;
// In that time all servers have found a balancer that was started anew.
constexpr int kSettleIntervals = 3;

}  // namespace

BalancerLinks::BalancerLinks(EventLoop& loop, Resolver& resolver, NodeDriver& driver,
                             ViewFollower& follower, BalancerLinksOptions options)
    : loop_(loop),
      driver_(driver),
      follower_(follower),
      options_(std::move(options)),
      sources_(options_.balancers.size(), {options_.status_interval * kSilentIntervals,
                                           options_.status_interval * kSettleIntervals}),
      status_timer_(loop, [this] { push_status(); }) {
  ChannelOptions channel;
  channel.self = options_.self;
  for (const Address& balancer : options_.balancers) {
    links_.push_back(std::make_unique<ChannelClient>(loop, resolver, Random(random_u64()), balancer,
                                                     options_.connecting, channel,
                                                     static_cast<ChannelHandler&>(*this)));
  }
  driver_.set_on_urgent([this] { push_status(); });
}

BalancerLinks::~BalancerLinks() { driver_.set_on_urgent(nullptr); }

void BalancerLinks::start() {
  for (const auto& link : links_) link->start();
  status_timer_.set_after(options_.status_interval);
}

void BalancerLinks::push_status() {
  status_timer_.set_after(options_.status_interval);
  push_backing();
  send_all(StatusReport{driver_.node().next_status()});
  follow();  // time alone may change whom
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
  left_ = true;
  send_all(Leave{});
}

std::size_t BalancerLinks::connected() const {
  std::size_t open = 0;
  for (const auto& link : links_) open += link->channel() != nullptr;
  return open;
}

void BalancerLinks::send_all(const Message& message) {
  for (const auto& link : links_) {
    if (Channel* channel = link->channel()) channel->send(message);
  }
}

std::vector<BalancerLinks::BalancerState> BalancerLinks::balancers() const {
  std::vector<BalancerState> states;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    states.push_back({links_[i]->to().text(), links_[i]->channel() != nullptr, sources_.facts(i)});
  }
  return states;
}

// The number of links: none.
std::size_t BalancerLinks::link_of(const Channel& channel) const {
  std::size_t i = 0;
  while (i < links_.size() && links_[i]->channel() != &channel) ++i;
  return i;
}

void BalancerLinks::follow() {
  const ViewPtr view = sources_.follow(loop_.now());
  if (view == followed_) return;
  const bool other = followed_ != nullptr && view->maker != followed_->maker;
  followed_ = view;
  if (other && sources_.leader() < links_.size()) {
    log::info("following view {}, told by the balancer at {}{}", view->version,
              links_[sources_.leader()]->to().text(),
              view->stand_in ? ", which cannot reach the master" : "");
  }
  follower_.on_view(followed_);
}

void BalancerLinks::on_channel_open(Channel& channel) {
  if (!channel.peer().balancer) {
    log::error("{} is no balancer", channel.peer_address().text());
    channel.close_when_sent();
    return;
  }
  sources_.on_connected(link_of(channel), loop_.now());
  log::info("registering with the balancer at {}", channel.peer_address().text());
  Register registration = options_.registration;
  registration.status = driver_.node().next_status();
  channel.send(registration);
  if (left_) channel.send(Leave{});  // it was restarted since, and may know this one as online
  channel.send(ViewRequest{});
  told_.reset();
  if (listener_ == nullptr) return;
  for (const FailureReport& report : listener_->on_balancer_linked()) channel.send(report);
}

void BalancerLinks::on_channel_message(Channel& channel, Message message) {
  const std::size_t link = link_of(channel);
  if (link == links_.size()) return;
  sources_.on_heard(link, loop_.now());
  if (listener_ != nullptr) listener_->on_balancer_message(message);
  if (std::holds_alternative<ViewUpdate>(message) || std::holds_alternative<ViewDelta>(message)) {
    on_view_message(link, channel, message);
  } else if (auto* status = std::get_if<StatusUpdate>(&message)) {
    if (link == sources_.leader()) driver_.status(*status);
  } else if (auto* drain = std::get_if<Drain>(&message)) {
    follower_.on_drain(drain->draining);
  } else if (const auto* query = std::get_if<SessionQuery>(&message)) {
    channel.send(driver_.node().account(loop_.now(), *query));
  } else if (const auto* ping = std::get_if<Ping>(&message)) {
    channel.send(Pong{ping->number, 0});
  } else if (auto* refused = std::get_if<Refused>(&message)) {
    log::error("the balancer at {} refuses us: {}", channel.peer_address().text(), refused->reason);
  }
}

void BalancerLinks::on_view_message(std::size_t link, Channel& channel, Message& message) {
  if (auto* update = std::get_if<ViewUpdate>(&message)) {
    sources_.on_view(link, std::move(update->view));
  } else if (!sources_.on_delta(link, std::get<ViewDelta>(message))) {
    log::warn("a change of the view from the balancer at {} does not fit: asking for all of it",
              channel.peer_address().text());
    channel.send(ViewRequest{});
  }
  follow();
}

void BalancerLinks::on_channel_closed(Channel& channel, const Error& why) {
  log::warn("the balancer at {} is gone: {}", channel.peer_address().text(), why.message);
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (links_[i]->channel() == nullptr) sources_.on_lost(i);
  }
  follow();
}

}  // namespace tandem::server
