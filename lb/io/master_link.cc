#include "lb/io/master_link.h"

#include <utility>
#include <variant>

#include "common/base/log.h"
#include "common/net/entropy.h"

namespace tandem {
namespace {

ChannelOptions channel_options(Hello self) {
  ChannelOptions options;
  options.self = std::move(self);
  return options;
}

}  // namespace

MasterLink::MasterLink(EventLoop& loop, Resolver& resolver, Cluster& cluster, Options options)
    : loop_(loop),
      cluster_(cluster),
      machine_(options.follower),
      client_(loop, resolver, Random(random_u64()), options.master, std::move(options.connecting),
              channel_options(std::move(options.self)), static_cast<ChannelHandler&>(*this)),
      timer_(loop, [this] { pump(); }) {
  cluster_.set_upward(this);
}

MasterLink::~MasterLink() { cluster_.set_upward(nullptr); }

// The cluster tells these while it carries out what it wants itself: what comes of them waits for
// the next round.
void MasterLink::on_seen(std::uint64_t version) {
  machine_.on_seen(loop_.now(), version);
  timer_.set(actions_.empty() ? machine_.next_deadline() : loop_.now());
}

void MasterLink::on_status_seen(const StatusUpdate& update) {
  machine_.on_status_seen(update, actions_);
  timer_.set_after(0s);
}

void MasterLink::on_failure(const FailureReport& report) {
  machine_.on_failure(loop_.now(), report, actions_);
  timer_.set_after(0s);
}

void MasterLink::on_channel_open(Channel& channel) {
  if (!channel.peer().balancer) {
    log::error("{} is no balancer", channel.peer_address().text());
    channel.close_when_sent();
    return;
  }
  log::info("connected with the master at {}", channel.peer_address().text());
  machine_.on_connected(loop_.now(), actions_);
  pump();
}

void MasterLink::on_channel_message(Channel&, Message message) {
  machine_.on_message(loop_.now(), message, actions_);
  pump();
}

void MasterLink::on_channel_closed(Channel& channel, const Error& why) {
  log::warn("the connection with the master at {} is gone: {}", channel.peer_address().text(),
            why.message);
  machine_.on_lost(loop_.now(), actions_);
  pump();
}

void MasterLink::pump() {
  machine_.on_deadline(loop_.now(), actions_);
  while (!actions_.empty()) {
    for (FollowerAction& action : std::exchange(actions_, {})) carry_out(action);
  }
  timer_.set(machine_.next_deadline());
}

void MasterLink::carry_out(FollowerAction& action) {
  if (const auto* tell = std::get_if<TellMaster>(&action)) {
    send(tell->message);
  } else if (std::holds_alternative<TellMasterSeen>(action)) {
    send(ViewUpdate{cluster_.membership().seen()});
  } else if (std::holds_alternative<TellMasterFollow>(action)) {
    send(Follow{cluster_.membership().view_id()});
  } else if (const auto* follow = std::get_if<FollowView>(&action)) {
    cluster_.follow(*follow->view);
  } else if (const auto* status = std::get_if<FollowStatus>(&action)) {
    cluster_.follow_status(status->update);
  } else if (std::holds_alternative<ActAlone>(action)) {
    cluster_.act_alone();
  } else if (const auto* note = std::get_if<FollowerNote>(&action)) {
    log::info("{}", note->text);
  }
}

void MasterLink::send(const Message& message) {
  if (Channel* channel = client_.channel()) channel->send(message);
}

}  // namespace tandem
