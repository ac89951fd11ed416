// The promises about sessions, as one sees them from outside of the nodes.
#include "server/core/node.h"

#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using Answer = Comparison::Answer;
using Kind = Decision::Kind;

class NodeTest : public NodeBench {};

TEST_F(NodeTest, NewSessionIsProvisionalUntilItsTokenComesBack) {
  start({"a", "b", "c"});
  const SessionToken first = served("a", new_session("a"));
  EXPECT_EQ(first.epoch, (Epoch{1, id("a")}));
  EXPECT_EQ(first.primary, id("a"));
  EXPECT_FALSE(first.alternate);
  EXPECT_EQ(first.flags, kNoFlags);
  EXPECT_EQ(node("a").status().primaries, 0u);
  const SessionToken second = served("a", first);
  EXPECT_TRUE(second.alternate);
  EXPECT_NE(second.alternate, second.primary);
  EXPECT_EQ(node("a").status().primaries, 1u);
  EXPECT_EQ(node(name_of(second.alternate)).status().alternates, 1u);
  EXPECT_FALSE(node("a").token_to_set(wall_, second)) << "set only when it changes";
}

TEST_F(NodeTest, ProvisionalSessionIsGoneAfterItsTime) {
  start({"a", "b"});
  const SessionToken first = served("a", new_session("a"));
  pass(9s);
  EXPECT_TRUE(node("a").report(kSession));
  pass(1s);
  EXPECT_FALSE(node("a").report(kSession));
  EXPECT_EQ(node("a").counters().provisional_expired, 1u);
  const SessionToken late = served("a", first);
  EXPECT_GT(late.epoch, first.epoch);
  EXPECT_TRUE(late.alternate);
}

TEST_F(NodeTest, RequestsThatOverlapBeforeTheFirstTokenGetOneSession) {
  start({"a", "b"});
  const SessionToken one = served("a", new_session("a"));
  const SessionToken two = served("a", new_session("a"));
  EXPECT_EQ(one, two);
  EXPECT_EQ(node("a").counters().sessions_new, 1u);
}

TEST_F(NodeTest, AlternateTakesOverOnTheNextRequestAndChoosesANewAlternate) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate);
  kill("a");
  const SessionToken moved = served(second, with_flags(held, kTakeover));
  EXPECT_EQ(moved.primary, held.alternate);
  EXPECT_EQ(moved.epoch, held.epoch.raised_by(held.alternate));
  seats_["a"].online = false;
  publish();
  const SessionToken after = served(second, moved);
  EXPECT_TRUE(after.alternate);
  EXPECT_NE(after.alternate, id("a"));
  EXPECT_NE(after.alternate, after.primary);
  EXPECT_EQ(node(second).counters().takeovers_warm, 1u);
}

TEST_F(NodeTest, TakeoverFromOneEpochIsIdempotent) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate);
  kill("a");
  std::set<std::uint32_t> counters;
  for (int i = 0; i < 6; ++i) {
    counters.insert(served(second, with_flags(held, kTakeover)).epoch.counter);
  }
  EXPECT_EQ(counters, (std::set<std::uint32_t>{held.epoch.counter + 1}));
}

TEST_F(NodeTest, ATakeoverLeavesTheCopyOfTheCopyWhole) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  retrieved("a", {}, "text");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  kill("a");
  seats_["a"].online = false;
  publish();
  const SessionToken moved = served(second, with_flags(held, kTakeover));
  ASSERT_EQ(moved.alternate, id(third));
  restart("a");  // and knows of nothing
  kill(second);
  seats_[second].online = false;
  publish();
  ASSERT_TRUE(node("a").report(kSession)) << "the copy of the copy";
  bool heard = false;  // of the new epoch, by the mirror
  drop_ = [&](const std::string&, const std::string& to, const Message& message) {
    heard = heard || (to == "a" && std::holds_alternative<MirrorBatch>(message));
    EXPECT_TRUE(heard || to != "a" || !std::holds_alternative<SessionExchange>(message));
    return false;
  };
  const SessionToken last = served(third, with_flags(moved, kTakeover));
  EXPECT_TRUE(heard);
  EXPECT_EQ(last.alternate, id("a"));
  EXPECT_EQ(node(third).counters().mirror_gaps, 0u);
  EXPECT_EQ(node("a").report(kSession)->epoch, last.epoch);
  EXPECT_TRUE(node(third).report(kSession)->copy_complete);
}

