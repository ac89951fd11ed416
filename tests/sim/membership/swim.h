// A small model of SWIM as memberlist runs it by default, for comparison: each member pings another
// once a period (in a shuffled round), asks three others to ping who has not answered in half a
// period, and suspects who has not answered by the end of it. A suspicion becomes death after a
// time between 4 and 24 periods, times log10 of the members, the sooner the more members suspect
// independently; the suspect may refute it. News travel on pings and answers alone, so that the
// messages for each member and period are as many as the ring's. (After A. Das, I. Gupta, A.
// Motivala, SWIM, 2002, and the defaults of memberlist for a local network: suspicion multiplier 4
// and at most 6 times that, 3 indirect checks, retransmit multiplier 4.)
//
// Kinder to it than the real one: dead is who is dead for the first member that says so, a probe of
// a member believed dead in error brings it back at once, and there is no limit but the number of
// retransmissions to what a message carries.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "tests/sim/membership/wire.h"

namespace tandem::sim {

struct SwimTimes {
  static constexpr int kSuspicionMultiplier = 4;
  static constexpr int kLongest = 6;  // times the shortest
  static constexpr std::uint32_t kIndirect = 3;
  static constexpr int kRetransmit = 4;

  // In periods, from the first suspicion to death, once `confirmations` others suspect as well.
  static double suspicion(std::uint32_t members, unsigned confirmations);
  static unsigned retransmissions(std::uint32_t members);
};

class SwimCluster {
 public:
  struct Options {
    std::uint32_t servers = 3;
    WireOptions wire;
    Pauses pauses;
    Duration period = 1s;
  };
  explicit SwimCluster(const Options& options);

  void run(double periods);
  void kill(std::uint32_t server);
  void revive(std::uint32_t server);
  bool alive(std::uint32_t server) const { return members_[server].alive; }
  bool online(std::uint32_t server) const { return !members_[server].marked; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(members_.size()); }
  Random& dice() { return wire_.dice(); }
  Findings take() { return std::exchange(findings_, {}); }

 private:
  enum class Kind : std::uint8_t {
    kPeriod,
    kDirectTimeout,
    kPeriodEnd,
    kPing,
    kAck,
    kPingRequest,
    kSuspicionTimeout,
    kPause,
    kResume
  };
  enum class State : std::uint8_t { kAlive, kSuspect, kDead };
  struct News {
    State state = State::kAlive;
    std::uint32_t about = 0;
    std::uint32_t incarnation = 0;
    std::uint32_t by = 0;  // who suspects
    unsigned left = 0;     // transmissions
  };
  struct Event {
    Kind kind;
    std::uint32_t server = 0;  // where it happens
    std::uint32_t from = 0;
    std::uint32_t target = 0;    // of a ping request; whom an answer is about
    std::uint32_t for_whom = 0;  // who asked for the ping; or itself
    std::uint64_t number = 0;
    std::uint32_t news = 0;  // index into letters_; 0: none
  };
  struct Suspicion {
    std::uint32_t incarnation = 0;
    Instant since{};
    std::vector<std::uint32_t> accusers;
    std::uint64_t number = 0;
  };
  struct Member {
    bool alive = true;
    bool frozen = false;
    bool marked = false;  // dead, for somebody
    Instant runs_since{};
    Instant died = kNever;
    std::uint32_t incarnation = 1;
    std::vector<std::uint32_t> round;  // whom to ping, in a shuffled order
    std::size_t next = 0;
    std::uint64_t probe = 0;  // the number of the last
    std::uint32_t probed = 0;
    bool answered = true;
    std::vector<std::uint32_t> known;  // incarnation of each
    std::unordered_map<std::uint32_t, Suspicion> suspicions;
    std::vector<News> outgoing;
    std::vector<Event> inbox;
  };

  void handle(const Event& event);
  void serve(const Event& event);
  void begin_period(std::uint32_t server);
  void send(std::uint32_t from, Event event);
  void learn(std::uint32_t server, const News& news);
  void suspect(std::uint32_t server, const News& news);
  void tell(std::uint32_t server, News news);
  void mark(std::uint32_t server);
  void bring_back(std::uint32_t server);
  Duration periods(double count) const {
    return std::chrono::duration_cast<Duration>(count * options_.period);
  }

  Options options_;
  Wire<Event> wire_;
  std::vector<Member> members_;
  std::vector<std::vector<News>> letters_{{}};  // what messages under way carry
  std::vector<std::uint32_t> free_letters_;
  std::uint64_t numbers_ = 0;
  Findings findings_;
};

}  // namespace tandem::sim
