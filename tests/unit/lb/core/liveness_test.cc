#include "lb/core/liveness.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

constexpr Instant at(Duration since) { return Instant{} + since; }

// A server that reports every second, driven through virtual time; its probes take 100 ms.
struct Driven {
  explicit Driven(bool connected = true) {
    if (connected) liveness.on_connected(at(0s));
  }
  // Runs until `end`; reports while `reports`, answers probes as `answers` says.
  void run(Duration end, bool reports, bool answers) {
    while (now < end) {
      now += 100ms;
      if (under_way) {
        under_way = false;
        liveness.on_probe_result(at(now), answers);
      }
      if (reports && now % 1s == 0s) liveness.on_heard(at(now));
      liveness.on_time(at(now));
      if (liveness.next_probe() <= at(now)) {
        ++probes;
        under_way = true;
        liveness.on_probe_started(at(now));
      }
      if (online && !liveness.online()) offline_at = now;
      online = liveness.online();
    }
  }
  Liveness liveness{1s};
  Duration now = 0s;
  bool under_way = false;
  bool online = true;
  int probes = 0;
  Duration offline_at = -1s;
};

TEST(Liveness, AServerThatReportsIsNeverProbed) {
  Driven server;
  server.run(600s, true, true);
  EXPECT_TRUE(server.liveness.online());
  EXPECT_EQ(server.probes, 0);
}

TEST(Liveness, SilentForThreeIntervalsAndAProbeFailedIsOffline) {
  Driven server;
  server.run(10s, true, true);
  server.run(20s, false, false);
  EXPECT_EQ(server.offline_at, 13s);
}

TEST(Liveness, SilentAloneIsNotOffline) {
  Driven server;
  server.run(60s, false, true);
  EXPECT_TRUE(server.liveness.online());
  EXPECT_GT(server.probes, 50);
  EXPECT_LT(server.probes, 70);
}

TEST(Liveness, AConnectionLostIsProbedAtOnceAndOfflineWhenThatFails) {
  Driven server;
  server.run(10s, true, true);
  server.liveness.on_lost(at(10s));
  EXPECT_TRUE(server.liveness.online());
  EXPECT_LE(server.liveness.next_probe(), at(10s));
  server.run(11s, false, false);
  EXPECT_EQ(server.offline_at, 10s + 200ms);
}

TEST(Liveness, AConnectionLostAloneIsNotOffline) {
  Driven server;
  server.liveness.on_lost(at(0s));
  server.run(60s, false, true);
  EXPECT_TRUE(server.liveness.online());
}

TEST(Liveness, FailedProbesAloneAreNotOffline) {
  Driven server;
  server.run(1s, true, true);
  server.liveness.on_reported(at(1s));
  EXPECT_EQ(server.liveness.next_probe(), at(1s));
  server.run(2500ms, true, false);
  EXPECT_EQ(server.probes, 2);
  server.run(20s, true, true);
  EXPECT_TRUE(server.liveness.online());
  EXPECT_EQ(server.probes, 3);  // the third was answered, and that is the end of it
  EXPECT_EQ(server.offline_at, -1s);
}

TEST(Liveness, AServerThatReportsAndFailsThreeProbesInARowIsOffline) {
  Driven server;
  server.run(1s, true, true);
  server.liveness.on_reported(at(1s));
  server.run(60s, true, false);
  EXPECT_EQ(server.offline_at, 3s + 200ms);
  server.liveness.on_heard(at(60s));
  EXPECT_FALSE(server.liveness.online()) << "a report alone brings a deaf server back";
  server.run(70s, true, true);
  EXPECT_TRUE(server.liveness.online());
}

TEST(Liveness, ProbesOfAnOfflineServerComeEverMoreRarely) {
  Driven server;
  server.liveness.on_lost(at(0s));
  server.run(15s, false, false);
  EXPECT_EQ(server.probes, 4);  // at 0, 1, 3, 7 and 15 s
  server.run(15s + 80s, false, false);
  EXPECT_EQ(server.probes, 14);
}

TEST(Liveness, AFailureReportAndThenTheConnectionsEndIsOfflineWithNoFurtherProbe) {
  Driven server;
  server.run(1500ms, true, true);
  server.liveness.on_reported(at(1500ms));
  server.liveness.on_probe_started(at(1500ms));
  server.liveness.on_probe_result(at(1501ms), false);
  EXPECT_TRUE(server.liveness.online());
  server.liveness.on_lost(at(1502ms));
  EXPECT_FALSE(server.liveness.online());
}

TEST(Liveness, ReportsProbeAtMostEveryGap) {
  Liveness liveness(1s);
  liveness.on_connected(at(0s));
  int probes = 0;
  for (Duration now = 0ms; now < 1s; now += 1ms) {
    liveness.on_reported(at(now));
    if (liveness.next_probe() > at(now)) continue;
    ++probes;
    liveness.on_probe_started(at(now));
    liveness.on_probe_result(at(now), true);
    liveness.on_heard(at(now));
  }
  EXPECT_EQ(probes, 10);
}

TEST(Liveness, ComesBackByAnAnsweredProbe) {
  Driven server;
  server.liveness.on_lost(at(0s));
  server.run(10s, false, false);
  EXPECT_FALSE(server.liveness.online());
  server.run(17s, false, true);
  EXPECT_TRUE(server.liveness.online());
}

TEST(Liveness, ComesBackWhenHeardAgain) {
  Driven server;
  server.run(60s, false, false);
  EXPECT_FALSE(server.liveness.online());
  server.liveness.on_heard(at(60s));
  EXPECT_TRUE(server.liveness.online());
}

TEST(Liveness, ComesBackByRegistering) {
  Driven server;
  server.liveness.on_lost(at(0s));
  server.run(10s, false, false);
  server.liveness.on_connected(at(10s));
  EXPECT_TRUE(server.liveness.online());
}

TEST(Liveness, ALeaveIsOfflineAtOnceAndNotProbed) {
  Driven server;
  server.liveness.on_left(at(0s));
  EXPECT_FALSE(server.liveness.online());
  server.run(60s, true, true);
  EXPECT_FALSE(server.liveness.online());
  EXPECT_EQ(server.probes, 0);
  server.liveness.on_connected(at(60s));
  EXPECT_TRUE(server.liveness.online());
}

}  // namespace
}  // namespace tandem
