// Fencing: no server answers a token with state older than that token, nor as primary once it has
// learned a newer epoch, however it learned of it.
#include "server/core/claims.h"
#include "server/core/mirror_receiver.h"
#include "server/core/node.h"
#include "server/core/session_exchange.h"
#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using Answer = Comparison::Answer;
using Kind = Decision::Kind;

class FencingClaims : public NodeBench {
 protected:
  void tell(const std::string& to, const std::string& from, const Message& message) {
    node(to).on_message(now_, id(from), message, outbox(to));
    settle();
  }
  SessionExchange entry(Epoch epoch, bool primary) {
    return {{{kSession, epoch, primary}}, true, 0};
  }
};

TEST_F(FencingClaims, APrimaryThatLearnsOfANewerEpochServesNoMoreHoweverItLearns) {
  const Epoch newer{9, id("c")};
  MirrorBatch batch;
  batch.session = kSession;
  batch.epoch = newer;
  batch.primary = id("c");
  batch.sequence = 1;
  const std::vector<Message> ways{entry(newer, true), MirrorRelease{kSession, newer, {}, 0, 0},
                                  batch, MirrorAck{kSession, newer, 1, MirrorAck::Answer::kStale}};
  for (const Message& way : ways) {
    seats_.clear();
    links_.clear();
    start({"a", "b", "c", "d"});
    const SessionToken held = confirmed("a");
    tell("a", "c", way);
    EXPECT_EQ(node("a").status().primaries, 0u) << way.index();
    EXPECT_EQ(node("a").counters().sessions_lost, 1u) << way.index();
    const Decision decision = node("a").on_request(now_, wall_, {held, kCache, {}});
    EXPECT_NE(decision.kind, Kind::kServe) << way.index();
  }
}

TEST_F(FencingClaims, AResponseWhoseHeadIsWrittenAfterTheLossSetsNoTokenAndLeavesTheMirrorAlone) {
  start({"a", "b", "c"});
  const SessionToken first = served("a", new_session("a"));
  ASSERT_EQ(request("a", first).kind, Kind::kServe);
  tell("a", "c", entry({9, id("c")}, true));
  EXPECT_FALSE(node("a").token_to_set(wall_, first));
  const Comparison sent = retrieved("a", {}, "text");
  EXPECT_EQ(sent.answer, Answer::kSend);
  EXPECT_EQ(node("a").gauges().mirror_entries, 0u);
  EXPECT_EQ(retrieved("a", {sent.validator}, "text").answer, Answer::kReuseByValidator);
}

TEST_F(FencingClaims, WhoHasBecomeTheAlternateMeanwhileSetsNoToken) {
  start({"a", "b"});
  const SessionToken held = confirmed("a");
  ASSERT_EQ(request("a", held).kind, Kind::kServe);
  const SessionToken moved = served("b", with_flags(held, kTakeover));
  ASSERT_EQ(moved.alternate, id("a"));
  ASSERT_EQ(node("a").report(kSession)->role, Role::kAlternate);
  EXPECT_FALSE(node("a").token_to_set(wall_, held)) << "it would name itself the primary";
}

TEST_F(FencingClaims, ACopyOfAnOlderEpochIsDroppedBeforeTheNewerOnesSnapshotHasCome) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  MirrorBatch gap;
  gap.session = kSession;
  gap.epoch = {9, id(third)};
  gap.primary = id(third);
  gap.sequence = 5;
  node(second).on_message(now_, id(third), gap, outbox(second));
  EXPECT_FALSE(node(second).report(kSession)) << "it could be taken over from, at an older epoch";
  outbox(second).take();
}

