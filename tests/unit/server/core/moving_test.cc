// Claims of copies that move: a session that has a whole copy is never without one, whatever dies
// while another server gets it.
#include <gtest/gtest.h>

#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using Kind = Decision::Kind;

const ItemKey kLater = ItemKey::of("/later");

// a serves the session, b has its copy; b drains, so c is to have it, but its answers get lost.
class MovingTest : public NodeBench {
 protected:
  void begin(const std::vector<std::string>& names = {"a", "b", "c"}) {
    start(names);
    for (const std::string& name : names) node(name).set_draining(name > "b");
    publish();
    held_ = confirmed("a");
    ASSERT_EQ(held_.alternate, id("b"));
    retrieved("a", {}, "text");
    node("c").set_draining(false);
    hold_answers("c");
    node("b").set_draining(true);
    publish();
    ASSERT_TRUE(node("c").report(kSession)) << "its copy is begun";
    for (const std::string& name : names) node(name).set_draining(name == "b");
    publish();
  }
  void hold_answers(const std::string& name) {
    drop_ = [name](const auto& from, const auto&, const Message& message) {
      return from == name && std::holds_alternative<MirrorAck>(message);
    };
  }
  // What was lost is sent again.
  void let_answers_through() {
    drop_ = nullptr;
    pass(4s);
  }
  void declare_dead(const std::string& name) {
    kill(name);
    seats_[name].online = false;
    publish();
  }
  std::size_t entries(const std::string& name) {
    const auto report = node(name).report(kSession);
    return report ? report->mirror_entries : 0;
  }
  bool has(const std::string& name) { return node(name).report(kSession).has_value(); }

  SessionToken held_;
};

TEST_F(MovingTest, TheFormerAlternateIsNamedUntilTheNewCopyIsWhole) {
  begin();
  EXPECT_EQ(served("a", held_).alternate, id("b"));
  EXPECT_EQ(entries("b"), 1u);
  EXPECT_EQ(node("a").gauges().copies_retiring, 1u);
  let_answers_through();
  EXPECT_EQ(served("a", held_).alternate, id("c"));
  EXPECT_FALSE(has("b"));
  EXPECT_EQ(entries("c"), 1u);
  EXPECT_EQ(node("a").gauges().copies_retiring, 0u);
}

// Its part of a copy would grow old unseen: nobody feeds it, and no answer of it may ever come.
TEST_F(MovingTest, AHolderWhoseCopyWasNeverWholeIsReleasedAtOnce) {
  start({"a", "b", "c"});
  node("c").set_draining(true);
  publish();
  hold_answers("b");
  confirmed("a");
  ASSERT_TRUE(has("b"));
  node("b").set_draining(true);
  node("c").set_draining(false);
  publish();
  EXPECT_FALSE(has("b"));
  EXPECT_TRUE(has("c"));
  EXPECT_EQ(node("a").report(kSession)->alternate, id("c"));
}

TEST_F(MovingTest, BothCopiesGetWhatChanges) {
  begin();
  retrieved("a", {}, "more", kLater);
  EXPECT_EQ(entries("b"), 2u);
  EXPECT_EQ(entries("c"), 2u);
}

TEST_F(MovingTest, TheFormerAlternateNotesWhoHasTheCopy) {
  begin();
  let_answers_through();
  kill("a");
  const Decision decision = request("b", with_flags(held_, kTakeover));
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id("c"));
  EXPECT_NE(decision.refer.flags & kTakeover, 0);
}

TEST_F(MovingTest, APrimaryThatDiesInBetweenIsTakenOverWarm) {
  begin();
  drop_ = nullptr;
  kill("a");
  const SessionToken taken = served("b", with_flags(held_, kTakeover));
  EXPECT_EQ(taken.primary, id("b"));
  EXPECT_EQ(node("b").counters().takeovers_warm, 1u);
  EXPECT_EQ(retrieved("b", {Validator::of("text")}, "text").answer,
            Comparison::Answer::kReuseByMirror);
}

// Else the begun copy would stay for as long as an idle session.
TEST_F(MovingTest, WhoTakesOverInBetweenTellsTheOtherHolder) {
  begin();
  drop_ = nullptr;
  kill("a");
  served("b", with_flags(held_, kTakeover));
  pass(1s);
  const auto report = node("c").report(kSession);
  ASSERT_TRUE(report) << "it is the alternate, or has been given the session already";
  EXPECT_GT(report->epoch.counter, held_.epoch.counter);
}