TEST_F(NodeTest, RestartedPrimaryDoesNotKnowTheSessionAndRefersToItsAlternate) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  kill("a");
  restart("a");
  const Decision decision = request("a", held);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, held.alternate);
  EXPECT_TRUE(decision.refer.flags & kTakeover);
  const SessionToken moved = served(name_of(held.alternate), decision.refer);
  EXPECT_EQ(moved.epoch, held.epoch.raised_by(held.alternate));
  EXPECT_EQ(node("a").status().primaries, 0u);
}

TEST_F(NodeTest, OldPrimaryThatWasOnlyCutOffRemovesTheSessionWhenItIsBack) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate);
  cut_off("a");
  const SessionToken moved = served(second, with_flags(held, kTakeover));
  EXPECT_EQ(node("a").status().primaries, 1u) << "it cannot know";
  for (const char* other : {"b", "c"}) link("a", other);
  EXPECT_EQ(node("a").status().primaries, 0u);
  EXPECT_EQ(node("a").counters().sessions_lost, 1u);
  const Decision decision = request("a", held);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, moved.primary);
}

TEST_F(NodeTest, OldPrimaryThatIsStillLinkedIsToldAtOnce) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  served(name_of(held.alternate), with_flags(held, kTakeover));
  EXPECT_EQ(node("a").counters().sessions_lost, 1u);
}

TEST_F(NodeTest, FirstPrimaryThatMissedTwoTakeoversIsToldByTheThird) {
  start({"a", "b", "c"});
  deaf_.insert("a");  // no view tells it that it is thought dead
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  cut_off("a");
  seats_["a"].online = false;
  publish();
  const SessionToken moved = served(second, with_flags(held, kTakeover));
  settle();
  ASSERT_EQ(moved.alternate, id(third));
  kill(second);
  served(third, with_flags(moved, kTakeover));
  ASSERT_EQ(node("a").status().primaries, 1u) << "it cannot know";
  link("a", third);
  EXPECT_EQ(node("a").status().primaries, 0u);
  EXPECT_EQ(node(third).status().primaries, 1u);
}

TEST_F(NodeTest, OfTwoThatClaimTheNewerEpochWins) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  kill("a");
  cut_off(second);
  deaf_.insert(second);
  seats_["a"].online = seats_[second].online = false;
  publish();
  const SessionToken one = served(second, with_flags(held, kTakeover));
  const SessionToken two = served(third, with_flags(held, kTakeover));
  ASSERT_EQ(one.epoch.counter, two.epoch.counter);
  deaf_.clear();
  seats_[second].online = true;
  link(second, third);
  publish();
  const std::string winner = one.epoch > two.epoch ? second : third;
  const std::string loser = winner == second ? third : second;
  EXPECT_EQ(node(winner).status().primaries, 1u);
  EXPECT_EQ(node(loser).status().primaries, 0u);
  const Decision decision = request(loser, winner == second ? one : two);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id(winner));
}

TEST_F(NodeTest, NoServerAnswersWithStateOlderThanTheToken) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  SessionToken newer = held;
  newer.epoch = held.epoch.raised_by(id("c"));
  newer.primary = id("c");
  const Decision decision = request("a", newer);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id("c"));
  EXPECT_EQ(node("a").status().primaries, 0u);
  const SessionToken forced = served("a", with_flags(newer, kMustServe));
  EXPECT_GT(forced.epoch, newer.epoch);
}

