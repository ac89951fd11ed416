// The servers: their connections with balancers and with each other, and their buddy watches.
#include <fmt/format.h>

#include <algorithm>

#include "server/core/neighbourhood.h"
#include "tests/scenario/world.h"

namespace tandem::scenario {
namespace {

const char* text_of(Seen seen) {
  switch (seen) {
    case Seen::kClosed:
      return "its connection ended";
    case Seen::kSilent:
      return "it does not answer";
    case Seen::kUnreachable:
      return "it cannot be connected to";
    default:
      return "it failed";
  }
}

}  // namespace

// --- what may happen ----------------------------------------------------------------------------

void World::begin_server(const std::string& name, const std::string& zone) {
  const auto [it, is_new] = servers_.try_emplace(name);
  Server& server = it->second;
  server.name = name;
  if (is_new) server.zone = zone;
  ++server.life;
  server.alive = server.host = true;
  server.frozen = server.leaving = false;
  server.view = nullptr;
  server.linked.clear();
  server.connections.clear();
  server.inbox.clear();
  server.watch =
      std::make_unique<BuddyWatch>(ServerId::of(name), BuddyWatch::Options{kInterval, false});
  server.sources = std::make_unique<ViewSources>(balancers_.size(), ViewSources::Options{});
  for (auto& [_, balancer] : balancers_) connect(server, balancer);
  tick(server, server.life);
}

void World::kill_server(Server& server) {
  server.alive = false;
  for (const auto& [name, connection] : std::exchange(server.connections, {})) {
    if (!apart(server.name, name)) lose(balancers_.at(name), connection);
  }
  for (const std::string& name : std::exchange(server.linked, {})) {
    Server& peer = servers_.at(name);
    if (apart(server.name, name)) continue;
    to_server(peer, [this, &peer, gone = server.name] {
      if (peer.linked.erase(gone) == 0) return;
      peer.watch->on_channel_down(now_, ServerId::of(gone), out_);
      settle(peer);
    });
  }
}

void World::vanish(const std::string& name) {
  Server& server = servers_.at(name);
  server.alive = server.host = false;
  server.connections.clear();
  server.linked.clear();
}

void World::freeze(const std::string& name) { servers_.at(name).frozen = true; }

void World::thaw(const std::string& name) {
  Server& server = servers_.at(name);
  server.frozen = false;
  for (const auto& event : std::exchange(server.inbox, {})) event();
  server.watch->on_deadline(now_, out_);
  settle(server);
  link_all(server);
}

void World::stop(const std::string& name) {
  Server& server = servers_.at(name);
  server.leaving = true;
  say(name + " says that it leaves");
  tell_balancers(server, Leave{});
  after(kGoodbye, [this, &server, life = server.life] {
    if (server.alive && server.life == life) kill_server(server);
  });
}

void World::accuse(const std::string& by, const std::string& suspect) {
  const Server& accused = servers_.at(suspect);
  tell_balancers(servers_.at(by),
                 FailureReport{ServerId::of(suspect), accused.life, Seen::kSilent});
}

// --- with balancers -----------------------------------------------------------------------------

// What comes to a process; while it stands still it waits there.
void World::to_server(Server& to, std::function<void()> event) {
  after(kTrip, [&to, life = to.life, event = std::move(event)] {
    if (!to.alive || to.life != life) return;
    if (to.frozen) {
      to.inbox.push_back(event);
    } else {
      event();
    }
  });
}

void World::connect(Server& server, Balancer& balancer) {
  if (!server.runs() || !balancer.alive || server.leaving) return;
  if (apart(server.name, balancer.name) || server.connections.count(balancer.name) != 0) return;
  const ConnectionId connection = ++connections_;
  server.connections[balancer.name] = connection;
  balancer.peers[connection] = server.name;
  server.sources->on_connected(balancer.number, now_);
  const std::string& name = server.name;
  const Status status{++server.statuses, 0, 1000, 800, 0, false};
  to_balancer(name, balancer, connection, Hello{.name = name, .incarnation = server.life});
  to_balancer(name, balancer, connection,
              Register{name + ":80", name + ":90", server.zone, "default", status});
  to_balancer(name, balancer, connection, ViewRequest{});
  for (const FailureReport& report : server.watch->suspects()) {
    to_balancer(name, balancer, connection, report);
  }
}

void World::on_balancer_message(Server& server, Balancer& from, const Message& message) {
  server.sources->on_heard(from.number, now_);
  server.watch->on_message(now_, BuddyWatch::kBalancers, message, out_);
  settle(server);
  const ConnectionId on = server.connections.at(from.name);
  if (const auto* whole = std::get_if<ViewUpdate>(&message)) {
    server.sources->on_view(from.number, whole->view);
  } else if (const auto* delta = std::get_if<ViewDelta>(&message)) {
    if (!server.sources->on_delta(from.number, *delta)) {
      to_balancer(server.name, from, on, ViewRequest{});
    }
  } else if (const auto* ping = std::get_if<Ping>(&message)) {
    to_balancer(server.name, from, on, Pong{ping->number, 0});
  } else if (const auto* refused = std::get_if<Refused>(&message)) {
    say(fmt::format("{} is refused by {}: {}", server.name, from.name, refused->reason));
  }
  follow(server);
}

void World::on_balancer_lost(Server& server, Balancer& balancer) {
  server.sources->on_lost(balancer.number);
  follow(server);
}

void World::tell_balancers(Server& server, const Message& message) {
  if (const auto* report = std::get_if<FailureReport>(&message)) {
    say(fmt::format("{} reports {}: {}", server.name, name_of(report->suspect),
                    text_of(report->seen)));
  } else if (const auto* looked = std::get_if<Looked>(&message)) {
    say(fmt::format("{} has looked: it {} {}", server.name,
                    looked->reached ? "reaches" : "cannot reach", name_of(looked->server)));
  }
  for (const auto& [name, connection] : server.connections) {
    to_balancer(server.name, balancers_.at(name), connection, message);
  }
}

// Its status, and a look at whose view counts.
void World::tick(Server& server, std::uint64_t life) {
  if (!server.alive || server.life != life || server.leaving) return;
  if (!server.frozen) {
    tell_balancers(server, StatusReport{{++server.statuses, 0, 1000, 800, 0, false}});
    follow(server);
  }
  after(kInterval, [this, &server, life] { tick(server, life); });
}

// --- with each other ----------------------------------------------------------------------------

void World::follow(Server& server) {
  const ViewPtr view = server.sources->follow(now_);
  if (view == nullptr || view == server.view) return;
  const bool other = server.view != nullptr && view->maker != server.view->maker;
  server.view = view;
  if (other) {
    const auto leader = std::find_if(balancers_.begin(), balancers_.end(), [&](const auto& one) {
      return one.second.number == server.sources->leader();
    });
    say(fmt::format("{} works from the view {} that {} tells", server.name, view->version,
                    leader == balancers_.end() ? "nobody" : leader->first));
  }
  Neighbourhood around = neighbourhood_of(ServerId::of(server.name), *view);
  for (Neighbourhood::Buddy& buddy : around.buddies) {
    buddy.linked = server.linked.count(name_of(buddy.id)) != 0;
  }
  server.watch->set_neighbourhood(now_, around, out_);
  settle(server);
  link_all(server);
}

// It links to all that its view says are online, and closes the links with the others.
void World::link_all(Server& server) {
  if (server.view == nullptr) return;
  const ServerRecord* self = server.view->find(ServerId::of(server.name));
  if (self == nullptr || !self->online) return;
  for (const ServerRecord& record : server.view->servers) {
    if (record.name == server.name) continue;
    Server& peer = servers_.at(record.name);
    const bool linked = server.linked.count(record.name) != 0;
    if (record.online && !linked) {
      after(kTrip, [this, &server, &peer] { link(server, peer); });
    } else if (!record.online && linked) {
      unlink(server, peer);
    }
  }
}

void World::link(Server& a, Server& b) {
  if (!a.runs() || !b.runs() || a.leaving || b.leaving || apart(a.name, b.name)) return;
  for (auto [one, other] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
    if (!one->linked.insert(other->name).second) continue;
    one->watch->on_channel_up(now_, ServerId::of(other->name), out_);
    settle(*one);
  }
}

void World::unlink(Server& a, Server& b) {
  a.linked.erase(b.name);
  a.watch->on_channel_down(now_, ServerId::of(b.name), out_);
  settle(a);
  if (apart(a.name, b.name)) return;
  to_server(b, [this, &b, gone = a.name] {
    if (b.linked.erase(gone) == 0) return;
    b.watch->on_message(now_, ServerId::of(gone), Suspect{ServerId::of(b.name), b.life, {}}, out_);
    b.watch->on_channel_down(now_, ServerId::of(gone), out_);
    settle(b);
  });
}

// Sends what its watch wants sent.
void World::settle(Server& server) {
  for (auto& envelope : out_.take()) {
    if (envelope.to == BuddyWatch::kBalancers) {
      tell_balancers(server, envelope.message);
      continue;
    }
    const std::string to = name_of(envelope.to);
    if (server.linked.count(to) == 0 || apart(server.name, to)) continue;
    if (const auto* suspect = std::get_if<Suspect>(&envelope.message)) {
      say(fmt::format("{} tells {}, the other buddy of {}", server.name, to,
                      name_of(suspect->suspect)));
    }
    Server& peer = servers_.at(to);
    to_server(peer, [this, &peer, from = server.name, message = std::move(envelope.message)] {
      if (peer.linked.count(from) == 0) return;
      peer.watch->on_message(now_, ServerId::of(from), message, out_);
      settle(peer);
    });
  }
}

std::vector<std::string> World::watches() const {
  std::vector<std::string> lines;
  for (const auto& [name, server] : servers_) {
    if (!server.runs()) continue;
    std::vector<std::string> names;
    for (const BuddyWatch::LinkReport& one : server.watch->links()) {
      const bool suspected = one.state == BuddyWatch::LinkState::kSuspected;
      names.push_back(name_of(one.buddy) + (suspected ? " (suspected)" : ""));
    }
    lines.push_back(
        fmt::format("{} watches {}", name,
                    names.empty() ? "nobody" : fmt::format("{}", fmt::join(names, " and "))));
  }
  return lines;
}

}  // namespace tandem::scenario
