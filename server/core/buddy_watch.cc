#include "server/core/buddy_watch.h"

#include <algorithm>
#include <utility>

#include "common/base/hash.h"

namespace tandem {
namespace {

// A peer that says it will ping later than that is not believed.
constexpr int kNextPeriodsMost = 2;

std::uint64_t in_microseconds(Duration duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration / 1us, 1));
}

// The next of the instants that are whole periods after `exchange`.
Instant after(Instant now, Instant exchange, Duration period) {
  if (exchange > now) return exchange;
  return exchange + ((now - exchange) / period + 1) * period;
}

// Where in the period a link begins if nothing else says it.
Duration phase_of(ServerId a, ServerId b, Duration period) {
  const std::uint64_t both = (std::uint64_t{std::min(a, b).value} << 32) | std::max(a, b).value;
  return Duration(
      static_cast<std::int64_t>(mix64(both) % static_cast<std::uint64_t>(period.count())));
}

}  // namespace

BuddyWatch::BuddyWatch(ServerId self, Options options) : self_(self), options_(options) {}

// Two servers have one link where others have two: it is used twice as often.
WatchTimes BuddyWatch::times() const {
  WatchTimes times = WatchTimes::of(options_.period);
  if (links_.size() == 1) times.period /= 2;
  return times;
}

BuddyWatch::Link* BuddyWatch::find(ServerId buddy) {
  for (Link& link : links_) {
    if (link.buddy.id == buddy) return &link;
  }
  return nullptr;
}

BuddyWatch::Link* BuddyWatch::other_than(const Link& link) {
  for (Link& other : links_) {
    if (&other != &link) return &other;
  }
  return nullptr;
}

// --- what it is told ----------------------------------------------------------------------------

void BuddyWatch::set_neighbourhood(Instant now, const Neighbourhood& neighbourhood, Out& out) {
  begin_anew_if_late(now);
  bystanders_ = neighbourhood.bystanders;
  const std::vector<Link> before = std::exchange(links_, {});
  for (const Neighbourhood::Buddy& buddy : neighbourhood.buddies) {
    const auto known = std::find_if(before.begin(), before.end(), [&](const Link& link) {
      return link.buddy.id == buddy.id && link.buddy.incarnation == buddy.incarnation;
    });
    if (known != before.end()) {
      links_.push_back(*known);
      links_.back().buddy.other = buddy.other;
      continue;
    }
    doubts_since_ = kNever;
    links_.emplace_back().buddy = buddy;
  }
  // It was taken off the ring, or is back.
  if (was_on_ring_ && before.empty() != links_.empty()) distrust(now);
  was_on_ring_ = was_on_ring_ || !links_.empty();
  for (Link& link : links_) {
    if (link.exchange == Instant{}) begin(now, link);
  }
  static_cast<void>(out);
}

void BuddyWatch::on_channel_up(Instant now, ServerId peer, Out& out) {
  begin_anew_if_late(now);
  heard(now, peer, out);
  Link* link = find(peer);
  if (link == nullptr) return;
  link->buddy.linked = true;
  begin(now, *link);
  link->trusted = now;  // a new channel: it has been heard there
}

void BuddyWatch::on_channel_down(Instant now, ServerId peer, Out& out) {
  begin_anew_if_late(now);
  Link* link = find(peer);
  if (link == nullptr || !link->buddy.linked) return;
  link->buddy.linked = false;
  if (link->state == LinkState::kSuspected) return;
  // Whoever was away may have been given up by the others, who closed.
  if (doubts_since_ != kNever || now < std::max(unsure_until_, link->trusted)) {
    link->looked = now;
    return expect(*link, now + times().period, false);
  }
  // While anybody is missed it is as good as another silence: the quick probes decide.
  const bool missing = std::any_of(links_.begin(), links_.end(), [](const Link& each) {
    return each.state == LinkState::kMissing;
  });
  if (!missing) return suspect(now, *link, Seen::kClosed, out);
  if (link->state != LinkState::kMissing) look(now, *link, out);
}