TEST_F(MovingTest, TheNewHolderThatTakesOverTellsTheFormerOne) {
  begin();
  drop_ = nullptr;
  kill("a");
  served("c", with_flags(held_, kTakeover | kMustServe));
  pass(1s);
  const Decision decision = request("b", held_);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id("c"));
}

// The copy of a copy is moving from one server to another, which drains in the moment of the
// takeover: the former one is taken back, and has the old epoch.
TEST_F(MovingTest, AFormerHolderThatIsTakenBackAtATakeoverHearsOfTheEpoch) {
  start({"a", "b", "c", "d"});
  const SessionToken held = confirmed("a");
  const std::string heir = name_of(held.alternate);
  kill("a");
  seats_["a"].online = false;
  publish();
  const std::string former = name_of(node(heir).report(kSession)->alternate);
  ASSERT_NE(former, "");
  drop_ = [&](const std::string& from, const std::string& to, const Message& message) {
    return to == heir && from != former && std::holds_alternative<MirrorAck>(message);
  };
  node(former).set_draining(true);
  publish();
  std::string newer;
  for (const char* name : {"b", "c", "d"}) {
    if (name != heir && name != former) newer = name;
  }
  ASSERT_TRUE(node(newer).report(kSession));
  node(former).set_draining(false);
  node(newer).set_draining(true);
  node(heir).on_status(
      now_, {{{id(former), node(former).next_status()}, {id(newer), node(newer).next_status()}}});
  const SessionToken taken = served(heir, with_flags(held, kTakeover));
  EXPECT_EQ(node(heir).report(kSession)->alternate, id(former));
  const auto copy = node(former).report(kSession);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->epoch, taken.epoch);
}

TEST_F(MovingTest, IfTheNewHolderDiesAnotherIsChosenAndTheFormerOneStays) {
  begin({"a", "b", "c", "d"});
  declare_dead("c");
  EXPECT_EQ(served("a", held_).alternate, id("d"));
  EXPECT_FALSE(has("b"));
  EXPECT_EQ(entries("d"), 1u);
}

TEST_F(MovingTest, IfTheNewHolderDiesAndThereIsNoOtherTheFormerOneStaysForGood) {
  begin();
  const auto snapshots = node("a").counters().mirror_snapshots_sent;
  declare_dead("c");
  EXPECT_EQ(served("a", held_).alternate, id("b"));
  retrieved("a", {}, "more", kLater);
  EXPECT_EQ(entries("b"), 2u);
  EXPECT_EQ(node("a").counters().mirror_snapshots_sent, snapshots) << "it has everything";
  EXPECT_EQ(node("a").gauges().copies_retiring, 0u);
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
}

TEST_F(MovingTest, AFormerHolderThatTakesSessionsAgainKeepsTheCopyIfTheNewOneDies) {
  begin({"a", "b", "c", "d"});
  node("b").set_draining(false);
  publish();
  declare_dead("c");
  EXPECT_EQ(served("a", held_).alternate, id("b"));
  EXPECT_FALSE(has("d"));
}

TEST_F(MovingTest, IfTheFormerHolderDiesTheNewOneIsNamedAtOnce) {
  begin();
  declare_dead("b");
  EXPECT_EQ(served("a", held_).alternate, id("c"));
  EXPECT_EQ(node("a").gauges().copies_retiring, 0u);
  let_answers_through();
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
}

TEST_F(MovingTest, ALinkThatIsLostForAMomentEndsNeitherCopy) {
  begin();
  cut("a", "b");
  retrieved("a", {}, "more", kLater);
  link("a", "b");
  EXPECT_EQ(served("a", held_).alternate, id("b"));
  EXPECT_EQ(entries("b"), 2u);
  let_answers_through();
  EXPECT_EQ(served("a", held_).alternate, id("c"));
  EXPECT_FALSE(has("b"));
}

TEST_F(MovingTest, ASessionThatIsLostInBetweenIsReleasedByBoth) {
  begin({"a", "b", "c", "d"});
  SessionToken newer = held_;
  newer.epoch = held_.epoch.raised_by(id("d"));
  newer.primary = id("d");
  request("a", newer);
  EXPECT_FALSE(has("a"));
  EXPECT_FALSE(has("b"));
  EXPECT_FALSE(has("c"));
}

