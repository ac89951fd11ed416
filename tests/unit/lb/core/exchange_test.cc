#include "lb/core/exchange.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tandem {
namespace {

const ServerId kA = ServerId::of("a");
const ServerId kB = ServerId::of("b");

// What has happened to a request before the event that a case asks about.
struct Past {
  bool idempotent = true;
  bool reused = false;
  bool sent = false;
  bool outgrown = false;
  bool responding = false;
};

Exchange after(const Past& past) {
  Exchange exchange(past.idempotent);
  exchange.on_attempt(kA, past.reused);
  if (past.sent) exchange.on_sent();
  if (past.outgrown) exchange.on_outgrown();
  if (past.responding) exchange.on_response();
  return exchange;
}

enum class Event { kConnectFailed, kShortage, kBroken, kOffline, kTimeout, kReferral, kBad };

Verdict apply(Exchange& exchange, Event event) {
  RetryBudget budget(RetryBudget::Options{});
  switch (event) {
    case Event::kConnectFailed:
      return exchange.on_connect_failed();
    case Event::kShortage:
      return exchange.on_shortage();
    case Event::kBroken:
      return exchange.on_broken(budget);
    case Event::kOffline:
      return exchange.on_offline();
    case Event::kTimeout:
      return exchange.on_timeout();
    case Event::kReferral:
      return exchange.on_referral();
    case Event::kBad:
      return exchange.on_bad_response();
  }
  return Verdict{};
}

struct Case {
  const char* what;
  Past past;
  Event event;
  Verdict verdict;
};

const Verdict kTakeOver{Step::kTakeover, 0, true};
const Verdict kTakeOverTold{Step::kTakeover, 0, false};  // membership knows already
const Verdict kFresh{Step::kResendFresh, 0, false};
const Verdict kRefer{Step::kRefer, 0, false};
const Verdict kAbort{Step::kAbort, 0, false};
Verdict answer(std::uint16_t status, bool report) { return {Step::kAnswer, status, report}; }

constexpr bool kPost = false;

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {"connect refused", {}, Event::kConnectFailed, kTakeOver},
      {"connect refused, POST", {.idempotent = kPost}, Event::kConnectFailed, kTakeOver},
      {"connect refused after a POST had been sent",
       {.idempotent = kPost, .sent = true},
       Event::kConnectFailed,
       answer(502, true)},
      {"connect refused when the body is gone",
       {.sent = true, .outgrown = true},
       Event::kConnectFailed,
       answer(502, true)},

      {"no descriptor left", {}, Event::kShortage, answer(503, false)},
      {"no descriptor left, POST", {.idempotent = kPost}, Event::kShortage, answer(503, false)},
      {"no descriptor left, responding", {.responding = true}, Event::kShortage, kAbort},

      {"reset on a fresh connection", {.sent = true}, Event::kBroken, kTakeOver},
      {"reset on a fresh connection, nothing sent", {}, Event::kBroken, kTakeOver},
      {"reset on a reused connection", {.reused = true, .sent = true}, Event::kBroken, kFresh},
      {"reset on a reused connection, nothing of a POST sent",
       {.idempotent = kPost, .reused = true},
       Event::kBroken,
       kFresh},
      {"reset on a reused connection, POST",
       {.idempotent = kPost, .reused = true, .sent = true},
       Event::kBroken,
       answer(502, false)},
      {"reset on a fresh connection, POST",
       {.idempotent = kPost, .sent = true},
       Event::kBroken,
       answer(502, true)},
      {"reset on a fresh connection, nothing of a POST sent",
       {.idempotent = kPost},
       Event::kBroken,
       kTakeOver},
      {"reset when the body is gone",
       {.sent = true, .outgrown = true},
       Event::kBroken,
       answer(502, true)},
      {"reset on a reused connection when the body is gone",
       {.reused = true, .sent = true, .outgrown = true},
       Event::kBroken,
       answer(502, false)},
      {"reset in the middle of the response",
       {.sent = true, .responding = true},
       Event::kBroken,
       kAbort},
      {"reset in the middle of the response, reused",
       {.reused = true, .sent = true, .responding = true},
       Event::kBroken,
       kAbort},

      {"offline while waiting", {.sent = true}, Event::kOffline, kTakeOverTold},
      {"offline while waiting, reused",
       {.reused = true, .sent = true},
       Event::kOffline,
       kTakeOverTold},
      {"offline while connecting, POST", {.idempotent = kPost}, Event::kOffline, kTakeOverTold},
      {"offline while waiting, POST",
       {.idempotent = kPost, .sent = true},
       Event::kOffline,
       answer(504, false)},
      {"offline when the body is gone",
       {.sent = true, .outgrown = true},
       Event::kOffline,
       answer(504, false)},
      {"offline while responding", {.sent = true, .responding = true}, Event::kOffline, Verdict{}},