void BuddyWatch::on_message(Instant now, ServerId from, const Message& message, Out& out) {
  begin_anew_if_late(now);
  const Link* link = find(from);
  const bool asks =
      link != nullptr && (link->state == LinkState::kAsked || link->state == LinkState::kMissing);
  heard(now, from, out);
  if (const auto* ping = std::get_if<Ping>(&message)) {
    on_ping(now, from, *ping, asks && self_ < from, out);
  } else if (const auto* pong = std::get_if<Pong>(&message)) {
    on_pong(now, from, *pong);
  } else if (const auto* told = std::get_if<Suspect>(&message)) {
    on_suspect(now, *told, out);
  } else if (const auto* question = std::get_if<Look>(&message); question && from == kBalancers) {
    on_look(now, *question, out);
  }
}

void BuddyWatch::on_host_answer(ServerId buddy) {
  if (Link* link = find(buddy)) link->host_answers = true;
}

void BuddyWatch::on_deadline(Instant now, Out& out) {
  begin_anew_if_late(now);
  for (Link& link : links_) {
    if (link.due <= now) step(now, link, out);
  }
  std::erase_if(looks_,
                [&](Looking& looking) { return looking.due <= now && !step(now, looking, out); });
}

Instant BuddyWatch::next_deadline() const {
  Instant next = kNever;
  for (const Link& link : links_) next = std::min(next, link.due);
  for (const Looking& looking : looks_) next = std::min(next, looking.due);
  return next;
}

std::vector<FailureReport> BuddyWatch::suspects() const {
  std::vector<FailureReport> reports;
  for (const Link& link : links_) {
    if (link.state != LinkState::kSuspected) continue;
    reports.push_back({link.buddy.id, link.buddy.incarnation, link.seen});
  }
  return reports;
}

std::vector<BuddyWatch::LinkReport> BuddyWatch::links() const {
  std::vector<LinkReport> reports;
  for (const Link& link : links_) reports.push_back({link.buddy.id, link.state, link.heard});
  return reports;
}

// --- when a link is used ------------------------------------------------------------------------

// Of a link that has come up, the lower id pings first, half a period from the other link; the
// other end waits a period for it. A link that is not up is given a period.
void BuddyWatch::begin(Instant now, Link& link) {
  const Duration period = times().period;
  link.state = LinkState::kQuiet;
  link.heard = link.looked = now;
  link.trusted = kNever;
  link.shaken = now < unsure_until_;
  const bool ours = link.buddy.linked && self_ < link.buddy.id;
  if (!ours) return expect(link, now + period, false);
  const Link* other = other_than(link);
  const Duration apart = other != nullptr && other->exchange != Instant{}
                             ? other->exchange + period / 2 - now
                             : phase_of(self_, link.buddy.id, period);
  expect(link, after(now, now + apart % period, period), true);
}

void BuddyWatch::expect(Link& link, Instant exchange, bool ours) {
  link.state = LinkState::kQuiet;
  link.ours = ours;
  link.exchange = exchange;
  link.due = ours || !link.buddy.linked ? exchange : exchange + times().miss_after;
}

void BuddyWatch::begin_anew_if_late(Instant now) {
  const Instant next = next_deadline();
  if (next == kNever || now <= next + times().late_max) return;
  ++counters_.self_late;
  doubts_since_ = kNever;
  // Who asked would take silence for a no.
  for (Looking& looking : looks_) {
    looking.probes = 0;
    looking.due = now;
  }
  distrust(now);
  begin_anew(now);
}

// This server was away, or the others think so. For a period no channel that closes says anything,
// and none of those that stand does before the buddy was heard there again, and a period more: what
// is late on one may be later on another. That it is silent says as little, for a while.
void BuddyWatch::distrust(Instant now) {
  unsure_until_ = now + times().period;
  for (Link& link : links_) {
    link.trusted = kNever;
    link.shaken = true;
  }
}