// The primary of an old copy has chosen another alternate, given it the session, and died. Its
// client's token names the primary and the old copy.
class OldCopy : public FencingClaims {
 protected:
  // `move` keeps the old copy from hearing of it.
  template <class Move>
  void give_away(const Move& move) {
    start({"a", "b", "c", "d"});
    held_ = confirmed("a");
    first_ = name_of(held_.alternate);
    move();
    node(first_).set_draining(true);  // so that it is not chosen
    publish();
    second_ = name_of(node("a").report(kSession)->alternate);
    ASSERT_NE(second_, first_);
    node("a").set_draining(true);
    publish();
    pass(50ms);
    ASSERT_TRUE(serves(second_));
    node(first_).set_draining(false);
    kill("a");
    drop_ = nullptr;
  }
  bool serves(const std::string& name) {
    const auto report = node(name).report(kSession);
    return report && report->role == Role::kPrimary;
  }
  void unlink() { cut(std::min(first_, second_), std::max(first_, second_)); }
  void relink() { link(std::min(first_, second_), std::max(first_, second_)); }
  // Both have raised the same epoch.
  void fork() {
    const SessionToken forked = served(first_, with_flags(held_, kTakeover));
    ASSERT_EQ(forked.epoch.counter, node(second_).report(kSession)->epoch.counter);
  }
  void expect_the_newer_one_serves() {
    const std::string newer = id(first_) > id(second_) ? first_ : second_;
    EXPECT_TRUE(serves(newer));
    EXPECT_FALSE(serves(newer == first_ ? second_ : first_));
  }

  SessionToken held_;
  std::string first_, second_;
};

TEST_F(OldCopy, WhoseReleaseHadNoLinkIsToldByWhoIsGivenTheSession) {
  give_away([&] { cut("a", first_); });
  EXPECT_FALSE(node(first_).report(kSession));
  const Decision decision = request(first_, with_flags(held_, kTakeover));
  EXPECT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id(second_));
}

TEST_F(OldCopy, ThatIsTakenOverIsFoundOutAsEveryoneIsTold) {
  give_away([&] {
    drop_ = [&](const std::string& from, const std::string& to, const Message&) {
      return from == "a" && to == first_;
    };
  });
  fork();
  EXPECT_TRUE(serves(first_) && serves(second_));
  pass(Claims::kDelay);
  expect_the_newer_one_serves();
}

TEST_F(OldCopy, ThatIsTakenOverBehindACutIsFoundOutWhenTheTwoMeet) {
  give_away([&] {
    drop_ = [&](const std::string& from, const std::string& to, const Message&) {
      return from == "a" && to == first_;
    };
  });
  unlink();
  fork();
  pass(1s);
  EXPECT_TRUE(serves(first_) && serves(second_));
  relink();
  pass(1s);
  expect_the_newer_one_serves();
}

// The first server takes the session as it is commanded, but its answer is lost with the link. The
// giver, in doubt, serves on, and gives the session to the second one before it dies.
TEST_F(FencingClaims, ASwapOfWhichTheGiverNeverHeardIsSettledByWhoIsGivenTheSessionNext) {
  start({"a", "b", "c", "d"});
  const SessionToken held = confirmed("a");
  const std::string first = name_of(held.alternate);
  drop_ = [&](const std::string& from, const std::string& to, const Message&) {
    return from == first && to == "a";
  };
  deaf_.insert(first);  // it does not hear that it is thought dead
  node("a").set_draining(true);
  publish();
  pass(50ms);
  ASSERT_EQ(node(first).status().primaries, 1u);
  ASSERT_EQ(node("a").status().primaries, 1u);
  cut("a", first);
  seats_[first].online = false;
  publish();
  pass(1s);
  ASSERT_EQ(node("a").status().primaries, 0u);
  kill("a");
  pass(1s);
  std::uint32_t serving = 0;
  for (const auto& [name, seat] : seats_) {
    if (seat.node) serving += seat.node->status().primaries;
  }
  EXPECT_EQ(serving, 1u);
}

// What is begun empty may be known to anybody; that goes on to whoever is given the session.
TEST_F(FencingClaims, WhoIsGivenASessionThatWasFoundLostTellsEveryone) {
  start({"a", "b", "c", "d"});
  SessionToken lost = new_session("a", kSession, kTakeover);
  lost.epoch = {4, id("gone")};
  const SessionToken begun = served("a", lost);
  const std::string next = name_of(begun.alternate);
  std::set<std::string> told;  // a moment later: the answer to the swap is not to be overtaken
  drop_ = [&](const std::string& from, const std::string& to, const Message& message) {
    if (from == next && std::holds_alternative<SessionExchange>(message)) told.insert(to);
    return false;
  };
  node("a").set_draining(true);
  publish();
  pass(100ms);
  EXPECT_LE(told.size(), 1u);
  pass(Claims::kDelay);
  const auto report = node(next).report(kSession);
  ASSERT_TRUE(report && report->role == Role::kPrimary);
  std::set<std::string> others{"a", "b", "c", "d"};
  others.erase(next);
  others.erase(name_of(report->alternate));  // by the mirror
  EXPECT_EQ(told, others);
}

