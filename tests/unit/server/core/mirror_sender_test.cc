#include "server/core/mirror_sender.h"

#include <gtest/gtest.h>

#include <map>

#include "server/core/mirror_receiver.h"

namespace tandem {
namespace {

constexpr ServerId kPeer{2}, kOther{3};

class MirrorSenderTest : public ::testing::Test {
 protected:
  static MirrorOptions options() {
    MirrorOptions options;
    options.batch_changes_max = 4;
    options.batch_bytes_max = 1000;
    options.content_sent_max = 2000;
    options.window_batches_max = 3;
    options.window_bytes_max = 100'000;
    options.backlog_changes_max = 5;
    options.round_full = 3;
    options.round_batches_max = 10;
    options.round_bytes_max = 4000;
    return options;
  }
  void SetUp() override { sender_.at(now_); }
  void pass(Duration time) { sender_.at(now_ += time); }
  Session& session(std::uint64_t n) {
    auto [at, added] = sessions_.try_emplace(SessionId{0, n}, SessionId{0, n}, pool_);
    at->second.role = Role::kPrimary;
    return at->second;
  }
  void set(Session& s, std::uint64_t key, const std::string& text) {
    const Validator validator = Validator::of(text);
    if (s.mirror.set(CacheId{1}, ItemKey{key}, validator,
                     std::make_shared<const std::string>(text))) {
      sender_.changed(s, {CacheId{1}, ItemKey{key}, false, validator});
    }
  }
  std::vector<Message> flush_all() {
    Outbox<Message> out;
    sender_.flush(
        now_,
        [this](SessionId id) {
          const auto found = sessions_.find(id);
          return found == sessions_.end() ? nullptr : &found->second;
        },
        out);
    std::vector<Message> messages;
    for (auto& [to, message] : out.take()) messages.push_back(std::move(message));
    return messages;
  }
  // Of a round of its own, but with what is urgent.
  template <class Kind = MirrorBatch>
  std::vector<Kind> flush() {
    pass(100ms);
    return only<Kind>(flush_all());
  }
  template <class Kind>
  static std::vector<Kind> only(const std::vector<Message>& messages) {
    std::vector<Kind> kept;
    for (const Message& message : messages) {
      if (const auto* one = std::get_if<Kind>(&message)) kept.push_back(*one);
    }
    return kept;
  }
  void want(const std::vector<std::string>& texts, std::uint64_t number = 1) {
    MirrorWant want{number, {}};
    for (const std::string& text : texts) want.validators.push_back(Validator::of(text));
    sender_.on_want(kPeer, want);
  }
  bool ack(Session& s, const MirrorBatch& batch,
           MirrorAck::Answer answer = MirrorAck::Answer::kApplied, ServerId from = kPeer) {
    return sender_.on_ack(&s, from, {batch.session, batch.epoch, batch.sequence, answer});
  }