TEST_F(NodeTest, AlternatesOfAnOfflinePrimaryMirrorToAThirdAtOnce) {
  start({"a", "b", "c", "d"});
  const SessionToken held = confirmed("a");
  const Comparison sent = retrieved("a", {}, "text");
  const std::string second = name_of(held.alternate);
  kill("a");
  seats_["a"].online = false;
  publish();
  const auto report = node(second).report(kSession);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->role, Role::kAlternate);
  ASSERT_TRUE(report->alternate);
  const std::string third = name_of(report->alternate);
  EXPECT_TRUE(third != "a" && third != second);
  ASSERT_TRUE(node(third).report(kSession));
  EXPECT_EQ(node(third).report(kSession)->epoch, held.epoch);
  EXPECT_EQ(node(third).report(kSession)->mirror_entries, 1u);
  // The second dies as well: the copy of the copy serves.
  kill(second);
  const SessionToken moved = served(third, with_flags(held, kTakeover | kMustServe));
  EXPECT_EQ(retrieved(third, {sent.validator}, "text").answer, Answer::kReuseByMirror);
  EXPECT_EQ(moved.epoch.counter, held.epoch.counter + 1);
}

TEST_F(NodeTest, CopyThatComesFromAPrimaryThatTheViewCallsOfflineGoesToAThirdOnce) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate);
  seats_["a"].online = false;  // the balancer does not reach it; its peers do
  deaf_.insert("a");
  publish();
  ASSERT_TRUE(node(second).report(kSession)->alternate);
  for (int i = 0; i < 5; ++i) {
    retrieved("a", {}, "text " + std::to_string(i));
    publish();
  }
  EXPECT_TRUE(node(second).report(kSession)->copy_complete);
  EXPECT_EQ(node(second).counters().thirds_chosen, 1u) << "no flapping";
  const std::string third = name_of(node(second).report(kSession)->alternate);
  EXPECT_EQ(node(third).report(kSession)->mirror_entries, 1u);
}

TEST_F(NodeTest, ThirdCopyIsReleasedWhenThePrimaryIsBack) {
  start({"a", "b", "c", "d"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate);
  cut_off("a");
  seats_["a"].online = false;
  publish();
  const std::string third = name_of(node(second).report(kSession)->alternate);
  ASSERT_TRUE(node(third).report(kSession));
  seats_["a"].online = true;
  for (const char* other : {"b", "c", "d"}) link("a", other);
  publish();
  EXPECT_FALSE(node(third).report(kSession));
  EXPECT_EQ(node("a").status().primaries, 1u) << "nobody took it over";
}

TEST_F(NodeTest, AlternateThatGoesOfflineIsReplacedAndTheNextResponseSaysSo) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  retrieved("a", {}, "text");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  kill(second);
  seats_[second].online = false;
  publish();
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
  EXPECT_EQ(node(third).report(kSession)->mirror_entries, 1u);
  const SessionToken next = served("a", held);
  EXPECT_EQ(next.alternate, id(third));
  EXPECT_EQ(next.epoch, held.epoch);
}

TEST_F(NodeTest, AlternateThatDrainsIsReplacedAndReleased) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  node(second).set_draining(true);
  publish();
  EXPECT_FALSE(node(second).report(kSession));
  EXPECT_EQ(served("a", held).alternate, id(third));
  // The released one, asked to take over with the old token, knows who has the mirror.
  kill("a");
  const Decision decision = request(second, with_flags(held, kTakeover));
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id(third));
  EXPECT_EQ(decision.refer.flags, kTakeover | kMustServe);
  EXPECT_EQ(served(third, decision.refer).epoch, held.epoch.raised_by(id(third)));
}

TEST_F(NodeTest, RestartedAlternateGetsASnapshot) {
  start({"a", "b"});
  confirmed("a");
  retrieved("a", {}, "text");
  kill("b");
  restart("b");
  ASSERT_TRUE(node("b").report(kSession));
  EXPECT_EQ(node("b").report(kSession)->mirror_entries, 1u);
}

