// The promises about client caches and mirrors, as one sees them from outside of the nodes.
#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using Answer = Comparison::Answer;

class MirrorClaims : public NodeBench {
 protected:
  NodeOptions options_for(const std::string& name) override {
    NodeOptions options = NodeBench::options_for(name);
    tune_(options);
    return options;
  }
  std::function<void(NodeOptions&)> tune_ = [](NodeOptions&) {};
};

TEST_F(MirrorClaims, ClientCacheIsMirroredOnPrimary) {
  start({"a", "b"});
  confirmed("a");
  const Comparison first = retrieved("a", {}, "text");
  EXPECT_EQ(first.answer, Answer::kSend);
  EXPECT_EQ(node("a").report(kSession)->mirror_entries, 1u);
  EXPECT_EQ(retrieved("a", {first.validator}, "text").answer, Answer::kReuseByMirror);
}

TEST_F(MirrorClaims, ClientCacheIsMirroredOnAlternate) {
  start({"a", "b"});
  const SessionToken held = confirmed("a");
  const Comparison sent = retrieved("a", {}, "text");
  EXPECT_EQ(node("b").report(kSession)->mirror_entries, 1u);
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
  kill("a");
  served("b", with_flags(held, kTakeover));
  EXPECT_EQ(retrieved("b", {sent.validator}, "text").answer, Answer::kReuseByMirror);
}

TEST_F(MirrorClaims, UseYoursWhenTheRetrievedItemEqualsTheMirroredCopy) {
  start({"a", "b"});
  confirmed("a");
  const Comparison sent = retrieved("a", {}, "text");
  const Comparison again = retrieved("a", {sent.validator}, "text");
  EXPECT_EQ(again.answer, Answer::kReuseByMirror);
  EXPECT_EQ(again.validator, sent.validator);
  EXPECT_EQ(retrieved("a", {sent.validator}, "other").answer, Answer::kSend);
}

TEST_F(MirrorClaims, UseYoursWhenTheSentCrcEqualsThatOfTheItemAndTheMirrorStoresIt) {
  start({"a", "b"});
  confirmed("a");
  const Validator held = Validator::of("text");
  EXPECT_EQ(node("a").report(kSession)->mirror_entries, 0u);
  EXPECT_EQ(retrieved("a", {held}, "text").answer, Answer::kReuseByValidator);
  EXPECT_EQ(node("a").report(kSession)->mirror_entries, 1u);
  EXPECT_EQ(retrieved("a", {held}, "text").answer, Answer::kReuseByMirror);
}

TEST_F(MirrorClaims, CrcAloneIsEnoughWhereValidatorsHaveNoDigest) {
  tune_ = [](NodeOptions& options) { options.validator_digest = false; };
  start({"a", "b"});
  confirmed("a");
  const Comparison sent = retrieved("a", {}, "text");
  EXPECT_FALSE(sent.validator.has_digest);
  EXPECT_EQ(retrieved("a", {Validator::of("text", false)}, "text").answer, Answer::kReuseByMirror);
  EXPECT_EQ(retrieved("a", {Validator::of("tex2", false)}, "text").answer, Answer::kSend);
}

TEST_F(MirrorClaims, Never304WithoutIfNoneMatch) {
  start({"a", "b"});
  confirmed("a");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(retrieved("a", {}, "text").answer, Answer::kSend);
  EXPECT_EQ(node("a").counters().reused_by_mirror + node("a").counters().reused_by_validator, 0u);
}

TEST_F(MirrorClaims, DroppedContentCostsAValidationOnly) {
  tune_ = [](NodeOptions& options) { options.mirror.content_bytes_max = 600; };
  start({"a", "b"});
  confirmed("a");
  const Comparison first = retrieved("a", {}, std::string(300, 'x'), ItemKey::of("/x"));
  retrieved("a", {}, std::string(300, 'y'), ItemKey::of("/y"));
  EXPECT_EQ(node("a").report(kSession)->mirror_entries, 2u);
  EXPECT_EQ(retrieved("a", {first.validator}, std::string(300, 'x'), ItemKey::of("/x")).answer,
            Answer::kReuseByValidator);
}

TEST_F(MirrorClaims, EvictionReachesPrimaryAndAlternateWithTheNextRequest) {
  start({"a", "b"});
  const SessionToken held = confirmed("a");
  retrieved("a", {}, "text");
  retrieved("a", {}, "more", ItemKey::of("/b"));
  request("a", held, {kItem});
  EXPECT_EQ(node("a").report(kSession)->mirror_entries, 1u);
  EXPECT_EQ(node("b").report(kSession)->mirror_entries, 1u);
}