void BuddyWatch::begin_anew(Instant now) {
  const Duration period = times().period;
  for (Link& link : links_) expect(link, after(now, link.exchange, period), link.ours);
}

// --- what is heard ------------------------------------------------------------------------------

void BuddyWatch::heard(Instant now, ServerId from, Out& out) {
  for (const Looking& looking : looks_) {
    if (looking.question.server != from) continue;
    out.send(kBalancers, Looked{looking.question.number, from, true});
  }
  std::erase_if(looks_, [&](const Looking& looking) { return looking.question.server == from; });

  Link* link = find(from);
  if (link == nullptr) {
    if (doubts_since_ == kNever || std::exchange(others_heard_, true)) return;
    for (Link& resting : links_) {
      if (resting.state == LinkState::kQuiet) look(now, resting, out);
    }
    return;
  }
  link->heard = now;
  if (std::exchange(doubts_since_, kNever) != kNever) distrust(now);
  if (link->trusted == kNever) link->trusted = link->shaken ? now + times().period : now;
  if (link->state == LinkState::kQuiet) return;
  counters_.recovered += link->state == LinkState::kSuspected;
  expect(*link, after(now, link->exchange, times().period), link->ours);
}

// The answer takes the turn. A ping that comes out of its time leaves the time as it is.
void BuddyWatch::on_ping(Instant now, ServerId from, const Ping& ping, bool crossed, Out& out) {
  ++counters_.pongs_sent;
  Link* link = find(from);
  if (link == nullptr || !link->buddy.linked || crossed) {
    return out.send(from, Pong{ping.number, 0});
  }
  const Duration period = times().period;
  Instant next = link->exchange;
  if (next - now <= period / 2) {
    const Link* other = other_than(*link);
    next = now + period;
    if (other != nullptr) next = next_exchange(next, other->exchange, period);
  }
  expect(*link, next, true);
  out.send(from, Pong{ping.number, in_microseconds(next - now)});
}

void BuddyWatch::on_pong(Instant now, ServerId from, const Pong& pong) {
  ++counters_.answered;
  Link* link = find(from);
  if (link == nullptr || pong.next_us == 0 || pong.number < link->ping) return;
  const auto most = static_cast<std::uint64_t>(times().period * kNextPeriodsMost / 1us);
  expect(*link, now + std::min(pong.next_us, most) * 1us, false);
}

void BuddyWatch::on_suspect(Instant now, const Suspect& told, Out& out) {
  if (told.suspect == self_) return distrust(now);
  Link* link = find(told.suspect);
  if (link == nullptr || !link->buddy.linked) return;
  if (link->state == LinkState::kQuiet || link->state == LinkState::kAsked) look(now, *link, out);
}

void BuddyWatch::on_look(Instant now, const Look& question, Out& out) {
  if (looks_.size() >= kLooksMax) looks_.erase(looks_.begin());
  ++counters_.looks;
  send_ping(question.server, out);
  looks_.push_back({question, now + times().probe_gap, 1});
}

// --- what time brings ---------------------------------------------------------------------------

void BuddyWatch::step(Instant now, Link& link, Out& out) {
  switch (link.state) {
    case LinkState::kQuiet:
      return step_quiet(now, link, out);
    case LinkState::kAsked:
      ++counters_.missed;
      return look(now, link, out);
    case LinkState::kMissing:
      return link.probes < WatchTimes::kProbes ? probe(now, link, out) : conclude(now, link, out);
    case LinkState::kSuspected:
      if (link.buddy.linked) send_ping(link.buddy.id, out);
      if (link.report_due <= now) report(now, link, out);
      link.due = now + times().period;
  }
}

void BuddyWatch::step_quiet(Instant now, Link& link, Out& out) {
  const WatchTimes times = this->times();
  if (!link.buddy.linked) return conclude(now, link, out);
  if (link.ours) {
    send_ping(link.buddy.id, out);
    link.ping = last_ping_;
    link.state = LinkState::kAsked;
    link.due = now + times.miss_after;
  } else if (link.heard >= link.exchange - times.miss_after) {
    expect(link, link.exchange + times.period, false);
  } else {
    link.ping = last_ping_ + 1;
    ++counters_.missed;
    look(now, link, out);
  }
}

