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

MembershipEvent::Kind event_of(ServerState state) {
  switch (state) {
    case ServerState::kOnline:
      return MembershipEvent::Kind::kReturned;
    case ServerState::kOffline:
      return MembershipEvent::Kind::kOffline;
    case ServerState::kLeft:
      return MembershipEvent::Kind::kLeft;
    case ServerState::kHeldBack:
      return MembershipEvent::Kind::kHeldBack;
  }
  return MembershipEvent::Kind::kOffline;
}

}  // namespace

Master::Options Membership::master_options(const Options& options) {
  Master::Options master = options.master;
  master.liveness.status_interval = options.status_interval;
  return master;
}

Membership::Membership(Instant now, Options options)
    : options_(options),
      master_(master_options(options)),
      version_(options.first_version),
      view_sent_(now - kViewGap),
      status_sent_(now),
      n_plus_one_judged_(now - options.status_interval) {}

void Membership::on_message(Instant now, ConnectionId from, const Message& message,
                            MembershipActions& actions) {
  if (const auto* hello = std::get_if<Hello>(&message)) return on_hello(now, from, *hello, actions);
  if (const auto* registration = std::get_if<Register>(&message)) {
    return on_register(now, from, *registration, actions);
  }
  if (const auto* report = std::get_if<FailureReport>(&message)) {
    // A balancer that follows is nobody's server: its word is its own. What its workers or its
    // clients met (kUnknown) is a reason to look, and no witness's word.
    const Member* by = registered_on(from);
    if (by == nullptr && followers_.count(from) == 0)
      return refuse(from, "register first", actions);
    if (by != nullptr || report->seen != Seen::kUnknown) {
      master_.on_report(now, by == nullptr ? ServerId{} : by->record.id, *report, orders_);
    }
  }
  if (on_views_message(now, from, message, actions)) return carry_out(now, actions);
  Member* member = registered_on(from);
  if (member == nullptr) return refuse(from, "register first", actions);
  on_server_message(now, *member, message);
  carry_out(now, actions);
}

void Membership::on_server_message(Instant now, Member& member, const Message& message) {
  const ServerId server = member.record.id;
  if (std::holds_alternative<Leave>(message)) return master_.on_left(now, server, orders_);
  master_.on_heard(now, server, std::holds_alternative<Pong>(message), orders_);
  if (const auto* report = std::get_if<StatusReport>(&message)) {
    if (report->status.sequence <= member.record.status.sequence) return;
    member.says_draining = report->status.draining;
    on_status(member, report->status);
  } else if (const auto* backing = std::get_if<Backing>(&message)) {
    n_plus_one_.on_backing(server, *backing);
  } else if (const auto* looked = std::get_if<Looked>(&message)) {
    master_.on_looked(now, server, *looked, orders_);
  }
}

void Membership::on_status(Member& member, Status status) {
  status.draining = status.draining || member.drain_wanted;
  status_urgent_ = status_urgent_ || changes_choice(member.record.status, status);
  const bool grown = member.record.status.capacity != status.capacity;
  directory_new_ = directory_new_ || grown || member.record.status.threshold != status.threshold;
  // Capacities are the weights by which servers own types: all must know them by the same view.
  if (grown && member.record.kind == ServerKind::kTandem) {
    ++version_;
    view_new_ = true;
  }
  member.record.status = status;
  if (!std::exchange(member.status_new, true)) status_news_.push_back(member.record.id);
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
  master_.on_connection_lost(now, member->record.id, orders_);
  carry_out(now, actions);
}

void Membership::on_probe_result(Instant now, ServerId server, std::uint64_t serial,
                                 ProbeResult result, std::string_view detail,
                                 MembershipActions& actions) {
  Member* member = find(server);
  if (member == nullptr) return;
  if (!member->check) {
    master_.on_probe_result(now, server, serial, result, detail, orders_);
    return carry_out(now, actions);
  }
  if (member->serial != serial) return;
  member->serial = 0;
  const bool answered = result == ProbeResult::kAnswered;
  member->check->on_result(now, answered);
  checks_.set(server, member->check->next_check());
  if (member->check->online() == member->record.online) return;
  std::string why = answered ? "checks succeed" : "checks fail";
  if (!answered && !detail.empty()) why.append(": ").append(detail);
  set_state(now, *member, answered ? ServerState::kOnline : ServerState::kOffline, why, actions);
}

