#include "lb/core/liveness.h"

#include <gtest/gtest.h>

#include <map>

namespace tandem {
namespace {

constexpr Instant at(Duration since) { return Instant{} + since; }

// How the server under test behaves.
struct Manner {
  bool reports = true;  // every second
  bool pongs = true;
  ProbeResult probes = ProbeResult::kAnswered;
  Duration takes = 1ms;  // an answer or a refusal
};
constexpr Manner kFine{};
constexpr Manner kFrozen{false, false, ProbeResult::kFailed};
constexpr Manner kDead{false, false, ProbeResult::kRefused};
constexpr Manner kDeaf{true, true, ProbeResult::kFailed};
constexpr Manner kSlow{true, true, ProbeResult::kAnswered, 150ms};

// A server that is believed online, driven through virtual time by the millisecond; answers and
// refusals take one, the rest the whole time that a probe may take. `failed_at` is when failed()
// first said so.
struct Driven {
  explicit Driven(bool connected = true) {
    if (connected) liveness.on_connected(at(0s));
    liveness.mark(true);
  }
  void run(Duration end, const Manner& manner) {
    for (; now < end; now += 1ms) {
      while (!answers.empty() && answers.begin()->first <= now) {
        const Answer answer = answers.begin()->second;
        answers.erase(answers.begin());
        if (answer.patient_since < 0s) {
          liveness.on_probe_result(at(now), answer.result);
        } else {
          liveness.on_patient_result(at(now), at(answer.patient_since), answer.result);
        }
      }
      if (pong && manner.pongs) liveness.on_heard(at(now), true);
      pong = false;
      if (manner.reports && now % 1s == 0s) liveness.on_heard(at(now), false);
      if (failed_at < 0s && liveness.failed(at(now))) failed_at = now;
      if (liveness.next_probe() <= at(now)) {
        ++probes;
        pong = liveness.connected();
        liveness.on_probe_started(at(now));
        answer_within(liveness.probe_timeout(at(now)), -1s, manner);
      }
      if (liveness.next_patient() <= at(now)) {
        ++patient;
        liveness.on_patient_started(at(now));
        answer_within(0s, now, manner);
      }
    }
  }
  void answer_within(Duration timeout, Duration patient_since, const Manner& manner) {
    if (timeout == 0s) timeout = 1s;
    const Duration takes = manner.probes == ProbeResult::kFailed ? timeout : manner.takes;
    const bool late = takes > timeout;
    answers.emplace(now + (late ? timeout : takes),
                    Answer{late ? ProbeResult::kFailed : manner.probes, patient_since});
  }
  Liveness liveness;
  Duration now = 0s;
  struct Answer {
    ProbeResult result;
    Duration patient_since;  // or it is a verification's
  };
  std::multimap<Duration, Answer> answers;
  bool pong = false;
  int probes = 0;  // of verifications
  int patient = 0;
  Duration failed_at = -1s;
};

// Of a verification that has had more failures than attempts are wanted now, nothing more would
// come.
TEST(Liveness, AVerificationUnderWayBeginsAgainWithOtherOptions) {
  for (const std::uint32_t attempts : {2U, 3U, 12U}) {
    Driven server;
    while (server.probes < 3) server.run(server.now + 1ms, kDead);
    server.run(server.now + 2ms, kDead);
    ASSERT_TRUE(server.liveness.verifying());
    Liveness::Options options;
    options.attempts = attempts;
    server.liveness.set_options(options);
    server.liveness.on_lost(at(server.now));
    EXPECT_FALSE(server.liveness.failed(at(server.now))) << attempts;
    const int before = server.probes;
    server.run(server.now + 200ms, kDead);
    EXPECT_TRUE(server.liveness.failed(at(server.now))) << attempts;
    EXPECT_GE(server.probes, before + static_cast<int>(attempts));
  }
}

TEST(Liveness, AServerThatReportsIsNeverProbed) {
  Driven server;
  server.run(100s, kFine);
  EXPECT_EQ(server.probes + server.patient, 0);
  EXPECT_EQ(server.failed_at, -1s);
}

TEST(Liveness, AKilledServerFailsWithinMilliseconds) {
  Driven server;
  server.run(10s, kFine);
  server.liveness.on_lost(at(10s));
  server.run(11s, kDead);
  EXPECT_GE(server.failed_at, 10s);
  EXPECT_LE(server.failed_at, 10s + 10ms);
  EXPECT_TRUE(server.liveness.refused());
  EXPECT_GE(server.probes, 6);
}

TEST(Liveness, ASilentServerFailsWhenItHasBeenSilentForThreeIntervals) {
  Driven server;
  server.run(10s, kFine);
  server.run(20s, kFrozen);
  EXPECT_EQ(server.failed_at, 9s + 3s);
  EXPECT_FALSE(server.liveness.refused());
}

TEST(Liveness, OneThatAServerAccusesFailsAfterAVerificationsTime) {
  Driven server;
  server.run(10s, kFine);
  server.liveness.on_accused(at(10s));
  server.run(11s, kFrozen);
  EXPECT_EQ(server.failed_at, 10s + 125ms);
}

TEST(Liveness, WhatMetAFailureHereIsNoAccusation) {
  Driven server;
  server.run(10s, kFine);
  server.liveness.on_reported(at(10s));
  server.run(11500ms, kFrozen);
  EXPECT_EQ(server.failed_at, -1s);
}

TEST(Liveness, AnAnswerOrAPongRefutes) {
  for (const Manner& manner :
       {Manner{false, true, ProbeResult::kFailed}, Manner{false, false, ProbeResult::kAnswered}}) {
    Driven server;
    server.run(10s, kFine);
    const std::uint64_t signs = server.liveness.good_signs();
    server.liveness.on_accused(at(10s));
    server.run(11s, manner);
    EXPECT_EQ(server.failed_at, -1s);
    EXPECT_GT(server.liveness.good_signs(), signs);
    EXPECT_LE(server.probes, 2);
  }
}

TEST(Liveness, WhatIsHeardDuringAVerificationMayBeOldOnce) {
  Driven server;
  server.run(10s, kFine);
  const std::uint64_t signs = server.liveness.good_signs();
  server.liveness.on_accused(at(10s));
  server.run(10s + 60ms, kFrozen);
  server.liveness.on_heard(at(server.now), false);
  server.run(11s, kFrozen);
  EXPECT_EQ(server.liveness.good_signs(), signs);
  EXPECT_EQ(server.failed_at, 10s + 60ms + 125ms);
  EXPECT_EQ(server.liveness.verifications(), 1U);

  Driven twice;
  twice.run(10s, kFine);
  twice.liveness.on_accused(at(10s));
  twice.run(10s + 60ms, kFrozen);
  twice.liveness.on_heard(at(twice.now), false);
  twice.run(10s + 90ms, kFrozen);
  twice.liveness.on_heard(at(twice.now), false);
  twice.run(11s, kFrozen);
  EXPECT_EQ(twice.failed_at, -1s);
}

TEST(Liveness, SilenceAloneOrALostConnectionAloneIsNoFailure) {
  Driven silent;
  silent.run(60s, Manner{false, false, ProbeResult::kAnswered});
  EXPECT_EQ(silent.failed_at, -1s);
  EXPECT_LT(silent.probes, 70);
  Driven lost;
  lost.liveness.on_lost(at(0s));
  lost.run(60s, Manner{false, false, ProbeResult::kAnswered});
  EXPECT_EQ(lost.failed_at, -1s);
  EXPECT_GT(lost.probes, 50);
}

TEST(Liveness, AServerThatReportsAndWhoseDataPortStaysDeadIsDeaf) {
  Driven server;
  server.run(1s, kFine);
  server.liveness.on_reported(at(1s));
  server.run(60s, kDeaf);
  EXPECT_TRUE(server.liveness.deaf());
  EXPECT_GT(server.failed_at, 3s);
  EXPECT_LT(server.failed_at, 4500ms);
  server.liveness.mark(false);
  server.run(70s, kDeaf);
  EXPECT_FALSE(server.liveness.well(at(server.now))) << "reports alone bring a deaf server back";
  server.run(100s, kFine);
  EXPECT_TRUE(server.liveness.well(at(server.now)));
}

// Slower than a verification waits: far away, or it lags.
TEST(Liveness, OneThatAnswersLateIsNotDeafWhateverIsReported) {
  for (const Duration pause : {60'000ms, 1000ms, 130ms, 10ms}) {
    Driven server;
    for (Duration now = 0s; now < 60s; now += pause) {
      server.liveness.on_reported(at(server.now));
      server.run(now + pause, kSlow);
    }
    EXPECT_EQ(server.failed_at, -1s) << pause / 1ms;
  }
}

TEST(Liveness, ADeafServerIsFoundOutHoweverOftenItIsReported) {
  for (const Duration pause : {1000ms, 130ms, 10ms}) {
    for (const ProbeResult result : {ProbeResult::kFailed, ProbeResult::kRefused}) {
      Driven server;
      const Manner deaf{true, true, result};
      for (Duration now = 0s; now < 5s; now += pause) {
        server.liveness.on_reported(at(server.now));
        server.run(now + pause, deaf);
      }
      EXPECT_TRUE(server.liveness.deaf()) << pause / 1ms;
      EXPECT_LT(server.failed_at, 4500ms);
    }
  }
}

// It was not heard for a while, and was killed just after it had answered.
TEST(Liveness, APatientProbesAnswerRefutesNoVerification) {
  Driven server;
  server.liveness.on_reported(at(0s));
  server.run(300ms, kDeaf);
  ASSERT_TRUE(server.liveness.failing());
  server.liveness.on_accused(at(server.now));
  server.liveness.on_patient_started(at(server.now));
  server.liveness.on_probe_started(at(server.now));
  server.liveness.on_patient_result(at(server.now), at(server.now), ProbeResult::kAnswered);
  EXPECT_TRUE(server.liveness.verifying());
  EXPECT_FALSE(server.liveness.failing());
}

TEST(Liveness, AShortDeafnessIsForgiven) {
  Driven server;
  server.run(1s, kFine);
  server.liveness.on_reported(at(1s));
  server.run(2500ms, kDeaf);
  server.run(20s, kFine);
  EXPECT_EQ(server.failed_at, -1s);
}

TEST(Liveness, ProbesOfAnOfflineServerComeEverMoreRarely) {
  Driven server(false);
  server.liveness.mark(false);
  server.run(15500ms, kDead);
  EXPECT_EQ(server.probes, 5);  // at 0, 1, 3, 7 and 15 s
  server.run(15500ms + 80s, kDead);
  EXPECT_EQ(server.probes, 15);
}

TEST(Liveness, AnOfflineServerIsWellWhenItAnswersOrIsHeardOrRegisters) {
  Driven probed(false);
  probed.liveness.mark(false);
  probed.run(5s, kDead);
  EXPECT_FALSE(probed.liveness.well(at(5s)));
  probed.run(10s, Manner{false, false, ProbeResult::kAnswered});
  EXPECT_TRUE(probed.liveness.well(at(10s)));
  probed.run(15s, kDead);
  EXPECT_FALSE(probed.liveness.well(at(15s)));

  Driven heard;
  heard.run(5s, kFrozen);
  heard.liveness.mark(false);
  EXPECT_FALSE(heard.liveness.well(at(5s)));
  heard.liveness.on_heard(at(5s), false);
  EXPECT_TRUE(heard.liveness.well(at(5s)));
  EXPECT_FALSE(heard.liveness.well(at(9s)));  // silent again

  Driven registered(false);
  registered.liveness.mark(false);
  registered.liveness.on_connected(at(1s));
  EXPECT_TRUE(registered.liveness.well(at(1s)));
}

// Words get through heavy losses in the end, probes do not.
TEST(Liveness, AnOfflineServerThatIsHeardButAnswersNoProbeIsNotWell) {
  Driven server;
  server.run(5s, kFrozen);
  server.liveness.mark(false);
  server.run(30s, kFrozen);
  server.run(36s, Manner{true, true, ProbeResult::kFailed});
  EXPECT_FALSE(server.liveness.well(at(server.now)));
  server.run(50s, kFine);
  EXPECT_TRUE(server.liveness.well(at(server.now)));
  // A few that fail are no matter.
  server.run(52s, Manner{true, true, ProbeResult::kFailed});
  EXPECT_TRUE(server.liveness.well(at(server.now)));
  server.run(56s, Manner{true, true, ProbeResult::kFailed});
  EXPECT_FALSE(server.liveness.well(at(server.now)));

  Driven returned;
  returned.run(5s, kFrozen);
  returned.liveness.mark(false);
  returned.run(30s, kFrozen);
  returned.liveness.on_connected(at(30s));
  EXPECT_LE(returned.liveness.next_probe(), at(30s)) << "it is looked at now";
}

TEST(Liveness, WhoHasLeftIsNotProbedAndIsNotWell) {
  Driven server;
  server.liveness.on_left(at(0s));
  server.liveness.mark(false);
  server.run(60s, kFine);
  EXPECT_EQ(server.probes, 0);
  EXPECT_FALSE(server.liveness.well(at(60s)));
  server.liveness.on_connected(at(60s));
  EXPECT_TRUE(server.liveness.well(at(60s)));
}

TEST(Liveness, ReportsVerifyAtMostEveryGap) {
  Liveness liveness;
  liveness.on_connected(at(0s));
  liveness.mark(true);
  for (Duration now = 0ms; now < 1s; now += 1ms) {
    liveness.on_reported(at(now));
    if (liveness.next_probe() > at(now)) continue;
    liveness.on_probe_started(at(now));
    liveness.on_probe_result(at(now), ProbeResult::kAnswered);
  }
  EXPECT_EQ(liveness.verifications(), 10U);
}

// The answer was on its way already when the server was killed.
TEST(Liveness, AnAnswerThatIsReadAfterTheConnectionWasLostIsFollowedByAnotherProbe) {
  Liveness liveness;
  liveness.on_connected(at(0s));
  liveness.mark(true);
  liveness.examine(at(1s));
  liveness.on_probe_started(at(1s));
  liveness.on_lost(at(1s + 1ms));
  liveness.on_probe_result(at(1s + 2ms), ProbeResult::kAnswered);
  EXPECT_LE(liveness.next_probe(), at(1s + 2ms));
  liveness.on_probe_started(at(1s + 2ms));
  liveness.on_probe_result(at(1s + 3ms), ProbeResult::kAnswered);
  EXPECT_GT(liveness.next_probe(), at(1500ms)) << "that one was asked after it";
}

TEST(Liveness, WhoIsLateItselfBeginsAgain) {
  Liveness liveness;
  liveness.on_connected(at(0s));
  liveness.mark(true);
  liveness.on_accused(at(1s));
  liveness.on_probe_started(at(1s));
  // The process was stopped for a second; its timers go off all at once.
  for (int i = 0; i < 5; ++i) {
    ASSERT_LE(liveness.next_probe(), at(2s + 125ms));
    liveness.on_probe_started(at(2s));
    liveness.on_probe_result(at(2s), ProbeResult::kFailed);
  }
  EXPECT_FALSE(liveness.failed(at(2s)));
}

}  // namespace
}  // namespace tandem