// A busy session may never be equal at any moment; being a little behind is what every copy is.
TEST_F(MovingTest, ACopyNeedNotBeEqualToBeWhole) {
  begin();
  std::uint64_t last = 0;
  drop_ = [&last](const auto& from, const auto&, const Message& message) {
    const auto* ack = std::get_if<MirrorAck>(&message);
    if (ack == nullptr || from != "c") return false;
    if (last == 0) last = ack->sequence;
    return ack->sequence > last;  // never of the newest
  };
  cut("a", "c");
  link("a", "c");
  retrieved("a", {}, "more", kLater);
  EXPECT_FALSE(node("a").report(kSession)->copy_complete);
  EXPECT_EQ(served("a", held_).alternate, id("c"));
  EXPECT_FALSE(has("b"));
}

TEST_F(MovingTest, AfterADrainTheDrainedServerKeepsTheCopyUntilAnotherIsWhole) {
  start({"a", "b", "c"});
  held_ = confirmed("a");
  retrieved("a", {}, "text");
  const std::string to = name_of(held_.alternate), other = to == "b" ? "c" : "b";
  hold_answers(other);
  node("a").set_draining(true);
  publish();
  for (int i = 0; i < 20; ++i) pass(50ms);
  ASSERT_EQ(node(to).report(kSession)->role, Role::kPrimary);
  EXPECT_EQ(node(to).report(kSession)->alternate, id("a"));
  EXPECT_TRUE(node("a").drained());
  EXPECT_TRUE(node("a").holds_copies_for_others());
  EXPECT_EQ(node("a").report(kSession)->role, Role::kAlternate);
  let_answers_through();
  EXPECT_EQ(node(to).report(kSession)->alternate, id(other));
  EXPECT_FALSE(has("a"));
  EXPECT_FALSE(node("a").holds_copies_for_others());
}

// --- two servers --------------------------------------------------------------------------------

TEST_F(MovingTest, ADrainingServerTakesTheCopyIfThereIsNoOther) {
  start({"a", "b"});
  held_ = confirmed("a");
  retrieved("a", {}, "text");
  kill("b");
  restart("b");
  node("b").set_draining(true);
  publish();
  EXPECT_EQ(entries("b"), 1u);
  const SessionToken later = confirmed("a", SessionId{7, 12});
  EXPECT_EQ(later.alternate, id("b"));
  EXPECT_TRUE(node("b").drained());
  EXPECT_FALSE(node("b").holds_copies_for_others());
  EXPECT_EQ(node("a").gauges().sessions_alone, 0u);
}

TEST_F(MovingTest, ADrainingServerThatComesBackGetsTheCopyIfThereIsNoOther) {
  start({"a", "b"});
  node("b").set_draining(true);
  publish();
  held_ = confirmed("a");
  declare_dead("b");
  ASSERT_EQ(node("a").gauges().sessions_alone, 1u);
  ++seats_["b"].incarnation;
  seats_["b"].online = true;
  seats_["b"].node = std::make_unique<Node>(options_for("b"), now_);
  node("b").set_draining(true);
  link("a", "b");
  publish();
  EXPECT_EQ(node("a").gauges().sessions_alone, 0u);
  EXPECT_EQ(served("a", held_).alternate, id("b"));
}

TEST_F(MovingTest, AServerThatJoinsRelievesTheDrainingOne) {
  start({"a", "b"});
  node("b").set_draining(true);
  publish();
  held_ = confirmed("a");
  ASSERT_EQ(held_.alternate, id("b"));
  seats_["c"];
  restart("c");
  EXPECT_EQ(served("a", held_).alternate, id("c"));
  EXPECT_FALSE(has("b"));
}

TEST_F(MovingTest, ADrainingServerRefusesCopiesWhereThereIsAnother) {
  start({"a", "b", "c"});
  node("b").set_draining(true);
  publish();
  const MirrorBatch batch{.session = kSession,
                          .epoch = {1, id("a")},
                          .primary = id("a"),
                          .formers = {},
                          .sequence = 1,
                          .snapshot = true,
                          .urgent = false,
                          .changes = {}};
  node("b").on_message(now_, id("a"), batch, outbox("b"));
  EXPECT_FALSE(has("b"));
}

}  // namespace
}  // namespace tandem
