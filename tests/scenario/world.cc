// The balancers, and time.
#include "tests/scenario/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::scenario {

// --- time ---------------------------------------------------------------------------------------

void World::after(Duration delay, std::function<void()> event) {
  events_.emplace(now_ + delay, std::move(event));
}

void World::run(Duration span) {
  const Instant end = now_ + span;
  for (;;) {
    Instant next = events_.empty() ? kNever : events_.begin()->first;
    for (const auto& [name, balancer] : balancers_) {
      if (!balancer.alive) continue;
      next = std::min(next, balancer.machine->next_deadline());
      if (balancer.follower) next = std::min(next, balancer.follower->next_deadline());
    }
    for (const auto& [name, server] : servers_) {
      if (server.runs()) next = std::min(next, server.watch->next_deadline());
    }
    if (next > end) break;
    now_ = std::max(now_, next);
    while (!events_.empty() && events_.begin()->first <= now_) {
      auto event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      event();
    }
    for (auto& [name, server] : servers_) {
      if (!server.runs() || server.watch->next_deadline() > now_) continue;
      server.watch->on_deadline(now_, out_);
      settle(server);
    }
    for (auto& [name, balancer] : balancers_) pump(balancer);
  }
  now_ = end;
}

// --- what may happen ----------------------------------------------------------------------------

bool World::has(const std::string& name) const { return is_server(name) || is_balancer(name); }

void World::begin_balancer(const std::string& name, const std::string& master) {
  const auto [it, is_new] = balancers_.try_emplace(name);
  Balancer& balancer = it->second;
  if (is_new) {
    balancer.name = name;
    balancer.master = master;
    balancer.number = balancers_.size() - 1;
  }
  ++balancer.life;
  balancer.alive = true;
  Membership::Options options;
  options.status_interval = kInterval;
  options.maker = 100 * (balancer.number + 1) + balancer.life;  // another with every start
  options.has_master = !balancer.master.empty();
  balancer.machine = std::make_unique<Membership>(now_, options);
  if (balancer.master.empty()) {
    if (!balancer.directory.servers.empty()) {
      balancer.machine->restore(now_, balancer.directory);
      say(fmt::format("{}: the directory knows {} servers", name,
                      balancer.directory.servers.size()));
    }
  } else {
    balancer.follower = std::make_unique<Follower>(Follower::Options{kInterval, options.maker});
  }
  pump(balancer);
  for (auto& [_, server] : servers_) {
    after(kReconnect, [this, &server = server, &balancer] { connect(server, balancer); });
  }
  for (auto& [_, other] : balancers_) {
    after(kReconnect, [this, &other = other] { follow_master(other); });
  }
}

void World::kill_balancer(Balancer& balancer) {
  balancer.alive = false;
  balancer.peers.clear();
  for (auto& [name, server] : servers_) {
    if (server.connections.erase(balancer.name) == 0 || apart(name, balancer.name)) continue;
    to_server(server, [this, &server = server, &balancer] { on_balancer_lost(server, balancer); });
  }
  for (auto& [name, other] : balancers_) {
    if (other.master != balancer.name || !other.alive) continue;
    after(kTrip, [this, &other = other] {
      other.follower->on_lost(now_, other.upward);
      pump(other);
    });
  }
}

void World::kill(const std::string& name) {
  is_server(name) ? kill_server(servers_.at(name)) : kill_balancer(balancers_.at(name));
}

void World::cut(const std::string& a, const std::string& b) { cuts_.insert(std::minmax(a, b)); }

void World::heal(const std::string& a, const std::string& b) {
  cuts_.erase(std::minmax(a, b));
  if (is_server(a)) link_all(servers_.at(a));
}

// --- messages -----------------------------------------------------------------------------------

void World::to_balancer(const std::string& from, Balancer& to, ConnectionId on, Message message) {
  if (apart(from, to.name)) return;
  after(kTrip, [this, &to, on, life = to.life, message = std::move(message)] {
    if (!to.alive || to.life != life) return;
    const auto* report = std::get_if<FailureReport>(&message);
    if (report != nullptr && to.follower && to.machine->listens(on)) {
      to.follower->on_failure(now_, *report, to.upward);
    }
    to.machine->on_message(now_, on, message, to.actions);
    pump(to);
  });
}

void World::lose(Balancer& at, ConnectionId connection) {
  after(kTrip, [this, &at, connection, life = at.life] {
    if (!at.alive || at.life != life || at.peers.erase(connection) == 0) return;
    at.machine->on_connection_lost(now_, connection, at.actions);
    pump(at);
  });
}