TEST_F(MirrorClaims, NoStoreIsKeptNowhere) {
  start({"a", "b"});
  confirmed("a");
  const Validator held = Validator::of("text");
  const Comparison result =
      node("a").on_retrieved(now_, {kSession, kCache, kItem, {&held, 1}, body("text"), false});
  EXPECT_EQ(result.answer, Answer::kReuseByValidator);
  EXPECT_EQ(node("a").report(kSession)->mirror_entries, 0u);
  EXPECT_EQ(node("a").gauges().contents, 0u);
}

TEST_F(MirrorClaims, OrdinaryClientsHaveNoMirrorUnlessAllDo) {
  for (const MirrorClients clients :
       {MirrorClients::kLibrary, MirrorClients::kAll, MirrorClients::kOff}) {
    seats_.clear();
    links_.clear();
    tune_ = [clients](NodeOptions& options) { options.mirror.clients = clients; };
    start({"a", "b"});
    confirmed("a");
    node("a").on_retrieved(now_, {kSession, CacheId{}, kItem, {}, body("text"), true});
    const std::size_t expected = clients == MirrorClients::kAll ? 1 : 0;
    EXPECT_EQ(node("a").report(kSession)->mirror_entries, expected);
  }
}

TEST_F(MirrorClaims, ManySessionsShareOneCopyAndItIsSentOncePerPeer) {
  start({"a", "b"});
  for (std::uint64_t i = 1; i <= 20; ++i) {
    confirmed("a", {1, i});
    retrieved("a", {}, "the same text", kItem, {1, i});
  }
  EXPECT_EQ(node("a").gauges().mirror_entries, 20u);
  EXPECT_EQ(node("a").gauges().contents, 1u);
  EXPECT_EQ(node("b").gauges().mirror_entries, 20u);
  EXPECT_EQ(node("b").gauges().contents, 1u);
  EXPECT_EQ(node("a").counters().mirror_contents_sent, 1u);
}

TEST_F(MirrorClaims, ACopyIsWholeWhenItsContentsHaveComeToo) {
  start({"a", "b"});
  confirmed("a");
  Message late;
  drop_ = [&late](const std::string&, const std::string& to, const Message& message) {
    if (to != "b" || !std::holds_alternative<MirrorContents>(message)) return false;
    late = message;
    return true;
  };
  retrieved("a", {}, "text");
  EXPECT_EQ(node("b").report(kSession)->mirror_entries, 1u);
  EXPECT_FALSE(node("a").report(kSession)->copy_complete);
  EXPECT_EQ(node("a").gauges().lag_items, 1u);
  EXPECT_EQ(node("a").gauges().lag_sessions, 1u);
  drop_ = nullptr;
  node("b").on_message(now_, id("a"), late, outbox("b"));
  settle();
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
  EXPECT_EQ(node("a").gauges().lag_items, 0u);
}

TEST_F(MirrorClaims, ContentsThatDoNotComeAreWaitedForNoLongerThanTheirPatience) {
  start({"a", "b"});
  confirmed("a");
  drop_ = [](const std::string&, const std::string& to, const Message& message) {
    return to == "b" && std::holds_alternative<MirrorContents>(message);
  };
  retrieved("a", {}, "text");
  EXPECT_FALSE(node("a").report(kSession)->copy_complete);
  pass(5s);
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
}

TEST_F(MirrorClaims, ACopyIsUnfedFromTheEndOfItsLinkUntilItIsFedOrHasACopy) {
  start({"a", "b", "c"});
  const std::string holder = name_of(confirmed("a").alternate);
  EXPECT_EQ(node(holder).gauges().copies_unfed, 0u);
  cut("a", holder);
  EXPECT_EQ(node(holder).gauges().copies_unfed, 1u);
  link("a", holder);
  EXPECT_EQ(node(holder).gauges().copies_unfed, 0u);
  kill("a");
  EXPECT_EQ(node(holder).gauges().copies_unfed, 1u);
  restart("a");
  EXPECT_EQ(node(holder).gauges().copies_unfed, 0u) << "a third server has it";
  EXPECT_TRUE(node(holder).report(kSession)->copy_complete);
}

