#include "server/io/node_driver.h"

#include <utility>

namespace tandem::server {

NodeDriver::NodeDriver(EventLoop& loop, NodeOptions options, std::string group)
    : loop_(loop),
      node_(std::move(options), loop.now()),
      group_(node_.self(), std::move(group)),
      timer_(loop, [this] { on_timer(); }) {}

NodeDriver::~NodeDriver() { loop_.cancel_round_end(*this); }

void NodeDriver::touched() {
  if (std::exchange(touched_, true)) return;
  loop_.at_round_end(*this);
}

void NodeDriver::peer_connected(ServerId peer, std::uint64_t incarnation) {
  if (!group_.on_connected(peer, incarnation)) return;
  node_.on_peer_connected(loop_.now(), peer, incarnation, out_);
  carry();
}

void NodeDriver::peer_disconnected(ServerId peer) {
  if (!group_.on_disconnected(peer)) return;
  node_.on_peer_disconnected(loop_.now(), peer, out_);
  carry();
}

void NodeDriver::deliver(ServerId from, const Message& message) {
  if (!group_.counts(from)) return;
  node_.on_message(loop_.now(), from, message, out_);
  carry();
}

void NodeDriver::view(const ViewPtr& view) {
  view_ = view;
  const GroupLinks::Change change = group_.on_view(view);
  const Instant now = loop_.now();
  node_.on_view(now, change.view, out_);
  send_envelopes();
  for (const ServerId peer : change.left) {
    node_.on_peer_disconnected(now, peer, out_);
    send_envelopes();
  }
  for (const auto& [peer, incarnation] : change.joined) {
    node_.on_peer_connected(now, peer, incarnation, out_);
    send_envelopes();
  }
  touched();
}

void NodeDriver::status(const StatusUpdate& update) {
  node_.on_status(loop_.now(), update);
  touched();
}

void NodeDriver::on_timer() {
  node_.on_deadline(loop_.now(), out_);
  carry();
}

void NodeDriver::on_round_end() {
  touched_ = false;
  node_.flush(loop_.now(), out_);
  send_envelopes();
  for (const SessionId session : node_.take_settled()) {
    touched();
    if (on_settled_) on_settled_(session);
  }
  timer_.set(node_.next_deadline());
  if (on_urgent_ && node_.status_is_urgent()) on_urgent_();
}

void NodeDriver::carry() {
  send_envelopes();
  touched();
}

void NodeDriver::send_envelopes() {
  for (const PeerOutbox::Envelope& envelope : out_.take()) {
    TANDEM_CHECK(carrier_ != nullptr);
    carrier_->send(envelope.to, envelope.message);
  }
}

}  // namespace tandem::server
