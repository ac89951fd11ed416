#include "tests/sim/sim_balancer.h"

#include <utility>
#include <variant>

namespace tandem::sim {
namespace {

constexpr Duration kResponseTimeout = 60s;
constexpr Duration kHeldPoll = 100ms;  // a partition holds a response: look again
constexpr double kReusedShare = 0.5;   // of the connections to servers

}  // namespace

SimBalancer::SimBalancer(World& world, Place place,
                         std::vector<std::unique_ptr<SimServer>>& servers)
    : world_(world),
      place_(place),
      servers_(servers),
      random_(world.random.fork(100)),
      membership_(world.heap.now(), {}),
      assignment_(random_.fork(1), 1) {}

// --- the control wire ---------------------------------------------------------------------------

std::optional<Network::ChannelId> SimBalancer::accept(Place from, Network::Handlers at_server) {
  if (world_.network.cut_off(from, place_)) return std::nullopt;
  const auto id = std::make_shared<Network::ChannelId>(0);
  Network::Handlers here{.deliver =
                             [this, id](const MessagePtr& message) {
                               MembershipActions actions;
                               membership_.on_message(world_.heap.now(), *id, *message, actions);
                               for (const MembershipAction& action : actions) carry_out(action);
                               drive();
                             },
                         .closed =
                             [this, id] {
                               MembershipActions actions;
                               membership_.on_connection_lost(world_.heap.now(), *id, actions);
                               for (const MembershipAction& action : actions) carry_out(action);
                               drive();
                             }};
  *id = world_.network.open(from, place_, std::move(at_server), std::move(here));
  places_.emplace(servers_[from]->id(), from);
  return *id;
}

void SimBalancer::drive() {
  MembershipActions actions;
  membership_.on_deadline(world_.heap.now(), actions);
  for (const MembershipAction& action : actions) carry_out(action);
  const Instant next = membership_.next_deadline();
  if (next == kNever || (wakes_ > world_.heap.now() && wakes_ <= next)) return;
  const Instant wake = std::max(next, world_.heap.now() + 1us);
  wakes_ = wake;
  world_.heap.at(wake, [this, wake] {
    if (wakes_ == wake) wakes_ = kNever;
    drive();
  });
}

void SimBalancer::carry_out(const MembershipAction& action) {
  if (const auto* start = std::get_if<StartProbe>(&action)) {
    probe(*start);
  } else if (const auto* send = std::get_if<SendMessage>(&action)) {
    send_to(send->to, std::make_shared<const Message>(send->message));
  } else if (const auto* cast = std::get_if<Broadcast>(&action)) {
    const auto message = std::make_shared<const Message>(cast->message);
    for (const ConnectionId to : cast->to) send_to(to, message);
  } else if (const auto* close = std::get_if<CloseConnection>(&action)) {
    world_.network.reset(close->connection);
  } else if (const auto* view = std::get_if<PublishView>(&action)) {
    on_view(view->view);
  } else if (const auto* status = std::get_if<PublishStatus>(&action)) {
    for (const StatusUpdate::Entry& entry : status->update.entries) {
      assignment_.on_status(entry.server, entry.status);
    }
  }
}

void SimBalancer::send_to(ConnectionId channel, MessagePtr message) {
  world_.network.send(channel, 1, std::move(message));
}

void SimBalancer::probe(const StartProbe& probe) {
  const auto report = [this, probe](bool answered) {
    MembershipActions actions;
    membership_.on_probe_result(world_.heap.now(), probe.server, probe.serial, answered, "",
                                actions);
    for (const MembershipAction& action : actions) carry_out(action);
    drive();
  };
  const auto place = place_of(probe.server);
  const Host& host = servers_[*place]->host();
  if (world_.network.cut_off(place_, *place) || host.paused()) {
    world_.heap.after(world_.faults.probe_timeout, [report] { report(false); });
  } else {
    world_.heap.after(world_.network.delay(), [report, alive = host.alive()] { report(alive); });
  }
}

void SimBalancer::on_view(const ViewPtr& view) {
  world_.note("view", view->version);
  index_ = ViewIndex(view);
  assignment_.on_view(*view);
  std::vector<CallId> concerned;
  for (const auto& [id, call] : calls_) {
    if (!call.waiting) continue;
    if (index_.online_slot(servers_[call.place]->id()) == ViewIndex::kNoSlot) {
      concerned.push_back(id);
    }
  }
  for (const CallId id : concerned) follow(id, calls_.at(id).exchange.on_offline(), {});
}

// --- the data wire ------------------------------------------------------------------------------

void SimBalancer::request(const SessionToken* token, HttpRequest request, Reply reply) {
  const CallId id = ++last_call_;
  Call& call = calls_[id];
  call.exchange = Exchange(true);
  if (token != nullptr) call.client = *token;
  call.request = std::move(request);
  call.request.token.session = {random_.next(), random_.next()};  // the fresh id, if one is needed
  call.reply = std::move(reply);
  budget_.on_request();
  route_call(id);
}

void SimBalancer::route_call(CallId id) {
  Call& call = calls_.at(id);
  const SessionToken* client = call.client ? &*call.client : nullptr;
  const Route way = route(client, index_, assignment_, call.exchange.failed());
  if (way.slot == ViewIndex::kNoSlot) return follow(id, call.exchange.on_no_route(), {});
  const SessionId fresh = call.request.token.session;
  call.request.token = request_token(way, client, index_, fresh, world_.wall());
  if (way.flags == kNoFlags) call.request.token = *client;  // verbatim
  attempt(id, index_.at(way.slot).id, random_.chance(kReusedShare));
}

void SimBalancer::attempt(CallId id, ServerId server, bool reused) {
  Call& call = calls_.at(id);
  call.place = *place_of(server);
  call.waiting = true;
  const std::uint64_t number = ++call.attempt;
  call.exchange.on_attempt(server, reused);
  world_.note("attempt", id, server.value, call.request.token.flags);
  if (!servers_[call.place]->host().alive()) {
    world_.heap.after(world_.network.delay(), [this, id, number] {
      Call* waiting = waiting_call(id, number);
      if (waiting != nullptr) follow(id, waiting->exchange.on_connect_failed(), {});
    });
    return;
  }
  if (world_.network.cut_off(place_, call.place)) {
    world_.heap.after(world_.faults.connect_timeout, [this, id, number] {
      Call* waiting = waiting_call(id, number);
      if (waiting != nullptr) follow(id, waiting->exchange.on_connect_failed(), {});
    });
    return;
  }
  call.exchange.on_sent();
  const std::uint64_t incarnation = servers_[call.place]->host().incarnation();
  world_.heap.after(world_.network.delay(),
                    [this, id, number, incarnation, place = call.place, request = call.request] {
                      const Host& host = servers_[place]->host();
                      if (host.alive() && host.incarnation() == incarnation)
                        arrive(id, number, place, request);
                    });
  world_.heap.after(kResponseTimeout, [this, id, number] {
    Call* waiting = waiting_call(id, number);
    if (waiting != nullptr) follow(id, waiting->exchange.on_timeout(), {});
  });
}

// What was sent reaches the server, even if it was given up here meanwhile.
void SimBalancer::arrive(CallId id, std::uint64_t number, Place place, const HttpRequest& request) {
  servers_[place]->handle(request, [this, id, number](const HttpResponse& response) {
    world_.heap.after(world_.network.delay(),
                      [this, id, number, response] { await_response(id, number, response); });
  });
}

void SimBalancer::await_response(CallId id, std::uint64_t number, const HttpResponse& response) {
  Call* call = waiting_call(id, number);
  if (call == nullptr) return;
  if (!world_.network.blocked(call->place, place_)) return on_response(id, response);
  world_.heap.after(kHeldPoll,
                    [this, id, number, response] { await_response(id, number, response); });
}

void SimBalancer::on_response(CallId id, const HttpResponse& response) {
  Call& call = calls_.at(id);
  call.waiting = false;
  if (response.status == 421) return follow(id, call.exchange.on_referral(), response);
  const auto reply = std::move(call.reply);
  calls_.erase(id);
  reply(response);
}

void SimBalancer::follow(CallId id, const Verdict& verdict, const HttpResponse& response) {
  Call& call = calls_.at(id);
  world_.note("verdict", id, static_cast<unsigned>(verdict.step), verdict.status);
  const ServerId tried = call.exchange.server();
  if (verdict.step != Step::kWait) call.waiting = false;
  switch (verdict.step) {
    case Step::kTakeover:
      route_call(id);
      break;
    case Step::kResendFresh:
      attempt(id, tried, false);
      break;
    case Step::kRefer:
      if (index_.slot(response.refer.primary) == ViewIndex::kNoSlot) {
        answer(id, 502);
      } else {
        call.request.token = response.refer;
        attempt(id, response.refer.primary, random_.chance(kReusedShare));
      }
      break;
    case Step::kAnswer:
    case Step::kAbort:
      answer(id, verdict.status);
      break;
    case Step::kWait:
    case Step::kRelay:
      break;
  }
  if (!verdict.report_failure) return;
  MembershipActions actions;
  membership_.on_failure_report(world_.heap.now(), tried, actions);
  for (const MembershipAction& action : actions) carry_out(action);
  drive();
}

void SimBalancer::answer(CallId id, int status) {
  const auto node = calls_.extract(id);
  HttpResponse response;
  response.status = status;
  node.mapped().reply(response);
}

void SimBalancer::on_killed(Place place) {
  for (const auto& [id, call] : calls_) {
    if (!call.waiting || call.place != place) continue;
    world_.heap.after(world_.network.delay(), [this, id = id, number = call.attempt] {
      Call* waiting = waiting_call(id, number);
      if (waiting != nullptr) follow(id, waiting->exchange.on_broken(budget_), {});
    });
  }
}

SimBalancer::Call* SimBalancer::waiting_call(CallId id, std::uint64_t number) {
  const auto found = calls_.find(id);
  if (found == calls_.end() || !found->second.waiting || found->second.attempt != number) {
    return nullptr;
  }
  return &found->second;
}

std::optional<Place> SimBalancer::place_of(ServerId server) const {
  const auto found = places_.find(server);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tandem::sim