  Instant now_{1h};
  MirrorPool pool_{options()};
  NodeCounters counters_;
  Freshness freshness_{100};
  Promises promises_{freshness_, counters_};
  MirrorSender sender_{pool_, promises_, 3s, counters_};
  std::map<SessionId, Session> sessions_;
};

TEST_F(MirrorSenderTest, StartsWithASnapshotThenSendsChanges) {
  sender_.link_up(kPeer);
  Session& s = session(1);
  set(s, 1, "a");
  sender_.open(s, kPeer);
  auto batches = flush();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_TRUE(batches[0].snapshot);
  EXPECT_EQ(batches[0].changes.size(), 1u);
  EXPECT_FALSE(s.stream.complete());
  EXPECT_TRUE(ack(s, batches[0]));
  EXPECT_TRUE(s.stream.complete());
  set(s, 2, "b");
  EXPECT_FALSE(s.stream.complete());
  auto more = flush();
  ASSERT_EQ(more.size(), 1u);
  EXPECT_FALSE(more[0].snapshot);
  EXPECT_EQ(more[0].sequence, batches[0].sequence + 1);
  EXPECT_TRUE(flush().empty());
}

TEST_F(MirrorSenderTest, PacesByTheWindow) {
  sender_.link_up(kPeer);
  Session& s = session(1);
  for (std::uint64_t key = 0; key < 20; ++key) set(s, key, "text" + std::to_string(key));
  sender_.open(s, kPeer);
  auto first = flush();
  EXPECT_EQ(first.size(), 3u);
  EXPECT_EQ(sender_.next_round(), kNever);
  EXPECT_EQ(sender_.batches_in_flight(), 3u);
  EXPECT_EQ(sender_.changes_in_flight(), 12u);
  ack(s, first[0]);
  EXPECT_NE(sender_.next_round(), kNever);
  EXPECT_EQ(flush().size(), 1u);
}

TEST_F(MirrorSenderTest, SessionsTakeTurns) {
  sender_.link_up(kPeer);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    for (std::uint64_t key = 0; key < 20; ++key) set(session(n), key, "text");
    sender_.open(session(n), kPeer);
  }
  const auto batches = flush();
  ASSERT_EQ(batches.size(), 3u);
  for (std::uint64_t n = 1; n <= 3; ++n) EXPECT_EQ(batches[n - 1].session, (SessionId{0, n}));
}

TEST_F(MirrorSenderTest, WhatLittleWaitsWaitsForMoreButNotLong) {
  sender_.link_up(kPeer);
  for (std::uint64_t n = 1; n <= 4; ++n) {
    sender_.open(session(n), kPeer);
    for (const auto& batch : flush()) ack(session(n), batch);
  }
  const Instant last = now_;
  pass(6ms);
  set(session(1), 1, "a");
  set(session(2), 1, "a");
  EXPECT_EQ(sender_.next_round(), last + 20ms);
  EXPECT_TRUE(flush_all().empty());
  set(session(3), 1, "a");
  EXPECT_EQ(sender_.next_round(), last + 5ms) << "no longer little";
  const auto full = only<MirrorBatch>(flush_all());
  EXPECT_EQ(full.size(), 3u);
  for (const auto& batch : full) ack(session(batch.session.low), batch);
  set(session(4), 1, "a");
  EXPECT_EQ(sender_.next_round(), now_ + 20ms);
  pass(19ms);
  EXPECT_TRUE(flush_all().empty());
  pass(1ms);
  EXPECT_EQ(flush_all().size(), 1u);
}

TEST_F(MirrorSenderTest, RoundsAreBoundedSoThatServingComesFirst) {
  sender_.link_up(kPeer);
  sender_.link_up(kOther);
  for (std::uint64_t n = 1; n <= 30; ++n) {
    set(session(n), n, "text");
    sender_.open(session(n), n % 2 == 0 ? kPeer : kOther);
  }
  std::size_t sent = 0;
  for (int round = 0; round < 20; ++round) {
    const auto messages = flush_all();
    EXPECT_LE(messages.size(), 6u) << "two windows of three batches";
    EXPECT_TRUE(flush_all().empty()) << "not twice at one time";
    for (const auto& batch : only<MirrorBatch>(messages)) {
      ack(session(batch.session.low), batch, MirrorAck::Answer::kApplied,
          batch.session.low % 2 == 0 ? kPeer : kOther);
      ++sent;
    }
    EXPECT_TRUE(sent == 30 || sender_.next_round() == now_ + 5ms);
    pass(5ms);
  }
  EXPECT_EQ(sent, 30u);
}

TEST_F(MirrorSenderTest, RoundsAreBoundedInBytesAndGoOnSoon) {
  sender_.link_up(kPeer);
  std::vector<std::string> texts;
  for (char letter = 'a'; letter < 'a' + 12; ++letter) {
    texts.emplace_back(900, letter);
    set(session(1), static_cast<std::uint64_t>(letter), texts.back());
  }
  want(texts);
  std::size_t contents = 0;
  for (int round = 0; round < 3; ++round) {
    std::size_t bytes = 0;
    for (const auto& part : only<MirrorContents>(flush_all())) {
      for (const Content& content : part.contents) bytes += content.bytes->size();
      contents += part.contents.size();
      EXPECT_EQ(part.last, contents == texts.size());
    }
    EXPECT_LE(bytes, 5000u);
    EXPECT_GE(bytes, 1000u);
    pass(5ms);
  }
  EXPECT_EQ(contents, texts.size());
  EXPECT_TRUE(flush_all().empty());
}

TEST_F(MirrorSenderTest, WhoIsWaitedForIsNotPaced) {
  sender_.link_up(kPeer);
  Session &one = session(1), &two = session(2);
  sender_.open(one, kPeer);
  sender_.open(two, kPeer);
  for (const auto& batch : flush()) ack(session(batch.session.low), batch);
  set(one, 1, "a");
  set(two, 1, "a");
  sender_.hurry(one);
  auto sent = only<MirrorBatch>(flush_all());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].session, one.id);
  EXPECT_TRUE(sent[0].urgent);
  set(one, 2, "b");  // still waited for
  EXPECT_EQ(flush_all().size(), 1u);
  EXPECT_TRUE(sender_.on_ack(&one, kPeer, {one.id, one.epoch, one.stream.next - 1}));
  EXPECT_TRUE(one.stream.complete());
  set(one, 3, "c");
  EXPECT_TRUE(flush_all().empty()) << "it was complete: nobody waits any more";
  sent = flush();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_FALSE(sent[0].urgent || sent[1].urgent);
  sender_.hurry_all(true);
  set(two, 4, "d");
  EXPECT_EQ(flush_all().size(), 1u);
}

