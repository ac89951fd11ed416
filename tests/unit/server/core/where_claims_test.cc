// "Where is my session?": a token of any age works. The claims, seen from outside of the nodes.
#include "server/core/node.h"
#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using Answer = Comparison::Answer;
using Kind = Decision::Kind;

class WhereClaims : public NodeBench {
 protected:
  NodeOptions options_for(const std::string& name) override {
    NodeOptions options = NodeBench::options_for(name);
    options.notes_max = notes_max_;
    options.questions_max = questions_max_;
    return options;
  }
  // Sends a request as a balancer does: to `at`, then where it is referred to, twice at most.
  std::string follow(std::string at, SessionToken token) {
    for (int sent = 0; sent < 3; ++sent) {
      const Decision decision = request(at, token);
      if (decision.kind != Kind::kRefer) {
        EXPECT_EQ(decision.kind, Kind::kServe);
        token_ = node(at).token_to_set(wall_, token).value_or(token);
        settle();
        return at;
      }
      token = decision.refer;
      at = name_of(token.primary);
    }
    ADD_FAILURE() << "referred more than twice";
    return {};
  }
  // Kills a server, and starts it anew when everyone knows and has done what there is to do.
  void replace(const std::string& name) {
    kill(name);
    seats_[name].online = false;
    publish();
    pass(1s);
    restart(name);
    pass(1s);
  }
  // Who holds the session, in one role or another.
  std::vector<std::string> holders() {
    std::vector<std::string> all;
    for (const auto& [name, seat] : seats_) {
      if (seat.node && seat.node->report(kSession)) all.push_back(name);
    }
    return all;
  }
  // A client with one item in its cache, then idle.
  SessionToken idle_client() {
    const SessionToken held = confirmed("a");
    validator_ = retrieved("a", {}, "text").validator;
    return held;
  }
  void expect_warm(const std::string& at) {
    EXPECT_EQ(retrieved(at, {validator_}, "text").answer, Answer::kReuseByMirror);
  }

  std::size_t notes_max_ = 1000;
  std::size_t questions_max_ = 1000;
  SessionToken token_;
  Validator validator_;
};

TEST_F(WhereClaims, IdleClientIsWarmAfterItsPrimaryAndItsAlternateWereReplaced) {
  start({"a", "b", "c", "d", "e"});
  const SessionToken held = idle_client();
  replace("a");
  replace(name_of(held.alternate));
  EXPECT_GE(holders().size(), 2u) << "the only copy is never alone";
  expect_warm(follow("a", held));
  EXPECT_GT(token_.epoch, held.epoch);
}

TEST_F(WhereClaims, IdleClientIsWarmAfterThreeServersWereReplaced) {
  start({"a", "b", "c", "d", "e"});
  const SessionToken held = idle_client();
  replace("a");
  replace(name_of(held.alternate));
  replace(holders().front());
  EXPECT_GE(holders().size(), 2u);
  expect_warm(follow(name_of(held.alternate), with_flags(held, kTakeover)));
}

TEST_F(WhereClaims, IdleClientIsWarmAfterEveryServerWasReplacedOneAfterTheOther) {
  for (const bool at_once : {false, true}) {
    for (const std::string& first : {std::string("a"), std::string("c")}) {
      seats_.clear();
      links_.clear();
      start({"a", "b", "c", "d", "e"});
      const SessionToken held = confirmed(first);
      validator_ = retrieved(first, {}, "text").validator;
      for (const char* name : {"a", "b", "c", "d", "e"}) {
        if (at_once) {
          kill(name);
          restart(name);
          pass(1s);
        } else {
          replace(name);
        }
        ASSERT_GE(holders().size(), 2u) << name << " " << at_once;
      }
      expect_warm(follow(first, held));
    }
  }
}

TEST_F(WhereClaims, WithoutAnyForwardingNoteItIsFoundAllTheSame) {
  notes_max_ = 0;
  start({"a", "b", "c", "d", "e"});
  const SessionToken held = idle_client();
  // An active overlap moves it twice: the idle copy of the token knows of neither.
  kill("a");
  seats_["a"].online = false;
  publish();
  const std::string second = follow(name_of(held.alternate), with_flags(held, kTakeover));
  const SessionToken newer = served(second, token_);
  replace(second);
  follow(name_of(newer.alternate), with_flags(newer, kTakeover));
  restart("a");
  pass(1s);
  const std::string at = follow("a", held);
  EXPECT_EQ(id(at), token_.primary);
  EXPECT_GT(token_.epoch, newer.epoch);
  expect_warm(at);
}

