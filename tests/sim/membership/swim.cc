#include "tests/sim/membership/swim.h"

#include <cmath>
#include <utility>

namespace tandem::sim {

double SwimTimes::suspicion(std::uint32_t members, unsigned confirmations) {
  const double least =
      kSuspicionMultiplier * std::max(1.0, std::log10(static_cast<double>(members)));
  const double wanted = members < kSuspicionMultiplier ? 0 : kSuspicionMultiplier - 2;
  if (wanted == 0) return least;
  const double part = std::log(confirmations + 1.0) / std::log(wanted + 1.0);
  return std::max(least, kLongest * least - part * (kLongest - 1) * least);
}

unsigned SwimTimes::retransmissions(std::uint32_t members) {
  return static_cast<unsigned>(kRetransmit * std::ceil(std::log10(members + 1.0)));
}

SwimCluster::SwimCluster(const Options& options)
    : options_(options), wire_(options.wire), members_(options.servers) {
  for (std::uint32_t i = 0; i < size(); ++i) {
    Member& member = members_[i];
    member.known.assign(size(), 1);
    member.runs_since = wire_.now();
    for (std::uint32_t k = 0; k < size(); ++k) {
      if (k != i) member.round.push_back(k);
    }
    member.next = member.round.size();
    wire_.at(wire_.now() + periods(wire_.dice().unit()), {.kind = Kind::kPeriod, .server = i});
    if (options_.pauses.share > 0) {
      wire_.at(wire_.now() + periods(options_.pauses.gap(wire_.dice())),
               {.kind = Kind::kPause, .server = i});
    }
  }
}

void SwimCluster::run(double count) {
  const Instant end = wire_.now() + periods(count);
  while (wire_.now() < end) {
    const Instant step = std::min(end, wire_.now() + options_.period);
    const double length = std::chrono::duration<double>(step - wire_.now()) / options_.period;
    wire_.run(step, [this](const Event& event) { handle(event); });
    for (const Member& member : members_) {
      if (member.alive && !member.frozen && !member.marked) findings_.server_periods += length;
    }
  }
}

void SwimCluster::kill(std::uint32_t server) {
  members_[server].alive = false;
  members_[server].died = wire_.now();
}

void SwimCluster::revive(std::uint32_t server) {
  Member& member = members_[server];
  member.alive = true;
  member.died = kNever;
  member.runs_since = wire_.now();
  member.suspicions.clear();
  member.outgoing.clear();
  bring_back(server);
}

void SwimCluster::bring_back(std::uint32_t server) {
  const std::uint32_t incarnation = ++members_[server].incarnation;
  members_[server].marked = false;
  for (Member& member : members_) {
    member.known[server] = incarnation;
    member.suspicions.erase(server);
  }
}

void SwimCluster::handle(const Event& event) {
  Member& member = members_[event.server];
  if (event.kind == Kind::kPause) {
    const double length = options_.pauses.length(wire_.dice());
    member.frozen = true;
    wire_.at(wire_.now() + periods(length), {.kind = Kind::kResume, .server = event.server});
    wire_.at(wire_.now() + periods(length + options_.pauses.gap(wire_.dice())), event);
    return;
  }
  if (event.kind == Kind::kPeriod) {
    wire_.at(wire_.now() + options_.period, event);
    if (member.alive && !member.frozen) begin_period(event.server);
    return;
  }
  if (event.kind == Kind::kResume) {
    member.frozen = false;
    member.runs_since = wire_.now();
    if (member.marked && member.alive) bring_back(event.server);
    for (const Event& missed : std::exchange(member.inbox, {})) serve(missed);
    return;
  }
  if (member.alive && member.frozen) return member.inbox.push_back(event);
  serve(event);
}

void SwimCluster::begin_period(std::uint32_t server) {
  Member& member = members_[server];
  if (member.next >= member.round.size()) {
    for (std::size_t i = member.round.size(); i > 1; --i) {
      std::swap(member.round[i - 1], member.round[wire_.dice().below(i)]);
    }
    member.next = 0;
  }
  std::size_t tries = member.round.size();
  while (members_[member.round[member.next]].marked && --tries > 0) {
    member.next = (member.next + 1) % member.round.size();
  }
  member.probed = member.round[member.next++];
  member.probe = ++numbers_;
  member.answered = false;
  send(server,
       {.kind = Kind::kPing, .server = member.probed, .for_whom = server, .number = member.probe});
  wire_.at(wire_.now() + options_.period / 2,
           {.kind = Kind::kDirectTimeout, .server = server, .number = member.probe});
  wire_.at(wire_.now() + options_.period * 99 / 100,
           {.kind = Kind::kPeriodEnd, .server = server, .number = member.probe});
}

void SwimCluster::serve(const Event& event) {
  Member& member = members_[event.server];
  if (event.news != 0) {
    const std::vector<News> letter = std::exchange(letters_[event.news], {});
    free_letters_.push_back(event.news);
    if (!member.alive) return;
    for (const News& news : letter) learn(event.server, news);
  }
  if (!member.alive) return;
  switch (event.kind) {
    case Kind::kPing:
      return send(event.server, {.kind = Kind::kAck,
                                 .server = event.from,
                                 .target = event.server,
                                 .for_whom = event.for_whom,
                                 .number = event.number});
    case Kind::kAck:
      if (event.for_whom != event.server) {
        return send(event.server, {.kind = Kind::kAck,
                                   .server = event.for_whom,
                                   .target = event.target,
                                   .for_whom = event.for_whom,
                                   .number = event.number});
      }
      if (event.number == member.probe) member.answered = true;
      return;
    case Kind::kPingRequest:
      return send(event.server, {.kind = Kind::kPing,
                                 .server = event.target,
                                 .for_whom = event.for_whom,
                                 .number = event.number});
    case Kind::kDirectTimeout:
      if (member.answered || event.number != member.probe) return;
      for (std::uint32_t i = 0; i < SwimTimes::kIndirect && size() > 2; ++i) {
        std::uint32_t helper = event.server;
        while (helper == event.server || helper == member.probed) {
          helper = static_cast<std::uint32_t>(wire_.dice().below(size()));
        }
        send(event.server, {.kind = Kind::kPingRequest,
                            .server = helper,
                            .target = member.probed,
                            .for_whom = event.server,
                            .number = event.number});
      }
      return;
    case Kind::kPeriodEnd:
      if (member.answered || event.number != member.probe) return;
      return learn(event.server,
                   {State::kSuspect, member.probed, member.known[member.probed], event.server, 0});
    case Kind::kSuspicionTimeout: {
      const auto found = member.suspicions.find(event.target);
      if (found == member.suspicions.end() || found->second.number != event.number) return;
      const News dead{State::kDead, event.target, found->second.incarnation, event.server, 0};
      return learn(event.server, dead);
    }
    default:
      return;
  }
}

void SwimCluster::send(std::uint32_t from, Event event) {
  ++findings_.messages;
  event.from = from;
  Member& member = members_[from];
  if (!member.outgoing.empty()) {
    if (free_letters_.empty()) {
      free_letters_.push_back(static_cast<std::uint32_t>(letters_.size()));
      letters_.emplace_back();
    }
    event.news = free_letters_.back();
    free_letters_.pop_back();
    letters_[event.news] = member.outgoing;
    std::erase_if(member.outgoing, [](News& news) { return --news.left == 0; });
  }
  if (wire_.lost()) {
    if (event.news != 0) free_letters_.push_back(event.news);
    return;
  }
  wire_.at(wire_.now() + wire_.latency(), event);
}

void SwimCluster::learn(std::uint32_t server, const News& news) {
  Member& member = members_[server];
  std::uint32_t& known = member.known[news.about];
  if (news.incarnation < known || members_[news.about].marked) return;
  if (news.about == server) {
    if (news.state == State::kAlive || news.incarnation < member.incarnation) return;
    known = ++member.incarnation;
    return tell(server, {State::kAlive, server, known, server, 0});
  }
  if (news.state == State::kSuspect) return suspect(server, news);
  if (news.state == State::kAlive) {
    if (news.incarnation == known) return;
    known = news.incarnation;
    member.suspicions.erase(news.about);
    return tell(server, news);
  }
  mark(news.about);
}

void SwimCluster::suspect(std::uint32_t server, const News& news) {
  Member& member = members_[server];
  member.known[news.about] = news.incarnation;
  const auto [found, is_new] = member.suspicions.try_emplace(news.about);
  Suspicion& suspicion = found->second;
  if (is_new || suspicion.incarnation < news.incarnation) {
    suspicion = {news.incarnation, wire_.now(), {}, 0};
  }
  auto& accusers = suspicion.accusers;
  const bool wants_more = accusers.size() < SwimTimes::kSuspicionMultiplier - 1;
  if (!wants_more || std::find(accusers.begin(), accusers.end(), news.by) != accusers.end()) return;
  accusers.push_back(news.by);
  suspicion.number = ++numbers_;
  const double time = SwimTimes::suspicion(size(), static_cast<unsigned>(accusers.size() - 1));
  wire_.at(suspicion.since + periods(time), {.kind = Kind::kSuspicionTimeout,
                                             .server = server,
                                             .target = news.about,
                                             .number = suspicion.number});
  tell(server, news);
}

void SwimCluster::tell(std::uint32_t server, News news) {
  auto& outgoing = members_[server].outgoing;
  std::erase_if(outgoing, [&](const News& old) {
    return old.about == news.about &&
           (old.incarnation < news.incarnation || (old.by == news.by && old.state == news.state));
  });
  news.left = SwimTimes::retransmissions(size());
  outgoing.push_back(news);
}

void SwimCluster::mark(std::uint32_t server) {
  Member& member = members_[server];
  member.marked = true;
  ++findings_.offlines;
  if (member.alive && !member.frozen) {
    const bool long_enough = wire_.now() - member.runs_since >= 2 * options_.wire.latency_max;
    ++(long_enough ? findings_.false_offlines : findings_.in_flight);
    return bring_back(server);
  }
  if (member.died == kNever) return;
  findings_.detections.push_back(std::chrono::duration<double>(wire_.now() - member.died) /
                                 options_.period);
  member.died = kNever;
}

}  // namespace tandem::sim
