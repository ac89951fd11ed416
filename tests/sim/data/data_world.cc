#include "tests/sim/data/data_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "tests/sim/data/history.h"
#include "tests/sim/data/server.h"
#include "tests/sim/event_heap.h"

namespace tandem::sim {
namespace {

constexpr Duration kReadPatience = 2s;   // of a client
constexpr Duration kWritePatience = 4s;  // then it is sent to another owner, if there is one
constexpr Duration kResendLongest = 60s;
constexpr Duration kAskPatience = 300ms;  // of a server that has asked another
constexpr Duration kDetection = 500ms;    // of the master
constexpr Duration kAnswerBound = 200ms;  // without leases: who has not answered by then is ignored

class DataWorld {
 public:
  explicit DataWorld(const DataOptions& options)
      : options_(options),
        dice_(options.seed),
        types_({}, options.types),
        history_(options.keys, types_.size()),
        stored_(types_.size()) {
    for (std::uint32_t key = 0; key < options.keys; ++key) {
      type_of_key_.push_back(types_.type_of(path(key)));
      item_keys_[ItemKey::of(path(key)).value] = key;
    }
    for (std::uint32_t i = 0; i < options.servers; ++i) {
      Server& server = servers_.emplace_back();
      server.name = "s" + std::to_string(i);
      server.id = ServerId::of(server.name);
      online_.push_back(true);
    }
    cut_.assign(servers_.size(), std::vector<Instant>(servers_.size()));
    for (std::size_t i = 0; i < servers_.size(); ++i) start(i);
    publish();
    for (std::uint32_t i = 0; i < options.clients; ++i) {
      heap_.after(Duration(dice_.below(1'000'000)), [this] { next_operation(); });
    }
    heap_.after(1s, [this] { fault(); });
  }

  DataReport run() {
    while (done_ < options_.operations && heap_.step(kNever)) {
      if (options_.stop_at_anomaly && report_.anomalies() > 0) break;
    }
    report_.simulated_s = std::chrono::duration<double>(heap_.now().time_since_epoch()).count();
    return report_;
  }

 private:
  static std::string path(std::uint32_t key) { return "/t/" + std::to_string(key); }
  Duration between(Duration least, Duration most) {
    return least + Duration(dice_.below(static_cast<std::uint64_t>((most - least).count())));
  }
  std::size_t index_of(ServerId id) const {
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      if (servers_[i].id == id) return i;
    }
    TANDEM_CHECK(false);
    return 0;
  }

  // --- time and processes ---------------------------------------------------------------------

  Instant clock(const Server& server) const {
    const auto passed = heap_.now().time_since_epoch();
    return Instant(server.offset + Duration(static_cast<std::int64_t>(
                                       static_cast<double>(passed.count()) * server.speed)));
  }
  Instant real(const Server& server, Instant on_its_clock) const {
    const auto passed = on_its_clock.time_since_epoch() - server.offset;
    return Instant(Duration(
               static_cast<std::int64_t>(static_cast<double>(passed.count()) / server.speed))) +
           1us;
  }

  void start(std::size_t at) {
    Server& server = servers_[at];
    ++server.incarnation;
    server.alive = true;
    server.speed = 1.0 + (dice_.unit() - 0.5) * 0.0008;
    server.offset = between(0s, 1000s);
    server.ownership = std::make_unique<Ownership>(types_, "default");
    server.guard = std::make_unique<ItemGuard>(
        server.id, *server.ownership,
        ItemGuardOptions{"default", options_.lease, 200ms, true, dice_.next()});
    server.cache.clear();
    server.marks.assign(options_.keys, 0);
    server.to_acknowledge.clear();
    server.wake = kNever;
    server.view_version = 0;
  }

  // Runs `work` in the process that is there now, when it is not paused.
  void in_process(std::size_t at, Instant when, std::function<void(Server&)> work) {
    in_incarnation(at, servers_[at].incarnation, when, std::move(work));
  }
  void in_incarnation(std::size_t at, std::uint64_t incarnation, Instant when,
                      std::function<void(Server&)> work) {
    heap_.at(when, [this, at, incarnation, work = std::move(work)]() mutable {
      Server& server = servers_[at];
      if (!server.alive || server.incarnation != incarnation) return;
      if (server.paused_until > heap_.now()) {
        return in_incarnation(at, incarnation, server.paused_until, std::move(work));
      }
      work(server);
    });
  }

