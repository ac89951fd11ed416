// What must hold after every event. Violations are collected, the first ones with their text.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/session/token.h"
#include "server/core/node.h"
#include "tests/sim/event_heap.h"

namespace tandem::sim {

// What one process of a server has learned: the newest epoch of each session.
class Learned {
 public:
  void epoch(SessionId session, Epoch epoch) {
    Epoch& known = newest_[session];
    if (known < epoch) known = epoch;
  }
  // It had no room to remember.
  void forget(SessionId session) { newest_.erase(session); }
  Epoch newest(SessionId session) const {
    const auto found = newest_.find(session);
    return found == newest_.end() ? Epoch{} : found->second;
  }
  // From a message that `node` is about to get.
  void message(const Node& node, const Message& message);

 private:
  std::unordered_map<SessionId, Epoch> newest_;
};

class Invariants {
 public:
  static constexpr std::size_t kTextsMax = 20;

  explicit Invariants(const EventHeap& heap) : heap_(heap) {}

  // A server has taken in a message of a peer: what it says of the session concerned.
  void on_message(const Node& node, const Learned& learned, const Message& message);
  // A server answers a request as primary.
  void on_served(const Node& node, const Learned& learned, const SessionToken& request);
  // A server sets a token (after sabotage, if any).
  void on_token(const Node& node, const Learned& learned, const SessionToken& request,
                const SessionToken& token);
  void on_referral(const Node& node, const SessionToken& request, const SessionToken& refer);
  // A server serves a request without its session, and sets a token that says where that is.
  void on_guest(const Node& node, const SessionToken& request, const SessionToken& token);
  // A client takes a token in the place of another.
  void on_client_token(const SessionToken& before, const SessionToken& after);
  // A client was told to use its own copy.
  void on_reuse(bool announced, std::uint64_t held_version, std::uint64_t retrieved_version);
  // At any time: queues and tables within their bounds.
  void on_bounds(const Node& node, const NodeOptions& options);

  void require(bool holds, const char* what) {
    if (!holds) violate(what);
  }
  // The same, with a text that is made only if it is needed.
  template <class Text>
  void require(bool holds, const char* what, const Text& text) {
    if (!holds) violate(std::string(what) + ": " + text());
  }
  std::uint64_t violations() const { return violations_; }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  void violate(const std::string& what);
  void on_session(const Node& node, const Learned& learned, SessionId session);
  const EventHeap& heap_;
  std::uint64_t violations_ = 0;
  std::vector<std::string> texts_;
};

std::string to_text(const SessionToken& token);
std::string to_text(const Epoch& epoch);

}  // namespace tandem::sim
