#include "tests/sim/sim_server.h"

#include <utility>
#include <variant>

namespace tandem::sim {
namespace {

constexpr Duration kStatusInterval = 1s;
constexpr Duration kReconnect = 300ms;
constexpr Duration kRound = 50us;     // of an event loop
constexpr Duration kRetrieval = 1ms;  // from the origin

MessagePtr share(Message message) { return std::make_shared<const Message>(std::move(message)); }

}  // namespace

void SimServer::after(Duration delay, std::function<void()> work) {
  world_.heap.after(delay, [this, incarnation = host_.incarnation(), work = std::move(work)] {
    host_.run(incarnation, work);
  });
}

void SimServer::start() {
  host_.start();
  node_ = std::make_unique<Node>(options_, world_.heap.now());
  learned_ = {};
  out_.take();
  wakes_ = kNever;
  world_.note("start", place_, host_.incarnation());
  connect_control();
  after(kStatusInterval, [this] { status_tick(); });
}

void SimServer::kill() {
  world_.note("kill", place_);
  host_.kill();
  control_.reset();
  peers_.clear();
  waiting_.clear();
  view_.reset();
  node_.reset();
  world_.network.vanish(place_);
}

void SimServer::drain(bool draining) {
  world_.note("drain", place_, draining);
  here([this, draining] {
    node_->set_draining(draining);
    settle();
  });
}

// --- the control wire ---------------------------------------------------------------------------

void SimServer::connect_control() {
  const std::uint64_t incarnation = host_.incarnation();
  const auto closed = [this, incarnation] {
    host_.run(incarnation, [this] {
      control_.reset();
      after(kReconnect, [this] { connect_control(); });
    });
  };
  control_ =
      connect_({.deliver =
                    [this, incarnation](const MessagePtr& message) {
                      host_.run(incarnation, [this, message] { on_control_message(message); });
                    },
                .closed = closed});
  if (!control_) return after(kReconnect, [this] { connect_control(); });
  world_.network.send(*control_, 0, share(Hello{1, options_.name, false, host_.incarnation()}));
  world_.network.send(*control_, 0,
                      share(Register{options_.name + ":80", options_.name + ":90", zone_, "default",
                                     node_->next_status()}));
}

void SimServer::on_control_message(const MessagePtr& message) {
  if (const auto* update = std::get_if<ViewUpdate>(&*message)) {
    view_ = ViewPtr(message, &update->view);
    leave_offline_peers();
    node_->on_view(world_.heap.now(), view_, out_);
  } else if (const auto* status = std::get_if<StatusUpdate>(&*message)) {
    node_->on_status(world_.heap.now(), *status);
  } else if (const auto* wish = std::get_if<Drain>(&*message)) {
    node_->set_draining(wish->draining);
  }
  settle();
}

// As the shell does: a server that was frozen then meets its peers anew.
void SimServer::leave_offline_peers() {
  std::vector<ServerId> gone;
  for (const auto& [peer, link] : peers_) {
    if (!wants_link(peer)) gone.push_back(peer);
  }
  for (const ServerId peer : gone) {
    world_.network.reset(peers_.at(peer).channel);
    peers_.erase(peer);
    node_->on_peer_disconnected(world_.heap.now(), peer, out_);
  }
}

void SimServer::push_status(bool urgent_only) {
  if (!control_ || (urgent_only && !node_->status_is_urgent())) return;
  world_.network.send(*control_, 0, share(StatusReport{node_->next_status()}));
}

void SimServer::status_tick() {
  if (control_) world_.network.send(*control_, 0, share(node_->backing()));
  push_status(false);
  world_.invariants.on_bounds(*node_, options_);
  after(kStatusInterval, [this] { status_tick(); });
}

// --- the peer wire ------------------------------------------------------------------------------

Network::Handlers SimServer::peer_handlers(ServerId peer, ChannelHolder channel,
                                           std::function<void()> closed) {
  const std::uint64_t incarnation = host_.incarnation();
  return {.deliver =
              [this, incarnation, peer, channel](const MessagePtr& message) {
                host_.run(incarnation, [this, peer, channel, message] {
                  if (is_current(peer, *channel)) on_peer_message(peer, message);
                });
              },
          .closed =
              [this, incarnation, peer, channel, closed = std::move(closed)] {
                host_.run(incarnation, [this, peer, channel, closed] {
                  if (!is_current(peer, *channel)) return closed();
                  peers_.erase(peer);
                  node_->on_peer_disconnected(world_.heap.now(), peer, out_);
                  settle();
                  closed();
                });
              }};
}

void SimServer::on_peer_open(ServerId peer, std::uint64_t incarnation, Network::ChannelId channel,
                             std::size_t end) {
  here([this, peer, incarnation, channel, end] {
    peers_[peer] = {channel, end};
    node_->on_peer_connected(world_.heap.now(), peer, incarnation, out_);
    settle();
  });
}

bool SimServer::heard(const Message& message) const {
  if (sabotage_ != Sabotage::kNeverHearsOfNewer) return true;
  if (std::holds_alternative<SessionExchange>(message)) return false;
  const auto* ack = std::get_if<MirrorAck>(&message);
  return ack == nullptr || ack->answer != MirrorAck::Answer::kStale;
}

void SimServer::on_peer_message(ServerId peer, const MessagePtr& message) {
  world_.note("peer message", place_, peer.value, message->index());
  if (heard(*message)) {
    learned_.message(*node_, *message);
    node_->on_message(world_.heap.now(), peer, *message, out_);
  }
  settle();
}

// --- the data wire ------------------------------------------------------------------------------

void SimServer::handle(const HttpRequest& request, Reply reply) {
  here([this, request, reply = std::move(reply)] { answer(request, reply); });
}

void SimServer::answer(const HttpRequest& request, const Reply& reply) {
  const RequestInfo info{request.token, request.cache, request.evicted};
  const std::uint64_t cold_before = node_->counters().takeovers_cold;
  Decision decision = node_->on_request(world_.heap.now(), world_.wall(), info);
  world_.note("request", place_, request.token.session.low, static_cast<unsigned>(decision.kind));
  if (node_->counters().takeovers_cold > cold_before) cold_start_(request.token);
  settle();
  const bool moved = decision.kind == Decision::Kind::kRefer &&
                     (decision.refer.flags & (kNewSession | kTakeover)) == 0;
  if (sabotage_ == Sabotage::kServesWhatItLost && moved) decision.kind = Decision::Kind::kServe;
  switch (decision.kind) {
    case Decision::Kind::kServe:
      world_.invariants.on_served(*node_, learned_, request.token);
      return after(kRetrieval, [this, request, reply] { retrieve(request, reply, {}); });
    case Decision::Kind::kGuest:
      world_.invariants.on_guest(*node_, request.token, decision.refer);
      return after(kRetrieval, [this, request, reply, elsewhere = decision.refer] {
        retrieve(request, reply, elsewhere);
      });
    case Decision::Kind::kWait:
      waiting_.emplace(request.token.session, std::pair(request, reply));
      return;
    case Decision::Kind::kRefer: {
      world_.invariants.on_referral(*node_, request.token, decision.refer);
      HttpResponse response;
      response.status = 421;
      response.refer = decision.refer;
      return reply(response);
    }
    case Decision::Kind::kGone:
    case Decision::Kind::kUnavailable:
      HttpResponse response;
      response.status = 503;
      return reply(response);
  }
}

void SimServer::retrieve(const HttpRequest& request, const Reply& reply,
                         const std::optional<SessionToken>& elsewhere) {
  const auto content = world_.origin.content(request.item);
  Comparison result = node_->on_retrieved(
      world_.heap.now(), {request.token.session, request.cache,
                          ItemKey::of(Origin::target(request.item)), request.announced, content});
  if (sabotage_ == Sabotage::kReusesUnseen && !request.announced.empty()) {
    result.answer = Comparison::Answer::kReuseByValidator;
  }
  HttpResponse response;
  response.status = result.answer == Comparison::Answer::kSend ? 200 : 304;
  response.reuse_by_mirror = result.answer == Comparison::Answer::kReuseByMirror;
  response.etag = result.validator;
  response.version = world_.origin.version(request.item);
  response.server = node_->self();
  response.token = elsewhere;
  if (!elsewhere) response.token = node_->token_to_set(world_.wall(), request.token);
  if (response.token && !elsewhere) {
    SessionToken& token = *response.token;
    if (sabotage_ == Sabotage::kNamesItselfTwice) token.alternate = token.primary;
    if (sabotage_ == Sabotage::kKeepsEpochOnTakeover && (request.token.flags & kTakeover) != 0) {
      token.epoch = request.token.epoch;
    }
    world_.invariants.on_token(*node_, learned_, request.token, token);
  }
  node_->on_request_end(request.token.session);
  world_.note("response", place_, static_cast<unsigned>(response.status), response.version);
  settle();
  reply(response);
}

void SimServer::decide_waiting(SessionId session) {
  const auto [first, last] = waiting_.equal_range(session);
  std::vector<std::pair<HttpRequest, Reply>> decided;
  for (auto one = first; one != last; ++one) decided.push_back(std::move(one->second));
  waiting_.erase(first, last);
  for (const auto& [request, reply] : decided) answer(request, reply);
}

// --- the event loop -----------------------------------------------------------------------------

void SimServer::settle() {
  node_->flush(world_.heap.now(), out_);
  for (auto& [to, message] : out_.take()) {
    const auto link = peers_.find(to);
    world_.invariants.require(link != peers_.end(), "a message for a peer without a link");
    if (link == peers_.end()) continue;
    world_.network.send(link->second.channel, link->second.end, share(std::move(message)));
  }
  push_status(true);
  const auto settled = node_->take_settled();
  for (const SessionId session : settled) decide_waiting(session);
  const Instant next = node_->next_deadline();
  if (next == kNever) return;
  const Instant wake = std::max(next, world_.heap.now() + kRound);
  if (wakes_ > world_.heap.now() && wakes_ <= wake) return;
  wakes_ = wake;
  after(wake - world_.heap.now(), [this, wake] {
    if (wakes_ == wake) wakes_ = kNever;
    node_->on_deadline(world_.heap.now(), out_);
    settle();
  });
}

}  // namespace tandem::sim