// Who keeps a note is the one whom both of two that cannot know of each other may tell.
TEST_F(FencingClaims, WhoLearnsThatItsNoteIsOldTellsWhoIsNamedThere) {
  start({"a", "b", "c"});
  tell("a", "b", MirrorRelease{kSession, {4, id("b")}, {}, 0, 1});
  std::vector<Epoch> told;
  drop_ = [&](const std::string& from, const std::string& to, const Message& message) {
    const auto* exchange = std::get_if<SessionExchange>(&message);
    if (from == "a" && to == "b" && exchange != nullptr) told.push_back(exchange->entries[0].epoch);
    return false;
  };
  tell("a", "c", entry({5, id("c")}, true));
  EXPECT_EQ(told, (std::vector<Epoch>{{5, id("c")}}));
  tell("a", "c", entry({5, id("c")}, true));
  tell("a", "c", entry({6, id("c")}, true));
  EXPECT_EQ(told.size(), 1u) << "it is from there that it knows";
}

TEST_F(FencingClaims, AFormerPrimaryThatMissedATakeoverIsToldByTheNextOneAtOnce) {
  start({"a", "b", "c"});
  deaf_.insert("a");  // no view tells it that it is thought dead
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  cut("a", second);
  seats_["a"].online = false;
  publish();
  const SessionToken moved = served(second, with_flags(held, kTakeover));
  ASSERT_EQ(moved.alternate, id(third));
  ASSERT_EQ(node("a").status().primaries, 1u) << "it cannot know";
  kill(second);
  served(third, with_flags(moved, kTakeover));
  EXPECT_EQ(node("a").status().primaries, 0u) << "its link to the third was there all the time";
}

TEST_F(FencingClaims, WhoLosesASessionReleasesItsCopy) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  ASSERT_TRUE(node(second).report(kSession));
  tell("a", third, entry({9, id(third)}, true));
  EXPECT_FALSE(node(second).report(kSession)) << "it could be taken over from, at an older epoch";
  EXPECT_EQ(request(second, held).refer.epoch, (Epoch{9, id(third)}));
}

