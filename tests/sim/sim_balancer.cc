#include "tests/sim/sim_balancer.h"

#include <utility>
#include <variant>

#include "common/session/token_codec.h"

namespace tandem::sim {
namespace {

constexpr Duration kResponseTimeout = 60s;
constexpr Duration kHeldPoll = 100ms;  // a partition holds a response: look again
constexpr double kReusedShare = 0.5;   // of the connections to servers
constexpr double kSabotagedShare = 0.1;

}  // namespace

SimBalancer::SimBalancer(World& world, Place place, Servers& servers, const Options& options)
    : world_(world),
      place_(place),
      servers_(servers),
      options_(options),
      random_(world.random.fork(100 + place)) {
  for (const auto& server : servers) places_.emplace(server->id(), server->place());
}

void SimBalancer::start() {
  host_.start();
  Membership::Options membership;
  membership.balancers = options_.balancers;
  membership.master.hold_back = 1s;  // nobody is held back when the faults have ended
  membership.master.hold_back_max = 4s;
  membership.master.seed = 1000 * place_ + host_.incarnation();
  membership.first_version = host_.incarnation() << 32;  // greater than those of earlier lives
  membership.maker = membership.first_version + place_ + 1;
  life_ = std::make_unique<Life>(world_.heap.now(), random_, membership);
  life_->skew = world_.new_skew();
  world_.note("balancer", place_, host_.incarnation());
  if (directory_.version == 0) return;
  life_->membership.restore(world_.heap.now(), directory_.contents());
  drive();
}

void SimBalancer::kill() {
  world_.note("kill", place_);
  host_.kill();
  world_.network.vanish(place_);
  life_.reset();
}

void SimBalancer::after(Duration delay, std::function<void()> work) {
  world_.heap.after(delay, [this, incarnation = host_.incarnation(), work = std::move(work)] {
    host_.run(incarnation, work);
  });
}

void SimBalancer::Directory::store(const DirectoryChange& change) {
  version = change.view_version;
  if (change.drained) drained = *change.drained;
  for (const ServerRow& row : change.servers) servers[row.id] = row;
  for (const BuddiesRow& row : change.buddies) buddies[row.server] = row;
  for (const ServerId server : change.removed) {
    servers.erase(server);
    buddies.erase(server);
  }
}

DirectoryContents SimBalancer::Directory::contents() const {
  DirectoryContents contents;
  contents.view_version = version;
  contents.drained = drained;
  for (const auto& [id, row] : servers) contents.servers.push_back(row);
  for (const auto& [id, row] : buddies) {
    if (row.first) contents.buddies.push_back(row);
  }
  return contents;
}

// --- the control wire ---------------------------------------------------------------------------

std::optional<Network::ChannelId> SimBalancer::accept(Place from, Network::Handlers at_server) {
  if (!host_.alive() || host_.paused() || world_.network.cut_off(from, place_)) return std::nullopt;
  const auto id = std::make_shared<Network::ChannelId>(0);
  const std::uint64_t life = host_.incarnation();
  Network::Handlers here{.deliver =
                             [this, id, life](const MessagePtr& message) {
                               host_.run(life, [this, id, message] {
                                 drive([&](Membership& machine, MembershipActions& actions) {
                                   machine.on_message(world_.heap.now(), *id, *message, actions);
                                 });
                               });
                             },
                         .closed =
                             [this, id, life] {
                               host_.run(life, [this, id] {
                                 drive([&](Membership& machine, MembershipActions& actions) {
                                   machine.on_connection_lost(world_.heap.now(), *id, actions);
                                 });
                               });
                             }};
  *id = world_.network.open(from, place_, std::move(at_server), std::move(here));
  return *id;
}

void SimBalancer::drive(const Machine& event) {
  MembershipActions actions;
  event(life_->membership, actions);
  for (const MembershipAction& action : actions) carry_out(action);
  drive();
}

void SimBalancer::drive() {
  MembershipActions actions;
  life_->membership.on_deadline(world_.heap.now(), actions);
  for (const MembershipAction& action : actions) carry_out(action);
  const Instant next = life_->membership.next_deadline();
  Instant& wakes = life_->wakes;
  if (next == kNever || (wakes > world_.heap.now() && wakes <= next)) return;
  const Instant wake = std::max(next, world_.heap.now() + 1us);
  wakes = wake;
  after(wake - world_.heap.now(), [this, wake] {
    if (life_->wakes == wake) life_->wakes = kNever;
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
  } else if (const auto* change = std::get_if<StoreChange>(&action)) {
    directory_.store(change->change);
  } else if (const auto* status = std::get_if<PublishStatus>(&action)) {
    for (const StatusUpdate::Entry& entry : status->update.entries) {
      life_->assignment.on_status(entry.server, entry.status);
    }
  }
}

void SimBalancer::send_to(ConnectionId channel, MessagePtr message) {
  world_.network.send(channel, 1, std::move(message));
}

void SimBalancer::probe(const StartProbe& probe) {
  const auto report = [this, probe](ProbeResult result) {
    drive([&](Membership& machine, MembershipActions& actions) {
      machine.on_probe_result(world_.heap.now(), probe.server, probe.serial, result, "", actions);
    });
  };
  const auto place = place_of(probe.server);
  const Host& host = servers_[*place]->host();
  if (world_.network.cut_off(place_, *place) || host.paused()) {
    const Duration timeout = probe.timeout > 0s ? probe.timeout : world_.faults.probe_timeout;
    after(timeout, [report] { report(ProbeResult::kFailed); });
  } else {
    const auto result = host.alive() ? ProbeResult::kAnswered : ProbeResult::kRefused;
    after(world_.network.delay(), [report, result] { report(result); });
  }
}

void SimBalancer::on_view(const ViewPtr& view) {
  world_.note("view", place_, view->version);
  life_->index = ViewIndex(view);
  life_->assignment.on_view(*view);
  std::vector<std::pair<CallId, std::uint64_t>> concerned;
  for (const auto& [id, call] : life_->calls) {
    if (!call.waiting) continue;
    if (life_->index.online_slot(servers_[call.place]->id()) == ViewIndex::kNoSlot) {
      concerned.emplace_back(id, call.attempt);
    }
  }
  for (const auto& [id, number] : concerned) {
    fail_call(id, number, &Exchange::on_offline, "offline");
  }
}

// --- the data wire ------------------------------------------------------------------------------

// Is the token young enough, by this process's clock?
bool SimBalancer::opens(const SessionToken& token) const {
  return token_is_young(token.issued, token.flags, wall(), options_.token_ttl);
}

void SimBalancer::request(const SessionToken* token, HttpRequest request, Reply reply) {
  if (token != nullptr) request.token = *token;
  here([this, has_token = token != nullptr, request = std::move(request),
        reply = std::move(reply)]() mutable {
    const CallId id = ++last_call_;
    Call& call = life_->calls[id];
    call.exchange = Exchange(!request.post || options_.sabotage == Sabotage::kResendsAnything);
    const bool forgets =
        options_.sabotage == Sabotage::kForgetsSessions && random_.chance(kSabotagedShare);
    if (has_token && !opens(request.token)) {
      ++tokens_refused_;
    } else if (has_token && !forgets) {
      call.client = request.token;
    }
    call.request = std::move(request);
    call.request.token = {};
    call.request.token.session = {random_.next(), random_.next()};  // if a fresh id is needed
    call.reply = std::move(reply);
    life_->budget.on_request();
    route_call(id);
  });
}

void SimBalancer::route_call(CallId id) {
  Call& call = life_->calls.at(id);
  const SessionToken* client = call.client ? &*call.client : nullptr;
  Route way = route(client, life_->index, life_->assignment, call.exchange.failed());
  if (way.kind == RouteKind::kTakeover && options_.sabotage == Sabotage::kForgetsAlternate) {
    std::vector<ServerId> failed(call.exchange.failed().begin(), call.exchange.failed().end());
    failed.push_back(client->alternate);
    way = route(client, life_->index, life_->assignment, failed);
  }
  if (way.slot == ViewIndex::kNoSlot) {
    call.cause = client == nullptr ? kNoPlace : "no server";
    return follow(id, call.exchange.on_no_route(), {});
  }
  const SessionId fresh = call.request.token.session;
  const bool takes = way.kind == RouteKind::kWarm && client->alternate &&
                     options_.sabotage == Sabotage::kTakesFromLiving &&
                     life_->index.online_slot(client->alternate) != ViewIndex::kNoSlot &&
                     random_.chance(kSabotagedShare);
  if (takes) way = {RouteKind::kTakeover, life_->index.slot(client->alternate), kTakeover};
  call.request.token = request_token(way, client, life_->index, fresh, wall());
  if (way.flags == kNoFlags) call.request.token = *client;  // verbatim
  attempt(id, life_->index.at(way.slot).id, random_.chance(kReusedShare));
}

void SimBalancer::attempt(CallId id, ServerId server, bool reused) {
  Call& call = life_->calls.at(id);
  call.place = *place_of(server);
  call.waiting = true;
  const std::uint64_t number = ++call.attempt;
  call.exchange.on_attempt(server, reused);
  world_.note("attempt", id, server.value, call.request.token.flags);
  const bool dead = !servers_[call.place]->host().alive();
  if (dead || world_.network.cut_off(place_, call.place)) {
    return after(dead ? world_.network.delay() : world_.faults.connect_timeout, [this, id, number] {
      fail_call(id, number, &Exchange::on_connect_failed, "no connection");
    });
  }
  call.exchange.on_sent();
  send(id, number, world_.network.delay() + world_.drip());
  if (!call.request.post && world_.hit(world_.faults.request_double_chance)) {
    send(id, number, world_.network.delay() + world_.drip());
  }
  if (world_.hit(world_.faults.request_reset_chance)) {
    after(world_.network.delay() * 2, [this, id, number] { break_call(id, number, "reset"); });
  }
  after(kResponseTimeout,
        [this, id, number] { fail_call(id, number, &Exchange::on_timeout, "timeout"); });
}

void SimBalancer::send(CallId id, std::uint64_t number, Duration in) {
  const Call& call = life_->calls.at(id);
  const std::uint64_t incarnation = servers_[call.place]->host().incarnation();
  world_.heap.after(in, [this, id, number, incarnation, life = host_.incarnation(),
                         place = call.place, request = call.request] {
    const Host& host = servers_[place]->host();
    if (!host.alive() || host.incarnation() != incarnation) return;
    servers_[place]->handle(request, [this, id, number, life](const HttpResponse& response) {
      world_.heap.after(world_.network.delay() + world_.drip(), [this, id, number, life, response] {
        host_.run(life, [this, id, number, response] { await_response(id, number, response); });
      });
    });
  });
}

void SimBalancer::await_response(CallId id, std::uint64_t number, const HttpResponse& response) {
  Call* call = waiting_call(id, number);
  if (call == nullptr) return;
  if (!world_.network.blocked(call->place, place_)) return on_response(id, response);
  after(kHeldPoll, [this, id, number, response] { await_response(id, number, response); });
}

void SimBalancer::on_response(CallId id, const HttpResponse& response) {
  Call& call = life_->calls.at(id);
  call.waiting = false;
  if (response.status == 421) {
    call.cause = "referred";
    return follow(id, call.exchange.on_referral(), response);
  }
  const auto reply = std::move(call.reply);
  life_->calls.erase(id);
  reply(response);
}

void SimBalancer::fail_call(CallId id, std::uint64_t number, Verdict (Exchange::*event)(),
                            const char* cause) {
  Call* call = waiting_call(id, number);
  if (call == nullptr) return;
  call->cause = cause;
  follow(id, (call->exchange.*event)(), {});
}

void SimBalancer::break_call(CallId id, std::uint64_t number, const char* cause) {
  Call* call = waiting_call(id, number);
  if (call == nullptr) return;
  call->cause = cause;
  follow(id, call->exchange.on_broken(life_->budget), {});
}

void SimBalancer::follow(CallId id, const Verdict& verdict, const HttpResponse& response) {
  Call& call = life_->calls.at(id);
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
      refer(id, response.refer);
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
  drive([&](Membership& machine, MembershipActions& actions) {
    machine.on_failure_report(world_.heap.now(), tried, actions);
  });
}

void SimBalancer::refer(CallId id, const SessionToken& refer) {
  Call& call = life_->calls.at(id);
  // Of an answer to what was just asked the age is not looked at.
  if (life_->index.slot(refer.primary) == ViewIndex::kNoSlot) {
    call.cause = "referred to a stranger";
    return answer(id, 502);
  }
  if (supersedes(refer, call.client ? &*call.client : nullptr)) call.client = refer;
  call.request.token = refer;
  attempt(id, refer.primary, random_.chance(kReusedShare));
}

void SimBalancer::answer(CallId id, int status) {
  const auto node = life_->calls.extract(id);
  HttpResponse response;
  response.status = status;
  response.cause = node.mapped().cause;
  node.mapped().reply(response);
}

void SimBalancer::on_killed(Place place) {
  if (!host_.alive()) return;
  for (const auto& [id, call] : life_->calls) {
    if (!call.waiting || call.place != place) continue;
    after(world_.network.delay(),
          [this, id = id, number = call.attempt] { break_call(id, number, "server died"); });
  }
}

SimBalancer::Call* SimBalancer::waiting_call(CallId id, std::uint64_t number) {
  const auto found = life_->calls.find(id);
  if (found == life_->calls.end()) return nullptr;
  Call& call = found->second;
  return call.waiting && call.attempt == number ? &call : nullptr;
}

std::optional<Place> SimBalancer::place_of(ServerId server) const {
  const auto found = places_.find(server);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tandem::sim
