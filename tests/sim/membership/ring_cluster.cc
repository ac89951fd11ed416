#include "tests/sim/membership/ring_cluster.h"

#include <utility>

namespace tandem::sim {
namespace {

constexpr Duration kViewDelay = 10ms;   // at most: views that follow each other are held back so
constexpr Duration kProbeTimeout = 1s;  // where the master names none
constexpr int kProbeLegs = 3;           // packets until the request is at the server

// The messages that travel, by number.
enum : std::uint8_t { kPing, kPong, kSuspect, kReport, kLook, kLooked, kStatusReport };

}  // namespace

RingCluster::RingCluster(const Options& options)
    : options_(options), wire_(options.wire), master_(options.master), servers_(options.servers) {
  for (std::uint32_t i = 0; i < size(); ++i) {
    servers_[i].watch = std::make_unique<BuddyWatch>(id(i), BuddyWatch::Options{options.period});
    servers_[i].runs_since = wire_.now();
    master_.on_registered(wire_.now(), id(i), "", 1, orders_);
    const Duration phase = options.period * static_cast<int>(wire_.dice().below(1000)) / 1000;
    wire_.at(wire_.now() + phase, {.kind = Kind::kStatus, .server = i});
    if (options_.pauses.share > 0) {
      const double gap = options_.pauses.gap(wire_.dice());
      wire_.at(wire_.now() + std::chrono::duration_cast<Duration>(gap * options.period),
               {.kind = Kind::kPause, .server = i});
    }
  }
  pump();
  findings_ = {};
}

void RingCluster::run(double periods) {
  const Instant end = wire_.now() + std::chrono::duration_cast<Duration>(periods * options_.period);
  while (wire_.now() < end) {  // the time online is summed up in steps
    const Instant step = std::min(end, wire_.now() + options_.period);
    const double length = std::chrono::duration<double>(step - wire_.now()) / options_.period;
    wire_.run(step, [this](const Event& event) { handle(event); });
    for (std::uint32_t i = 0; i < size(); ++i) {
      if (servers_[i].alive && !servers_[i].frozen && online(i)) findings_.server_periods += length;
    }
  }
}

void RingCluster::kill(std::uint32_t server) {
  servers_[server].alive = false;
  servers_[server].died = wire_.now();
}

void RingCluster::revive(std::uint32_t server) {
  Server& one = servers_[server];
  one.watch = std::make_unique<BuddyWatch>(id(server), BuddyWatch::Options{options_.period});
  one.alive = true;
  one.runs_since = wire_.now();
  one.died = kNever;
  ++one.incarnation;
  master_.on_registered(wire_.now(), id(server), "", one.incarnation, orders_);
  pump();
}

void RingCluster::freeze(std::uint32_t server) { servers_[server].frozen = true; }

void RingCluster::thaw(std::uint32_t server) {
  Server& one = servers_[server];
  one.frozen = false;
  one.runs_since = wire_.now();
  for (const Event& missed : std::exchange(one.inbox, {})) serve(missed);
  serve({.kind = Kind::kWake, .server = server});
}

void RingCluster::lose(std::uint32_t server, const Loss& loss) {
  servers_[server].loss = loss;
  for (const Event& event : std::exchange(servers_[server].unsent, {})) send_reliably(event);
}

Findings RingCluster::take() { return std::exchange(findings_, {}); }

bool RingCluster::runs(const Server& server) const { return server.alive && !server.frozen; }

void RingCluster::handle(const Event& event) {
  switch (event.kind) {
    case Kind::kMasterWake:
      if (wire_.now() != master_armed_) return;  // an earlier one has been set since
      master_armed_ = kNever;
      return pump();
    case Kind::kToMaster:
      return on_master_message(event);
    case Kind::kProbeAnswer:
    case Kind::kProbeLate:
      if (probes_.erase(event.number) == 0) return;
      master_.on_probe_result(
          wire_.now(), id(event.server), event.number,
          event.kind == Kind::kProbeAnswer ? ProbeResult::kAnswered : ProbeResult::kFailed, "",
          orders_);
      return pump();
    case Kind::kPause:
      return pause(event.server);
    default:
      break;
  }
  Server& server = servers_[event.server];
  if (event.kind == Kind::kWake) {
    if (wire_.now() != server.armed) return;
    server.armed = kNever;
  }
  if (event.kind == Kind::kStatus) {
    wire_.at(wire_.now() + options_.master.liveness.status_interval, event);
    if (runs(server)) {
      send_reliably({.kind = Kind::kToMaster, .type = kStatusReport, .server = event.server});
    }
    return;
  }
  if (!server.alive) return;
  if (event.kind == Kind::kResume) return thaw(event.server);
  if (!server.frozen) return serve(event);
  if (event.kind != Kind::kWake) server.inbox.push_back(event);
}

// What comes to a server that runs.
void RingCluster::serve(const Event& event) {
  BuddyWatch& watch = *servers_[event.server].watch;
  const Instant now = wire_.now();
  switch (event.kind) {
    case Kind::kProbe: {
      Event answer = event;
      answer.kind = Kind::kProbeAnswer;
      if (!lost(servers_[event.server], false)) wire_.send(answer);
      return;
    }
    case Kind::kPlace:
      watch.set_neighbourhood(now, around(event.server), out_);
      break;
    case Kind::kWake:
      watch.on_deadline(now, out_);
      break;
    case Kind::kToServer:
      if (event.type == kPing && !event.from) {  // the master's, on the control connection
        return send_reliably({.kind = Kind::kToMaster, .type = kPong, .server = event.server});
      }
      if (event.type == kPing) watch.on_message(now, event.from, Ping{event.number}, out_);
      if (event.type == kPong)
        watch.on_message(now, event.from, Pong{event.number, event.more}, out_);
      if (event.type == kLook) {
        watch.on_message(now, BuddyWatch::kBalancers, Look{event.number, event.about, {}}, out_);
      }
      if (event.type == kSuspect) {
        watch.on_message(now, event.from, Suspect{event.about, event.more, Seen::kSilent}, out_);
      }
      break;
    default:
      return;
  }
  carry(event.server);
}

void RingCluster::carry(std::uint32_t server) {
  if (!out_.empty()) {
    for (const auto& envelope : out_.take()) {
      ++findings_.messages;
      Event event{.kind = Kind::kToServer, .server = index(envelope.to), .from = id(server)};
      if (const auto* ping = std::get_if<Ping>(&envelope.message)) {
        event.number = ping->number;
      } else if (const auto* pong = std::get_if<Pong>(&envelope.message)) {
        event.type = kPong;
        event.number = pong->number;
        event.more = pong->next_us;
      } else if (const auto* suspect = std::get_if<Suspect>(&envelope.message)) {
        event.type = kSuspect;
        event.about = suspect->suspect;
        event.more = suspect->incarnation;
      } else if (const auto* report = std::get_if<FailureReport>(&envelope.message)) {
        const Server& of = servers_[index(report->suspect)];
        const Duration round_trip = 2 * options_.wire.latency_max;
        findings_.false_suspicions += runs(of) && wire_.now() - of.runs_since >= round_trip;
        send_reliably({Kind::kToMaster, kReport, false, server, id(server), report->suspect, 0,
                       report->incarnation});
        continue;
      } else if (const auto* looked = std::get_if<Looked>(&envelope.message)) {
        send_reliably({Kind::kToMaster, kLooked, looked->reached, server, id(server),
                       looked->server, looked->number});
        continue;
      }
      send(event);
    }
  }
  arm(server);
}

void RingCluster::send(const Event& event) {
  Random& dice = wire_.dice();
  const double out = servers_[index(event.from)].loss.out, in = servers_[event.server].loss.in;
  if (out > 0 && dice.chance(out)) return;
  if (in > 0 && dice.chance(in)) return;
  wire_.send(event);
}

// Resent until it gets through, by the wire and by the server's own losses.
void RingCluster::send_reliably(const Event& event) {
  Server& server = servers_[event.server];
  const Loss& loss = server.loss;
  if (loss.of_master && (loss.in >= 1 || loss.out >= 1)) {
    server.unsent.push_back(event);
    return;
  }
  Duration delay = wire_.latency();
  while (wire_.lost() || lost(server, event.kind == Kind::kToServer))
    delay += wire_.options().resend;
  wire_.at(wire_.now() + delay, event);
}

bool RingCluster::lost(const Server& server, bool in) {
  if (!server.loss.of_master) return false;
  const double loss = in ? server.loss.in : server.loss.out;
  return loss > 0 && wire_.dice().chance(loss);
}

void RingCluster::arm(std::uint32_t server) {
  Server& one = servers_[server];
  const Instant next = one.watch->next_deadline();
  if (next >= one.armed) return;  // it will look again then
  one.armed = next;
  wire_.at(next, {.kind = Kind::kWake, .server = server});
}

void RingCluster::on_master_message(const Event& event) {
  const Instant now = wire_.now();
  if (event.type == kReport) {
    const FailureReport report{event.about, event.more, Seen::kSilent};
    master_.on_heard(now, event.from, false, orders_);
    master_.on_report(now, event.from, report, orders_);
  } else if (event.type == kLooked) {
    master_.on_heard(now, event.from, false, orders_);
    master_.on_looked(now, event.from, Looked{event.number, event.about, event.flag}, orders_);
  } else {
    master_.on_heard(now, id(event.server), event.type == kPong, orders_);
  }
  pump();
}

// One transaction for all that is ruled at once.
void RingCluster::pump() {
  const Instant now = wire_.now();
  bool ruled = false;
  do {
    master_.on_deadline(now, orders_);
    for (const MasterOrder& order : std::exchange(orders_, {})) {
      if (const auto* contact = std::get_if<Contact>(&order)) {
        carry_out(*contact);
      } else if (const auto* call = std::get_if<Call>(&order)) {
        send_reliably({.kind = Kind::kToServer, .type = kPing, .server = index(call->server)});
      } else if (const auto* ask = std::get_if<AskWitness>(&order)) {
        send_reliably({.kind = Kind::kToServer,
                       .type = kLook,
                       .server = index(ask->witness),
                       .about = ask->look.server,
                       .number = ask->look.number});
      } else if (const auto* ruling = std::get_if<Ruling>(&order)) {
        rule(*ruling);
        ruled = true;
      }
    }
  } while (master_.next_deadline() <= now);
  findings_.transactions += ruled;
  for (const ServerId changed : master_.ring().take_changed()) {
    if (!master_.ring().has(changed)) continue;
    const Duration delay = kViewDelay * static_cast<int>(wire_.dice().below(1000)) / 1000;
    wire_.at(now + delay + wire_.latency(), {.kind = Kind::kPlace, .server = index(changed)});
  }
  if (master_.next_deadline() >= master_armed_) return;
  master_armed_ = master_.next_deadline();
  wire_.at(master_armed_, {.kind = Kind::kMasterWake});
}

void RingCluster::carry_out(const Contact& contact) {
  const std::uint32_t server = index(contact.server);
  const Duration timeout = contact.timeout == 0s ? kProbeTimeout : contact.timeout;
  probes_.insert(contact.serial);
  wire_.at(wire_.now() + timeout,
           {.kind = Kind::kProbeLate, .server = server, .number = contact.serial});
  if (contact.ping) {
    send_reliably({.kind = Kind::kToServer, .type = kPing, .server = server});
  }
  Duration delay{};
  for (int leg = 0; leg < kProbeLegs; ++leg) {
    if (wire_.lost() || lost(servers_[server], leg % 2 == 0)) return;
    delay += wire_.latency();
  }
  wire_.at(wire_.now() + delay, {.kind = Kind::kProbe, .server = server, .number = contact.serial});
}

void RingCluster::rule(const Ruling& ruling) {
  Server& server = servers_[index(ruling.server)];
  const bool was_online = std::exchange(server.online, ruling.state == ServerState::kOnline);
  if (!was_online || ruling.state != ServerState::kOffline) return;  // not if it was held back
  ++findings_.offlines;
  ++server.offlines;
  if (runs(server)) {
    const bool long_enough = wire_.now() - server.runs_since >= 2 * options_.wire.latency_max;
    ++(long_enough ? findings_.false_offlines : findings_.in_flight);
  }
  if (server.died == kNever) return;
  findings_.detections.push_back(std::chrono::duration<double>(wire_.now() - server.died) /
                                 options_.period);
  server.died = kNever;
}

Neighbourhood RingCluster::around(std::uint32_t server) {
  Neighbourhood result;
  const Ring& ring = master_.ring();
  const ServerId self = id(server);
  if (!ring.has(self) || ring.size() < 2) return result;
  for (const ServerId buddy : {ring.first(self), ring.second(self)}) {
    if (!result.buddies.empty() && result.buddies[0].id == buddy) continue;
    const ServerId other = ring.first(buddy) == self ? ring.second(buddy) : ring.first(buddy);
    result.buddies.push_back(
        {buddy, servers_[index(buddy)].incarnation, other == self ? ServerId{} : other, true});
  }
  for (std::size_t i = 0; i < Neighbourhood::kBystandersMax && ring.size() > 3; ++i) {
    const ServerId one = ring.any(wire_.dice());
    if (one != self && one != ring.first(self) && one != ring.second(self)) {
      result.bystanders.push_back(one);
    }
  }
  return result;
}

void RingCluster::pause(std::uint32_t server) {
  Random& dice = wire_.dice();
  const auto periods = [&](double count) {
    return std::chrono::duration_cast<Duration>(count * options_.period);
  };
  const Duration length = periods(options_.pauses.length(dice));
  servers_[server].frozen = true;
  wire_.at(wire_.now() + length, {.kind = Kind::kResume, .server = server});
  wire_.at(wire_.now() + length + periods(options_.pauses.gap(dice)),
           {.kind = Kind::kPause, .server = server});
}

}  // namespace tandem::sim