  // From one server's process to another's: TCP delays, or loses with the link.
  void send(std::size_t from, std::size_t to, std::function<void(Server&)> work) {
    Duration delay = between(100us, 2ms);
    const Instant until = std::max(cut_[from][to], cut_[to][from]);
    if (until > heap_.now()) {
      if (until > heap_.now() + 15s || dice_.chance(0.5)) return;
      delay += until - heap_.now();
    }
    in_process(to, heap_.now() + delay, std::move(work));
  }

  // After anything that the guard was told.
  void settle(std::size_t at, ItemGuard::Out& out) {
    Server& server = servers_[at];
    for (auto& envelope : out.take()) {
      const std::size_t to = index_of(envelope.to);
      send(at, to, [this, at, to, message = std::move(envelope.message)](Server& other) {
        ItemGuard::Out answers;
        other.guard->on_message(clock(other), servers_[at].id, message, answers);
        settle(to, answers);
      });
    }
    for (const ItemKey key : server.guard->take_invalidated())
      drop(server, item_keys_.at(key.value));
    for (const TypeId type : server.guard->take_forgotten()) {
      for (std::uint32_t key = 0; key < options_.keys; ++key) {
        if (type_of_key_[key] == type) drop(server, key);
      }
    }
    for (const ItemGuard::Check& check : server.guard->take_checks()) ask_epoch(at, check);
    for (const std::uint64_t write : server.guard->take_acknowledged()) {
      const auto found = server.to_acknowledge.find(write);
      if (found == server.to_acknowledge.end()) continue;
      const auto then = std::move(found->second);
      server.to_acknowledge.erase(found);
      then();
    }
    arm(at);
  }
  void arm(std::size_t at) {
    Server& server = servers_[at];
    const Instant next = server.guard->next_deadline();
    if (next == kNever) return;
    const Instant when = std::max(real(server, next), heap_.now());
    if (server.wake > heap_.now() && server.wake <= when) return;
    server.wake = when;
    in_process(at, when, [this, at](Server& one) {
      one.wake = kNever;
      ItemGuard::Out out;
      one.guard->on_deadline(clock(one));
      settle(at, out);
    });
  }
  void drop(Server& server, std::uint32_t key) {
    server.cache.erase(key);
    ++server.marks[key];
  }
  static void keep(Server& server, std::uint32_t key, std::uint32_t value, std::uint64_t mark) {
    if (server.marks[key] == mark) server.cache[key] = {value};
  }

  // --- the database ---------------------------------------------------------------------------

  struct Passed {
    bool passed = false;
    std::optional<ActingEpoch> before;
  };
  Passed pass_fence(TypeId type, const ActingEpoch& epoch) {
    auto& stored = stored_[type.value];
    const Passed result{!options_.fence || rule_fence(stored, epoch) != FenceRuling::kRefuse,
                        stored};
    if (result.passed) stored = epoch;
    return result;
  }
  // Every way to the database takes its time; of writes some take very long.
  Instant lane(Server& server) {
    Duration delay = between(300us, 3ms);
    if (dice_.chance(options_.slow_write)) {
      delay = between(1s, options_.fault_longest);
      ++report_.slow_writes;
    }
    server.lane_free = std::max(server.lane_free, heap_.now()) + delay;
    return server.lane_free;
  }
  void ask_epoch(std::size_t at, const ItemGuard::Check& check) {
    Server& server = servers_[at];
    const Instant asked = clock(server);
    const std::uint64_t incarnation = server.incarnation;
    const Instant when = heap_.now() + between(200us, 2ms);
    heap_.at(when, [this, at, incarnation, asked, check] {
      const Passed result = pass_fence(check.type, check.claim.epoch);
      in_incarnation(at, incarnation, heap_.now() + between(100us, 1ms),
                     [this, at, asked, check, result](Server& one) {
                       ItemGuard::Out out;
                       if (result.passed) {
                         one.guard->on_passed(clock(one), asked, check.type, check.claim.epoch,
                                              result.before, out);
                       } else {
                         one.guard->on_refused(check.type, check.claim.epoch);
                       }
                       settle(at, out);
                     });
    });
  }

  // --- reading --------------------------------------------------------------------------------