void Membership::on_failure_report(Instant now, ServerId server, MembershipActions& actions) {
  Member* member = find(server);
  if (member == nullptr) return;
  if (!member->check) {
    master_.on_failure(now, server, orders_);
    return carry_out(now, actions);
  }
  member->check->on_reported(now);
  checks_.set(server, member->check->next_check());
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

DrainOrder Membership::set_drain(Instant now, std::string_view name, bool draining,
                                 MembershipActions& actions) {
  const auto it = members_.find(name);
  if (it == members_.end()) {
    const bool known = view().find(ServerId::of(name)) != nullptr;
    return known ? DrainOrder::kElsewhere : DrainOrder::kUnknown;
  }
  Member& member = it->second;
  if (member.adopted && member.connection == 0 && member.record.online) {
    return DrainOrder::kElsewhere;
  }
  member.drain_wanted = draining;
  if (draining) {
    drained_.insert(it->first);
  } else {
    drained_.erase(it->first);
  }
  directory_new_ = true;
  Status status = member.record.status;
  status.draining = draining;
  if (member.record.kind == ServerKind::kPlain) ++status.sequence;
  on_status(member, status);
  if (member.connection != 0) actions.push_back(SendMessage{member.connection, Drain{draining}});
  actions.push_back(
      Note{"server " + it->first + (draining ? " is to drain" : " is to drain no longer")});
  on_deadline(now, actions);
  return DrainOrder::kTaken;
}

void Membership::on_deadline(Instant now, MembershipActions& actions) {
  master_.on_deadline(now, orders_);
  carry_out(now, actions);
  check_plain(now, actions);
  publish(now, actions);
}

void Membership::check_plain(Instant now, MembershipActions& actions) {
  while (const auto server = checks_.take_due(now)) {
    Member& member = *find(*server);
    member.check->on_started(now);
    member.serial = master_.next_serial();
    actions.push_back(
        StartProbe{*server, ServerKind::kPlain, member.record.data_address, member.serial, 0s});
  }
}

Instant Membership::next_deadline() const {
  Instant next = std::min(master_.next_deadline(), checks_.next());
  if (view_new_ || teller_.awaited()) next = std::min(next, view_sent_ + kViewGap);
  if (status_urgent_) next = std::min(next, status_sent_ + kViewGap);
  if (status_new_) next = std::min(next, status_sent_ + options_.status_interval);
  if (n_plus_one_new_) next = std::min(next, n_plus_one_judged_ + options_.status_interval);
  return next;
}

// What the master wants, and what it has ruled.
void Membership::carry_out(Instant now, MembershipActions& actions) {
  follow_ring();
  for (MasterOrder& order : std::exchange(orders_, {})) {
    if (const auto* wanted = std::get_if<Contact>(&order)) {
      contact(*wanted, actions);
    } else if (const auto* call = std::get_if<Call>(&order)) {
      const Member* member = find(call->server);
      if (member == nullptr || member->connection == 0) continue;
      actions.push_back(SendMessage{member->connection, Ping{call->serial}});
    } else if (auto* ask = std::get_if<AskWitness>(&order)) {
      const Member* suspect = find(ask->look.server);
      const Member* witness = find(ask->witness);
      if (suspect == nullptr || witness == nullptr || witness->connection == 0) continue;
      ask->look.peer_address = suspect->record.peer_address;
      actions.push_back(SendMessage{witness->connection, std::move(ask->look)});
    } else if (const auto* ruling = std::get_if<Ruling>(&order)) {
      if (Member* member = find(ruling->server)) {
        set_state(now, *member, ruling->state, ruling->why, actions);
      }
    } else if (const auto* remark = std::get_if<Remark>(&order)) {
      const Member* member = find(remark->server);
      if (member != nullptr)
        actions.push_back(Note{"server " + member->record.name + " " + remark->text});
    } else if (auto* alarm = std::get_if<Alarm>(&order)) {
      directory_.note_event(now, alarm->kind, {}, alarm->text);
      view_new_ = true;  // the event is to be written
      actions.push_back(
          Note{std::move(alarm->text), alarm->kind == MembershipEvent::Kind::kMostLooksDead});
    }
  }
}

// Who has other neighbours than before.
void Membership::follow_ring() {
  for (const ServerId server : master_.ring().take_changed()) {
    Member* member = find(server);
    if (member == nullptr) continue;
    ServerRecord& record = member->record;
    const ServerId first = master_.ring().first(server), second = master_.ring().second(server);
    if (record.first_buddy == first && record.second_buddy == second) continue;
    record.first_buddy = first;
    record.second_buddy = second;
    ++version_;
    view_new_ = true;
  }
}

void Membership::contact(const Contact& contact, MembershipActions& actions) {
  const Member* member = find(contact.server);
  if (member == nullptr) return;
  actions.push_back(StartProbe{contact.server, ServerKind::kTandem, member->record.data_address,
                               contact.serial, contact.timeout});
  if (contact.ping && member->connection != 0) {
    actions.push_back(SendMessage{member->connection, Ping{contact.serial}});
  }
}

void Membership::set_state(Instant now, Member& member, ServerState state, std::string_view why,
                           MembershipActions& actions) {
  ServerRecord& record = member.record;
  const bool online = state == ServerState::kOnline;
  const bool joins = online && std::exchange(member.is_new, false);
  directory_.note_event(now, joins ? MembershipEvent::Kind::kJoined : event_of(state), record.name,
                        why);
  std::string text = "server " + record.name + (online ? " is online: " : " is offline: ");
  actions.push_back(Note{text.append(why)});
  record.online = online;
  record.left = state == ServerState::kLeft;
  ++version_;
  view_new_ = true;
}

void Membership::remove(const std::string& name) {
  const auto it = members_.find(name);
  if (it == members_.end()) return;
  const ServerId server = it->second.record.id;
  master_.forget(server);
  checks_.erase(server);
  std::erase(status_news_, server);
  names_.erase(server);
  connections_.erase(it->second.connection);
  members_.erase(it);
}

Membership::MemberState Membership::state_of(ServerId server) const {
  const auto name = names_.find(server);
  if (name == names_.end()) return {};
  const Member& member = members_.find(name->second)->second;
  const Liveness* liveness = master_.liveness(server);
  const bool heard = member.record.kind == ServerKind::kPlain || member.says_draining;
  return {.connected = member.connection != 0,
          .left = liveness != nullptr && liveness->left(),
          .held_back = master_.held_back().count(server) != 0,
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
