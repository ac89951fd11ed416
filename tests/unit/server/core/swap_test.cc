// Claims of swap: drains and rebalancing move sessions with their mirrors, and every failure on the
// way leaves one primary.
#include <gtest/gtest.h>

#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using Kind = Decision::Kind;

class SwapTest : public NodeBench {
 protected:
  NodeOptions options_for(const std::string& name) override {
    NodeOptions options = NodeBench::options_for(name);
    options.swap = swap_;
    return options;
  }
  static SessionId session(std::uint64_t n) { return SessionId{7, n}; }
  // Confirmed sessions at `at`, each with one mirrored item.
  void fill(const std::string& at, std::uint64_t count, std::uint64_t first = 100) {
    for (std::uint64_t n = first; n < first + count; ++n) {
      held_[n] = confirmed(at, session(n));
      node(at).on_retrieved(now_, {session(n), kCache, kItem, {}, body("text"), true});
    }
    settle();
  }
  void drain(const std::string& name, bool on = true) {
    node(name).set_draining(on);
    publish();
  }
  std::uint32_t primaries(const std::string& name) { return node(name).status().primaries; }
  std::string alternate_of(const SessionToken& held) { return name_of(held.alternate); }
  void pass_slowly(Duration time, Duration step = 50ms) {
    for (const Instant end = now_ + time; now_ < end;) pass(step);
  }
  const NodeCounters& counts(const std::string& name) { return node(name).counters(); }

  SwapOptions swap_;
  std::map<std::uint64_t, SessionToken> held_;
};

// --- drain --------------------------------------------------------------------------------------

TEST_F(SwapTest, ADrainMovesIdleSessionsWithTheirMirrors) {
  start({"a", "b", "c"});
  fill("a", 10);
  EXPECT_FALSE(node("a").drained());
  drain("a");
  pass_slowly(1s);
  EXPECT_EQ(primaries("a"), 0u);
  EXPECT_TRUE(node("a").drained());
  EXPECT_EQ(counts("a").swaps_done, 10u);
  EXPECT_EQ(primaries("b") + primaries("c"), 10u);
  for (const auto& [n, held] : held_) {
    const auto report = node(alternate_of(held)).report(session(n));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->role, Role::kPrimary);
    EXPECT_EQ(report->epoch, held.epoch.raised_by(held.alternate));
    EXPECT_EQ(report->mirror_entries, 1u);
    EXPECT_TRUE(report->copy_complete);
    EXPECT_NE(report->alternate, id("a")) << "it drains";
    EXPECT_EQ(
        retrieved(alternate_of(held), {Validator::of("text")}, "text", kItem, session(n)).answer,
        Comparison::Answer::kReuseByMirror);
  }
}

TEST_F(SwapTest, TheNextRequestIsReferredToWhereTheSessionWent) {
  start({"a", "b", "c"});
  fill("a", 1);
  drain("a");
  pass_slowly(1s);
  const Decision decision = request("a", held_[100]);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, held_[100].alternate);
  const SessionToken next = served(alternate_of(held_[100]), decision.refer);
  EXPECT_EQ(next.primary, held_[100].alternate);
  EXPECT_EQ(counts(alternate_of(held_[100])).takeovers_warm, 0u);
}

TEST_F(SwapTest, OfTwoServersTheDrainedOneStaysTheAlternateWithoutASnapshot) {
  start({"a", "b"});
  fill("a", 1);
  const auto snapshots = counts("b").mirror_snapshots_sent;
  drain("a");
  pass_slowly(1s);
  EXPECT_EQ(primaries("b"), 1u);
  const auto report = node("b").report(session(100));
  EXPECT_EQ(report->alternate, id("a"));
  EXPECT_TRUE(report->copy_complete);
  EXPECT_EQ(node("a").report(session(100))->mirror_entries, 1u);
  EXPECT_EQ(counts("b").mirror_snapshots_sent, snapshots);
  EXPECT_EQ(counts("b").mirror_contents_sent, 0u);
  // What changes now reaches it.
  retrieved("b", {}, "other", ItemKey::of("/b"), session(100));
  EXPECT_EQ(node("a").report(session(100))->mirror_entries, 2u);
}

