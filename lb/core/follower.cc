#include "lb/core/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem {

Follower::Follower(Options options)
    : options_(options),
      master_(1, {.silent_after = options.status_interval * kSilentIntervals, .settle = 0s}) {}

bool Follower::fresh(Instant now) const {
  return connected_ && !reflected_ &&
         now - master_.facts(0).heard < options_.status_interval * kSilentIntervals;
}

// The master is to know what is seen here before it tells its view: it may have been started anew,
// and know of nobody.
void Follower::on_connected(Instant now, FollowerActions& actions) {
  connected_ = true;
  reflected_ = false;
  master_.on_connected(0, now);
  actions.emplace_back(TellMasterFollow{});
  actions.emplace_back(TellMasterSeen{});
  actions.emplace_back(TellMaster{ViewRequest{}});
  beat_due_ = now + options_.status_interval;
  seen_due_ = kNever;
  seen_told_ = now;
  send_reports(now, actions);
}

void Follower::on_lost(Instant now, FollowerActions& actions) {
  connected_ = false;
  beat_due_ = seen_due_ = kNever;
  master_.on_lost(0);
  settle(now, actions);
}

void Follower::on_message(Instant now, const Message& message, FollowerActions& actions) {
  if (!connected_) return;
  master_.on_heard(0, now);
  if (std::holds_alternative<ViewUpdate>(message) || std::holds_alternative<ViewDelta>(message)) {
    take_view(now, message, actions);
  } else if (const auto* status = std::get_if<StatusUpdate>(&message)) {
    if (following_) actions.emplace_back(FollowStatus{*status});
  } else if (const auto* ack = std::get_if<FollowAck>(&message)) {
    const ViewId held = master_.facts(0).view;
    if (held != ViewId{} && held != ack->view) ask_whole(actions);
  } else if (const auto* refused = std::get_if<Refused>(&message)) {
    actions.emplace_back(FollowerNote{"the master refuses us: " + refused->reason});
  }
  settle(now, actions);
}

void Follower::take_view(Instant, const Message& message, FollowerActions& actions) {
  if (const auto* whole = std::get_if<ViewUpdate>(&message)) {
    master_.on_view(0, whole->view);
  } else if (!master_.on_delta(0, std::get<ViewDelta>(message))) {
    ask_whole(actions);
  }
  const bool ours = options_.maker != 0 && master_.facts(0).view.maker == options_.maker;
  if (ours && !reflected_) {
    actions.emplace_back(FollowerNote{"the master follows this balancer: one of them must not"});
  }
  reflected_ = ours;
}

void Follower::ask_whole(FollowerActions& actions) {
  actions.emplace_back(TellMaster{ViewRequest{}});
}

// What follows from whether the master has a view, and is heard.
void Follower::settle(Instant now, FollowerActions& actions) {
  if (fresh(now) && master_.facts(0).view != ViewId{}) {
    const ViewPtr view = master_.follow(now);
    if (following_ && view == followed_) return;
    if (!following_) {
      actions.emplace_back(
          FollowerNote{fmt::format("following the master's view {}", view->version)});
    }
    following_ = true;
    followed_ = view;
    actions.emplace_back(FollowView{view});
    return;
  }
  if (!following_) return;
  following_ = false;
  followed_ = nullptr;
  ++counts_.times_alone;
  actions.emplace_back(ActAlone{});
  actions.emplace_back(FollowerNote{fmt::format("the master {}: acting on what is seen here",
                                                connected_ ? "is silent" : "is gone")});
}

void Follower::on_failure(Instant now, const FailureReport& report, FollowerActions& actions) {
  const auto same = std::find_if(reports_.begin(), reports_.end(), [&](const Waiting& one) {
    return one.report.suspect == report.suspect;
  });
  if (same != reports_.end()) reports_.erase(same);
  if (reports_.size() == kReportsMax) {
    reports_.pop_front();
    ++counts_.reports_lost;
  }
  reports_.push_back({report, now});
  send_reports(now, actions);
}

void Follower::send_reports(Instant now, FollowerActions& actions) {
  if (!fresh(now)) return;
  for (Waiting& waiting : std::exchange(reports_, {})) {
    if (now - waiting.since > kReportAge) {
      ++counts_.reports_lost;
      continue;
    }
    ++counts_.reports;
    if (now - waiting.since >= kWitnessAge) waiting.report.seen = Seen::kUnknown;
    actions.emplace_back(TellMaster{waiting.report});
  }
}

void Follower::on_seen(Instant now, std::uint64_t version) {
  if (std::exchange(seen_, version) == version || !connected_) return;
  seen_due_ = std::min(seen_due_, std::max(now, seen_told_ + kSeenGap));
}

void Follower::on_status_seen(const StatusUpdate& update, FollowerActions& actions) {
  if (connected_ && !update.entries.empty()) actions.emplace_back(TellMaster{update});
}

void Follower::on_deadline(Instant now, FollowerActions& actions) {
  if (beat_due_ <= now) {
    beat_due_ = now + options_.status_interval;
    actions.emplace_back(TellMasterFollow{});
  }
  if (seen_due_ <= now) {
    seen_due_ = kNever;
    seen_told_ = now;
    actions.emplace_back(TellMasterSeen{});
  }
  settle(now, actions);
  if (!reports_.empty()) send_reports(now, actions);
}

Instant Follower::next_deadline() const {
  Instant next = std::min(beat_due_, seen_due_);
  if (following_) {
    next = std::min(next, master_.facts(0).heard + options_.status_interval * kSilentIntervals);
  }
  return next;
}

}  // namespace tandem
