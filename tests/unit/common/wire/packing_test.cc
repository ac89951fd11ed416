#include "common/wire/packing.h"

#include <gtest/gtest.h>

#include "common/base/hash.h"
#include "common/base/random.h"
#include "common/wire/codec.h"

namespace tandem {
namespace {

using namespace std::string_literals;
using Answer = MirrorAck::Answer;

constexpr ServerId kPrimary{7};

MirrorBatch batch_of(std::uint64_t session, std::uint64_t sequence) {
  MirrorBatch batch;
  batch.session = {mix64(session), session};
  batch.epoch = {3, kPrimary};
  batch.primary = kPrimary;
  batch.sequence = sequence;
  return batch;
}

MirrorChange change_of(std::uint64_t cache, std::uint64_t key, const std::string& text) {
  return {CacheId{cache}, ItemKey::of(std::to_string(key)), false, Validator::of(text)};
}

// Both ends of a connection; what one says the other reads.
class PackingTest : public ::testing::Test {
 protected:
  // What the messages are for the other end, and in `bytes_` how long they were.
  std::vector<Message> carry(Packing& from, Packing& to) {
    const std::string packed = from.take_packed();
    bytes_ = packed.size();
    std::vector<Message> read;
    to.begin(packed);
    for (;;) {
      auto message = to.next();
      EXPECT_TRUE(message);
      if (!message || !*message) return read;
      read.push_back(std::move(**message));
    }
  }
  std::vector<Message> carry_over(const std::vector<Message>& messages) {
    for (const Message& message : messages) EXPECT_TRUE(one_.pack(message));
    return carry(one_, other_);
  }
  static MirrorAck ack_of(const MirrorBatch& batch, Answer answer = Answer::kApplied) {
    return {batch.session, batch.epoch, batch.sequence, answer};
  }