TEST_F(FencingClaims, ACopyOfAnOlderEpochGivesWayToASessionThatIsBegunAnew) {
  start({"a", "b", "c", "d", "e"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate);
  std::vector<std::string> others;
  for (const char* name : {"b", "c", "d", "e"}) {
    if (name != second) others.push_back(name);
  }
  // One remembers that another served it under a newer epoch, and that one is gone.
  tell(others[0], others[1], MirrorRelease{kSession, {9, id(others[1])}, {}, 0, 0});
  kill(others[1]);
  seats_[others[1]].online = false;
  publish();
  const Decision decision = request(second, with_flags(held, kReferred));
  EXPECT_EQ(decision.kind, Kind::kServe);
  EXPECT_EQ(node(second).report(kSession)->epoch, (Epoch{10, id(second)}));
  EXPECT_EQ(node("a").status().primaries, 0u) << "it has been told";
}

TEST_F(FencingClaims, AReleaseThatWasOvertakenByANewCopyIsVoid) {
  start({"a", "b"});
  const SessionToken held = confirmed("a");
  tell("b", "a", MirrorRelease{kSession, held.epoch, {}, 1, 0});
  EXPECT_TRUE(node("b").report(kSession)) << "it has been fed since";
  tell("b", "a", MirrorRelease{kSession, held.epoch, {}, 1000, 0});
  EXPECT_FALSE(node("b").report(kSession));
}

TEST_F(FencingClaims, AReleaseThatKnowsANewerEpochEndsAnyCopy) {
  start({"a", "b", "c", "d"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate), third = second == "b" ? "c" : "b";
  tell(second, third, MirrorRelease{kSession, {9, id("d")}, id(third), 0, 0});
  EXPECT_FALSE(node(second).report(kSession));
  const Decision decision = request(second, held);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id("d"));
  EXPECT_EQ(decision.refer.epoch, (Epoch{9, id("d")}));
}

TEST_F(FencingClaims, ANoteGrowsNewerByWhatIsToldAndByTokens) {
  start({"a", "b", "c", "d"});
  const SessionToken held = confirmed("a");
  tell("a", "c", entry({5, id("c")}, true));
  tell("a", "d", entry({7, id("d")}, true));
  EXPECT_EQ(request("a", held).refer.epoch, (Epoch{7, id("d")}));
  SessionToken newer = held;
  newer.epoch = {9, id("b")};
  newer.primary = id("b");
  newer.alternate = id("c");
  EXPECT_EQ(request("a", newer).refer.primary, id("b"));
  EXPECT_EQ(request("a", held).refer.epoch, newer.epoch) << "the older token follows";
}

TEST_F(FencingClaims, ANewSessionsLateRequestDoesNotBeginItAnewWhereItIsKnownToHaveMoved) {
  start({"a", "b", "c"});
  confirmed("a");
  tell("a", "c", entry({5, id("c")}, true));
  // A request that overlapped, with a body that could not be kept.
  const Decision late = request("a", new_session("a", kSession, kNewSession | kMustServe));
  EXPECT_TRUE(late.kind == Kind::kServe || late.kind == Kind::kGuest);
  const auto report = node("a").report(kSession);
  EXPECT_TRUE(!report || report->epoch > (Epoch{5, id("c")}));
}

TEST_F(FencingClaims, ConcurrentTakeoversOfOneCopyAndItsCopySettleByTheEpochOrder) {
  for (const std::string& first : {std::string("a"), std::string("b"), std::string("c")}) {
    seats_.clear();
    links_.clear();
    deaf_.clear();
    start({"a", "b", "c", "d"});
    const SessionToken held = confirmed(first);
    const std::string second = name_of(held.alternate);
    kill(first);
    seats_[first].online = false;
    publish();
    std::string third;
    for (const auto& [name, seat] : seats_) {
      if (seat.node && name != second && node(name).report(kSession)) third = name;
    }
    ASSERT_FALSE(third.empty()) << "the copy's copy";
    cut(second, third);
    const SessionToken one = served(second, with_flags(held, kTakeover));
    const SessionToken two = served(third, with_flags(held, kTakeover | kMustServe));
    EXPECT_EQ(one.epoch.counter, two.epoch.counter);
    EXPECT_NE(one.epoch, two.epoch);
    link(second, third);
    const std::string winner = one.epoch > two.epoch ? second : third;
    const std::string loser = winner == second ? third : second;
    const auto kept = node(winner).report(kSession);
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->role, Role::kPrimary);
    const auto given_up = node(loser).report(kSession);
    EXPECT_TRUE(!given_up || given_up->role == Role::kAlternate);
    // Both tokens lead to the one that serves, under the epoch that won.
    for (const SessionToken& token : {one, two}) {
      const Decision decision = request(loser, token);
      ASSERT_EQ(decision.kind, Kind::kRefer);
      EXPECT_EQ(decision.refer.primary, id(winner));
      EXPECT_EQ(decision.refer.epoch, std::max(one.epoch, two.epoch));
    }
  }
}

TEST_F(FencingClaims, SixParallelTakeoversRaiseTheEpochOnceAlsoWhenTheTokenIsOlder) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string second = name_of(held.alternate);
  kill("a");
  std::set<Epoch> epochs;
  for (int i = 0; i < 6; ++i) {
    epochs.insert(served(second, with_flags(held, kTakeover)).epoch);
    epochs.insert(served(second, held).epoch);
    epochs.insert(served(second, with_flags(held, kTakeover | kMustServe)).epoch);
  }
  EXPECT_EQ(epochs, (std::set<Epoch>{held.epoch.raised_by(held.alternate)}));
}

}  // namespace
}  // namespace tandem
