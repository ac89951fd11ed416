// Membership, the part that tells: views, status, and what they are to the directory.
#include <utility>

#include "lb/core/membership.h"

namespace tandem {

void Membership::publish(Instant now, MembershipActions& actions) {
  const bool view_due = (view_new_ || teller_.awaited()) && view_sent_ + kViewGap <= now;
  if (view_due || (directory_new_ && !view_new_)) {
    directory_new_ = false;
    if (auto change = directory_.take(view(), master_.held_back(), drained_))
      actions.push_back(StoreChange{std::move(*change)});
  }
  if (view_due) publish_view(now, actions);
  const Duration gap = status_urgent_ ? kViewGap : options_.status_interval;
  const bool status_due = status_new_ && status_sent_ + gap <= now;
  if (status_due) publish_status(now, actions);
  judge_n_plus_one(now, view_due || status_due, actions);
}

// Of a burst of views and status only the last, since all servers are looked at.
void Membership::judge_n_plus_one(Instant now, bool published, MembershipActions& actions) {
  n_plus_one_new_ = n_plus_one_new_ || published;
  if (!n_plus_one_new_ || now < n_plus_one_judged_ + options_.status_interval) return;
  n_plus_one_new_ = false;
  n_plus_one_judged_ = now;
  for (std::string& line : n_plus_one_.judge(now, view())) actions.push_back(Note{std::move(line)});
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
  for (const ServerId server : std::exchange(status_news_, {})) find(server)->status_new = false;
}

void Membership::publish_status(Instant now, MembershipActions& actions) {
  status_new_ = status_urgent_ = false;
  status_sent_ = now;
  StatusUpdate all, servers;
  for (const ServerId server : std::exchange(status_news_, {})) {
    Member& member = *find(server);
    member.status_new = false;
    all.entries.push_back({member.record.id, member.record.status});
    if (member.record.kind == ServerKind::kTandem) servers.entries.push_back(all.entries.back());
  }
  actions.push_back(PublishStatus{std::move(all)});
  if (!servers.entries.empty()) {
    teller_.on_status_told(servers);
    actions.push_back(Broadcast{listeners(), std::move(servers)});
  }
}

}  // namespace tandem