TEST_F(SwapTest, WaitsForRequestsUnderWayButNotForEver) {
  start({"a", "b"});
  fill("a", 1);
  request("a", held_[100]);  // does not end
  drain("a");
  pass_slowly(1900ms);
  EXPECT_EQ(primaries("a"), 1u);
  pass_slowly(200ms);
  EXPECT_EQ(primaries("a"), 0u);
}

TEST_F(SwapTest, AnItemOfARequestThatEndsInTimeIsInTheMirrorThatTakesOver) {
  start({"a", "b"});
  fill("a", 1);
  request("a", held_[100]);
  drain("a");
  pass_slowly(500ms);
  retrieved("a", {}, "late", ItemKey::of("/late"), session(100));
  node("a").on_request_end(session(100));
  pass_slowly(200ms);
  EXPECT_EQ(primaries("a"), 0u);
  EXPECT_EQ(node("b").report(session(100))->mirror_entries, 2u);
}

TEST_F(SwapTest, IsBoundedInRateAndInFlight) {
  swap_.drain_rate = 10;
  swap_.in_flight_max = 3;
  start({"a", "b"});
  fill("a", 20);
  drop_ = [](const auto&, const auto&, const Message& message) {
    return std::holds_alternative<SwapCommand>(message);
  };
  drain("a");
  pass_slowly(1s);
  EXPECT_EQ(node("a").gauges().swaps_in_flight, 3u);
  drop_ = nullptr;
  pass_slowly(3s);
  const auto before = primaries("a");
  pass_slowly(1s);
  EXPECT_NEAR(before - primaries("a"), 10, 1);
}

TEST_F(SwapTest, CapacityDoesNotStopADrain) {
  start({"a", "b"});
  node("b").set_limits(5, 5);
  fill("a", 10);
  drain("a");
  pass_slowly(1s);
  EXPECT_EQ(primaries("b"), 10u);
}

TEST_F(SwapTest, WithNobodyToTakeThemADrainIsOverAtOnce) {
  start({"a", "b"});
  fill("a", 2);
  drain("b");
  drain("a");
  pass_slowly(1s);
  EXPECT_EQ(primaries("a"), 2u);
  EXPECT_TRUE(node("a").drained());
  EXPECT_EQ(served("a", held_[100]).primary, id("a"));
  drain("b", false);
  pass_slowly(1s);
  EXPECT_EQ(primaries("a"), 0u);
}

TEST_F(SwapTest, ASessionThatIsConfirmedWhileDrainingIsMovedToo) {
  start({"a", "b"});
  const SessionToken fresh = served("a", new_session("a"));
  drain("a");
  served("a", fresh);
  pass_slowly(1s);
  EXPECT_EQ(primaries("a"), 0u);
  EXPECT_EQ(primaries("b"), 1u);
}

TEST_F(SwapTest, TheLastSessionThatLeavesIsToldAtOnce) {
  start({"a", "b"});
  fill("a", 1);
  drain("a");
  pass_slowly(100ms);
  EXPECT_TRUE(node("a").status_is_urgent());
}

// --- what goes wrong ----------------------------------------------------------------------------

TEST_F(SwapTest, RequestsWaitForTheAnswerAndAreServedIfItDoesNotCome) {
  start({"a", "b"});
  fill("a", 1);
  drop_ = [](const auto&, const auto&, const Message& message) {
    return std::holds_alternative<SwapCommand>(message);
  };
  drain("a");
  pass(1ms);
  ASSERT_EQ(node("a").gauges().swaps_in_flight, 1u);
  EXPECT_EQ(node("a").on_request(now_, wall_, {held_[100], kCache, {}}).kind, Kind::kWait);
  pass(300ms);
  EXPECT_EQ(node("a").take_settled(), std::vector{session(100)});
  EXPECT_EQ(served("a", held_[100]).epoch, held_[100].epoch);
}