void World::send(Balancer& from, ConnectionId to, const Message& message) {
  const auto peer = from.peers.find(to);
  if (peer == from.peers.end() || apart(from.name, peer->second)) return;
  if (const auto* look = std::get_if<Look>(&message)) {
    say(fmt::format("{} asks {} to look at {}", from.name, peer->second, name_of(look->server)));
  }
  if (is_balancer(peer->second)) {
    Balancer& follower = balancers_.at(peer->second);
    after(kTrip, [this, &follower, life = follower.life, message] {
      if (!follower.alive || follower.life != life) return;
      follower.follower->on_message(now_, message, follower.upward);
      pump(follower);
    });
    return;
  }
  Server& server = servers_.at(peer->second);
  to_server(server, [this, &server, &from, to, message] {
    const auto on = server.connections.find(from.name);
    if (on == server.connections.end() || on->second != to) return;
    on_balancer_message(server, from, message);
  });
}

void World::send_upward(Balancer& from, const Message& message) {
  Balancer& master = balancers_.at(from.master);
  for (const auto& [connection, name] : master.peers) {
    if (name != from.name) continue;
    if (const auto* report = std::get_if<FailureReport>(&message)) {
      say(fmt::format("{} passes on to {}: {} is reported", from.name, master.name,
                      name_of(report->suspect)));
    }
    return to_balancer(from.name, master, connection, message);
  }
}

void World::follow_master(Balancer& balancer) {
  if (!balancer.alive || !balancer.follower || balancer.follower->connected()) return;
  Balancer& master = balancers_.at(balancer.master);
  if (!master.alive || apart(balancer.name, master.name)) return;
  const ConnectionId connection = ++connections_;
  master.peers[connection] = balancer.name;
  to_balancer(balancer.name, master, connection,
              Hello{.name = "@" + balancer.name, .balancer = true});
  balancer.follower->on_connected(now_, balancer.upward);
  pump(balancer);
}

// --- what balancers do --------------------------------------------------------------------------

void World::pump(Balancer& balancer) {
  if (!balancer.alive) return;
  balancer.machine->on_deadline(now_, balancer.actions);
  do {
    for (MembershipAction& action : std::exchange(balancer.actions, {}))
      carry_out(balancer, action);
    if (!balancer.follower) continue;
    balancer.follower->on_seen(now_, balancer.machine->seen_version());
    balancer.follower->on_deadline(now_, balancer.upward);
    for (FollowerAction& action : std::exchange(balancer.upward, {})) carry_out(balancer, action);
  } while (!balancer.actions.empty());
}

void World::carry_out(Balancer& balancer, MembershipAction& action) {
  if (const auto* start = std::get_if<StartProbe>(&action)) {
    probe(balancer, *start);
  } else if (const auto* message = std::get_if<SendMessage>(&action)) {
    send(balancer, message->to, message->message);
  } else if (const auto* broadcast = std::get_if<Broadcast>(&action)) {
    for (const ConnectionId to : broadcast->to) send(balancer, to, broadcast->message);
  } else if (const auto* close = std::get_if<CloseConnection>(&action)) {
    balancer.peers.erase(close->connection);
  } else if (const auto* view = std::get_if<PublishView>(&action)) {
    publish(balancer, view->view);
  } else if (const auto* change = std::get_if<StoreChange>(&action)) {
    store(balancer, change->change);
  } else if (const auto* note = std::get_if<Note>(&action)) {
    say(fmt::format("{}: {}{}", balancer.name, note->error ? "ERROR: " : "", note->text));
  } else if (const auto* status = std::get_if<PublishStatus>(&action)) {
    if (balancer.follower) balancer.follower->on_status_seen(status->update, balancer.upward);
  }
}

void World::carry_out(Balancer& balancer, FollowerAction& action) {
  Membership& machine = *balancer.machine;
  if (const auto* tell = std::get_if<TellMaster>(&action)) {
    send_upward(balancer, tell->message);
  } else if (std::holds_alternative<TellMasterSeen>(action)) {
    send_upward(balancer, ViewUpdate{machine.seen()});
  } else if (std::holds_alternative<TellMasterFollow>(action)) {
    send_upward(balancer, Follow{machine.view_id()});
  } else if (const auto* view = std::get_if<FollowView>(&action)) {
    machine.follow(now_, *view->view);
    machine.on_deadline(now_, balancer.actions);
  } else if (const auto* status = std::get_if<FollowStatus>(&action)) {
    machine.follow_status(status->update, balancer.actions);
  } else if (std::holds_alternative<ActAlone>(action)) {
    machine.act_alone(now_);
    machine.on_deadline(now_, balancer.actions);
  } else if (const auto* note = std::get_if<FollowerNote>(&action)) {
    say(fmt::format("{}: {}", balancer.name, note->text));
  }
}