TEST_F(MirrorClaims, AFeederThatWasStartedAnewHasLostWhatItFedThoughOthersToldItOfSomeSince) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string holder = name_of(held.alternate);
  const std::string third = holder == "b" ? "c" : "b";
  for (std::uint64_t i = 1; i <= 9; ++i) confirmed(third, {9, i});
  kill("a");
  seats_["a"].incarnation = 2;
  seats_["a"].node = std::make_unique<Node>(options_for("a"), now_);
  link("a", third);
  ASSERT_GT(node("a").gauges().sessions_alternate, 0u);
  link("a", holder);
  publish();
  EXPECT_EQ(node(holder).gauges().copies_unfed, 0u);
  EXPECT_EQ(node(holder).report(kSession)->alternate, id(third));
}

// --- copies that are renewed, or left unfinished ---

class LargeMirrorClaims : public MirrorClaims {
 protected:
  static constexpr int kItems = 600;  // more than fit two batches
  static ItemKey key(int item) { return ItemKey::of("/" + std::to_string(item)); }
  void fill(const std::string& at) {
    for (int item = 0; item < kItems; ++item) retrieved(at, {}, "the same", key(item));
  }
  void drop_all_but_first_batches(const std::string& receiver) {
    drop_ = [receiver](const std::string&, const std::string& to, const Message& message) {
      const auto* batch = std::get_if<MirrorBatch>(&message);
      return to == receiver && batch != nullptr && !batch->snapshot;
    };
  }
  std::size_t entries(const std::string& at) { return node(at).report(kSession)->mirror_entries; }
};

TEST_F(LargeMirrorClaims, ACopyThatIsThereStaysUntilTheNewSnapshotIsWhole) {
  start({"a", "b"});
  const SessionToken held = confirmed("a");
  fill("a");
  ASSERT_EQ(entries("b"), 600u);
  cut("a", "b");
  request("a", held, {key(3)});
  drop_all_but_first_batches("b");
  link("a", "b");
  EXPECT_EQ(entries("a"), 599u);
  EXPECT_EQ(entries("b"), 600u) << "the dead primary's client finds all of it";
  EXPECT_FALSE(node("a").report(kSession)->copy_complete);
  drop_ = nullptr;
  cut("a", "b");
  link("a", "b");
  EXPECT_EQ(entries("b"), 599u);
  EXPECT_EQ(node("b").report(kSession)->digest, node("a").report(kSession)->digest);
}

TEST_F(LargeMirrorClaims, WhoHasAWholeCopyFinishesWhatTheDeadPrimaryHadBegun) {
  start({"a", "b", "c"});
  const std::string holder = name_of(confirmed("a").alternate);
  const std::string other = holder == "b" ? "c" : "b";
  fill("a");
  drop_all_but_first_batches(other);
  node(holder).set_draining(true);
  publish();
  ASSERT_LT(entries(other), 600u);
  ASSERT_EQ(entries(holder), 600u);
  drop_ = nullptr;
  node(holder).set_draining(false);
  kill("a");
  seats_["a"].online = false;
  publish();
  pass(5s);  // they may have tried to feed each other, and one of them yields for a moment
  EXPECT_EQ(entries(other), 600u);
  EXPECT_EQ(node(holder).report(kSession)->alternate, id(other));
  EXPECT_TRUE(node(holder).report(kSession)->copy_complete);
}

TEST_F(MirrorClaims, BatchThatIsLostOnTheWayIsMendedByASnapshot) {
  start({"a", "b"});
  confirmed("a");
  retrieved("a", {}, "one", ItemKey::of("/1"));
  int lost = 0;
  drop_ = [&lost](const std::string&, const std::string& to, const Message& message) {
    return to == "b" && std::holds_alternative<MirrorBatch>(message) && lost++ == 0;
  };
  retrieved("a", {}, "two", ItemKey::of("/2"));
  EXPECT_FALSE(node("a").report(kSession)->copy_complete);
  retrieved("a", {}, "three", ItemKey::of("/3"));
  EXPECT_EQ(node("b").report(kSession)->mirror_entries, 3u);
  EXPECT_TRUE(node("a").report(kSession)->copy_complete);
  EXPECT_EQ(node("a").counters().mirror_gaps, 1u);
}

TEST_F(MirrorClaims, ServerWithoutRoomRefusesTheMirrorAndAnotherIsChosen) {
  tune_ = [](NodeOptions& options) {
    if (options.name == "b") options.sessions_max = 1;
  };
  start({"a", "b", "c"});
  std::map<ServerId, int> shares;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    confirmed("a", {1, i});
    ++shares[node("a").report({1, i})->alternate];
  }
  EXPECT_LE(shares[id("b")], 1);
  EXPECT_GE(shares[id("c")], 5);
  EXPECT_GT(node("a").counters().mirror_refused, 0u);
}

}  // namespace
}  // namespace tandem