TEST_F(NodeTest, AlternateWithoutLinkIsReplacedAfterAWhile) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  cut("a", second);
  pass(4s);
  EXPECT_EQ(node("a").report(kSession)->alternate, held.alternate);
  pass(1s);
  EXPECT_EQ(node("a").report(kSession)->alternate, id(third));
  link("a", second);
  EXPECT_FALSE(node(second).report(kSession)) << "released when they met again";
}

TEST_F(NodeTest, DrainingServerGivesSessionsToTheirAlternates) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  node("a").set_draining(true);
  EXPECT_TRUE(node("a").status_is_urgent());
  publish();
  const Decision decision = request("a", held);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, held.alternate);
  served(name_of(held.alternate), decision.refer);
  EXPECT_EQ(node("a").status().primaries, 0u);
}

TEST_F(NodeTest, TokenIsRenewedAtHalfItsLife) {
  start({"a", "b"});
  const SessionToken held = confirmed("a");
  pass(899s);
  EXPECT_FALSE(node("a").token_to_set(wall_, held));
  pass(1s);
  const auto renewed = node("a").token_to_set(wall_, held);
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->epoch, held.epoch);
  EXPECT_EQ(renewed->issued, wall_);
}

// A lasting token cannot be renewed at will: its client brings the same one on and on.
TEST_F(NodeTest, ALastingTokenIsServedAtAnyAgeAndGivesFewSignsOfLife) {
  start({"a", "b"});
  SessionToken held = confirmed("a");
  held.flags = kLasting;
  EXPECT_FALSE(node("a").token_to_set(wall_, held));
  for (int i = 0; i < 20; ++i) {
    pass(600s);
    ASSERT_EQ(request("a", held).kind, Kind::kServe);
    node("a").token_to_set(wall_, held);
  }
  EXPECT_TRUE(node("b").report(kSession)) << "kept from idling";
  pass(1s);  // what was begun above is sent
  const auto batches = node("a").counters().mirror_batches_sent;
  pass(900s);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(request("a", held).kind, Kind::kServe);
    ASSERT_TRUE(node("a").token_to_set(wall_, held));
    pass(1s);
  }
  EXPECT_EQ(node("a").counters().mirror_batches_sent, batches + 1);
}

TEST_F(NodeTest, ASessionThatNobodyKnowsIsNotBegunWhereTheBalancerSaysSo) {
  start({"a", "b", "c"});
  SessionToken held = confirmed("a");
  SessionToken sent = held;
  sent.flags = kTakeover | kKnownOnly;
  const std::string third = name_of(held.alternate) == "b" ? "c" : "b";
  // Someone has a copy: there it goes.
  Decision decision = request(third, sent);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  // Nobody has.
  sent.session = SessionId{99, 99};
  decision = request(third, sent);
  EXPECT_EQ(decision.kind, Kind::kGone);
  EXPECT_FALSE(node(third).report(sent.session));
  sent.flags = kTakeover;
  EXPECT_EQ(request(third, sent).kind, Kind::kServe);
}

TEST_F(NodeTest, AServerThatWasStartedAnewDoesNotBeginASessionThatIsNotToBeBegun) {
  start({"a", "b"});
  const SessionToken held = confirmed("a");
  kill("a");
  kill("b");
  restart("a");
  restart("b");
  RequestInfo info{held, kCache, {}, {}, true};
  const auto decided = [&](const std::string& at, const SessionToken& token) {
    info.token = token;
    Decision decision = node(at).on_request(now_, wall_, info);
    if (decision.kind != Kind::kWait) return decision;
    settle();
    node(at).take_settled();
    return node(at).on_request(now_, wall_, info);
  };
  const Decision referred = decided("a", held);
  ASSERT_EQ(referred.kind, Kind::kRefer) << "its alternate may know it";
  EXPECT_EQ(decided("b", referred.refer).kind, Kind::kGone);
  EXPECT_EQ(decided("a", with_flags(held, kMustServe)).kind, Kind::kGone);
  EXPECT_EQ(decided("b", new_session("b", {9, 9})).kind, Kind::kServe);
  EXPECT_EQ(decided("a", with_flags(held, kLasting)).kind, Kind::kServe)
      << "the application behind it knows";
}