      {"no response in time", {.sent = true}, Event::kTimeout, answer(504, true)},
      {"no response in time, POST",
       {.idempotent = kPost, .sent = true},
       Event::kTimeout,
       answer(504, true)},
      {"stuck in the middle of the response",
       {.sent = true, .responding = true},
       Event::kTimeout,
       Verdict{Step::kAbort, 0, true}},

      {"referral", {.sent = true}, Event::kReferral, kRefer},
      {"referral of a POST", {.idempotent = kPost, .sent = true}, Event::kReferral, kRefer},
      {"referral when the body is gone",
       {.sent = true, .outgrown = true},
       Event::kReferral,
       answer(502, false)},
      {"referral in the middle of a response",
       {.sent = true, .responding = true},
       Event::kReferral,
       kAbort},

      {"not HTTP", {.sent = true}, Event::kBad, answer(502, false)},
      {"not HTTP in the middle of the response",
       {.sent = true, .responding = true},
       Event::kBad,
       kAbort},
  };
  return table;
}

TEST(Exchange, EveryEventHasItsVerdict) {
  for (const Case& c : cases()) {
    Exchange exchange = after(c.past);
    const Verdict got = apply(exchange, c.event);
    EXPECT_EQ(got.step, c.verdict.step) << c.what;
    EXPECT_EQ(got.status, c.verdict.status) << c.what;
    EXPECT_EQ(got.report_failure, c.verdict.report_failure) << c.what;
  }
}

// The two invariants of the table, over every past and every event.
TEST(Exchange, NeverResendsWhatMayHaveBeenExecutedOrHasBegunToAnswer) {
  for (int bits = 0; bits < 32; ++bits) {
    const Past past{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0,
                    (bits & 16) != 0};
    for (int event = 0; event <= static_cast<int>(Event::kBad); ++event) {
      Exchange exchange = after(past);
      const Step step = apply(exchange, static_cast<Event>(event)).step;
      const bool resends = step == Step::kResendFresh || step == Step::kTakeover;
      if (!past.idempotent && past.sent) {
        EXPECT_FALSE(resends) << bits << ' ' << event;
      }
      if (past.outgrown) {
        EXPECT_FALSE(resends || step == Step::kRefer) << bits << ' ' << event;
      }
      if (past.responding) {
        EXPECT_TRUE(step == Step::kAbort || step == Step::kWait) << bits << ' ' << event;
      }
    }
  }
}

TEST(Exchange, AResetOnAReusedConnectionThenOnAFreshOneIsATakeover) {
  RetryBudget budget(RetryBudget::Options{});
  Exchange exchange(true);
  exchange.on_attempt(kA, true);
  exchange.on_sent();
  EXPECT_EQ(exchange.on_broken(budget).step, Step::kResendFresh);
  EXPECT_TRUE(exchange.failed().empty());
  exchange.on_attempt(kA, false);
  EXPECT_EQ(exchange.on_broken(budget).step, Step::kTakeover);
  ASSERT_EQ(exchange.failed().size(), 1u);
  EXPECT_EQ(exchange.failed()[0], kA);
  exchange.on_attempt(kB, false);
  exchange.on_sent();
  exchange.on_sent();
  EXPECT_EQ(exchange.retries(), 2u);
  EXPECT_EQ(exchange.sendings(), 2u);  // the second attempt carried nothing
}

TEST(Exchange, AResetOnAConnectionThatTheServerKeepsIsATakeover) {
  RetryBudget budget(RetryBudget::Options{});
  Exchange exchange(true);
  exchange.on_attempt(kA, true, true);
  exchange.on_sent();
  EXPECT_EQ(exchange.on_broken(budget), (Verdict{Step::kTakeover, 0, true}));
  ASSERT_EQ(exchange.failed().size(), 1u);
  exchange.on_attempt(kB, false);
  exchange.on_sent();
  EXPECT_EQ(exchange.sendings(), 2u);
}

TEST(Exchange, WithoutBudgetAResetOnAKeptConnectionIsTriedOnAFreshOne) {
  RetryBudget budget({.reserve = 0});
  Exchange exchange(true);
  exchange.on_attempt(kA, true, true);
  exchange.on_sent();
  EXPECT_EQ(exchange.on_broken(budget), (Verdict{Step::kResendFresh, 0, true}));
  exchange.on_attempt(kA, false);
  EXPECT_EQ(exchange.on_connect_failed().step, Step::kTakeover);
}

