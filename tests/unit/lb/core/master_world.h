// A master, and servers that live, die and freeze around it, in virtual time. Between servers and
// master messages take a millisecond; buddies miss a dead or frozen neighbour after kMissed, and
// report it as long as it stays their neighbour.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lb/core/master.h"

namespace tandem {

class MasterWorld {
 public:
  static constexpr Duration kMissed = 400ms;
  static constexpr Duration kTrip = 1ms;

  explicit MasterWorld(std::uint64_t seed = 1, std::uint32_t returns_free = 1)
      : master_(options(seed, returns_free)) {}

  struct Server {
    std::string name;
    bool alive = true;    // the process
    bool frozen = false;  // stands still, or nothing can be heard of it
    bool cut = false;     // from the master alone
    bool deaf = false;    // it hears nothing of the master, but is heard
    bool shut = false;    // its data port, to the master alone
    bool blind = false;   // reaches no other server that it looks at
    bool left = false;
    Duration looks_for = 2 * kTrip;  // until the master hears what it saw
    std::uint64_t incarnation = 1;
    bool online = false;  // as last ruled
    ServerState state = ServerState::kOnline;
    unsigned offlines = 0;
  };

  void enter(const std::string& name) {
    Server& server = servers_[ServerId::of(name)];
    server.name = name;
    server.alive = true;
    server.left = false;
    registers(ServerId::of(name));
  }
  void kill(const std::string& name) {
    Server& server = of(name);
    server.alive = false;
    drive([&] { master_.on_connection_lost(now_, ServerId::of(name), orders_); });
    missed(ServerId::of(name));
  }
  void restart(const std::string& name) {
    Server& server = of(name);
    server.alive = true;
    server.frozen = server.left = false;
    ++server.incarnation;
    registers(ServerId::of(name));
  }
  void freeze(const std::string& name, bool frozen = true, bool is_missed = true) {
    of(name).frozen = frozen;
    if (frozen) {
      if (is_missed) missed(ServerId::of(name));
    } else {
      status(ServerId::of(name));
    }
  }
  void cut(const std::string& name, bool is_cut = true) {
    of(name).cut = is_cut;
    if (is_cut) {
      drive([&] { master_.on_connection_lost(now_, ServerId::of(name), orders_); });
    } else {
      registers(ServerId::of(name));
    }
  }
  void leave(const std::string& name) {
    of(name).left = true;
    of(name).alive = false;
    drive([&] { master_.on_left(now_, ServerId::of(name), orders_); });
  }
  // An exchange with it fails.
  void fail(const std::string& name) {
    drive([&] { master_.on_failure(now_, ServerId::of(name), orders_); });
  }
  void accuse(const std::string& by, const std::string& suspect) {
    drive([&] {
      master_.on_report(now_, ServerId::of(by), {ServerId::of(suspect), 0, Seen::kSilent}, orders_);
    });
  }

  void run(Duration span) {
    const Instant end = now_ + span;
    for (;;) {
      const Instant next =
          std::min(master_.next_deadline(), events_.empty() ? kNever : events_.begin()->first);
      if (next > end) break;
      now_ = std::max(now_, next);
      while (!events_.empty() && events_.begin()->first <= now_) {
        auto event = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        event();
      }
      drive([] {});
    }
    now_ = end;
  }

  std::vector<std::string> ring() const {
    std::vector<std::string> names;
    for (const ServerId id : master_.ring().in_order()) names.push_back(servers_.at(id).name);
    return names;
  }
  // Everybody whom the master has online is in the ring, once.
  bool whole() const {
    std::set<ServerId> online, met;
    for (const auto& [id, server] : servers_) {
      if (master_.online(id)) online.insert(id);
    }
    for (const ServerId id : master_.ring().in_order()) {
      if (!met.insert(id).second) return false;
      if (master_.ring().step(master_.ring().step(id, true), false) != id) return false;
    }
    return met == online;
  }
  bool online(const std::string& name) const { return master_.online(ServerId::of(name)); }
  Server& of(const std::string& name) { return servers_.at(ServerId::of(name)); }
  const std::map<ServerId, Server>& servers() const { return servers_; }
  Master& master() { return master_; }
  Duration now() const { return now_ - Instant{}; }
  std::function<void(const std::string& line)> on_line = [](const std::string&) {};