  struct Read {
    std::uint32_t key = 0;
    Instant floor{};
    std::shared_ptr<bool> open;  // somebody waits for the answer
  };
  void read(std::uint32_t key) {
    Read read{key, history_.floor(key), std::make_shared<bool>(true)};
    heap_.after(kReadPatience, [this, open = read.open] {
      if (!std::exchange(*open, false)) return;
      ++report_.failed;
      end_operation();
    });
    const std::size_t at = dice_.below(servers_.size());
    in_process(at, heap_.now() + between(100us, 1ms), [this, at, read](Server& server) {
      const TypeId type = type_of_key_[read.key];
      if (serve_cached(at, server, type, read.key,
                       [this, read](std::uint32_t value) { answer(read, value); })) {
        return;
      }
      const ServerId acting = server.ownership->acting(type);
      if (!acting || acting == server.id) return fetch(at, server, read.key, answer_to(read));
      ask_other(at, server, index_of(acting), read);
    });
  }
  // What has been read on the way to an answer; then what is done with it.
  using OnValue = std::function<void(std::uint32_t)>;
  OnValue answer_to(const Read& read) {
    return [this, read](std::uint32_t value) { answer(read, value); };
  }
  bool serve_cached(std::size_t at, Server& server, TypeId type, std::uint32_t key,
                    const OnValue& then) {
    ItemGuard::Out out;
    const bool acts = server.ownership->acting(type) == server.id;
    bool may = server.guard->may_use(clock(server), type, out);
    if (!options_.leases && !acts) may = true;
    settle(at, out);
    const auto cached = server.cache.find(key);
    if (cached == server.cache.end()) return false;
    if (!may) {
      drop(server, key);
      return false;
    }
    ++report_.hits;
    if (!acts) ++report_.lease_hits;
    then(cached->second.value);
    return true;
  }
  void fetch(std::size_t at, Server& server, std::uint32_t key, OnValue then) {
    const std::uint64_t mark = server.marks[key];
    const std::uint64_t incarnation = server.incarnation;
    heap_.after(between(200us, 2ms), [this, at, incarnation, key, mark, then] {
      const std::uint32_t value = history_.value(key);
      in_incarnation(at, incarnation, heap_.now() + between(100us, 1ms),
                     [key, value, mark, then](Server& one) {
                       keep(one, key, value, mark);
                       then(value);
                     });
    });
  }
  void ask_other(std::size_t at, Server& server, std::size_t acting, const Read& read) {
    const std::uint64_t mark = server.marks[read.key];
    const std::uint64_t incarnation = server.incarnation;
    auto waits = std::make_shared<bool>(true);
    const auto come = [this, at, acting, incarnation, read, mark, waits](std::uint32_t value) {
      send(acting, at, [this, incarnation, read, mark, waits, value](Server& one) {
        if (one.incarnation != incarnation) return;
        keep(one, read.key, value, mark);
        if (std::exchange(*waits, false)) answer(read, value);
      });
    };
    send(at, acting, [this, acting, key = read.key, come](Server& owner) {
      const TypeId type = type_of_key_[key];
      if (owner.ownership->acting(type) != owner.id) return;
      if (serve_cached(acting, owner, type, key, come)) return;
      fetch(acting, owner, key, come);
    });
    in_process(at, heap_.now() + kAskPatience, [this, at, read, waits](Server& one) {
      if (std::exchange(*waits, false)) fetch(at, one, read.key, answer_to(read));
    });
  }
  void answer(const Read& read, std::uint32_t value) {
    heap_.after(between(100us, 1ms), [this, read, value] {
      if (!std::exchange(*read.open, false)) return;
      ++report_.reads;
      note(read.key, value);
      if (history_.stale(value, read.floor)) {
        ++report_.stale_reads;
        say("a read of {} gave {}, which had ended before a later write was acknowledged", read.key,
            value);
      }
      end_operation();
    });
  }

  // --- writing --------------------------------------------------------------------------------