TEST(Exchange, ATakeoverThatFailsGoesOnToTheNextAndRemembersAll) {
  Exchange exchange(true);
  exchange.on_attempt(kA, false);
  EXPECT_EQ(exchange.on_connect_failed().step, Step::kTakeover);
  exchange.on_attempt(kB, false);
  EXPECT_EQ(exchange.on_connect_failed().step, Step::kTakeover);
  ASSERT_EQ(exchange.failed().size(), 2u);
  EXPECT_EQ(exchange.failed()[1], kB);
}

TEST(Exchange, AttemptsAreBounded) {
  Exchange exchange(true);
  Verdict verdict;
  unsigned attempts = 0;
  do {
    exchange.on_attempt(ServerId{++attempts}, false);
    verdict = exchange.on_connect_failed();
  } while (verdict.step == Step::kTakeover);
  EXPECT_EQ(attempts, Exchange::kAttemptsMax);
  EXPECT_EQ(verdict.status, 503);
}

TEST(Exchange, ReferredAtMostTwice) {
  Exchange exchange(false);
  for (unsigned i = 0; i < Exchange::kReferralsMax; ++i) {
    exchange.on_attempt(kA, false);
    exchange.on_sent();
    EXPECT_EQ(exchange.on_referral().step, Step::kRefer);
  }
  exchange.on_attempt(kB, false);
  EXPECT_EQ(exchange.on_referral(), answer(502, false));
  EXPECT_EQ(exchange.referrals(), 2u);
  EXPECT_EQ(exchange.retries(), 0u);
}

// A server that refers to one that then dies could not know; the bound of attempts stays.
TEST(Exchange, WhoTakesOverMayReferAnew) {
  Exchange exchange(true);
  for (unsigned round = 0; round < 2; ++round) {
    exchange.on_attempt(kA, false);
    EXPECT_EQ(exchange.on_referral().step, Step::kRefer);
    exchange.on_attempt(kB, false);
    EXPECT_EQ(exchange.on_referral().step, Step::kRefer);
    exchange.on_attempt(ServerId{7 + round}, false);
    const Step after = exchange.on_connect_failed().step;
    EXPECT_EQ(after, round == 0 ? Step::kTakeover : Step::kAnswer);
  }
  EXPECT_EQ(exchange.attempts(), Exchange::kAttemptsMax);
  EXPECT_EQ(exchange.referrals(), 4u);
  EXPECT_EQ(exchange.retries(), 1u);
}

// The referring server executed nothing, so that a POST may go on if the next connection fails.
TEST(Exchange, AReferralForgetsThatAServerWasReached) {
  Exchange exchange(kPost);
  exchange.on_attempt(kA, false);
  exchange.on_sent();
  EXPECT_EQ(exchange.on_referral().step, Step::kRefer);
  exchange.on_attempt(kB, false);
  EXPECT_EQ(exchange.on_connect_failed().step, Step::kTakeover);
}

TEST(Exchange, WithoutARouteTheAnswerSaysWhetherAServerWasReached) {
  Exchange none(true);
  EXPECT_EQ(none.on_no_route(), answer(503, false));
  Exchange refused(true);
  refused.on_attempt(kA, false);
  refused.on_connect_failed();
  EXPECT_EQ(refused.on_no_route(), answer(503, false));
  Exchange reset = after({.sent = true});
  RetryBudget budget(RetryBudget::Options{});
  reset.on_broken(budget);
  EXPECT_EQ(reset.on_no_route(), answer(502, false));
}

TEST(Exchange, TheBudgetStopsResendingAfterResetsButNotAfterRefusals) {
  RetryBudget budget({.reserve = 1, .percent_of_requests = 50});
  Exchange first = after({.sent = true});
  EXPECT_EQ(first.on_broken(budget).step, Step::kTakeover);
  Exchange second = after({.sent = true});
  EXPECT_EQ(second.on_broken(budget), answer(502, true));
  Exchange refused = after({});
  EXPECT_EQ(refused.on_connect_failed().step, Step::kTakeover);
  budget.on_request();
  budget.on_request();
  Exchange third = after({.sent = true});
  EXPECT_EQ(third.on_broken(budget).step, Step::kTakeover);
  EXPECT_EQ(budget.refused(), 1u);
}

TEST(Exchange, BodiesThatCannotBeKeptAreMustServeFromTheStart) {
  EXPECT_FALSE(Exchange::outgrows(0, false, 65536));
  EXPECT_FALSE(Exchange::outgrows(65536, false, 65536));
  EXPECT_TRUE(Exchange::outgrows(65537, false, 65536));
  EXPECT_TRUE(Exchange::outgrows(0, true, 65536));
}

}  // namespace
}  // namespace tandem
