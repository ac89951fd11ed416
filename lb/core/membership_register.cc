// Membership, the part about who may be a member: the conf's plain servers, and registration.
#include <algorithm>
#include <utility>

#include "lb/core/membership.h"

namespace tandem {

bool Membership::valid_name(const std::string& name) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

Result<void> Membership::configure(Instant now, Options options,
                                   const std::vector<PlainServer>& plain) {
  std::map<ServerId, std::string> ids;
  for (const auto& [name, member] : members_) {
    if (member.record.kind == ServerKind::kTandem && !gives_way(member)) {
      ids.emplace(member.record.id, name);
    }
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
  for (const PlainServer& server : plain) give_way(now, server);
  if (options.balancers != options_.balancers || options.routes != options_.routes) {
    ++version_;
    view_new_ = true;
  }
  options_ = options;
  master_.set_options(now, master_options(options));
  for (auto it = members_.begin(); it != members_.end();) {
    const std::string name = it->first;
    const bool is_plain = it->second.check.has_value();
    ++it;
    const bool named = std::any_of(plain.begin(), plain.end(),
                                   [&](const PlainServer& p) { return p.name == name; });
    if (!is_plain || named) continue;
    remove(name);
    ++version_;
    view_new_ = true;
  }
  for (const PlainServer& server : plain) put_plain(now, server);
  std::erase_if(drained_, [&](const std::string& name) { return members_.count(name) == 0; });
  directory_new_ = true;
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
    drain_as_before(member);
    ++record.incarnation;
    member.serial = 0;
    member.check = HealthCheck(options_.check, now);
    names_.emplace(record.id, plain.name);
    ++version_;
    view_new_ = true;
  } else {
    member.check->set_options(options_.check, now);
  }
  checks_.set(record.id, member.check->next_check());
  if (record.zone != plain.zone || record.group != plain.group) {
    record.zone = plain.zone;
    record.group = plain.group;
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
  const Liveness* liveness = master_.liveness(other.record.id);
  if (liveness == nullptr) return "a plain server has this name";
  // The same process may come on a new connection before the end of the old one is seen.
  const bool same_process = other.record.incarnation == hello.incarnation;
  if (!liveness->connected() || other.connection == from || same_process) return {};
  if (liveness->silent(now) || liveness->left()) return {};
  return "a server of this name is registered and alive";
}

// The same, as the master sees it: a living process elsewhere has this name. One at this address
// has been followed by this one; and whose end was seen here is known better here.
std::string Membership::masters_objection(const Hello& hello, const Register& message) const {
  if (!followed_) return {};
  const ServerRecord* record = followed_->find(ServerId::of(hello.name));
  if (record == nullptr || !record->online || record->name != hello.name) return {};
  if (record->incarnation == hello.incarnation) return {};
  if (record->data_address == message.data_address) return {};
  const auto here = members_.find(hello.name);
  if (here != members_.end() && here->second.record.incarnation == record->incarnation) return {};
  return "a server of this name, at " + record->data_address +
         ", is registered with another balancer and alive";
}

void Membership::on_register(Instant now, ConnectionId from, const Register& message,
                             MembershipActions& actions) {
  const auto greeted = hellos_.find(from);
  if (greeted == hellos_.end()) return refuse(from, "the first message is Hello", actions);
  const Hello hello = greeted->second;
  hellos_.erase(greeted);
  std::string reason = objection(now, from, hello);  // another may have been faster
  if (hello.balancer) reason = "servers register, balancers follow";
  if (reason.empty()) reason = masters_objection(hello, message);
  if (reason.empty() && members_.count(hello.name) == 0 && !make_room(now))
    reason = "too many servers";
  if (reason.empty() && message.data_address.empty()) reason = "no data address";
  if (!reason.empty()) {
    actions.push_back(Note{"server " + hello.name + " is refused: " + reason});
    return refuse(from, std::move(reason), actions);
  }
  const ServerId id = ServerId::of(hello.name);
  if (const auto other = names_.find(id); other != names_.end() && other->second != hello.name) {
    const Member& former = members_.find(other->second)->second;  // offline, and its id is wanted
    if (former.connection != 0) actions.push_back(CloseConnection{former.connection});
    remove(std::string(other->second));
  }
  Member& member = members_[hello.name];
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
  record.tls_address = message.tls_address;
  record.peer_address = message.peer_address;
  record.zone = message.zone;
  record.group = message.group;
  if (record.incarnation != hello.incarnation) {
    record.status = Status{};
    n_plus_one_.forget(id);
  }
  record.incarnation = hello.incarnation;
  drain_as_before(member);
  member.says_draining = message.status.draining;
  on_status(member, message.status);
  master_.on_registered(now, id, record.zone, record.incarnation, orders_);
  ++version_;
  view_new_ = true;
  actions.push_back(
      Note{"server " + hello.name + " has registered, data on " + record.data_address});
  carry_out(now, actions);
  if (member.drain_wanted) actions.push_back(SendMessage{from, Drain{true}});
}

// A place for one more member: the room there is, or that of one that is offline.
bool Membership::make_room(Instant now) {
  if (members_.size() < kMembersMax) return true;
  for (auto it = members_.begin(); it != members_.end(); ++it) {
    if (it->second.record.online || it->second.record.kind == ServerKind::kPlain) continue;
    if (it->second.connection != 0) continue;
    directory_.note_event(now, MembershipEvent::Kind::kRemoved, it->first, "to make room");
    remove(std::string(it->first));
    return true;
  }
  return false;
}

void Membership::refuse(ConnectionId from, std::string reason, MembershipActions& actions) {
  actions.push_back(SendMessage{from, Refused{std::move(reason)}});
  actions.push_back(CloseConnection{from});
}

}  // namespace tandem