TEST_F(SwapTest, ALostCommandLeavesThePrimaryAndIsRepeated) {
  start({"a", "b"});
  fill("a", 1);
  int lost = 0;
  drop_ = [&lost](const auto&, const auto&, const Message& message) {
    return std::holds_alternative<SwapCommand>(message) && lost++ == 0;
  };
  drain("a");
  pass_slowly(1900ms);
  EXPECT_EQ(primaries("a"), 1u);
  pass_slowly(2s);
  EXPECT_EQ(counts("a").swaps_timed_out, 1u);
  EXPECT_EQ(primaries("a"), 0u);
  EXPECT_EQ(primaries("b"), 1u);
}

TEST_F(SwapTest, ALostAnswerDoesNotLeaveTwoPrimaries) {
  start({"a", "b", "c"});
  fill("a", 1);
  const std::string to = alternate_of(held_[100]);
  drop_ = [&to](const auto& from, const auto&, const Message&) { return from == to; };
  drain("a");
  pass_slowly(500ms);
  EXPECT_EQ(primaries("a") + primaries(to), 2u);
  drop_ = nullptr;
  pass_slowly(6s);
  EXPECT_EQ(primaries("a"), 0u);
  EXPECT_EQ(primaries(to), 1u);
  EXPECT_TRUE(node(to).report(session(100))->copy_complete);
}

TEST_F(SwapTest, ALinkThatIsLostInBetweenIsSettledByTheEpoch) {
  start({"a", "b", "c"});
  fill("a", 1);
  const std::string to = alternate_of(held_[100]);
  drop_ = [&to](const auto& from, const auto&, const Message&) { return from == to; };
  drain("a");
  pass(1ms);
  cut("a", to);
  drop_ = nullptr;
  // It has not heard: it serves on, with what it has.
  EXPECT_EQ(served("a", held_[100]).epoch, held_[100].epoch);
  link("a", to);
  pass_slowly(1s);
  EXPECT_EQ(primaries("a"), 0u);
  EXPECT_EQ(request("a", held_[100]).refer.primary, id(to));
}

TEST_F(SwapTest, ARefusalLeavesThePrimaryAndTheOtherInPeaceForAWhile) {
  start({"a", "b"});
  fill("a", 1);
  deaf_.insert("a");  // does not hear that b drains, too
  node("b").set_draining(true);
  drain("a");
  pass_slowly(900ms);
  EXPECT_EQ(counts("a").swaps_refused, 1u);
  EXPECT_EQ(counts("b").swaps_refused_here, 1u);
  EXPECT_EQ(primaries("a"), 1u);
  EXPECT_EQ(served("a", held_[100]).primary, id("a"));
  node("b").set_draining(false);
  pass_slowly(500ms);
  EXPECT_EQ(primaries("b"), 1u);
}

TEST_F(SwapTest, ACopyThatIsNotWholeIsNotTakenOver) {
  start({"a", "b"});
  fill("a", 1);
  const auto refused = counts("b").swaps_refused_here;
  const auto copy = node("b").report(session(100));
  node("b").on_message(now_, id("a"), SwapCommand{session(100), copy->epoch, 1000, true},
                       outbox("b"));
  EXPECT_EQ(counts("b").swaps_refused_here, refused + 1);
  EXPECT_EQ(primaries("b"), 0u);
}

TEST_F(SwapTest, ACommandOfAnOlderEpochIsToldTheNewerOne) {
  start({"a", "b"});
  fill("a", 1);
  const SessionToken taken = served("b", with_flags(held_[100], kTakeover));
  node("b").on_message(now_, id("a"), SwapCommand{session(100), held_[100].epoch, 1, true},
                       outbox("b"));
  const auto sent = outbox("b").take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(std::get<SwapAnswer>(sent[0].message).epoch, taken.epoch);
  EXPECT_EQ(node("b").report(session(100))->epoch, taken.epoch) << "not raised again";
}