TEST_F(NodeTest, IdleSessionExpiresOnPrimaryAndAlternate) {
  start({"a", "b"});
  SessionToken held = confirmed("a");
  for (int i = 0; i < 6; ++i) {
    pass(900s);
    held = served("a", held);
  }
  EXPECT_TRUE(node("a").report(kSession));
  EXPECT_TRUE(node("b").report(kSession)) << "kept from idling by renewals";
  pass(1861s);
  EXPECT_FALSE(node("a").report(kSession));
  pass(225s);  // it may have heard of the last use so much earlier
  EXPECT_FALSE(node("b").report(kSession));
}

// Of a body that is sent on as it comes each request has a token of its own, which is always young.
TEST_F(NodeTest, ASessionWhoseTokensAreAlwaysYoungKeepsItsCopy) {
  start({"a", "b"});
  SessionToken held = confirmed("a");
  for (int i = 0; i < 5; ++i) {
    pass(600s);
    SessionToken young = with_flags(held, kMustServe);
    young.issued = wall_;
    held = served("a", young);
    ASSERT_EQ(held.issued, wall_);
    EXPECT_TRUE(node("b").report(kSession)) << "it is in use";
  }
}

TEST_F(NodeTest, ACopyIsKeptUntilNoTokenOfItsSessionIsGood) {
  start({"a", "b"});
  SessionToken held = confirmed("a");
  pass(180s);  // no sign of life is due yet
  held = served("a", with_flags(held, kMustServe));
  ASSERT_EQ(held.issued, wall_);
  pass(1800s);
  EXPECT_TRUE(node("a").report(kSession));
  EXPECT_TRUE(node("b").report(kSession));
}

TEST_F(NodeTest, WhoeverSeesANewerTokenServesNoOlderOneEvenWhileItAsks) {
  start({"a", "b"});
  const SessionToken held = confirmed("a");
  drop_ = [](const std::string&, const std::string&, const Message& message) {
    return std::holds_alternative<WhereIs>(message);
  };
  SessionToken newer = with_flags(held, kTakeover | kMustServe);
  newer.epoch = held.epoch.raised_by(id("c"));
  EXPECT_EQ(node("a").on_request(now_, wall_, {newer, kCache, {}}).kind, Decision::Kind::kWait);
  EXPECT_FALSE(node("a").report(kSession)) << "it is not the primary, whatever it will hear";
  EXPECT_NE(node("a").on_request(now_, wall_, {held, kCache, {}}).kind, Decision::Kind::kServe);
}

class CrowdedNodeTest : public NodeBench {
 protected:
  NodeOptions options_for(const std::string& name) override {
    NodeOptions options = NodeBench::options_for(name);
    if (name == "b") options.sessions_max = 2;
    return options;
  }
};

TEST_F(CrowdedNodeTest, OfACopyThatHadToMakeRoomTheEpochIsRemembered) {
  start({"a", "b"});
  confirmed("a");
  ASSERT_TRUE(node("b").report(kSession));
  pass(300s);  // longer than a use may have stayed unknown
  confirmed("b", {8, 1});
  confirmed("b", {8, 2});
  EXPECT_FALSE(node("b").report(kSession));
  EXPECT_EQ(node("b").gauges().notes, 1u);
}

TEST_F(NodeTest, ViewThatSaysWeAreOfflineDoesNotStopUs) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  seats_["a"].online = false;
  publish();
  EXPECT_EQ(served("a", held).primary, id("a"));
}

TEST_F(NodeTest, WithoutOthersThereIsNoAlternateUntilOneComes) {
  start({"a"});
  const SessionToken held = confirmed("a");
  EXPECT_FALSE(held.alternate);
  EXPECT_EQ(node("a").gauges().sessions_alone, 1u);
  seats_["b"];
  restart("b");
  EXPECT_EQ(served("a", held).alternate, id("b"));
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
}

}  // namespace
}  // namespace tandem
