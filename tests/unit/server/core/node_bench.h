// A handful of nodes on a bench: links that deliver at once and in order, a view that the test
// dictates, time that the test moves. For the claims about single cases; tests/sim has the storms.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/core/node.h"

namespace tandem {

inline constexpr SessionId kSession{7, 11};
inline constexpr CacheId kCache{5};
inline constexpr ItemKey kItem = ItemKey::of("/a");

inline std::shared_ptr<const std::string> body(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

class NodeBench : public ::testing::Test {
 protected:
  struct Seat {
    std::string zone;
    std::uint64_t incarnation = 1;
    bool online = true;  // as the view says
    std::unique_ptr<Node> node;
  };

  virtual NodeOptions options_for(const std::string& name) {
    NodeOptions options;
    options.name = name;
    options.zone = seats_[name].zone;
    options.capacity = 100;
    options.threshold = 80;
    options.mirror.round = options.mirror.delay_max = 0ns;  // time stands still while it settles
    return options;
  }

  // Starts nodes with these names, all linked and in everyone's view.
  void start(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      seats_[name];
      seats_[name].node = std::make_unique<Node>(options_for(name), now_);
    }
    for (const std::string& a : names) {
      for (const std::string& b : names) {
        if (a < b) link(a, b);
      }
    }
    publish();
  }

  Node& node(const std::string& name) { return *seats_.at(name).node; }
  static ServerId id(const std::string& name) { return ServerId::of(name); }
  std::string name_of(ServerId server) {
    for (const auto& [name, seat] : seats_) {
      if (id(name) == server) return name;
    }
    return "";
  }

  // Every node sees the cluster as it is, with everyone's status.
  void publish() {
    auto view = std::make_shared<View>();
    view->version = ++version_;
    for (auto& [name, seat] : seats_) {
      ServerRecord record;
      record.id = id(name);
      record.name = name;
      record.zone = seat.zone;
      record.incarnation = seat.incarnation;
      record.online = seat.online && seat.node != nullptr;
      if (seat.node != nullptr)
        record.status = statuses_[name] = seat.node->next_status();
      else
        record.status = statuses_[name];
      view->servers.push_back(record);
    }
    for (auto& [name, seat] : seats_) {
      if (seat.node != nullptr && !deaf_.count(name)) seat.node->on_view(now_, view, outbox(name));
    }
    settle();
  }

  void link(const std::string& a, const std::string& b) {
    links_.insert({a, b});
    links_.insert({b, a});
    node(a).on_peer_connected(now_, id(b), seats_[b].incarnation, outbox(a));
    node(b).on_peer_connected(now_, id(a), seats_[a].incarnation, outbox(b));
    settle();
  }
  void cut(const std::string& a, const std::string& b) {
    if (links_.erase({a, b}) + links_.erase({b, a}) == 0) return;
    for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
      if (seats_[x].node) node(x).on_peer_disconnected(now_, id(y), outbox(x));
    }
  }
  void cut_off(const std::string& name) {
    for (const auto& [other, seat] : seats_) cut(name, other);
  }
  // Kills -9: the process is gone, and its links are. The view does not know yet.
  void kill(const std::string& name) {
    seats_[name].node.reset();
    cut_off(name);
  }
  void restart(const std::string& name) {
    ++seats_[name].incarnation;
    seats_[name].online = true;
    seats_[name].node = std::make_unique<Node>(options_for(name), now_);
    for (const auto& [other, seat] : seats_) {
      if (other != name && seat.node) link(name, other);
    }
    publish();
  }

  void pass(Duration time) {
    now_ += time;
    wall_ += std::chrono::duration_cast<std::chrono::seconds>(time).count();
    for (int round = 0; round < 100; ++round) {
      for (auto& [name, seat] : seats_) {
        if (seat.node && seat.node->next_deadline() <= now_) {
          seat.node->on_deadline(now_, outbox(name));
        }
      }
      settle();
    }
  }

  // Delivers until nobody has anything to say.
  void settle() {
    for (bool more = true; more;) {
      more = false;
      for (auto& [name, seat] : seats_) {
        if (!seat.node) continue;
        seat.node->flush(now_, outbox(name));
        for (auto& [to, message] : outbox(name).take()) {
          const std::string receiver = name_of(to);
          if (links_.count({name, receiver}) == 0) continue;
          if (drop_ && drop_(name, receiver, message)) continue;
          node(receiver).on_message(now_, id(name), message, outbox(receiver));
          more = true;
        }
      }
    }
  }

  PeerOutbox& outbox(const std::string& name) { return outboxes_[name]; }

  // One that has to wait for what peers say is decided when they have said it.
  Decision request(const std::string& at, const SessionToken& token,
                   std::vector<ItemKey> evicted = {}) {
    Decision decision = node(at).on_request(now_, wall_, {token, kCache, evicted});
    if (decision.kind == Decision::Kind::kWait) {
      settle();
      const auto settled = node(at).take_settled();
      EXPECT_NE(std::find(settled.begin(), settled.end(), token.session), settled.end());
      decision = node(at).on_request(now_, wall_, {token, kCache, evicted});
      EXPECT_NE(decision.kind, Decision::Kind::kWait);
    }
    settle();
    return decision;
  }
  static SessionToken with_flags(SessionToken token, unsigned flags) {
    token.flags = static_cast<std::uint8_t>(flags);
    return token;
  }
  SessionToken new_session(const std::string& at, SessionId session = kSession,
                           unsigned flags = kNewSession) {
    return SessionToken{session, {}, id(at), {}, wall_, static_cast<std::uint8_t>(flags)};
  }
  // Serves a request to its end and gives the token that the client has then. Fails if it is not
  // served.
  SessionToken served(const std::string& at, const SessionToken& token) {
    const Decision decision = request(at, token);
    EXPECT_EQ(decision.kind, Decision::Kind::kServe) << "at " << at;
    const auto set = node(at).token_to_set(wall_, token);
    node(at).on_request_end(token.session);
    settle();
    return set.value_or(token);
  }
  // A confirmed session with its alternate.
  SessionToken confirmed(const std::string& at, SessionId session = kSession) {
    return served(at, served(at, new_session(at, session)));
  }
  Comparison retrieved(const std::string& at, std::vector<Validator> announced,
                       const std::string& content, ItemKey key = kItem,
                       SessionId session = kSession) {
    const Comparison result =
        node(at).on_retrieved(now_, {session, kCache, key, announced, body(content), true});
    settle();
    return result;
  }

  Instant now_{1h};
  UnixSeconds wall_ = 1'800'000'000;
  std::map<std::string, Seat> seats_;
  std::set<std::pair<std::string, std::string>> links_;
  std::set<std::string> deaf_;  // get no views
  std::function<bool(const std::string&, const std::string&, const Message&)> drop_;
  std::map<std::string, Status> statuses_;
  std::map<std::string, PeerOutbox> outboxes_;
  std::uint64_t version_ = 0;
};

}  // namespace tandem
