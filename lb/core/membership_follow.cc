// Membership, the part about other balancers: who follows this one, and whom it follows.
#include <algorithm>
#include <utility>

#include "lb/core/membership.h"

namespace tandem {

namespace {

// A view may be made of one that is older than the last status that was told.
void keep_newer_status(const View& former, View& next) {
  std::map<ServerId, const ServerRecord*> known;
  for (const ServerRecord& record : former.servers) known.emplace(record.id, &record);
  for (ServerRecord& record : next.servers) {
    const auto it = known.find(record.id);
    if (it == known.end() || it->second->incarnation != record.incarnation) continue;
    const Status& status = it->second->status;
    if (status.sequence > record.status.sequence) record.status = status;
  }
}

}  // namespace

// What is about views, or comes from a balancer. False: something else.
bool Membership::on_views_message(Instant now, ConnectionId from, const Message& message,
                                  MembershipActions& actions) {
  if (const auto* follow = std::get_if<Follow>(&message)) {
    on_follow(from, *follow, actions);
    return true;
  }
  const bool follower = followers_.count(from) != 0;
  if (std::holds_alternative<ViewRequest>(message) &&
      (follower || registered_on(from) != nullptr)) {
    teller_.on_request(from);
    return true;
  }
  if (!follower) return false;
  if (const auto* seen = std::get_if<ViewUpdate>(&message)) {
    constexpr std::string_view kWhy = "a balancer that follows sees it";
    bool any = false;
    for (const ServerRecord& record : seen->view.servers) {
      Member* member = adopt(now, record);
      if (member == nullptr) continue;
      any = true;
      set_state(now, *member, ServerState::kOnline, kWhy, actions);
    }
    if (any) master_.restore_ring({});
  } else if (const auto* status = std::get_if<StatusUpdate>(&message)) {
    adopt_status(*status);
  } else if (const auto* report = std::get_if<FailureReport>(&message)) {
    ++follower_reports_;
    on_failure_report(now, report->suspect, actions);
  }
  return true;
}

void Membership::on_follow(ConnectionId from, const Follow& follow, MembershipActions& actions) {
  if (const auto greeted = hellos_.find(from); greeted != hellos_.end()) {
    if (!greeted->second.balancer) return refuse(from, "only balancers follow", actions);
    if (followers_.size() == kFollowersMax) return refuse(from, "too many balancers", actions);
    followers_.emplace(from, greeted->second.name);
    hellos_.erase(greeted);
    ++version_;
    view_new_ = true;
    actions.push_back(Note{"a balancer follows this one: " + followers_.at(from)});
  } else if (followers_.count(from) == 0) {
    return refuse(from, "the first message is Hello", actions);
  }
  // A view that was made in the meantime, or by an earlier life of this balancer.
  if (follow.view.maker != options_.maker && !followed_ && follow.view.version >= version_) {
    version_ = follow.view.version + 1;
    view_new_ = true;
  }
  actions.push_back(SendMessage{from, FollowAck{teller_.told()}});
}

// A follower sees this server. One that is registered here is judged here; of the others a follower
// may know more.
Membership::Member* Membership::adopt(Instant now, const ServerRecord& record) {
  if (record.kind != ServerKind::kTandem || record.data_address.empty()) return nullptr;
  Member* member = find(record.id);
  const bool is_new = member == nullptr;
  if (is_new) {
    if (!record.online || !valid_name(record.name) || !make_room(now)) return nullptr;
    member = &members_[record.name];
    member->adopted = true;
    names_[record.id] = record.name;
  } else if (member->record.kind != ServerKind::kTandem || member->connection != 0 ||
             member->record.name != record.name ||
             member->record.incarnation > record.incarnation) {
    return nullptr;
  }
  const bool restarted = member->record.incarnation < record.incarnation;
  if (record.online && (restarted || is_new)) {
    member->record = record;
    member->record.status.draining = record.status.draining || member->drain_wanted;
    if (restarted) master_.forget(record.id);
    master_.adopt(now, record.id, record.zone, record.incarnation, ServerState::kOnline);
    n_plus_one_.forget(record.id);
    return member;
  }
  if (record.left) {
    master_.on_left(now, record.id, orders_);
  } else if (!record.online) {
    master_.on_failure(now, record.id, orders_);
  }
  return nullptr;
}

void Membership::adopt_status(const StatusUpdate& update) {
  for (const StatusUpdate::Entry& entry : update.entries) {
    Member* member = find(entry.server);
    if (member == nullptr || member->record.kind != ServerKind::kTandem) continue;
    if (member->connection != 0 || entry.status.sequence <= member->record.status.sequence)
      continue;
    on_status(*member, entry.status);
  }
}

void Membership::follow(Instant, const View& view) {
  if (!followed_) {
    // Only the master's word says that they are there.
    for (auto it = members_.begin(); it != members_.end();) {
      if (!it->second.adopted) {
        ++it;
        continue;
      }
      const std::string name = (it++)->first;
      remove(name);
    }
  }
  View next = view;
  if (followed_) keep_newer_status(*followed_, next);
  followed_ = std::move(next);
  followed_balancers_ = 0;
  view_new_ = true;
}

void Membership::follow_status(const StatusUpdate& update, MembershipActions& actions) {
  if (!followed_) return;
  StatusUpdate news;
  for (const StatusUpdate::Entry& entry : update.entries) {
    const Member* here = find(entry.server);
    if (here != nullptr && here->connection != 0) continue;  // it tells us itself
    const auto record = std::find_if(followed_->servers.begin(), followed_->servers.end(),
                                     [&](const auto& one) { return one.id == entry.server; });
    if (record == followed_->servers.end()) continue;
    if (entry.status.sequence <= record->status.sequence) continue;
    record->status = entry.status;
    news.entries.push_back(entry);
  }
  if (news.entries.empty()) return;
  teller_.on_status_told(news);
  actions.push_back(PublishStatus{news});
  actions.push_back(Broadcast{listeners(), std::move(news)});
}

void Membership::act_alone(Instant now) {
  if (!followed_) return;
  const View last = *std::exchange(followed_, std::nullopt);
  version_ = std::max(version_, last.version) + 1;
  followed_balancers_ = last.balancers;
  view_new_ = true;
  for (const ServerRecord& record : last.servers) {
    if (find(record.id) != nullptr) continue;
    // That the master saw it is no news, and no event.
    if (Member* member = adopt(now, record)) member->is_new = false;
  }
  master_.restore_ring({});
}

View Membership::own_view() const {
  View view{version_, balancers(), {}, options_.maker, options_.has_master};
  view.servers.reserve(members_.size());
  for (const auto& [name, member] : members_) view.servers.push_back(member.record);
  return view;
}

View Membership::seen() const {
  View view = own_view();
  std::erase_if(view.servers,
                [](const ServerRecord& record) { return record.kind != ServerKind::kTandem; });
  return view;
}

ViewId Membership::view_id() const {
  return followed_ ? followed_->id() : ViewId{options_.maker, version_};
}

// The master's servers, with what they have told us themselves; and plain servers, who are each
// balancer's own.
View Membership::view() const {
  View own = own_view();
  if (!followed_) return own;
  View view = *followed_;
  if (options_.balancers != 0) view.balancers = options_.balancers;
  std::erase_if(view.servers,
                [](const ServerRecord& record) { return record.kind != ServerKind::kTandem; });
  for (ServerRecord& record : view.servers) {
    const auto name = names_.find(record.id);
    if (name == names_.end()) continue;
    const Member& here = members_.find(name->second)->second;
    const Status& status = here.record.status;
    if (here.record.incarnation == record.incarnation && status.sequence > record.status.sequence) {
      record.status = status;
    }
    record.status.draining = record.status.draining || here.drain_wanted;
  }
  for (ServerRecord& record : own.servers) {
    if (record.kind != ServerKind::kPlain || view.find(record.id) != nullptr) continue;
    view.servers.push_back(std::move(record));
  }
  std::sort(view.servers.begin(), view.servers.end(),
            [](const ServerRecord& a, const ServerRecord& b) { return a.name < b.name; });
  return view;
}

// A follower has judged its servers already.
bool Membership::can_witness(Instant now, ConnectionId connection) const {
  if (followers_.count(connection) != 0) return true;
  const auto it = connections_.find(connection);
  return it != connections_.end() && master_.can_witness(now, ServerId::of(it->second));
}

std::uint32_t Membership::balancers() const {
  if (options_.balancers != 0) return options_.balancers;
  const auto here = static_cast<std::uint32_t>(1 + followers_.size());
  return std::max(here, followed_balancers_);
}

std::vector<ConnectionId> Membership::listeners() const {
  std::vector<ConnectionId> ids;
  ids.reserve(connections_.size() + followers_.size());
  for (const auto& [connection, name] : connections_) ids.push_back(connection);
  // A follower is told nothing before it has told what it sees, and asks.
  for (const auto& [connection, name] : followers_) {
    if (teller_.reads(connection)) ids.push_back(connection);
  }
  return ids;
}

}  // namespace tandem