TEST_F(SwapTest, ADoubledCommandAndAnswerChangeNothing) {
  start({"a", "b"});
  fill("a", 1);
  std::vector<std::pair<std::string, Message>> seen;
  drop_ = [&seen](const auto& from, const auto&, const Message& message) {
    const bool swap =
        std::holds_alternative<SwapCommand>(message) || std::holds_alternative<SwapAnswer>(message);
    if (swap) seen.emplace_back(from, message);
    return false;
  };
  drain("a");
  pass_slowly(500ms);
  drop_ = nullptr;
  const Epoch epoch = node("b").report(session(100))->epoch;
  ASSERT_EQ(seen.size(), 2u);
  for (const auto& [from, message] : seen) {
    const std::string to = from == "a" ? "b" : "a";
    node(to).on_message(now_, id(from), message, outbox(to));
    settle();
  }
  EXPECT_EQ(node("b").report(session(100))->epoch, epoch);
  EXPECT_EQ(node("a").report(session(100))->role, Role::kAlternate);
  EXPECT_TRUE(node("b").report(session(100))->copy_complete);
}

TEST_F(SwapTest, ATakeoverInBetweenWins) {
  start({"a", "b", "c"});
  fill("a", 1);
  const std::string to = alternate_of(held_[100]);
  std::optional<SwapCommand> command;
  drop_ = [&command](const auto&, const auto&, const Message& message) {
    const auto* found = std::get_if<SwapCommand>(&message);
    if (found != nullptr) command = *found;
    return found != nullptr;
  };
  drain("a");
  pass(1ms);
  ASSERT_TRUE(command);
  const SessionToken taken = served(to, with_flags(held_[100], kTakeover));
  EXPECT_EQ(primaries("a"), 0u) << "it was told";
  node(to).on_message(now_, id("a"), *command, outbox(to));  // late
  settle();
  EXPECT_EQ(node(to).report(session(100))->epoch, taken.epoch);
  EXPECT_EQ(primaries("a"), 0u);
}

TEST_F(SwapTest, WhatWasSentAfterTheCommandIsNotTakenForMirrored) {
  start({"a", "b", "c"});
  fill("a", 1);
  const std::string to = alternate_of(held_[100]);
  request("a", held_[100]);  // under way over the swap
  drop_ = [&to](const auto& from, const auto&, const Message&) { return from == to; };
  drain("a");
  pass_slowly(2100ms);
  ASSERT_EQ(primaries(to), 1u);
  const ItemKey late = ItemKey::of("/late");
  retrieved("a", {}, "late", late, session(100));
  node("a").on_request_end(session(100));
  drop_ = nullptr;
  pass_slowly(5s);
  EXPECT_EQ(primaries("a"), 0u);
  EXPECT_EQ(node(to).report(session(100))->mirror_entries, 1u);
  EXPECT_EQ(retrieved(to, {Validator::of("late")}, "late", late, session(100)).answer,
            Comparison::Answer::kReuseByValidator);
}

TEST_F(SwapTest, WhatWasSentBeforeTheAnswerCameMakesTheMirrorsDiffer) {
  start({"a", "b"});
  fill("a", 1);
  request("a", held_[100]);  // under way over the swap
  std::vector<Message> late;
  drop_ = [&late](const auto& from, const auto&, const Message& message) {
    if (from == "b") late.push_back(message);
    return from == "b";
  };
  drain("a");
  pass_slowly(2010ms);
  ASSERT_EQ(primaries("b"), 1u);
  retrieved("a", {}, "late", ItemKey::of("/late"), session(100));
  node("a").on_request_end(session(100));
  drop_ = nullptr;
  for (const Message& message : late) node("a").on_message(now_, id("b"), message, outbox("a"));
  settle();
  EXPECT_EQ(node("a").report(session(100))->role, Role::kAlternate);
  EXPECT_EQ(node("b").report(session(100))->mirror_entries, 1u);
  EXPECT_EQ(node("a").report(session(100))->mirror_entries, 1u);
}

// --- rebalancing --------------------------------------------------------------------------------