TEST_F(MirrorSenderTest, ContentsAreSentToWhoAsksInBoundedParts) {
  sender_.link_up(kPeer);
  Session& s = session(1);
  const std::string a(600, 'a'), b(600, 'b'), c(1900, 'c'), large(5000, 'd');
  for (const std::string& text : {a, b, c, large}) set(s, text[0], text);
  want({a, "unknown", b, c, large}, 7);
  const auto parts = flush<MirrorContents>();
  ASSERT_EQ(parts.size(), 3u);
  for (const MirrorContents& part : parts) {
    EXPECT_EQ(part.number, 7u);
    ASSERT_EQ(part.contents.size(), 1u) << "the unknown and the too large are not to be had";
  }
  EXPECT_FALSE(parts[1].last);
  EXPECT_TRUE(parts[2].last);
  EXPECT_EQ(*parts[2].contents[0].bytes, c);
  EXPECT_EQ(counters_.mirror_contents_sent, 3u);
  want({}, 8);
  const auto none = flush<MirrorContents>();
  ASSERT_EQ(none.size(), 1u);
  EXPECT_TRUE(none[0].last && none[0].contents.empty());
}

TEST_F(MirrorSenderTest, ANewQuestionEndsTheOneBeforeAndALinkThatGoesDownAll) {
  sender_.link_up(kPeer);
  set(session(1), 1, "a");
  want({"a", "a", "a"}, 1);
  want({"a"}, 2);
  EXPECT_EQ(sender_.contents_waiting(), 1u);
  auto parts = flush<MirrorContents>();
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].number, 2u);
  want({"a"}, 3);
  sender_.link_down(kPeer);
  EXPECT_EQ(sender_.contents_waiting(), 0u);
  EXPECT_TRUE(flush<MirrorContents>().empty());
}

TEST_F(MirrorSenderTest, TellsTheAgeOfTheOldestChangeThatIsNotAcknowledged) {
  sender_.link_up(kPeer);
  Session& s = session(1);
  sender_.open(s, kPeer);
  ack(s, flush().at(0));
  EXPECT_EQ(sender_.oldest_in_flight(), kNever);
  EXPECT_EQ(s.stream.since, kNever);
  set(s, 1, "a");
  const Instant first = now_;
  pass(1ms);
  set(s, 2, "b");
  EXPECT_EQ(s.stream.since, first);
  const auto batches = flush();
  EXPECT_EQ(s.stream.since, kNever);
  EXPECT_EQ(sender_.oldest_in_flight(), first);
  ack(s, batches.at(0));
  EXPECT_EQ(sender_.oldest_in_flight(), kNever);
}

TEST_F(MirrorSenderTest, TooFarBehindBecomesASnapshot) {
  sender_.link_up(kPeer);
  Session& s = session(1);
  sender_.open(s, kPeer);
  ack(s, flush().at(0));
  for (int i = 0; i < 100; ++i) set(s, 1, "text " + std::to_string(i));
  EXPECT_TRUE(s.stream.wants_snapshot);
  EXPECT_TRUE(s.stream.backlog.empty());
  const auto batches = flush();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_TRUE(batches[0].snapshot);
  EXPECT_EQ(batches[0].changes.size(), 1u);
}

TEST_F(MirrorSenderTest, AcksOfAFormerStreamAreIgnored) {
  sender_.link_up(kPeer);
  sender_.link_up(kOther);
  Session& s = session(1);
  set(s, 1, "a");
  sender_.open(s, kPeer);
  const auto old = flush();
  sender_.open(s, kOther);
  flush();
  EXPECT_FALSE(ack(s, old[0], MirrorAck::Answer::kApplied, kPeer)) << "another target now";
  sender_.open(s, kPeer);
  const auto back = flush();
  EXPECT_FALSE(ack(s, old[0])) << "a stream to the same peer, but not this one";
  EXPECT_FALSE(s.stream.complete());
  EXPECT_TRUE(ack(s, back[0]));
  EXPECT_TRUE(s.stream.complete());
}