void World::probe(Balancer& by, const StartProbe& probe) {
  const Server& server = servers_.at(name_of(probe.server));
  const bool silent = !server.host || server.frozen || apart(by.name, server.name);
  const Duration most = probe.timeout == 0s ? kUsualProbe : probe.timeout;
  after(silent ? most : 2 * kTrip, [this, &by, &server, silent, life = by.life, probe] {
    if (!by.alive || by.life != life) return;
    const ProbeResult result = silent         ? ProbeResult::kFailed
                               : server.alive ? ProbeResult::kAnswered
                                              : ProbeResult::kRefused;
    const char* word = silent ? "gets no answer" : server.alive ? "is answered" : "is refused";
    say(fmt::format("{}: a probe of {} {}", by.name, server.name, word));
    by.machine->on_probe_result(now_, probe.server, probe.serial, result,
                                silent ? "no answer" : "connection refused", by.actions);
    pump(by);
  });
}

void World::publish(Balancer& balancer, const ViewPtr& view) {
  const bool news = balancer.published == nullptr || balancer.published->id() != view->id();
  balancer.published = view;
  if (!news) return;
  const bool own = view->maker / 100 == balancer.number + 1;
  say(fmt::format("{}: view {}{}, the ring is {}", balancer.name, view->version,
                  own ? "" : " of the master", ring_text(*view)));
}

// The directory, in memory; and what the transaction says.
void World::store(Balancer& balancer, const DirectoryChange& change) {
  if (balancer.follower) return;
  DirectoryContents& directory = balancer.directory;
  directory.view_version = change.view_version;
  std::vector<std::string> parts;
  for (const ServerRow& row : change.servers) {
    std::erase_if(directory.servers, [&](const ServerRow& one) { return one.id == row.id; });
    directory.servers.push_back(row);
    parts.push_back(row.name + " " + std::string(state_word(row.state)));
  }
  for (const BuddiesRow& row : change.buddies) {
    std::erase_if(directory.buddies,
                  [&](const BuddiesRow& one) { return one.server == row.server; });
    if (row.first) directory.buddies.push_back(row);
    parts.push_back(row.first ? fmt::format("{} between {} and {}", name_of(row.server),
                                            name_of(row.first), name_of(row.second))
                              : name_of(row.server) + " without buddies");
  }
  for (const MembershipEvent& event : change.events) {
    parts.push_back(fmt::format("event \"{}\"{}{}", kind_word(event.kind),
                                event.name.empty() ? "" : " of ", event.name));
  }
  if (change.drained) directory.drained = *change.drained;
  if (parts.empty()) return;
  say(fmt::format("{}: one transaction: {}", balancer.name, fmt::join(parts, "; ")));
}

// --- what is to be seen -------------------------------------------------------------------------

std::string World::name_of(ServerId id) const {
  for (const auto& [name, server] : servers_) {
    if (ServerId::of(name) == id) return name;
  }
  return "?";
}

// From the server that is first by name on; says so if it is no ring of all that are online.
std::string World::ring_text(const View& view) const {
  std::vector<std::string> names;
  std::size_t online = 0;
  const ServerRecord* begin = nullptr;
  for (const ServerRecord& record : view.servers) {
    online += record.online;
    if (record.online && begin == nullptr) begin = &record;
  }
  for (const ServerRecord* at = begin; at != nullptr && names.size() <= online;) {
    names.push_back(at->name);
    const ServerRecord* next = view.find(at->second_buddy);
    if (next == nullptr || next->first_buddy != at->id || next == begin) break;
    at = next;
  }
  if (names.empty()) return "empty";
  return fmt::format("{}{}", fmt::join(names, " "), names.size() == online ? "" : " AND BROKEN");
}

std::string World::ring_of(const std::string& balancer) const {
  return ring_text(balancers_.at(balancer).machine->view());
}

std::vector<std::string> World::servers_of(const std::string& balancer) const {
  std::vector<std::string> lines;
  const Membership& machine = *balancers_.at(balancer).machine;
  for (const ServerRecord& record : machine.view().servers) {
    const bool held = machine.state_of(record.id).held_back;
    lines.push_back(fmt::format("{} {}", record.name,
                                record.online ? "online"
                                : record.left ? "left"
                                : held        ? "held back"
                                              : "offline"));
  }
  return lines;
}

std::string World::counts_of(const std::string& balancer) const {
  const Master::Counts& counts = balancers_.at(balancer).machine->master().counts();
  return fmt::format(
      "{} reports, {} verifications, {} confirmed, {} false suspicions, {} contradicted, "
      "{} transactions",
      counts.reports, counts.verifications, counts.confirmed, counts.false_suspicions,
      counts.contradicted, counts.transactions);
}

}  // namespace tandem::scenario