TEST_F(WhereClaims, AnyServerFindsTheHolderOfTheLastCopyWhenPrimaryAndAlternateAreGone) {
  start({"a", "b", "c", "d", "e"});
  const SessionToken held = idle_client();
  const std::string second = name_of(held.alternate);
  for (const std::string& name : {std::string("a"), second}) {
    kill(name);
    seats_[name].online = false;
    publish();
    pass(1s);
  }
  for (const auto& [name, seat] : seats_) {
    if (!seat.node || seat.node->report(kSession)) continue;
    expect_warm(follow(name, with_flags(held, kTakeover)));  // as lb/core/route sends it
    return;
  }
  FAIL() << "everybody has a copy";
}

TEST_F(WhereClaims, AQuickRestartThatNoViewTellsOfIsNoticedWhenTheServersMeet) {
  start({"a", "b", "c", "d"});
  const SessionToken held = idle_client();
  kill("a");
  restart("a");
  pass(1s);
  EXPECT_GE(holders().size(), 2u) << "the alternate's was the only copy";
  EXPECT_FALSE(node("a").report(kSession));
  expect_warm(follow(name_of(held.alternate), held));
}

TEST_F(WhereClaims, NobodyKnowsSoItStartsEmptyOnceForSixRequests) {
  start({"a", "b", "c"});
  SessionToken lost = new_session("a", kSession, kTakeover);
  lost.epoch = {4, id("gone")};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(node("a").on_request(now_, wall_, {lost, kCache, {}}).kind, Kind::kWait);
  }
  settle();
  EXPECT_EQ(node("a").take_settled(), std::vector{kSession});
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(served("a", lost).epoch, (Epoch{5, id("a")}));
  }
  EXPECT_EQ(node("a").counters().questions_asked, 1u);
  EXPECT_EQ(node("a").counters().questions_found, 0u);
  EXPECT_EQ(node("a").counters().takeovers_cold, 1u);
  EXPECT_EQ(node("b").counters().questions_answered, 1u);
}

TEST_F(WhereClaims, APeerThatIsSilentIsWaitedForNoLongerThanThePatience) {
  start({"a", "b", "c"});
  drop_ = [](const std::string&, const std::string& to, const Message& message) {
    return to == "c" && std::holds_alternative<WhereIs>(message);
  };
  SessionToken lost = new_session("a", kSession, kTakeover);
  lost.epoch = {4, id("gone")};
  EXPECT_EQ(node("a").on_request(now_, wall_, {lost, kCache, {}}).kind, Kind::kWait);
  settle();
  EXPECT_TRUE(node("a").take_settled().empty());
  EXPECT_LE(node("a").next_deadline(), now_ + 300ms);
  pass(300ms);
  EXPECT_EQ(node("a").take_settled(), std::vector{kSession});
  EXPECT_EQ(node("a").counters().questions_timed_out, 1u);
  EXPECT_EQ(node("a").on_request(now_, wall_, {lost, kCache, {}}).kind, Kind::kServe);
}

// A request may come before the view does: the balancer's workers know of a registration first.
TEST_F(WhereClaims, WhoHasJustStartedWaitsForItsFirstViewBeforeItBeginsASessionAnew) {
  start({"a", "b", "c"});
  const SessionToken held = idle_client();
  kill("a");
  seats_["a"].node = std::make_unique<Node>(options_for("a"), now_);
  EXPECT_EQ(node("a").on_request(now_, wall_, {held, kCache, {}}).kind, Kind::kWait);
  EXPECT_EQ(node("a").on_request(now_, wall_, {held, kCache, {}}).kind, Kind::kWait);
  publish();
  EXPECT_EQ(node("a").take_settled(), std::vector{kSession});
  const Decision decision = node("a").on_request(now_, wall_, {held, kCache, {}});
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, held.alternate);
  EXPECT_EQ(decision.refer.flags, kTakeover | kReferred);
}

TEST_F(WhereClaims, WithoutAnyViewItBeginsTheSessionAnewAfterThePatience) {
  seats_["a"].node = std::make_unique<Node>(options_for("a"), now_);
  const SessionToken held{kSession, {3, id("b")}, id("b"), id("c"), wall_, kTakeover};
  EXPECT_EQ(node("a").on_request(now_, wall_, {held, kCache, {}}).kind, Kind::kWait);
  pass(299ms);
  EXPECT_TRUE(node("a").take_settled().empty());
  pass(1ms);
  EXPECT_EQ(node("a").take_settled(), std::vector{kSession});
  EXPECT_EQ(node("a").on_request(now_, wall_, {held, kCache, {}}).kind, Kind::kServe);
  // Whoever never gets a view waits no more when it has been here for a while.
  pass(5s);
  SessionToken other = held;
  other.session = {8, 8};
  EXPECT_EQ(node("a").on_request(now_, wall_, {other, kCache, {}}).kind, Kind::kServe);
}