// False: it is over.
bool BuddyWatch::step(Instant now, Looking& looking, Out& out) {
  const WatchTimes times = this->times();
  if (looking.probes > WatchTimes::kProbes) {
    out.send(kBalancers, Looked{looking.question.number, looking.question.server, false});
    return false;
  }
  send_ping(looking.question.server, out);
  ++looking.probes;
  looking.due = now + (looking.probes > WatchTimes::kProbes ? times.miss_after : times.probe_gap);
  return true;
}

void BuddyWatch::send_ping(ServerId to, Out& out) {
  ++counters_.pings_sent;
  out.send(to, Ping{++last_ping_});
}

// Quick probes.
void BuddyWatch::look(Instant now, Link& link, Out& out) {
  link.state = LinkState::kMissing;
  link.looked = now;
  link.probes = 0;
  link.host_answers = false;
  if (options_.checks_hosts) host_checks_.push_back(link.buddy.id);
  probe(now, link, out);
}

// The other buddy is asked as well, whether it is not we that are not to be heard.
void BuddyWatch::probe(Instant now, Link& link, Out& out) {
  send_ping(link.buddy.id, out);
  ++link.probes;
  link.due = now + times().probe_gap;
  const Link* other = other_than(link);
  if (other != nullptr && other->buddy.linked && other->state != LinkState::kMissing &&
      other->heard < link.looked) {
    send_ping(other->buddy.id, out);
  }
}

void BuddyWatch::conclude(Instant now, Link& link, Out& out) {
  const Duration period = times().period;
  if (link.shaken && link.trusted == kNever && now < unsure_until_ + period * kReturnPeriods) {
    return expect(link, now + period, link.buddy.linked);
  }
  const Link* other = other_than(link);
  const bool other_answers = other != nullptr && other->heard >= link.looked;
  if (!other_answers && (doubts_since_ == kNever || !others_heard_)) return doubt(now, out);
  Seen seen = Seen::kSilent;
  if (options_.checks_hosts) seen = link.host_answers ? Seen::kHostAnswers : Seen::kHostSilent;
  if (!link.buddy.linked) seen = Seen::kUnreachable;
  suspect(now, link, seen, out);
}

// Not one that can be told from its own failing was heard. The first time it looks again at once,
// and asks bystanders; then once a period, until somebody is heard.
void BuddyWatch::doubt(Instant now, Out& out) {
  ++counters_.self_cut_off;
  for (const ServerId bystander : bystanders_) send_ping(bystander, out);
  const bool first = doubts_since_ == kNever;
  doubts_since_ = first ? now : doubts_since_;
  others_heard_ = false;
  for (Link& link : links_) {
    if (link.state == LinkState::kSuspected) continue;
    if (!link.buddy.linked) {
      expect(link, now + times().period, false);
    } else if (first) {
      look(now, link, out);
    } else {
      expect(link, now + times().period, true);
    }
  }
}

void BuddyWatch::suspect(Instant now, Link& link, Seen seen, Out& out) {
  counters_.suspicions += link.state != LinkState::kSuspected;
  link.state = LinkState::kSuspected;
  link.seen = seen;
  link.report_periods = 1;
  link.due = now + times().period;
  report(now, link, out);
  if (!link.buddy.other) return;
  out.send(link.buddy.other, Suspect{link.buddy.id, link.buddy.incarnation, seen});
}

void BuddyWatch::report(Instant now, Link& link, Out& out) {
  ++counters_.reports;
  out.send(kBalancers, FailureReport{link.buddy.id, link.buddy.incarnation, link.seen});
  link.report_due = now + times().period * link.report_periods;
  link.report_periods = std::min(2 * link.report_periods, kReportPeriodsMost);
}

}  // namespace tandem
