#include "lb/core/membership.h"

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

// Does the change from `a` to `b` change what a balancer or server would choose, other than by a
// little load?
bool changes_choice(const Status& a, const Status& b) {
  return over_threshold(a) != over_threshold(b) || at_capacity(a) != at_capacity(b) ||
         a.draining != b.draining || a.capacity != b.capacity || a.threshold != b.threshold;
}

Instant next_probe(const std::variant<Liveness, HealthCheck>& health) {
  if (const auto* liveness = std::get_if<Liveness>(&health)) return liveness->next_probe();
  return std::get<HealthCheck>(health).next_check();
}

std::string why_offline(Instant now, const Liveness& liveness) {
  if (!liveness.connected()) return "its control connection is gone and a probe failed";
  if (liveness.silent(now)) return "its control connection is silent and a probe failed";
  return "it reports, but probes of its data port fail";
}

MembershipEvent::Kind event_of(const ServerRecord& record) {
  if (record.online) return MembershipEvent::Kind::kReturned;
  return record.left ? MembershipEvent::Kind::kLeft : MembershipEvent::Kind::kOffline;
}

bool online(const std::variant<Liveness, HealthCheck>& health) {
  return std::visit([](const auto& value) { return value.online(); }, health);
}

}  // namespace

bool Membership::valid_name(const std::string& name) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Membership::Membership(Instant now, Options options)
    : options_(options),
      version_(options.first_version),
      view_sent_(now - kViewGap),
      status_sent_(now) {}

Result<void> Membership::configure(Instant now, Options options,
                                   const std::vector<PlainServer>& plain) {
  std::map<ServerId, std::string> ids;
  for (const PlainServer& server : plain) give_way(now, server);
  for (const auto& [name, member] : members_) {
    if (member.record.kind == ServerKind::kTandem) ids.emplace(member.record.id, name);
  }
  for (const PlainServer& server : plain) {
    const auto [it, inserted] = ids.emplace(ServerId::of(server.name), server.name);
    if (inserted) continue;
    if (it->second == server.name) {
      return fail(Error::conf("the name \"" + server.name + "\" belongs to a registered server"));
    }
    return fail(Error::conf("the names \"" + server.name + "\" and \"" + it->second +
                            "\" have the same id: change one of them"));
  }
  if (options.balancers != options_.balancers) {
    ++version_;
    view_new_ = true;
  }
  options_ = options;
  for (auto it = members_.begin(); it != members_.end();) {
    Member& member = it->second;
    if (auto* liveness = std::get_if<Liveness>(&member.health)) {
      liveness->set_status_interval(options.status_interval);
    } else if (std::none_of(plain.begin(), plain.end(),
                            [&](const PlainServer& p) { return p.name == it->first; })) {
      names_.erase(member.record.id);
      it = members_.erase(it);
      ++version_;
      view_new_ = true;
      continue;
    }
    ++it;
  }
  for (const PlainServer& server : plain) put_plain(now, server);
  return {};
}

void Membership::put_plain(Instant now, const PlainServer& plain) {
  const auto [it, is_new] = members_.try_emplace(plain.name);
  Member& member = it->second;
  ServerRecord& record = member.record;
  if (is_new || record.data_address != plain.address) {
    record.id = ServerId::of(plain.name);
    record.name = plain.name;
    record.kind = ServerKind::kPlain;
    record.data_address = plain.address;
    record.online = true;
    record.status = Status{};
    ++record.incarnation;
    member.serial = 0;
    member.health = HealthCheck(options_.check, now);
    names_.emplace(record.id, plain.name);
    ++version_;
    view_new_ = true;
  } else {
    std::get<HealthCheck>(member.health).set_options(options_.check, now);
  }
  if (record.zone != plain.zone) {
    record.zone = plain.zone;
    ++version_;
    view_new_ = true;
  }
  Status status = record.status;
  status.capacity = plain.capacity;
  status.threshold = plain.threshold;
  if (status == record.status) return;
  ++status.sequence;
  on_status(member, status);
}

void Membership::on_message(Instant now, ConnectionId from, const Message& message,
                            MembershipActions& actions) {
  if (const auto* hello = std::get_if<Hello>(&message)) return on_hello(now, from, *hello, actions);
  if (const auto* registration = std::get_if<Register>(&message)) {
    return on_register(now, from, *registration, actions);
  }
  if (on_views_message(now, from, message, actions)) return;
  Member* member = registered_on(from);
  if (member == nullptr) return refuse(from, "register first", actions);
  auto& liveness = std::get<Liveness>(member->health);
  liveness.on_heard(now);
  std::string_view why = "heard again";
  if (const auto* report = std::get_if<StatusReport>(&message)) {
    if (report->status.sequence > member->record.status.sequence) {
      member->says_draining = report->status.draining;
      on_status(*member, report->status);
    }
  } else if (const auto* backing = std::get_if<Backing>(&message)) {
    n_plus_one_.on_backing(member->record.id, *backing);
  } else if (std::holds_alternative<Leave>(message)) {
    liveness.on_left(now);
    why = "it shuts down";
  }
  sync_online(now, *member, why, actions);
}