 private:
  static Master::Options options(std::uint64_t seed, std::uint32_t returns_free) {
    Master::Options options;
    options.seed = seed;
    options.returns_free = returns_free;
    return options;
  }
  bool hears(const Server& server) const { return server.alive && !server.frozen && !server.cut; }
  void after(Duration delay, std::function<void()> event) {
    events_.emplace(now_ + delay, std::move(event));
  }
  void registers(ServerId id) {
    Server& server = servers_.at(id);
    drive([&] { master_.on_registered(now_, id, zone_of(server), server.incarnation, orders_); });
    status(id);
  }
  static std::string zone_of(const Server&) { return {}; }
  // Heard every second, as long as it is the same chain of reports.
  void status(ServerId id) {
    const std::uint64_t chain = ++chains_[id];
    tick(id, chain);
  }
  void tick(ServerId id, std::uint64_t chain) {
    if (chains_[id] != chain) return;
    const Server& server = servers_.at(id);
    if (!hears(server)) return;
    drive([&] { master_.on_heard(now_, id, false, orders_); });
    after(1s, [this, id, chain] { tick(id, chain); });
  }
  // Its living neighbours on the ring miss it, and report it again and again.
  void missed(ServerId id) {
    after(kMissed, [this, id] {
      const Server& server = servers_.at(id);
      if ((server.alive && !server.frozen) || !master_.ring().has(id)) return;
      for (const ServerId by : {master_.ring().step(id, false), master_.ring().step(id, true)}) {
        const Server& witness = servers_.at(by);
        if (by == id || !hears(witness)) continue;
        drive([&] {
          master_.on_report(now_, by, {id, server.incarnation, Seen::kSilent}, orders_);
        });
      }
      missed(id);
    });
  }

  template <class Event>
  void drive(Event event) {
    event();
    master_.on_deadline(now_, orders_);
    MasterOrders orders;
    std::swap(orders, orders_);
    for (MasterOrder& order : orders) carry_out(order);
  }
  void carry_out(const MasterOrder& order) {
    if (const auto* contact = std::get_if<Contact>(&order)) {
      const ServerId id = contact->server;
      const Server& server = servers_.at(id);
      const bool reached = !server.frozen && !server.cut && !server.deaf && !server.shut;
      const Duration takes = reached ? kTrip : contact->timeout == 0s ? 1s : contact->timeout;
      after(takes, [this, id, serial = contact->serial, reached] {
        const ProbeResult result = !reached                ? ProbeResult::kFailed
                                   : servers_.at(id).alive ? ProbeResult::kAnswered
                                                           : ProbeResult::kRefused;
        drive([&] { master_.on_probe_result(now_, id, serial, result, "", orders_); });
      });
      if (contact->ping) ping(id);
    } else if (const auto* call = std::get_if<Call>(&order)) {
      ping(call->server);
    } else if (const auto* ask = std::get_if<AskWitness>(&order)) {
      on_line("asks " + servers_.at(ask->witness).name + " to look at " +
              servers_.at(ask->look.server).name);
      after(servers_.at(ask->witness).looks_for, [this, ask = *ask] { look(ask); });
    } else if (const auto* ruling = std::get_if<Ruling>(&order)) {
      Server& server = servers_.at(ruling->server);
      server.offlines += server.online && ruling->state == ServerState::kOffline;
      server.online = ruling->state == ServerState::kOnline;
      server.state = ruling->state;
      on_line(server.name + " is " + std::string(state_word(ruling->state)) + ": " + ruling->why);
    } else if (const auto* remark = std::get_if<Remark>(&order)) {
      on_line(servers_.at(remark->server).name + " " + remark->text);
    } else if (const auto* alarm = std::get_if<Alarm>(&order)) {
      on_line(alarm->text);
    }
  }
  void ping(ServerId id) {
    const Server& server = servers_.at(id);
    if (!hears(server) || server.deaf) return;
    after(kTrip, [this, id] {
      if (!hears(servers_.at(id))) return;
      drive([&] { master_.on_heard(now_, id, true, orders_); });
    });
  }
  void look(const AskWitness& ask) {
    if (!hears(servers_.at(ask.witness))) return;
    const Server& suspect = servers_.at(ask.look.server);
    const bool reached = suspect.alive && !suspect.frozen && !servers_.at(ask.witness).blind;
    drive([&] {
      master_.on_looked(now_, ask.witness, {ask.look.number, ask.look.server, reached}, orders_);
    });
  }

  Instant now_ = Instant{} + 100s;
  Master master_;
  MasterOrders orders_;
  std::map<ServerId, Server> servers_;
  std::map<ServerId, std::uint64_t> chains_;
  std::multimap<Instant, std::function<void()>> events_;
};

}  // namespace tandem
