#include "common/net/event_loop.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

namespace tandem {
namespace {

TEST(EventLoop, TimersFireInOrderAndNeverEarly) {
  EventLoop loop;
  std::string order;
  const Instant start = loop.now();
  Timer a(loop, [&] { order += 'a'; });
  Timer b(loop, [&] { order += 'b'; });
  Timer c(loop, [&] { order += 'c'; });
  Timer last(loop, [&] {
    EXPECT_GE(loop.now() - start, 30ms);
    loop.stop();
  });
  c.set(start + 20ms);
  a.set(start + 5ms);
  b.set(start + 1ms);
  b.set(start + 10ms);  // moved
  last.set(start + 30ms);
  loop.run();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, CancelledTimersStaySilent) {
  EventLoop loop;
  std::vector<std::unique_ptr<Timer>> timers;
  int fired = 0;
  for (int i = 0; i < 100; ++i) {
    timers.push_back(std::make_unique<Timer>(loop, [&] { ++fired; }));
    timers.back()->set_after(std::chrono::microseconds((i * 37) % 100));
  }
  for (int i = 0; i < 100; i += 2) timers[i]->cancel();
  for (int i = 1; i < 100; i += 4) timers[i].reset();
  Timer end(loop, [&] { loop.stop(); });
  end.set_after(5ms);
  loop.run();
  EXPECT_EQ(fired, 25);
}

struct Eager final : Watcher {
  explicit Eager(EventLoop& on) : loop(on) {}
  void on_ready(Readiness ready) override {
    EXPECT_FALSE(ready.readable || ready.writable || ready.hung_up);
    ++turns;
    loop.call_again(*this);
  }
  EventLoop& loop;
  int turns = 0;
};

TEST(EventLoop, WhoIsCalledAgainHasOneTurnARoundAndStarvesNobody) {
  EventLoop loop;
  Eager first(loop), second(loop), cancelled(loop);
  for (Eager* each : {&first, &second, &cancelled}) loop.call_again(*each);
  loop.cancel_again(cancelled);
  constexpr int kRounds = 10;
  int rounds = 0;
  std::function<void()> next = [&] { ++rounds < kRounds ? loop.post(next) : loop.stop(); };
  loop.post(next);
  loop.run();
  EXPECT_EQ(first.turns, kRounds);
  EXPECT_EQ(second.turns, kRounds);
  EXPECT_EQ(cancelled.turns, 0);
  loop.cancel_again(first);
  loop.post([&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(first.turns, kRounds);
  EXPECT_EQ(second.turns, kRounds + 1);
}

TEST(EventLoop, ATimerThatSetsItselfAgainAtOnceStarvesNobody) {
  EventLoop loop;
  int turns = 0;
  std::unique_ptr<Timer> busy;
  busy = std::make_unique<Timer>(loop, [&] {
    ++turns;
    busy->set_after(0ns);
  });
  busy->set_after(0ns);
  Timer end(loop, [&] { loop.stop(); });
  end.set_after(10ms);
  loop.run();
  EXPECT_GT(turns, 1);
}

TEST(EventLoop, PostedWorkRunsInOrderOnTheLoopsThread) {
  EventLoop loop;
  constexpr int kEach = 2000;
  int seen[2] = {};
  const auto self = std::this_thread::get_id();
  auto poster = [&](int who) {
    for (int i = 0; i < kEach; ++i) {
      loop.post([&, who, i] {
        EXPECT_EQ(std::this_thread::get_id(), self);
        EXPECT_EQ(seen[who], i);
        ++seen[who];
        if (seen[0] + seen[1] == 2 * kEach) loop.stop();
      });
    }
  };
  std::thread a(poster, 0), b(poster, 1);
  loop.run();
  a.join();
  b.join();
  EXPECT_EQ(seen[0] + seen[1], 2 * kEach);
}

TEST(EventLoop, StopsFromAnotherThread) {
  EventLoop loop;
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
}

TEST(EventLoop, RoundEndsThenDeferredThenDisposed) {
  EventLoop loop;
  std::string order;
  struct End final : RoundEnd {
    std::string& order;
    explicit End(std::string& o) : order(o) {}
    void on_round_end() override { order += 'r'; }
  } end(order), cancelled(order);
  struct Object : Disposable {
    std::string& order;
    explicit Object(std::string& o) : order(o) {}
    ~Object() override { order += 'x'; }
  };
  loop.post([&] {
    loop.dispose(std::make_unique<Object>(order));
    loop.defer([&] {
      order += 'd';
      loop.defer([&] {
        order += 'e';
        loop.stop();
      });
    });
    loop.at_round_end(cancelled);
    loop.at_round_end(end);
    loop.cancel_round_end(cancelled);
  });
  loop.run();
  EXPECT_EQ(order, "rdex");
}

TEST(EventLoop, ARoundEndThatAsksForAnotherStarvesNobody) {
  constexpr int kForever = 1'000'000;
  EventLoop loop;
  struct Busy final : RoundEnd {
    explicit Busy(EventLoop& on) : loop(on) {}
    void on_round_end() override {
      if (++turns < kForever) loop.at_round_end(*this);
    }
    EventLoop& loop;
    int turns = 0;
  } busy(loop), late(loop);
  late.turns = kForever;
  Timer end(loop, [&] {
    loop.at_round_end(late);  // behind the busy one, and heard all the same
    loop.stop();
  });
  end.set_after(0ns);
  loop.at_round_end(busy);
  loop.run();
  EXPECT_GT(busy.turns, 1);
  EXPECT_LT(busy.turns, kForever);
  EXPECT_EQ(late.turns, kForever + 1);
  loop.cancel_round_end(busy);
}

TEST(EventLoop, TheTimeStandsStillWithinARound) {
  EventLoop loop;
  loop.post([&] {
    const Instant before = loop.now();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(loop.now(), before);
    loop.post([&, before] {
      EXPECT_GT(loop.now(), before);
      loop.stop();
    });
  });
  loop.run();
}

}  // namespace
}  // namespace tandem