void Membership::on_hello(Instant now, ConnectionId from, const Hello& hello,
                          MembershipActions& actions) {
  if (hellos_.count(from) != 0 || connections_.count(from) != 0 || followers_.count(from) != 0) {
    return refuse(from, "greeted twice", actions);
  }
  std::string reason = objection(now, from, hello);
  if (!reason.empty()) {
    actions.push_back(Note{"server " + hello.name + " is refused: " + reason});
    return refuse(from, std::move(reason), actions);
  }
  hellos_.emplace(from, hello);
}

// Why this one may not register; empty if it may.
std::string Membership::objection(Instant now, ConnectionId from, const Hello& hello) const {
  if (hello.protocol == 0) return "unknown protocol version";
  if (hello.balancer) return {};
  if (!valid_name(hello.name)) return "a name is 1 to 64 of the characters A-Z a-z 0-9 - _ .";
  const auto same_id = names_.find(ServerId::of(hello.name));
  if (same_id == names_.end()) return {};
  const Member& other = members_.find(same_id->second)->second;
  if (same_id->second != hello.name) {
    if (!other.record.online) return {};
    return "the name has the same id as that of " + same_id->second + ": choose another";
  }
  const auto* liveness = std::get_if<Liveness>(&other.health);
  if (liveness == nullptr) return "a plain server has this name";
  // The same process may come on a new connection before the end of the old one is seen.
  const bool same_process = other.record.incarnation == hello.incarnation;
  if (!liveness->connected() || other.connection == from || same_process) return {};
  if (liveness->silent(now) || liveness->left()) return {};
  return "a server of this name is registered and alive";
}

void Membership::on_register(Instant now, ConnectionId from, const Register& message,
                             MembershipActions& actions) {
  const auto greeted = hellos_.find(from);
  if (greeted == hellos_.end()) return refuse(from, "the first message is Hello", actions);
  const Hello hello = greeted->second;
  hellos_.erase(greeted);
  std::string reason = objection(now, from, hello);  // another may have been faster
  if (hello.balancer) reason = "servers register, balancers follow";
  if (reason.empty() && members_.count(hello.name) == 0 && !make_room(now))
    reason = "too many servers";
  if (reason.empty() && message.data_address.empty()) reason = "no data address";
  if (!reason.empty()) {
    actions.push_back(Note{"server " + hello.name + " is refused: " + reason});
    return refuse(from, std::move(reason), actions);
  }
  const ServerId id = ServerId::of(hello.name);
  if (const auto other = names_.find(id); other != names_.end() && other->second != hello.name) {
    members_.erase(other->second);  // offline, and its id is wanted
    names_.erase(other);
  }
  const auto [it, is_new] = members_.try_emplace(hello.name);
  Member& member = it->second;
  if (is_new) member.health = Liveness(options_.status_interval);
  if (member.connection != 0) {
    actions.push_back(CloseConnection{member.connection});
    connections_.erase(member.connection);
  }
  names_[id] = hello.name;
  connections_[from] = hello.name;
  member.connection = from;
  member.adopted = false;
  ServerRecord& record = member.record;
  record.id = id;
  record.name = hello.name;
  record.kind = ServerKind::kTandem;
  record.data_address = message.data_address;
  record.peer_address = message.peer_address;
  record.zone = message.zone;
  record.group = message.group;
  if (record.incarnation != hello.incarnation) {
    record.status = Status{};
    n_plus_one_.forget(id);
  }
  record.incarnation = hello.incarnation;
  member.says_draining = message.status.draining;
  on_status(member, message.status);
  std::get<Liveness>(member.health).on_connected(now);
  if (is_new || !record.online) {
    directory_.note_event(
        now, is_new ? MembershipEvent::Kind::kJoined : MembershipEvent::Kind::kReturned, hello.name,
        "registered");
  }
  record.online = true;
  record.left = false;
  ++version_;
  view_new_ = true;
  actions.push_back(
      Note{"server " + hello.name + " is online: registered, data on " + record.data_address});
  if (member.drain_wanted) actions.push_back(SendMessage{from, Drain{true}});
}