  Packing one_, other_;
  std::size_t bytes_ = 0;
};

TEST_F(PackingTest, WhatWasSaidOnceIsShort) {
  MirrorBatch batch = batch_of(1, 1);
  batch.snapshot = true;
  batch.changes = {change_of(9, 1, "text")};
  EXPECT_EQ(carry_over({batch}), std::vector<Message>{batch});
  EXPECT_LE(bytes_, 64u);
  batch.sequence = 2;
  batch.snapshot = false;
  EXPECT_EQ(carry_over({batch}), std::vector<Message>{batch});
  EXPECT_EQ(bytes_, 4u) << "flags, session, flags, item";
  batch.sequence = 3;
  batch.changes = {change_of(9, 1, "changed")};
  EXPECT_EQ(carry_over({batch}), std::vector<Message>{batch});
  EXPECT_EQ(bytes_, 4u + 4 + 1 + 16) << "and a validator";
}

TEST_F(PackingTest, EveryFieldMayChange) {
  std::vector<Message> sent;
  MirrorBatch batch = batch_of(1, 5);
  sent.push_back(batch);
  batch.sequence = 17;  // a gap
  batch.epoch = {4, ServerId{8}};
  sent.push_back(batch);  // the primary is not the epoch's server
  batch.primary = ServerId{8};
  batch.formers = {ServerId{7}, ServerId{}, ServerId{1}, ServerId{2}};
  batch.urgent = batch.snapshot = true;
  sent.push_back(batch);
  ++batch.sequence;
  batch.snapshot = false;
  batch.ends = true;
  sent.push_back(batch);
  batch.snapshot = true;
  batch.changes = {change_of(1, 1, "a"), change_of(2, 1, "b"), change_of(2, 2, "b")};
  batch.changes.push_back({CacheId{2}, ItemKey::of("1"), true, {}});
  batch.changes.push_back({CacheId{2}, ItemKey::of("unknown"), true, {}});
  batch.changes.push_back({CacheId{2}, ItemKey::of("1"), false, Validator::of("b", false)});
  sent.push_back(batch);
  batch.sequence = ~std::uint64_t{0};
  batch.epoch.counter = ~std::uint32_t{0};
  sent.push_back(batch);
  EXPECT_EQ(carry_over(sent), sent);
}

TEST_F(PackingTest, WhatIsFreshCostsFewBytes) {
  MirrorBatch batch = batch_of(1, 1);
  batch.as_of_ms = 1'000'000'000;
  batch.changes = {change_of(9, 1, "a"), change_of(9, 2, "b"), change_of(9, 3, "c")};
  batch.changes[0].fresh_s = batch.changes[2].fresh_s = 3600;
  batch.changes[0].host = batch.changes[2].host = 77;
  EXPECT_EQ(carry_over({batch}), std::vector<Message>{batch});
  batch.sequence = 2;
  batch.as_of_ms += 100;
  batch.changes = {batch.changes[0]};
  EXPECT_EQ(carry_over({batch}), std::vector<Message>{batch});
  EXPECT_EQ(bytes_, 4u + 1 + 2) << "time and term";
  batch.sequence = 3;
  batch.as_of_ms -= 1000;
  batch.changes[0].host = 78;
  batch.changes[0].fresh_s = ~std::uint32_t{0};
  EXPECT_EQ(carry_over({batch}), std::vector<Message>{batch}) << "anything goes";
}

TEST_F(PackingTest, WhoReadsOnlyTheFirstVersionIsToldNothingFresh) {
  MirrorBatch batch = batch_of(1, 1);
  batch.as_of_ms = 5;
  batch.changes = {change_of(9, 1, "a")};
  batch.changes[0].fresh_s = 3600;
  one_.set_version(1);
  MirrorBatch plain = batch;
  plain.as_of_ms = plain.changes[0].fresh_s = 0;
  EXPECT_EQ(carry_over({batch}), std::vector<Message>{plain});
}

TEST_F(PackingTest, ManyAnswersAreOneNumber) {
  std::vector<Message> sent, answers;
  for (std::uint64_t i = 1; i <= 100; ++i) sent.push_back(batch_of(i, i));
  carry_over(sent);
  for (const Message& batch : sent) answers.push_back(ack_of(std::get<MirrorBatch>(batch)));
  for (const Message& ack : answers) EXPECT_TRUE(other_.pack(ack));
  EXPECT_EQ(carry(other_, one_), answers);
  EXPECT_EQ(bytes_, 2u);
}

TEST_F(PackingTest, AnswersOfEveryKindAndBatchesWithout) {
  std::vector<Message> sent;
  for (std::uint64_t i = 1; i <= 8; ++i) sent.push_back(batch_of(i, i));
  carry_over(sent);
  const auto batch = [&sent](std::size_t i) { return std::get<MirrorBatch>(sent[i]); };
  MirrorAck stale = ack_of(batch(3), Answer::kStale);
  stale.epoch = {9, ServerId{1}};
  const std::vector<Message> answers = {ack_of(batch(0)),
                                        ack_of(batch(1), Answer::kWantSnapshot),
                                        stale,  // the one before has none
                                        ack_of(batch(4), Answer::kRefused),
                                        ack_of(batch(5)),
                                        ack_of(batch(7))};
  for (const Message& ack : answers) EXPECT_TRUE(other_.pack(ack));
  EXPECT_EQ(carry(other_, one_), answers);
  EXPECT_FALSE(other_.pack(ack_of(batch(7)))) << "answered already: a message of its own";
  EXPECT_FALSE(other_.pack(ack_of(batch_of(99, 1))));
}

TEST_F(PackingTest, BothWaysAtOnceInOrder) {
  std::uint64_t number = 0;
  std::vector<MirrorBatch> owed;
  Random random(1);
  for (int turn = 0; turn < 200; ++turn) {
    std::vector<Message> sent, back;
    for (std::size_t count = random.below(5); count > 0; --count) {
      owed.push_back(batch_of(random.below(3) + 1, ++number));
      sent.emplace_back(owed.back());
    }
    EXPECT_EQ(carry_over(sent), sent);
    for (std::size_t count = random.below(owed.size() + 1); count > 0; --count) {
      back.emplace_back(ack_of(owed.front()));
      owed.erase(owed.begin());
      if (random.chance(0.3)) back.emplace_back(batch_of(random.below(3) + 1, ++number));
    }
    for (const Message& message : back) EXPECT_TRUE(other_.pack(message));
    EXPECT_EQ(carry(other_, one_), back);
  }
}

TEST_F(PackingTest, TheDictionaryIsBoundedAndStaysAlike) {
  Random random(2);
  std::uint64_t sequence = 0;
  for (int turn = 0; turn < 60; ++turn) {
    std::vector<Message> sent;
    for (int i = 0; i < 1000; ++i) {
      MirrorBatch batch = batch_of(random.below(3 * kPackedSessionsMax) + 1, ++sequence);
      batch.changes = {change_of(random.below(9) + 1, random.below(2 * kPackedItemsMax),
                                 std::to_string(random.below(5)))};
      sent.emplace_back(std::move(batch));
    }
    ASSERT_EQ(carry_over(sent), sent);
    for (const Message& batch : sent) {
      EXPECT_TRUE(other_.pack(ack_of(std::get<MirrorBatch>(batch))));
    }
    ASSERT_EQ(carry(other_, one_).size(), sent.size());
  }
}

TEST_F(PackingTest, BatchesThatNobodyAnswersAreBounded) {
  std::vector<Message> sent;
  for (std::uint64_t i = 1; i <= kUnansweredMax + 10; ++i) sent.push_back(batch_of(1, i));
  EXPECT_EQ(carry_over(sent), sent);
  const auto at = [&sent](std::size_t i) { return std::get<MirrorBatch>(sent[i]); };
  EXPECT_FALSE(other_.pack(ack_of(at(kUnansweredMax)))) << "unnumbered";
  EXPECT_TRUE(other_.pack(ack_of(at(kUnansweredMax - 1))));
  EXPECT_EQ(carry(other_, one_).size(), 1u);
  EXPECT_TRUE(one_.pack(batch_of(1, kUnansweredMax + 11))) << "there is room again";
  carry(one_, other_);
  EXPECT_TRUE(other_.pack(ack_of(batch_of(1, kUnansweredMax + 11))));
}

TEST_F(PackingTest, RefusesWhatCannotBe) {
  const auto refused = [](std::string_view packed) {
    Packing reader;
    reader.begin(packed);
    for (;;) {
      const auto read = reader.next();
      if (!read) return true;
      if (!*read) return false;
    }
  };
  using std::string_view_literals::operator""sv;
  const std::string session(16, 's');
  const std::string known = "\x0c"s + session +
                            "\x01"
                            "aaaa"
                            "\0\0"s;
  EXPECT_FALSE(refused(known)) << "counter, server, no formers, no changes";
  EXPECT_TRUE(refused("\x03"sv)) << "no such kind";
  EXPECT_TRUE(refused("\0\0"sv)) << "a session that was never named";
  EXPECT_TRUE(refused("\x04"s + session)) << "a new session without a head";
  EXPECT_TRUE(refused("\x0c"s + std::string(16, '\0') +
                      "\x01"
                      "aaaa"
                      "\0\0"s))
      << "no session";
  EXPECT_TRUE(refused("\x0c"s + session +
                      "\x01"
                      "\0\0\0\0"
                      "\0\0"s))
      << "no primary";
  EXPECT_TRUE(refused("\x0c"s + session +
                      "\x01"
                      "aaaa"
                      "\5"s))
      << "too many formers";
  EXPECT_TRUE(refused("\x1c"s + session +
                      "\x01"
                      "aaaa"
                      "\0\0\0"s))
      << "number 0";
  EXPECT_TRUE(refused("\x0c"s + session +
                      "\x01"
                      "aaaa"
                      "\0"s +
                      "\x81\x40"))
      << "8193 changes";
  EXPECT_TRUE(refused(known.substr(0, known.size() - 1) + "\1")) << "cut short";
  EXPECT_TRUE(refused(known.substr(0, known.size() - 1) + "\1\2cachecac\0"s)) << "unknown item";
  EXPECT_TRUE(refused(known.substr(0, known.size() - 1) + "\1\4keykeyke"s)) << "no cache";
  EXPECT_TRUE(refused(known.substr(0, known.size() - 1) + "\1\6cachecackeykeyke"s))
      << "a new item without a validator";
  const std::string item =
      "cachecac"
      "keykeyke"
      "crc4"
      "\1"s;
  const std::string one = known.substr(0, known.size() - 1) + "\1"s;
  EXPECT_FALSE(refused(one + "\x2e"s + item + "\1")) << "fresh for a second";
  EXPECT_TRUE(refused(one + "\x2e"s + item + "\0"s)) << "fresh for no time";
  EXPECT_TRUE(refused(one + "\x2e"s + item)) << "cut short";
  EXPECT_TRUE(refused(one + "\x4e"s + item + "hosthost")) << "a host of what is not fresh";
  EXPECT_TRUE(refused(one + "\x8e"s + item + "\1")) << "a time of what is not fresh";
  EXPECT_TRUE(refused(one + "\x27"s +
                      "cachecac"
                      "keykeyke"
                      "\1"))
      << "gone, and fresh";
  EXPECT_TRUE(refused("\x02"sv)) << "an answer to nothing";
  EXPECT_TRUE(refused("\x42\xff\xff\x7f"sv)) << "answers to nothing";
}

TEST(FrameWriterTest, PacksManyIntoOneFrameOnlyForWhoReadsThem) {
  for (const std::uint32_t version : {0u, kPackingVersion}) {
    Packing one, other;
    FrameWriter writer(one);
    FrameReader reader(&other);
    writer.set_packing(version);
    std::string bytes;
    std::vector<Message> sent;
    for (std::uint64_t i = 1; i <= 10; ++i) sent.emplace_back(batch_of(1, i));
    sent.emplace_back(Drain{true});
    sent.emplace_back(batch_of(2, 1));
    for (const Message& message : sent) ASSERT_TRUE(writer.put(message, bytes));
    ASSERT_TRUE(writer.end(bytes));
    reader.feed(bytes);
    std::vector<Message> read;
    for (auto next = reader.next(); next && *next; next = reader.next()) read.push_back(**next);
    EXPECT_EQ(read, sent);
    if (version == 0) {
      EXPECT_GT(bytes.size(), 400u);
    } else {
      EXPECT_LT(bytes.size(), 120u);
    }
  }
}

TEST(FrameWriterTest, LongPackedFramesEnd) {
  Packing packing;
  FrameWriter writer(packing);
  writer.set_packing(kPackingVersion);
  std::string bytes;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    ASSERT_TRUE(writer.put(batch_of(1, i), bytes));
    ASSERT_LT(writer.waiting_bytes(), FrameWriter::kPackedFrameBytes);
  }
  EXPECT_GT(bytes.size(), FrameWriter::kPackedFrameBytes);
}

}  // namespace
}  // namespace tandem