TEST_F(MirrorSenderTest, SnapshotOnDemandOnceForSeveralGaps) {
  sender_.link_up(kPeer);
  Session& s = session(1);
  sender_.open(s, kPeer);
  ack(s, flush().at(0));
  set(s, 1, "a");
  const auto one = flush();
  set(s, 2, "b");
  const auto two = flush();
  EXPECT_TRUE(ack(s, one[0], MirrorAck::Answer::kWantSnapshot));
  const auto snapshot = flush();
  ASSERT_EQ(snapshot.size(), 1u);
  EXPECT_TRUE(snapshot[0].snapshot);
  EXPECT_FALSE(ack(s, two[0], MirrorAck::Answer::kWantSnapshot));
  EXPECT_TRUE(flush().empty());
}

TEST_F(MirrorSenderTest, WhatIsNotAnsweredIsTakenForLost) {
  sender_.link_up(kPeer);
  Session& s = session(1);
  set(s, 1, "a");
  sender_.open(s, kPeer);
  const auto lost = flush();
  EXPECT_EQ(sender_.next_deadline(), now_ + 3s);
  pass(3s);
  const auto probe = only<MirrorBatch>(flush_all());
  ASSERT_EQ(probe.size(), 1u) << "an empty batch asks what has become of the first";
  EXPECT_FALSE(probe[0].snapshot);
  EXPECT_EQ(sender_.batches_in_flight(), 1u) << "the lost one no longer fills the window";
  EXPECT_EQ(sender_.next_deadline(), now_ + 6s);
  EXPECT_TRUE(ack(s, probe[0], MirrorAck::Answer::kWantSnapshot));
  const auto again = flush();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].snapshot);
  EXPECT_TRUE(ack(s, again[0]));
  EXPECT_TRUE(s.stream.complete());
  EXPECT_EQ(sender_.next_deadline(), kNever);
}

TEST_F(MirrorSenderTest, AnswersMayBeDoubledAndOvertaken) {
  sender_.link_up(kPeer);
  Session &s = session(1), &t = session(2);
  sender_.open(s, kPeer);
  sender_.open(t, kPeer);
  const auto first = flush();
  set(s, 1, "a");
  const auto second = flush();
  EXPECT_TRUE(ack(s, second[0]));
  EXPECT_TRUE(s.stream.complete());
  EXPECT_TRUE(ack(s, first[0]));
  EXPECT_TRUE(s.stream.complete()) << "an old answer takes nothing back";
  EXPECT_EQ(sender_.batches_in_flight(), 1u) << "of the other session nothing is known";
  EXPECT_TRUE(ack(t, first[1]));
  EXPECT_TRUE(ack(t, first[1]));
  EXPECT_EQ(sender_.batches_in_flight(), 0u);
  EXPECT_EQ(sender_.bytes_in_flight(), 0u);
}

TEST_F(MirrorSenderTest, NumbersGoOnWhenASessionComesBack) {
  sender_.link_up(kPeer);
  std::uint64_t last = 0;
  {
    Session& s = session(1);
    for (std::uint64_t key = 0; key < 9; ++key) set(s, key, "text");
    sender_.open(s, kPeer);
    for (const MirrorBatch& batch : flush()) last = batch.sequence;
    sender_.close(s);
    s.mirror.clear();
    sessions_.erase(SessionId{0, 1});
  }
  sender_.open(session(1), kPeer);
  sender_.link_down(kPeer);
  sender_.link_up(kPeer);
  sender_.open(session(1), kPeer);
  EXPECT_GT(flush().at(0).sequence, last);
}

TEST_F(MirrorSenderTest, NothingIsHeldForALinkThatIsDown) {
  Session& s = session(1);
  sender_.open(s, kPeer);
  for (std::uint64_t key = 0; key < 50; ++key) set(s, key, "text");
  EXPECT_TRUE(s.stream.backlog.empty());
  EXPECT_EQ(sender_.next_round(), kNever);
  EXPECT_TRUE(flush().empty());
}

class BatchRulingTest : public ::testing::Test {
 protected:
  MirrorBatch batch(Epoch epoch, std::uint64_t sequence, bool snapshot) {
    MirrorBatch made;
    made.session = {0, 1};
    made.epoch = epoch;
    made.primary = epoch.server;
    made.sequence = sequence;
    made.snapshot = snapshot;
    return made;
  }
  Session& alternate(Epoch epoch, ServerId fed_by, std::uint64_t expected) {
    session_.role = Role::kAlternate;
    session_.epoch = epoch;
    session_.primary = epoch.server;
    session_.fed_by = fed_by;
    session_.expected = expected;
    session_.whole = true;
    return session_;
  }
  MirrorPool pool_{MirrorOptions{}};
  Session session_{{0, 1}, pool_};
};