// A place for one more member: the room there is, or that of one that is offline.
bool Membership::make_room(Instant now) {
  if (members_.size() < kMembersMax) return true;
  for (auto it = members_.begin(); it != members_.end(); ++it) {
    if (it->second.record.online || it->second.record.kind == ServerKind::kPlain) continue;
    if (it->second.connection != 0) continue;
    directory_.note_event(now, MembershipEvent::Kind::kRemoved, it->first, "to make room");
    names_.erase(it->second.record.id);
    members_.erase(it);
    return true;
  }
  return false;
}

void Membership::refuse(ConnectionId from, std::string reason, MembershipActions& actions) {
  actions.push_back(SendMessage{from, Refused{std::move(reason)}});
  actions.push_back(CloseConnection{from});
}

void Membership::on_status(Member& member, Status status) {
  status.draining = status.draining || member.drain_wanted;
  status_urgent_ = status_urgent_ || changes_choice(member.record.status, status);
  figures_new_ = figures_new_ || member.record.status.capacity != status.capacity ||
                 member.record.status.threshold != status.threshold;
  member.record.status = status;
  member.status_new = true;
  status_new_ = true;
}

void Membership::on_connection_lost(Instant now, ConnectionId connection,
                                    MembershipActions& actions) {
  hellos_.erase(connection);
  teller_.forget(connection);
  if (followers_.erase(connection) != 0) {
    ++version_;  // one balancer less assigns sessions
    view_new_ = true;
  }
  Member* member = registered_on(connection);
  if (member == nullptr) return;
  connections_.erase(connection);
  member->connection = 0;
  std::get<Liveness>(member->health).on_lost(now);
  sync_online(now, *member, "its control connection is gone and a probe failed", actions);
}

void Membership::on_probe_result(Instant now, ServerId server, std::uint64_t serial, bool answered,
                                 std::string_view detail, MembershipActions& actions) {
  Member* member = find(server);
  if (member == nullptr || member->serial != serial) return;
  member->serial = 0;
  std::string why;
  if (auto* liveness = std::get_if<Liveness>(&member->health)) {
    liveness->on_probe_result(now, answered);
    why = answered ? "a probe was answered" : why_offline(now, *liveness);
  } else {
    std::get<HealthCheck>(member->health).on_result(now, answered);
    why = answered ? "checks succeed" : "checks fail";
  }
  if (!answered && !detail.empty()) why.append(": ").append(detail);
  sync_online(now, *member, why, actions);
}

void Membership::on_failure_report(Instant now, ServerId server, MembershipActions&) {
  Member* member = find(server);
  if (member == nullptr) return;
  std::visit([now](auto& health) { health.on_reported(now); }, member->health);
}

void Membership::on_plain_count(Instant, ServerId server, std::uint32_t primaries,
                                std::uint32_t alternates) {
  Member* member = find(server);
  if (member == nullptr || member->record.kind != ServerKind::kPlain) return;
  Status status = member->record.status;
  status.primaries = primaries;
  status.alternates = alternates;
  ++status.sequence;
  on_status(*member, status);
}

bool Membership::set_drain(Instant now, std::string_view name, bool draining,
                           MembershipActions& actions) {
  const auto it = members_.find(name);
  if (it == members_.end()) return false;
  Member& member = it->second;
  member.drain_wanted = draining;
  Status status = member.record.status;
  status.draining = draining;
  if (member.record.kind == ServerKind::kPlain) ++status.sequence;
  on_status(member, status);
  if (member.connection != 0) actions.push_back(SendMessage{member.connection, Drain{draining}});
  actions.push_back(
      Note{"server " + it->first + (draining ? " is to drain" : " is to drain no longer")});
  on_deadline(now, actions);
  return true;
}

void Membership::on_deadline(Instant now, MembershipActions& actions) {
  for (auto& [name, member] : members_) {
    if (auto* liveness = std::get_if<Liveness>(&member.health)) {
      liveness->on_time(now);
      sync_online(now, member, "its control connection is silent and a probe failed", actions);
    }
    if (next_probe(member.health) > now) continue;
    if (auto* liveness = std::get_if<Liveness>(&member.health)) {
      liveness->on_probe_started(now);
    } else {
      std::get<HealthCheck>(member.health).on_started(now);
    }
    member.serial = ++serials_;
    actions.push_back(StartProbe{member.record.id, member.record.kind, member.record.data_address,
                                 member.serial});
  }
  publish(now, actions);
}

