// Claims of promises: who has the copy of a session knows for how long its items are fresh, and
// never for longer than the source has promised.
#include "server/core/promises.h"

#include <gtest/gtest.h>

#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

constexpr Freshness::Host kHost = 3;

class PromisesTest : public NodeBench {
 protected:
  // One that a client of the session gets, whose source promises `lifetime`.
  void fetch(const std::string& at, const std::string& content, Duration lifetime,
             ItemKey key = kItem) {
    Retrieved item{kSession, kCache, key, {}, body(content), true};
    item.promised = {now_, node(at).freshness().mark(), kHost, {lifetime, {}}};
    node(at).on_retrieved(now_, item);
    settle();
  }
  std::optional<Duration> fresh(const std::string& at, const std::string& content,
                                ItemKey key = kItem) {
    return node(at).freshness().current(now_, kHost, {key, Validator::of(content)}, {});
  }
  // Of two servers, a serves the session and b has its copy.
  void begin() {
    start({"a", "b"});
    confirmed("a");
  }
  const NodeCounters& counts(const std::string& name) { return node(name).counters(); }
};

TEST_F(PromisesTest, WhoHasTheCopyVouchesForWhatItNeverFetched) {
  begin();
  fetch("a", "text", 100s);
  pass(30s);
  const auto left = fresh("b", "text");
  ASSERT_TRUE(left);
  EXPECT_LE(*left, 70s);
  EXPECT_GE(*left, 68s) << "whole seconds, and clocks that may drift";
  EXPECT_EQ(fresh("b", "other"), std::nullopt);
  pass(70s);
  EXPECT_EQ(fresh("b", "text"), std::nullopt);
}

TEST_F(PromisesTest, AWholeCacheIsValidatedAfterATakeoverInTwoShortBodies) {
  begin();
  const SessionToken held = confirmed("a");
  constexpr int kItems = 10'000;
  ValidationRequest request;
  CacheDigest digest;
  for (int i = 0; i < kItems; ++i) {
    const ItemKey key = ItemKey::of("/item/" + std::to_string(i));
    const std::string text = "text " + std::to_string(i);
    fetch("a", text, 1h, key);
    digest.add(item_digest(kCache, key, Validator::of(text)));
  }
  pass(1s);
  kill("a");
  const SessionToken taken = served("b", with_flags(held, kTakeover));
  EXPECT_EQ(taken.primary, id("b"));
  request.rest = digest;
  const ValidationAnswer answer = node("b").on_validation(
      now_, {.session = kSession, .cache = kCache, .host = kHost, .source_version = {}}, request);
  EXPECT_EQ(answer.rest, ValidationAnswer::Rest::kAll);
  EXPECT_GT(answer.fresh_s, 3590u);
  EXPECT_LE(answer.fresh_s, 3599u);
  EXPECT_LE(request.encode().size() + answer.encode().size(), 128u);
  EXPECT_EQ(counts("b").validation_current, std::uint64_t{kItems});
}

// However long a batch waits here, is under way, or lies before a process that is stopped.
TEST_F(PromisesTest, NoDelayMakesAPromiseLonger) {
  begin();
  fetch("a", "first", 100s);
  pass(50s);  // so long ago its clock was read
  std::vector<Message> late;
  drop_ = [&late](const auto& from, const auto&, const Message& message) {
    if (from == "a") late.push_back(message);
    return from == "a";
  };
  fetch("a", "text", 100s);
  drop_ = nullptr;
  now_ += 60s;
  for (const Message& message : late) node("b").on_message(now_, id("a"), message, outbox("b"));
  const auto left = fresh("b", "text");
  ASSERT_TRUE(left);
  EXPECT_LE(*left, 40s);
}

TEST_F(PromisesTest, WhatWaitsInTheSenderIsToldByWhatIsLeft) {
  begin();
  cut("a", "b");
  fetch("a", "text", 100s);
  now_ += 50s;
  link("a", "b");
  const auto left = fresh("b", "text");
  ASSERT_TRUE(left) << "the snapshot has waited for b's clock";
  EXPECT_LE(*left, 50s);
}

TEST_F(PromisesTest, WithoutTheOthersClockNothingIsFresh) {
  drop_ = [](const auto& from, const auto&, const Message& message) {
    return from == "b" && std::holds_alternative<PromiseNews>(message);
  };
  start({"a", "b"});
  confirmed("a");
  fetch("a", "text", 100s);
  pass(Promises::kReadingPatience);
  EXPECT_EQ(node("b").report(kSession)->mirror_entries, 1u) << "the mirror does not wait for ever";
  EXPECT_EQ(fresh("b", "text"), std::nullopt);
  drop_ = nullptr;
  pass(Promises::kReadingInterval);
  fetch("a", "more", 100s, ItemKey::of("/more"));  // b says again what its clock reads
  fetch("a", "third", 100s, ItemKey::of("/third"));
  EXPECT_TRUE(fresh("b", "third", ItemKey::of("/third")));
}