TEST_F(BatchRulingTest, InOrderWithoutGaps) {
  using Answer = MirrorAck::Answer;
  const Epoch epoch{3, kPeer};
  const Session& s = alternate(epoch, kPeer, 8);
  EXPECT_EQ(rule_on_batch(kPeer, batch(epoch, 8, false), &s, {}).answer, Answer::kApplied);
  EXPECT_EQ(rule_on_batch(kPeer, batch(epoch, 9, false), &s, {}).answer, Answer::kWantSnapshot);
  for (const bool snapshot : {false, true}) {
    const BatchRuling doubled = rule_on_batch(kPeer, batch(epoch, 7, snapshot), &s, {});
    EXPECT_EQ(doubled.answer, Answer::kApplied);
    EXPECT_TRUE(doubled.old) << "an old snapshot must not replace what is newer";
  }
  // On a new link the numbers start anew.
  EXPECT_EQ(rule_on_batch(kPeer, batch(epoch, 8, false), &s, {}, false).answer,
            Answer::kWantSnapshot);
  EXPECT_FALSE(rule_on_batch(kPeer, batch(epoch, 7, true), &s, {}, false).old);
  EXPECT_EQ(rule_on_batch(kPeer, batch(epoch, 20, true), &s, {}).answer, Answer::kApplied);
  EXPECT_EQ(rule_on_batch(kPeer, batch(epoch, 8, false), nullptr, {}).answer,
            Answer::kWantSnapshot);
  EXPECT_EQ(rule_on_batch(kPeer, batch(epoch, 8, true), nullptr, {}).answer, Answer::kApplied);
}

TEST_F(BatchRulingTest, StaleEpochIsAnsweredWithTheNewer) {
  const Epoch old{3, kPeer}, newer{4, kOther};
  const Session& s = alternate(newer, kOther, 8);
  const BatchRuling ruling = rule_on_batch(kPeer, batch(old, 8, true), &s, {});
  EXPECT_EQ(ruling.answer, MirrorAck::Answer::kStale);
  EXPECT_EQ(ruling.epoch, newer);
  EXPECT_EQ(rule_on_batch(kPeer, batch(old, 8, true), nullptr, newer).epoch, newer);
  EXPECT_EQ(rule_on_batch(kPeer, batch(old, 8, true), nullptr, old).answer,
            MirrorAck::Answer::kApplied)
      << "chosen again";
}

TEST_F(BatchRulingTest, AnotherHolderMakesACopyWholeThatThePrimaryNoLongerCan) {
  using Answer = MirrorAck::Answer;
  const Epoch epoch{3, kPeer};
  Session& s = alternate(epoch, kPeer, 8);
  MirrorBatch other = batch(epoch, 1, true);
  EXPECT_EQ(rule_on_batch(kOther, other, &s, {}, true, true).answer, Answer::kStale);
  s.whole = false;
  EXPECT_EQ(rule_on_batch(kOther, other, &s, {}, true, false).answer, Answer::kRefused)
      << "the primary will do it";
  EXPECT_EQ(rule_on_batch(kOther, other, &s, {}, true, true).answer, Answer::kApplied);
  other.snapshot = false;
  EXPECT_EQ(rule_on_batch(kOther, other, &s, {}, true, true).answer, Answer::kWantSnapshot);
}

TEST_F(BatchRulingTest, PrimaryLosesToANewerEpochAndKeepsItsOwn) {
  session_.role = Role::kPrimary;
  session_.epoch = {3, kOther};
  EXPECT_TRUE(rule_on_batch(kPeer, batch({4, kPeer}, 1, true), &session_, {}).lost);
  const BatchRuling own = rule_on_batch(kPeer, batch({3, kOther}, 1, true), &session_, {});
  EXPECT_FALSE(own.lost);
  EXPECT_EQ(own.answer, MirrorAck::Answer::kStale);
}

TEST_F(BatchRulingTest, ThePrimaryItselfGoesBeforeAnotherHolder) {
  const Epoch epoch{3, kPeer};
  const Session& fed = alternate(epoch, kPeer, 8);
  EXPECT_EQ(rule_on_batch(kOther, batch(epoch, 1, true), &fed, {}).answer,
            MirrorAck::Answer::kStale);
  const Session& third = alternate(epoch, kOther, 8);
  EXPECT_EQ(rule_on_batch(kPeer, batch(epoch, 1, true), &third, {}).answer,
            MirrorAck::Answer::kApplied);
}

}  // namespace
}  // namespace tandem