  struct Write {
    std::uint32_t key = 0;
    std::uint32_t value = 0;
    ActingEpoch meant;  // the owner to whom this one was sent, or is the last one before
    std::shared_ptr<bool> open;
    std::shared_ptr<ActingEpoch> last;  // to whom it was sent last
  };
  void write(std::uint32_t key) {
    Write write{key,
                history_.invoke(heap_.now(), key),
                {},
                std::make_shared<bool>(true),
                std::make_shared<ActingEpoch>()};
    heap_.after(kWritePatience + kResendLongest, [this, open = write.open] {
      if (!std::exchange(*open, false)) return;
      ++report_.failed;
      end_operation();
    });
    attempt(write, 0);
  }
  // A balancer sends it again only to another owner than before (docs/consistency.md).
  void attempt(Write write, int number) {
    const std::size_t at = dice_.below(servers_.size());
    in_process(
        at, heap_.now() + between(100us, 1ms), [this, at, write, number](Server& server) mutable {
          const TypeId type = type_of_key_[write.key];
          const ServerId acting = server.ownership->acting(type);
          const ActingEpoch epoch = server.ownership->epoch(type);
          if (!acting || !*write.open || !(write.meant < epoch) || write.meant.server == acting) {
            return retry(write, number);
          }
          if (number > 0 && write.meant.version != 0) ++report_.resent;
          *write.last = write.meant = epoch;
          if (acting == server.id) {
            act(at, server, write);
          } else {
            const std::size_t to = index_of(acting);
            send(at, to, [this, to, write](Server& owner) { act(to, owner, write); });
          }
          retry(write, number);
        });
  }
  void retry(const Write& write, int number) {
    if (number >= 12) return;
    heap_.after(kWritePatience + between(0s, kResendLongest / 12), [this, write, number] {
      if (*write.open) attempt(write, number + 1);
    });
  }
  // At the server that acts for the type, or did.
  void act(std::size_t at, Server& server, const Write& write) {
    const TypeId type = type_of_key_[write.key];
    const auto claim = server.guard->claim(type);
    if (!claim || (options_.fence && !may_accept(write.meant, claim->epoch))) return;
    const Instant asked = clock(server);
    const std::uint64_t incarnation = server.incarnation;
    heap_.at(lane(server), [this, at, incarnation, asked, type, write, epoch = claim->epoch] {
      const Passed result = pass_fence(type, epoch);
      if (result.passed) commit(type, write, epoch);
      if (!result.passed) ++report_.fenced;
      in_incarnation(at, incarnation, heap_.now() + between(100us, 1ms),
                     [this, at, asked, type, write, epoch, result](Server& one) {
                       on_written(at, one, asked, type, write, epoch, result);
                     });
    });
  }
  void commit(TypeId type, const Write& write, const ActingEpoch& epoch) {
    const std::uint32_t before = history_.value(write.key);
    if (!history_.commit(write.key, type.value, write.value, epoch)) {
      ++report_.dual_owners;
      say("write {} of {} came from an owner that had been replaced", write.value, write.key);
    }
    if (history_.current_is_lost(before)) {
      ++report_.lost_writes;
      say("write {} of {} was acknowledged and is lost", before, write.key);
    }
  }
  void on_written(std::size_t at, Server& server, Instant asked, TypeId type, const Write& write,
                  const ActingEpoch& epoch, const Passed& result) {
    ItemGuard::Out out;
    if (!result.passed) {
      server.guard->on_refused(type, epoch);
      return settle(at, out);
    }
    const std::uint64_t number = ++server.last_write;
    server.to_acknowledge[number] = [this, write] { acknowledge(write); };
    server.guard->on_passed(clock(server), asked, type, epoch, result.before, out);
    server.guard->on_written(clock(server), number, type, {ItemKey::of(path(write.key))}, out);
    settle(at, out);
    if (options_.leases) return;
    in_process(at, heap_.now() + kAnswerBound, [number](Server& one) {
      const auto found = one.to_acknowledge.find(number);
      if (found == one.to_acknowledge.end()) return;
      found->second();
      one.to_acknowledge.erase(found);
    });
  }
  void acknowledge(const Write& write) {
    heap_.after(between(200us, 3ms), [this, write] {
      // Whom it was sent after that may do it yet, and over a later one.
      if (write.meant != *write.last || !std::exchange(*write.open, false)) return;
      ++report_.writes;
      note(write.key, write.value);
      history_.acknowledge(heap_.now(), write.value);
      if (history_.op(write.value).lost) {
        ++report_.lost_writes;
        say("write {} of {} is acknowledged and was lost", write.value, write.key);
      }
      end_operation();
    });
  }

  // --- clients --------------------------------------------------------------------------------

  void next_operation() {
    const auto key = static_cast<std::uint32_t>(dice_.below(options_.keys));
    if (dice_.chance(options_.writes)) {
      write(key);
    } else {
      read(key);
    }
  }
  void end_operation() {
    ++done_;
    heap_.after(between(0s, 4ms), [this] { next_operation(); });
  }
  void note(std::uint32_t key, std::uint32_t value) {
    report_.digest = mix64(report_.digest ^ (std::uint64_t{key} << 32 | value));
  }
  void say(const char* text, std::uint32_t first, std::uint32_t second) {
    if (!report_.first.empty()) return;
    const double now = std::chrono::duration<double>(heap_.now().time_since_epoch()).count();
    report_.first = fmt::format("{:.3f} s: ", now) + fmt::format(fmt::runtime(text), first, second);
  }