TEST_F(PromisesTest, AnUnsafeMethodEndsItEverywhere) {
  begin();
  fetch("a", "text", 100s);
  ASSERT_TRUE(fresh("b", "text"));
  pass(1s);
  node("a").freshness().invalidate(now_, kItem);
  settle();
  EXPECT_EQ(fresh("b", "text"), std::nullopt);
  EXPECT_EQ(counts("b").promises_ended, 1u);
  pass(1s);
  fetch("a", "text", 100s);
  EXPECT_TRUE(fresh("b", "text")) << "it is the content again";
}

TEST_F(PromisesTest, AMethodThatIsSeenWhereTheCopyIsEndsItToo) {
  begin();
  fetch("a", "text", 100s);
  pass(1s);
  std::vector<Message> late;
  drop_ = [&late](const auto& from, const auto&, const Message& message) {
    if (from == "a") late.push_back(message);
    return true;
  };
  fetch("a", "other", 100s, ItemKey::of("/other"));
  pass(1s);
  node("b").freshness().invalidate(now_, kItem);
  node("b").freshness().invalidate(now_, ItemKey::of("/other"));
  drop_ = nullptr;
  for (const Message& message : late) node("b").on_message(now_, id("a"), message, outbox("b"));
  EXPECT_EQ(fresh("b", "text"), std::nullopt);
  EXPECT_EQ(fresh("b", "other", ItemKey::of("/other")), std::nullopt) << "said before";
}

TEST_F(PromisesTest, ATermThatGetsShorterEndsItWhereTheCopyIs) {
  begin();
  fetch("a", "text", 3600s);
  ASSERT_TRUE(fresh("b", "text"));
  pass(1s);
  fetch("a", "text", 11s);
  pass(12s);
  node("a").freshness().invalidate(now_, kItem);
  settle();
  EXPECT_EQ(fresh("b", "text"), std::nullopt);
}

TEST_F(PromisesTest, AnotherContentEndsIt) {
  begin();
  fetch("a", "text", 100s);
  pass(1s);
  fetch("a", "changed", 100s);
  EXPECT_EQ(fresh("b", "text"), std::nullopt);
  EXPECT_TRUE(fresh("b", "changed"));
  pass(1s);
  fetch("a", "again", 0s);
  EXPECT_EQ(fresh("b", "changed"), std::nullopt) << "nothing is promised of the newest";
}

TEST_F(PromisesTest, AnItemThatStaysIsRenewedAtHalfItsTime) {
  begin();
  fetch("a", "text", 100s);
  const auto sent = counts("a").mirror_items_sent;
  pass(40s);
  fetch("a", "text", 100s);
  EXPECT_EQ(counts("a").mirror_items_sent, sent);
  pass(20s);
  fetch("a", "text", 100s);
  EXPECT_EQ(counts("a").mirror_items_sent, sent + 1);
  EXPECT_GE(fresh("b", "text").value_or(0s), 97s);
}

TEST_F(PromisesTest, WhatIsNotWorthItIsNotTold) {
  begin();
  fetch("a", "text", Freshness::Shared::kLeftMin - 1s);
  Retrieved item{kSession, kCache, ItemKey::of("/b"), {}, body("of a database"), true};
  item.promised = {now_, node("a").freshness().mark(), kHost, {100s, 7}};
  node("a").on_retrieved(now_, item);
  settle();
  EXPECT_EQ(node("b").report(kSession)->mirror_entries, 2u);
  EXPECT_EQ(counts("a").promises_told, 0u);
}

TEST_F(PromisesTest, GoesOnWithTheCopyFromServerToServer) {
  start({"a", "b", "c"});
  SessionToken held = confirmed("a");
  fetch("a", "text", 1000s);
  const std::string first = name_of(held.alternate), second = first == "b" ? "c" : "b";
  kill("a");
  seats_["a"].online = false;
  publish();
  held = served(first, with_flags(held, kTakeover));
  ASSERT_EQ(held.alternate, id(second));
  pass(1s);
  EXPECT_GE(fresh(second, "text").value_or(0s), 990s);
  EXPECT_LE(fresh(second, "text").value_or(0s), 999s);
}

}  // namespace
}  // namespace tandem