Instant Membership::next_deadline() const {
  Instant next = kNever;
  if (view_new_ || teller_.awaited()) next = std::min(next, view_sent_ + kViewGap);
  if (status_urgent_) next = std::min(next, status_sent_ + kViewGap);
  if (status_new_) next = std::min(next, status_sent_ + options_.status_interval);
  for (const auto& [name, member] : members_) {
    next = std::min(next, next_probe(member.health));
    if (const auto* liveness = std::get_if<Liveness>(&member.health)) {
      next = std::min(next, liveness->next_change());
    }
  }
  return next;
}

void Membership::sync_online(Instant now, Member& member, std::string_view why,
                             MembershipActions& actions) {
  const bool is_online = online(member.health);
  if (member.record.online == is_online) return;
  member.record.online = is_online;
  const auto* liveness = std::get_if<Liveness>(&member.health);
  member.record.left = liveness != nullptr && liveness->left();
  ++version_;
  view_new_ = true;
  directory_.note_event(now, event_of(member.record), member.record.name, why);
  actions.push_back(Note{"server " + member.record.name +
                         (is_online ? " is online: " : " is offline: ") + std::string(why)});
}

void Membership::publish(Instant now, MembershipActions& actions) {
  const bool view_due = (view_new_ || teller_.awaited()) && view_sent_ + kViewGap <= now;
  if (view_due || (figures_new_ && !view_new_)) {
    figures_new_ = false;
    if (auto change = directory_.take(view())) actions.push_back(StoreChange{std::move(*change)});
  }
  if (view_due) publish_view(now, actions);
  const Duration gap = status_urgent_ ? kViewGap : options_.status_interval;
  const bool status_due = status_new_ && status_sent_ + gap <= now;
  if (status_due) publish_status(now, actions);
  if (!view_due && !status_due) return;
  if (auto text = n_plus_one_.judge(now, view())) actions.push_back(Note{std::move(*text)});
}

void Membership::publish_view(Instant now, MembershipActions& actions) {
  view_new_ = false;
  view_sent_ = now;
  auto all = std::make_shared<const View>(view());
  View servers = *all;  // plain servers are nobody's peers
  std::erase_if(servers.servers,
                [](const ServerRecord& record) { return record.kind != ServerKind::kTandem; });
  actions.push_back(PublishView{all});
  auto telling = teller_.tell(servers, listeners());
  if (!telling.delta_to.empty()) {
    actions.push_back(Broadcast{std::move(telling.delta_to), std::move(telling.delta)});
  }
  if (!telling.whole_to.empty()) {
    actions.push_back(Broadcast{std::move(telling.whole_to), ViewUpdate{std::move(servers)}});
  }
  // It has everybody's status in it.
  status_new_ = status_urgent_ = false;
  status_sent_ = now;
  for (auto& [name, member] : members_) member.status_new = false;
}

void Membership::publish_status(Instant now, MembershipActions& actions) {
  status_new_ = status_urgent_ = false;
  status_sent_ = now;
  StatusUpdate all, servers;
  for (auto& [name, member] : members_) {
    if (!std::exchange(member.status_new, false)) continue;
    all.entries.push_back({member.record.id, member.record.status});
    if (member.record.kind == ServerKind::kTandem) servers.entries.push_back(all.entries.back());
  }
  actions.push_back(PublishStatus{std::move(all)});
  if (!servers.entries.empty()) {
    teller_.on_status_told(servers);
    actions.push_back(Broadcast{listeners(), std::move(servers)});
  }
}

Membership::MemberState Membership::state_of(ServerId server) const {
  const auto name = names_.find(server);
  if (name == names_.end()) return {};
  const Member& member = members_.find(name->second)->second;
  const auto* liveness = std::get_if<Liveness>(&member.health);
  const bool heard = member.record.kind == ServerKind::kPlain || member.says_draining;
  return {.connected = member.connection != 0,
          .left = liveness != nullptr && liveness->left(),
          .drain_wanted = member.drain_wanted,
          .drained = member.drain_wanted && heard && member.record.status.primaries == 0};
}

Membership::Member* Membership::registered_on(ConnectionId connection) {
  const auto it = connections_.find(connection);
  return it == connections_.end() ? nullptr : &members_.find(it->second)->second;
}

Membership::Member* Membership::find(ServerId server) {
  const auto name = names_.find(server);
  return name == names_.end() ? nullptr : &members_.find(name->second)->second;
}

std::vector<Membership::Registered> Membership::registered_servers() const {
  std::vector<Registered> servers;
  servers.reserve(connections_.size());
  for (const auto& [connection, name] : connections_) {
    servers.push_back({connection, ServerId::of(name)});
  }
  return servers;
}

}  // namespace tandem
