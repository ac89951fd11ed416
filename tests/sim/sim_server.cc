#include "tests/sim/sim_server.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "common/session/token_codec.h"
#include "tests/sim/message_text.h"

namespace tandem::sim {
namespace {

constexpr Duration kStatusInterval = 1s;
constexpr Duration kReconnect = 300ms;
constexpr Duration kRound = 50us;  // of an event loop
constexpr Freshness::Host kHost = 1;
constexpr Duration kLookTime = 160ms;  // then a server that was looked at is not reached
constexpr int kLookPings = 3;
constexpr Duration kRetrieval = 1ms;           // from the origin
constexpr std::uint64_t kBoundsInterval = 16;  // events between two looks at all bounds
constexpr double kSabotagedShare = 0.2;

std::string explain(const SessionToken& token, const Decision& decision) {
  constexpr const char* kKinds[] = {"serves", "refers", "has no place", "waits", "a guest", "gone"};
  const bool names =
      decision.kind == Decision::Kind::kRefer || decision.kind == Decision::Kind::kGuest;
  return fmt::format("{} {}{}", to_text(token), kKinds[static_cast<std::size_t>(decision.kind)],
                     names ? " " + to_text(decision.refer) : "");
}

MessagePtr share(Message message) { return std::make_shared<const Message>(std::move(message)); }

}  // namespace

void SimServer::after(Duration delay, std::function<void()> work) {
  world_.heap.after(delay, [this, incarnation = host_.incarnation(), work = std::move(work)] {
    host_.run(incarnation, work);
  });
}

void SimServer::start() {
  host_.start();
  started_ = world_.heap.now();
  node_ = std::make_unique<Node>(setup_.node, world_.heap.now());
  learned_ = {};
  fetched_.clear();
  out_.take();
  wakes_ = kNever;
  skew_ = world_.new_skew();
  world_.note("start", place_, host_.incarnation());
  controls_.assign(setup_.balancers, std::nullopt);
  sources_ = ViewSources(setup_.balancers, {kStatusInterval * 3, kStatusInterval * 3});
  for (std::size_t balancer = 0; balancer < setup_.balancers; ++balancer) connect_control(balancer);
  after(kStatusInterval, [this] { status_tick(); });
}

void SimServer::kill() {
  world_.note("kill", place_);
  host_.kill();
  controls_.clear();
  looking_.clear();
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

void SimServer::connect_control(std::size_t balancer) {
  const std::uint64_t incarnation = host_.incarnation();
  const auto closed = [this, incarnation, balancer] {
    host_.run(incarnation, [this, balancer] {
      controls_[balancer].reset();
      sources_.on_lost(balancer);
      follow();
      after(kReconnect, [this, balancer] { connect_control(balancer); });
    });
  };
  const auto channel =
      connect_(balancer, {.deliver =
                              [this, incarnation, balancer](const MessagePtr& message) {
                                host_.run(incarnation, [this, balancer, message] {
                                  on_control_message(balancer, message);
                                });
                              },
                          .closed = closed});
  if (!channel) return after(kReconnect, [this, balancer] { connect_control(balancer); });
  controls_[balancer] = channel;
  sources_.on_connected(balancer, world_.heap.now());
  const NodeOptions& node = setup_.node;
  world_.network.send(*channel, 0, share(Hello{1, node.name, false, host_.incarnation()}));
  world_.network.send(*channel, 0,
                      share(Register{node.name + ":80", node.name + ":90", node.zone, "default",
                                     node_->next_status()}));
  world_.network.send(*channel, 0, share(ViewRequest{}));
}

void SimServer::follow() {
  const ViewPtr view = sources_.follow(world_.heap.now());
  if (view == view_) return;
  view_ = view;
  leave_offline_peers();
  node_->on_view(world_.heap.now(), view_, out_);
  settle();
}

void SimServer::on_view_message(std::size_t balancer, const Message& message) {
  if (const auto* update = std::get_if<ViewUpdate>(&message)) {
    sources_.on_view(balancer, update->view);
  } else if (!sources_.on_delta(balancer, std::get<ViewDelta>(message))) {
    world_.network.send(*controls_[balancer], 0, share(ViewRequest{}));
  }
  follow();
}

void SimServer::on_control_message(std::size_t balancer, const MessagePtr& message) {
  sources_.on_heard(balancer, world_.heap.now());
  if (std::holds_alternative<ViewUpdate>(*message) || std::holds_alternative<ViewDelta>(*message)) {
    on_view_message(balancer, *message);
  } else if (const auto* status = std::get_if<StatusUpdate>(&*message)) {
    if (balancer == sources_.leader()) node_->on_status(world_.heap.now(), *status);
  } else if (const auto* wish = std::get_if<Drain>(&*message)) {
    node_->set_draining(wish->draining);
  } else if (const auto* ping = std::get_if<Ping>(&*message)) {
    world_.network.send(*controls_[balancer], 0, share(Pong{ping->number}));
  } else if (const auto* question = std::get_if<Look>(&*message)) {
    look(balancer, *question);
  }
  settle();
}

// What the buddy watch of a server does with the question, in short: some pings, and time to
// answer.
void SimServer::look(std::size_t balancer, const Look& question) {
  const std::uint64_t number = ++last_look_;
  looking_[number] = {balancer, question};
  const auto link = peers_.find(question.server);
  for (int i = 0; link != peers_.end() && i < kLookPings; ++i) {
    world_.network.send(link->second.channel, link->second.end, share(Ping{number}));
  }
  after(kLookTime, [this, number] { looked(number, false); });
}

void SimServer::looked(std::uint64_t number, bool reached) {
  const auto found = looking_.find(number);
  if (found == looking_.end()) return;
  const auto [balancer, question] = found->second;
  looking_.erase(found);
  if (!controls_[balancer]) return;
  world_.network.send(*controls_[balancer], 0,
                      share(Looked{question.number, question.server, reached}));
}

// Not the node's matter.
bool SimServer::is_watch(ServerId from, const Message& message) {
  if (const auto* ping = std::get_if<Ping>(&message)) {
    world_.network.send(peers_.at(from).channel, peers_.at(from).end, share(Pong{ping->number}));
    return true;
  }
  const auto* pong = std::get_if<Pong>(&message);
  if (pong != nullptr) looked(pong->number, true);
  return pong != nullptr;
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
    send_out();  // it may be for the next that is left
  }
}

void SimServer::push_status(bool urgent_only) {
  if (urgent_only && !node_->status_is_urgent()) return;
  const MessagePtr report = share(StatusReport{node_->next_status()});
  for (const auto& control : controls_) {
    if (control) world_.network.send(*control, 0, report);
  }
}

void SimServer::status_tick() {
  const MessagePtr backing = share(node_->backing());
  for (const auto& control : controls_) {
    if (control) world_.network.send(*control, 0, backing);
  }
  push_status(false);
  follow();  // time alone may change whom
  check_bounds();
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

// Does sabotage keep the message from the node?
bool SimServer::heard(ServerId from, const Message& message) {
  if (sabotaged(Sabotage::kNeverHearsOfNewer)) {
    if (std::holds_alternative<SessionExchange>(message)) return false;
    const auto* ack = std::get_if<MirrorAck>(&message);
    return ack == nullptr || ack->answer != MirrorAck::Answer::kStale;
  }
  if (sabotaged(Sabotage::kForgetsAlternate) && std::holds_alternative<WhereIs>(message)) {
    return false;
  }
  const auto* batch = std::get_if<MirrorBatch>(&message);
  if (sabotaged(Sabotage::kAcksUnapplied) && batch != nullptr && !batch->snapshot) {
    const MirrorAck ack{batch->session, batch->epoch, batch->sequence, MirrorAck::Answer::kApplied};
    world_.network.send(peers_.at(from).channel, peers_.at(from).end, share(ack));
    return false;
  }
  return true;
}

void SimServer::on_peer_message(ServerId peer, const MessagePtr& message) {
  world_.note("peer message", place_, peer.value, message->index());
  world_.explain([&] {
    const std::string text = to_text(*message);
    return text.empty() ? text : fmt::format("{} <- {:x}: {}", name(), peer.value, text);
  });
  if (is_watch(peer, *message)) return;
  const bool is_heard = heard(peer, *message);
  if (is_heard || sabotaged(Sabotage::kNeverHearsOfNewer)) learned_.message(*node_, *message);
  if (is_heard) node_->on_message(world_.heap.now(), peer, *message, out_);
  world_.invariants.on_message(*node_, learned_, *message);
  if (const auto* ack = std::get_if<MirrorAck>(&*message)) watcher_.applied(place_, ack->session);
  settle();
}

// --- the data wire ------------------------------------------------------------------------------

void SimServer::handle(const HttpRequest& request, Reply reply) {
  here([this, request, reply = std::move(reply)] { answer(request, reply); });
}

// As server/io/front: a request whose token does not open begins a session.
SessionToken SimServer::token_of(const HttpRequest& request) {
  const SessionToken& token = request.token;
  if (token_is_young(token.issued, token.flags, wall(), setup_.node.token_ttl)) return token;
  ++tokens_refused_;
  world_.note("too old", place_, token.session.low);
  SessionToken fresh;
  fresh.session = {random_.next(), random_.next()};
  fresh.primary = id();
  fresh.issued = wall();
  fresh.flags = kNewSession;
  return fresh;
}

Decision SimServer::decide(const HttpRequest& request) {
  const SessionToken& token = request.token;
  const NodeCounters before = node_->counters();
  const auto known = node_->report(token.session);
  Decision decision = node_->on_request(world_.heap.now(), wall(),
                                        RequestInfo{token, request.cache, request.evicted});
  world_.note("request", place_, token.session.low, static_cast<unsigned>(decision.kind));
  world_.explain([&] { return fmt::format("{}: {}", name(), explain(token, decision)); });
  watch_takeover(token, before, known);
  const bool moved = decision.kind == Decision::Kind::kRefer &&
                     (decision.refer.flags & (kNewSession | kTakeover)) == 0;
  if (sabotaged(Sabotage::kServesWhatItLost) && moved) decision.kind = Decision::Kind::kServe;
  const bool took = node_->counters().takeovers_warm > before.takeovers_warm;
  if (sabotaged(Sabotage::kRefusesTakeovers) && took) decision.kind = Decision::Kind::kUnavailable;
  return decision;
}

void SimServer::watch_takeover(const SessionToken& token, const NodeCounters& before,
                               const std::optional<SessionReport>& known) {
  const NodeCounters& now = node_->counters();
  if (now.takeovers_cold > before.takeovers_cold) {
    if (setup_.forgets) learned_.forget(token.session);
    watcher_.cold_start(place_, token);
    watcher_.takeover(place_, token.session, token.epoch.server);
  } else if (now.takeovers_warm > before.takeovers_warm && known) {
    watcher_.takeover(place_, token.session, known->epoch.server);
  }
}

void SimServer::answer(HttpRequest request, const Reply& reply) {
  request.token = token_of(request);
  if (sabotaged(Sabotage::kSwallowsRequests) && random_.chance(kSabotagedShare)) return;
  const Decision decision = decide(request);
  settle();
  learned_.epoch(request.token.session, request.token.epoch);
  HttpResponse response;
  switch (decision.kind) {
    case Decision::Kind::kServe:
      world_.invariants.on_served(*node_, learned_, request.token);
      return execute(request, reply, std::nullopt);
    case Decision::Kind::kGuest:
      world_.invariants.on_guest(*node_, request.token, decision.refer);
      return execute(request, reply, decision.refer);
    case Decision::Kind::kWait:
      waiting_.emplace(request.token.session, std::pair(request, reply));
      return;
    case Decision::Kind::kRefer:
      world_.invariants.on_referral(*node_, request.token, decision.refer);
      response.status = 421;
      response.refer = decision.refer;
      return reply(response);
    case Decision::Kind::kGone:
    case Decision::Kind::kUnavailable:
      response.status = 503;
      response.cause = (request.token.flags & kNewSession) != 0 ? kNoPlace : "refused";
      return reply(response);
  }
}

// A guest's session is `elsewhere`.
void SimServer::execute(const HttpRequest& request, const Reply& reply,
                        const std::optional<SessionToken>& elsewhere) {
  if (request.post) {
    world_.invariants.require(world_.origin.execute(request.id), "a POST is executed twice");
  }
  after(kRetrieval, [this, request, reply, elsewhere] { retrieve(request, reply, elsewhere); });
}

void SimServer::retrieve(const HttpRequest& request, const Reply& reply,
                         const std::optional<SessionToken>& elsewhere) {
  HttpResponse response;
  response.status = 200;
  response.server = node_->self();
  if (!request.post) {
    const Instant now = world_.heap.now();
    const auto content = world_.origin.content(request.item);
    Retrieved item{request.token.session, request.cache, ItemKey::of(Origin::target(request.item)),
                   request.announced, content};
    watch_vouching(request, item.key);
    item.promised = {now, node_->freshness().mark(), kHost, {Origin::lifetime(request.item), {}}};
    Comparison result = node_->on_retrieved(now, item);
    world_.origin.promise(now, request.item, result.validator);
    fetched_.insert(request.item);
    if (sabotaged(Sabotage::kReusesUnseen) && !request.announced.empty()) {
      result.answer = Comparison::Answer::kReuseByValidator;
    }
    response.status = result.answer == Comparison::Answer::kSend ? 200 : 304;
    response.reuse_by_mirror = result.answer == Comparison::Answer::kReuseByMirror;
    response.etag = result.validator;
    response.version = world_.origin.version(request.item);
  }
  response.token = elsewhere;
  if (!elsewhere) set_token(request, response);
  node_->on_request_end(request.token.session);
  world_.note("response", place_, static_cast<unsigned>(response.status), response.version);
  settle();
  reply(response);
}

// Would a whole-cache validation call the client's copy current? For how long?
void SimServer::watch_vouching(const HttpRequest& request, ItemKey key) {
  const Instant now = world_.heap.now();
  for (const Validator& held : request.announced) {
    const auto left = node_->freshness().current(now, kHost, {key, held}, std::nullopt);
    if (!left) continue;
    world_.invariants.require(now + *left <= world_.origin.promised_until(held),
                              "an item is called current for longer than its source promised");
    if (fetched_.count(request.item) == 0) ++vouched_unfetched_;
  }
}

void SimServer::set_token(const HttpRequest& request, HttpResponse& response) {
  response.token = node_->token_to_set(wall(), request.token);
  if (!response.token) return;
  SessionToken& token = *response.token;
  if (sabotaged(Sabotage::kNamesItselfTwice)) token.alternate = token.primary;
  if (sabotaged(Sabotage::kKeepsEpochOnTakeover) && (request.token.flags & kTakeover) != 0) {
    token.epoch = request.token.epoch;
  }
  world_.invariants.on_token(*node_, learned_, request.token, token);
}

void SimServer::decide_waiting(SessionId session) {
  const auto [first, last] = waiting_.equal_range(session);
  std::vector<std::pair<HttpRequest, Reply>> decided;
  for (auto one = first; one != last; ++one) decided.push_back(std::move(one->second));
  waiting_.erase(first, last);
  for (const auto& [request, reply] : decided) answer(request, reply);
}

// --- the event loop -----------------------------------------------------------------------------

void SimServer::send_out() {
  for (auto& [to, message] : out_.take()) {
    const auto link = peers_.find(to);
    world_.invariants.require(link != peers_.end(), "a message for a peer without a link");
    if (link == peers_.end()) continue;
    world_.network.send(link->second.channel, link->second.end, share(std::move(message)));
  }
}

void SimServer::settle() {
  node_->flush(world_.heap.now(), out_);
  send_out();
  push_status(true);
  const auto settled = node_->take_settled();
  for (const SessionId session : settled) decide_waiting(session);
  if (++events_ % kBoundsInterval == 0) check_bounds();
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