TEST_F(WhereClaims, APeerWithWhichThereIsNoLinkYetIsAskedWhenThereIs) {
  start({"a", "b", "c", "d"});
  SessionToken held = idle_client();
  const std::string holder = name_of(held.alternate);
  held.alternate = {};  // as it was when the client heard last
  kill("a");
  seats_["a"].node = std::make_unique<Node>(options_for("a"), now_);
  publish();
  EXPECT_EQ(node("a").on_request(now_, wall_, {held, kCache, {}}).kind, Kind::kWait);
  settle();
  for (const char* peer : {"b", "c", "d"}) {
    EXPECT_TRUE(node("a").take_settled().empty());
    link(std::min<std::string>("a", peer), std::max<std::string>("a", peer));
  }
  EXPECT_EQ(node("a").take_settled(), std::vector{kSession});
  const Decision decision = node("a").on_request(now_, wall_, {held, kCache, {}});
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(name_of(decision.refer.primary), holder);
}

TEST_F(WhereClaims, AfterThePatienceItIsReferredToTheAlternateThoughThereIsNoLinkYet) {
  start({"a", "b", "c"});
  const SessionToken held = idle_client();
  kill("a");
  seats_["a"].node = std::make_unique<Node>(options_for("a"), now_);
  publish();
  const SessionToken sent = with_flags(held, kReferred);  // by who holds an older copy
  EXPECT_EQ(node("a").on_request(now_, wall_, {sent, kCache, {}}).kind, Kind::kWait);
  pass(300ms);
  EXPECT_EQ(node("a").take_settled(), std::vector{kSession});
  const Decision decision = node("a").on_request(now_, wall_, {sent, kCache, {}});
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, held.alternate);
  EXPECT_EQ(decision.refer.flags, kTakeover | kMustServe);
}

TEST_F(WhereClaims, APeerThatDiesIsNotWaitedFor) {
  start({"a", "b", "c"});
  drop_ = [](const std::string&, const std::string& to, const Message&) { return to == "c"; };
  SessionToken lost = new_session("a", kSession, kTakeover);
  lost.epoch = {4, id("gone")};
  EXPECT_EQ(node("a").on_request(now_, wall_, {lost, kCache, {}}).kind, Kind::kWait);
  settle();
  EXPECT_TRUE(node("a").take_settled().empty());
  kill("c");
  EXPECT_EQ(node("a").take_settled(), std::vector{kSession});
}

TEST_F(WhereClaims, QuestionsAreBoundedInNumberAndForgotten) {
  questions_max_ = 2;
  start({"a", "b"});
  std::vector<SessionToken> lost;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    lost.push_back(new_session("a", {i, i}, kTakeover));
    lost.back().epoch = {4, id("gone")};
  }
  const auto ask = [&](std::size_t i) {
    return node("a").on_request(now_, wall_, {lost[i], kCache, {}}).kind;
  };
  EXPECT_EQ(ask(0), Kind::kWait);
  EXPECT_EQ(ask(1), Kind::kWait);
  EXPECT_EQ(ask(2), Kind::kServe) << "as if there were nobody to ask";
  EXPECT_EQ(node("a").counters().questions_refused, 1u);
  settle();
  EXPECT_EQ(node("a").take_settled().size(), 2u);
  settle();
  EXPECT_EQ(node("a").gauges().questions, 0u);
}

TEST_F(WhereClaims, WhatMustBeServedElsewhereTakesNothingFromAWarmSession) {
  start({"a", "b", "c"});
  const SessionToken held = idle_client();
  const std::string third = name_of(held.alternate) == "b" ? "c" : "b";
  const Decision decision = request(third, with_flags(held, kMustServe));
  ASSERT_EQ(decision.kind, Kind::kGuest);
  EXPECT_EQ(decision.refer.primary, id("a"));
  EXPECT_EQ(decision.refer.flags, kNoFlags);
  EXPECT_FALSE(node(third).report(kSession));
  EXPECT_FALSE(node(third).token_to_set(wall_, held));
  EXPECT_EQ(retrieved(third, {validator_}, "text").answer, Answer::kReuseByValidator);
  EXPECT_EQ(follow("a", decision.refer), "a");
  expect_warm("a");
}

TEST_F(WhereClaims, WhatMustBeServedWhereTheCopyIsTakesNothingFromALivingPrimary) {
  start({"a", "b", "c"});
  const SessionToken held = idle_client();
  const std::string second = name_of(held.alternate);
  const Decision decision = request(second, with_flags(held, kMustServe));
  ASSERT_EQ(decision.kind, Kind::kGuest);
  EXPECT_EQ(decision.refer.primary, id("a"));
  EXPECT_EQ(decision.refer.epoch, held.epoch);
  EXPECT_EQ(node("a").report(kSession)->role, Role::kPrimary);
  EXPECT_EQ(node("a").report(kSession)->epoch, held.epoch);
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
  expect_warm("a");
  // Started anew it knows nothing of the session: the copy is all that is left.
  kill("a");
  restart("a");
  EXPECT_EQ(request(second, with_flags(held, kMustServe)).kind, Kind::kServe);
}

}  // namespace
}  // namespace tandem
