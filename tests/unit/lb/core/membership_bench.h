// A membership with virtual time, and servers that register with it, report, fall silent and die.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lb/core/membership.h"

namespace tandem {

// A membership with virtual time, servers that answer probes or not, and a record of what was told.
class MembershipTest : public ::testing::Test {
 protected:
  MembershipTest() { settle(); }

  static Membership::Options options() {
    Membership::Options options;
    options.check = {1s, 2, 3};
    return options;
  }
  Result<void> configure(std::vector<PlainServer> plain) {
    auto result = machine_.configure(now_, options(), plain);
    settle();
    return result;
  }

  // Carries out what is due now. Probes are answered as `alive_` says, 5 ms later.
  void settle() {
    machine_.on_deadline(now_, actions_);
    carry_out();
  }
  void carry_out() {
    for (MembershipAction& action : std::exchange(actions_, {})) {
      if (auto* probe = std::get_if<StartProbe>(&action)) {
        ++probes_[probe->address];
        const bool slow = slow_.count(probe->address) != 0;
        const bool in_time = probe->timeout == 0s || probe->timeout > kSlow;
        const bool frozen = frozen_.count(probe->address) != 0 && probe->timeout > 0s;
        answers_.emplace(now_ + (slow     ? in_time ? kSlow : probe->timeout
                                 : frozen ? probe->timeout
                                 : probe->kind == ServerKind::kPlain ? Duration(5ms)
                                                                     : Duration(1ms)),
                         *probe);
      } else if (auto* send = std::get_if<SendMessage>(&action)) {
        sent_[send->to].push_back(send->message);
        if (const auto* look = std::get_if<Look>(&send->message))
          looks_.push_back({send->to, *look});
        if (std::holds_alternative<Ping>(send->message)) pongs_.push_back(send->to);
      } else if (auto* broadcast = std::get_if<Broadcast>(&action)) {
        for (ConnectionId to : broadcast->to) sent_[to].push_back(broadcast->message);
      } else if (auto* close = std::get_if<CloseConnection>(&action)) {
        closed_.insert(close->connection);
      } else if (auto* view = std::get_if<PublishView>(&action)) {
        views_.push_back(view->view);
      } else if (auto* status = std::get_if<PublishStatus>(&action)) {
        statuses_.push_back({now_, status->update});
      } else if (auto* note = std::get_if<Note>(&action)) {
        notes_.push_back(note->text);
      }
    }
  }
  void run(Duration span) {
    const Instant end = now_ + span;
    for (;;) {
      Instant next = machine_.next_deadline();
      if (!answers_.empty()) next = std::min(next, answers_.begin()->first);
      for (const auto& [name, when] : reports_) next = std::min(next, when);
      if (next > end) break;
      now_ = std::max(now_, next);
      while (!answers_.empty() && answers_.begin()->first <= now_) {
        const StartProbe probe = answers_.begin()->second;
        answers_.erase(answers_.begin());
        const bool late = probe.timeout > 0s && probe.timeout <= kSlow;
        const bool slow = slow_.count(probe.address) != 0;
        const bool alive = dead_.count(probe.address) == 0 && !(slow && late);
        const bool refuses = frozen_.count(probe.address) == 0 && !slow;
        machine_.on_probe_result(now_, probe.server, probe.serial,
                                 alive     ? ProbeResult::kAnswered
                                 : refuses ? ProbeResult::kRefused
                                           : ProbeResult::kFailed,
                                 alive ? "" : "connection refused", actions_);
      }
      for (auto& [name, when] : reports_) {
        if (when > now_) continue;
        when += 1s;
        report(name, status_[name]);
      }
      answer();
      settle();
    }
    now_ = end;
  }

  void tell(ConnectionId from, Message message) {
    machine_.on_message(now_, from, message, actions_);
    settle();
  }
  // Registers, and from then on reports every second.
  void enter(const std::string& name, ConnectionId connection, std::uint64_t incarnation = 1) {
    Hello hello;
    hello.name = name;
    hello.incarnation = incarnation;
    tell(connection, hello);
    status_[name] = {1, 0, 1000, 800, 0, false};
    tell(connection, Register{name + ":80", name + ":90", "", "default", status_[name]});
    connection_[name] = connection;
    reports_[name] = now_ + 1s;
  }
  void report(const std::string& name, Status& status) {
    ++status.sequence;
    tell(connection_[name], StatusReport{status});
  }
  void lose(const std::string& name) {
    reports_.erase(name);
    machine_.on_connection_lost(now_, connection_[name], actions_);
    settle();
  }
  void die(const std::string& name) {
    dead_.insert(name + ":80");
    lose(name);
  }
  void freeze(const std::string& name) {
    dead_.insert(name + ":80");
    frozen_.insert(name + ":80");
    reports_.erase(name);
  }
  // Whoever was asked to look says what it finds; who was pinged answers.
  void answer() {
    for (const auto& [to, look] : std::exchange(looks_, {})) {
      const View view = machine_.view();
      const ServerRecord* suspect = view.find(look.server);
      const std::string address = suspect == nullptr ? "" : suspect->name + ":80";
      machine_.on_message(now_, to, Looked{look.number, look.server, frozen_.count(address) == 0},
                          actions_);
    }
    for (const ConnectionId to : std::exchange(pongs_, {})) {
      const bool silent = std::any_of(connection_.begin(), connection_.end(), [&](const auto& one) {
        return one.second == to && reports_.count(one.first) == 0;
      });
      if (!silent) machine_.on_message(now_, to, Pong{}, actions_);
    }
  }

  bool online(const std::string& name) const {
    const View view = machine_.view();
    const ServerRecord* record = view.find(ServerId::of(name));
    return record != nullptr && record->online;
  }
  std::uint64_t version() const { return machine_.view().version; }
  const ServerRecord* told(const std::string& name) const {
    return views_.back()->find(ServerId::of(name));
  }
  template <class M>
  std::vector<M> sent(ConnectionId to) const {
    std::vector<M> found;
    const auto it = sent_.find(to);
    if (it == sent_.end()) return found;
    for (const Message& message : it->second) {
      if (const M* m = std::get_if<M>(&message)) found.push_back(*m);
    }
    return found;
  }

  Instant now_ = Instant{} + 100s;
  Membership machine_{now_, options()};
  MembershipActions actions_;
  std::map<ConnectionId, std::vector<Message>> sent_;
  std::set<ConnectionId> closed_;
  std::vector<ViewPtr> views_;
  std::vector<std::pair<Instant, StatusUpdate>> statuses_;
  std::vector<std::string> notes_;
  std::map<std::string, int> probes_;
  std::set<std::string> dead_;    // addresses that do not answer
  std::set<std::string> frozen_;  // and do not refuse either
  static constexpr Duration kSlow = 150ms;
  std::set<std::string> slow_;  // that take so long to answer
  std::vector<std::pair<ConnectionId, Look>> looks_;
  std::vector<ConnectionId> pongs_;
  std::multimap<Instant, StartProbe> answers_;
  std::map<std::string, Instant> reports_;
  std::map<std::string, Status> status_;
  std::map<std::string, ConnectionId> connection_;
};

}  // namespace tandem