TEST_F(SwapTest, AServerThatJoinsGetsItsShareWarm) {
  start({"a", "b"});
  fill("a", 30, 100);
  fill("b", 30, 200);
  publish();
  seats_["c"];
  restart("c");
  for (int i = 0; i < 12; ++i) {
    pass_slowly(1s);
    publish();
  }
  for (const char* name : {"a", "b", "c"}) EXPECT_NEAR(primaries(name), 20, 1) << name;
  EXPECT_EQ(counts("c").takeovers_cold + counts("c").takeovers_warm, 0u);
  EXPECT_EQ(counts("a").rebalance_moves + counts("b").rebalance_moves, primaries("c"));
  EXPECT_EQ(counts("a").swaps_refused + counts("b").swaps_refused, 0u);
  for (const auto& [n, held] : held_) {
    const auto report = node("c").report(session(n));
    if (!report || report->role != Role::kPrimary) continue;
    EXPECT_EQ(report->mirror_entries, 1u);
    EXPECT_TRUE(report->copy_complete);
    EXPECT_EQ(request(name_of(held.primary), held).refer.primary, id("c"));
  }
}

// A command before that would only be refused, and the session would wait for it.
TEST_F(SwapTest, ASessionIsNotOfferedBeforeItsCopyIsAnsweredFor) {
  start({"a", "b"});
  fill("a", 30, 100);
  fill("b", 30, 200);
  publish();
  std::size_t commands = 0;
  drop_ = [&commands](const auto& from, const auto&, const Message& message) {
    if (std::holds_alternative<SwapCommand>(message)) ++commands;
    return from == "c" && std::holds_alternative<MirrorAck>(message);
  };
  seats_["c"];
  restart("c");
  for (int i = 0; i < 4; ++i) {
    pass_slowly(1s);
    publish();
  }
  EXPECT_GT(node("c").status().alternates, 0u) << "copies are begun";
  EXPECT_EQ(commands, 0u);
  drop_ = nullptr;
  pass_slowly(10s);
  EXPECT_GT(primaries("c"), 0u);
}

TEST_F(SwapTest, AServerOverTheMeanRefusesAGift) {
  start({"a", "b"});
  fill("a", 4, 100);
  fill("b", 10, 200);
  publish();
  const auto copy = node("b").report(session(100));
  ASSERT_EQ(copy->role, Role::kAlternate);
  std::uint64_t sequence = 0;
  drop_ = [&sequence](const auto& from, const auto&, const Message& message) {
    const auto* batch = std::get_if<MirrorBatch>(&message);
    if (batch != nullptr && from == "a") sequence = batch->sequence;
    return false;
  };
  retrieved("a", {}, "more", ItemKey::of("/more"), session(100));
  drop_ = nullptr;
  const SwapCommand command{session(100), copy->epoch, sequence, false};
  node("b").on_message(now_, id("a"), command, outbox("b"));
  EXPECT_EQ(primaries("b"), 10u);
  outbox("b").take();
  SwapCommand drains = command;
  drains.drains = true;
  node("b").on_message(now_, id("a"), drains, outbox("b"));
  EXPECT_EQ(primaries("b"), 11u) << "but not what a server gives that drains";
}

TEST_F(SwapTest, ASessionGivenWithinAZoneHasItsCopyInAnother) {
  seats_["a"].zone = seats_["c"].zone = "x";
  seats_["b"].zone = "y";
  start({"a", "b", "c"});
  fill("a", 1);
  ASSERT_EQ(alternate_of(held_[100]), "b");
  // Made the alternate by rebalancing, c takes it over from a, in its own zone.
  fill("a", 40, 200);
  publish();
  for (int i = 0; i < 12; ++i) {
    pass_slowly(1s);
    publish();
  }
  EXPECT_GT(primaries("c"), 5u);
  for (const auto& [n, held] : held_) {
    const auto report = node("c").report(session(n));
    if (!report || report->role != Role::kPrimary) continue;
    EXPECT_EQ(report->alternate, id("b"));
  }
}

}  // namespace
}  // namespace tandem