  // --- views and faults -----------------------------------------------------------------------

  void publish() {
    auto view = std::make_shared<View>();
    view->version = ++version_;
    view->maker = 1;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      ServerRecord record;
      record.id = servers_[i].id;
      record.name = servers_[i].name;
      record.group = "default";
      record.online = online_[i];
      record.status.capacity = 1000;
      view->servers.push_back(std::move(record));
    }
    view_ = view;
    ++report_.views;
    for (std::size_t i = 0; i < servers_.size(); ++i) tell_view(i);
  }
  void tell_view(std::size_t at) {
    if (servers_[at].cut_from_master) return;
    in_process(at, heap_.now() + between(200us, 20ms), [this, at, view = view_](Server& server) {
      if (view->version <= server.view_version) return;
      server.view_version = view->version;
      server.ownership->apply(*view);
      server.guard->on_view(*view);
      ItemGuard::Out out;
      settle(at, out);
    });
  }
  bool reachable(std::size_t at) const {
    const Server& server = servers_[at];
    return server.alive && !server.cut_from_master && server.paused_until <= heap_.now();
  }
  void judge(std::size_t at) {
    const bool there = reachable(at);
    if (online_[at] == there) {
      if (there) tell_view(at);
      return;
    }
    online_[at] = there;
    publish();
  }
  void judge_later(std::size_t at, Duration delay) {
    heap_.after(delay, [this, at] { judge(at); });
  }

  Duration how_long() {
    // Most are short; now and then one lasts.
    return dice_.chance(0.3) ? between(5s, options_.fault_longest) : between(50ms, 5s);
  }
  void fault() {
    heap_.after(between(0s, 2 * options_.fault_every), [this] { fault(); });
    const std::size_t at = dice_.below(servers_.size());
    const Duration lasts = how_long();
    const Instant end = heap_.now() + lasts;
    switch (dice_.below(5)) {
      case 0:
        return pause(at, end);
      case 1:  // it and one other
        ++report_.cuts;
        return cut(at, dice_.below(servers_.size()), end);
      case 2:  // it and all others, but not the master
        ++report_.cuts;
        for (std::size_t other = 0; other < servers_.size(); ++other) cut(at, other, end);
        return;
      case 3:  // it and the master, perhaps the others, too
        ++report_.cuts;
        if (dice_.chance(0.5)) {
          for (std::size_t other = 0; other < servers_.size(); ++other) cut(at, other, end);
        }
        return cut_master(at, end);
      default:
        return die(at, end);
    }
  }
  void pause(std::size_t at, Instant end) {
    ++report_.pauses;
    servers_[at].paused_until = std::max(servers_[at].paused_until, end);
    judge_later(at, kDetection);
    judge_later(at, servers_[at].paused_until - heap_.now() + kDetection);
  }
  void cut(std::size_t from, std::size_t to, Instant end) {
    if (from == to) return;
    cut_[from][to] = std::max(cut_[from][to], end);
  }
  void cut_master(std::size_t at, Instant end) {
    if (servers_[at].cut_from_master) return;
    servers_[at].cut_from_master = true;
    judge_later(at, kDetection);
    heap_.at(end, [this, at] {
      servers_[at].cut_from_master = false;
      judge_later(at, kDetection / 10);
    });
  }
  void die(std::size_t at, Instant end) {
    if (!servers_[at].alive) return;
    ++report_.deaths;
    servers_[at].alive = false;
    judge_later(at, 10ms);
    heap_.at(std::min(end, heap_.now() + 10s), [this, at] {
      start(at);
      judge_later(at, kDetection / 10);
    });
  }

  DataOptions options_;
  Random dice_;
  Types types_;
  History history_;
  EventHeap heap_;
  DataReport report_;
  std::vector<TypeId> type_of_key_;
  std::unordered_map<std::uint64_t, std::uint32_t> item_keys_;
  std::vector<Server> servers_;
  std::vector<std::vector<Instant>> cut_;  // until then nothing goes from one to the other
  std::vector<bool> online_;               // as the master says
  ViewPtr view_;
  std::uint64_t version_ = 0;
  std::vector<std::optional<ActingEpoch>> stored_;  // the database's table of owners
  std::uint64_t done_ = 0;
};

}  // namespace

DataReport run_data(const DataOptions& options) { return DataWorld(options).run(); }

}  // namespace tandem::sim
