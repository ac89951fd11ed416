#include "server/core/content_wants.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

constexpr ServerId kPeer{2}, kOther{3};
constexpr SessionId kFirst{1, 1}, kSecond{1, 2};

class ContentWantsTest : public ::testing::Test {
 protected:
  static MirrorOptions options() {
    MirrorOptions options;
    options.content_bytes_max = 100'000;
    options.content_sent_max = 2000;
    options.want_contents_max = 3;
    options.want_bytes_max = 1000;
    options.awaited_max = 8;
    options.waiters_max = 8;
    return options;
  }
  void SetUp() override {
    wants_.link_up(kPeer);
    wants_.link_up(kOther);
  }
  static std::shared_ptr<const std::string> bytes(const std::string& text) {
    return std::make_shared<const std::string>(text);
  }
  static Content content(const std::string& text) { return {Validator::of(text), bytes(text)}; }
  void mention(const std::string& text, ServerId peer = kPeer, SessionId session = {7, 7}) {
    wants_.mentioned(peer, session, Validator::of(text));
  }
  std::vector<std::pair<ServerId, MirrorWant>> flush() {
    Outbox<Message> out;
    wants_.flush(now_, out);
    std::vector<std::pair<ServerId, MirrorWant>> asked;
    for (auto& [to, message] : out.take()) asked.emplace_back(to, std::get<MirrorWant>(message));
    return asked;
  }
  using Answers = std::vector<std::pair<ServerId, std::uint64_t>>;  // with the batch's number
  static Answers answers_in(Outbox<Message>& out) {
    Answers answers;
    for (auto& [to, message] : out.take()) {
      const auto* ack = std::get_if<MirrorAck>(&message);
      if (ack != nullptr) answers.emplace_back(to, ack->sequence);
    }
    return answers;
  }
  Answers answered(ServerId feeder, SessionId session, std::uint64_t sequence) {
    Outbox<Message> out;
    wants_.answer(feeder, {session, {}, sequence, MirrorAck::Answer::kApplied}, out);
    return answers_in(out);
  }
  Answers flush_answers() {
    Outbox<Message> out;
    wants_.flush(now_, out);
    return answers_in(out);
  }
  bool has(const std::string& text) { return pool_.contents.find(Validator::of(text)) != nullptr; }

  Instant now_{1h};
  MirrorPool pool_{options()};
  NodeCounters counters_;
  ContentWants wants_{pool_, counters_};
};

TEST_F(ContentWantsTest, AsksOnceForWhatItLacksWhoeverNamesIt) {
  pool_.contents.put(Validator::of("own"), bytes("own"));
  mention("own");
  mention("new");
  mention("new");
  mention("new", kOther);
  const auto asked = flush();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].first, kPeer);
  EXPECT_EQ(asked[0].second.validators, std::vector{Validator::of("new")});
  EXPECT_TRUE(flush().empty());
  wants_.on_contents(kPeer, {asked[0].second.number, {content("new")}, true});
  EXPECT_TRUE(has("new"));
  EXPECT_EQ(wants_.awaited(), 0u);
  mention("new", kOther);
  EXPECT_TRUE(flush().empty()) << "it need not cross the wire again";
}

TEST_F(ContentWantsTest, OneBoundedQuestionAtATime) {
  for (const char* text : {"a", "b", "c", "d"}) mention(text);
  const auto first = flush();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].second.validators.size(), 3u);
  wants_.on_contents(kPeer, {first[0].second.number, {content("a")}, false});
  EXPECT_TRUE(flush().empty()) << "not answered whole";
  wants_.on_contents(kPeer, {first[0].second.number, {content("b")}, true});
  const auto second = flush();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].second.validators, std::vector{Validator::of("d")});
  EXPECT_EQ(counters_.mirror_contents_given_up, 1u) << "c is not to be had";
}

TEST_F(ContentWantsTest, QuestionsAreBoundedInBytesAndTheTooLargeIsNotAskedFor) {
  mention(std::string(600, 'a'));
  mention(std::string(600, 'b'));
  mention(std::string(2001, 'c'));
  EXPECT_EQ(wants_.awaited(), 2u);
  EXPECT_EQ(flush().at(0).second.validators.size(), 1u);
}

TEST_F(ContentWantsTest, NoMoreIsAwaitedThanTheBoundAndHalfOfTheRoomIsLeftToOthers) {
  for (char letter = 'a'; letter < 'a' + 10; ++letter) mention(std::string(1, letter));
  EXPECT_EQ(wants_.awaited(), 4u);
  EXPECT_EQ(counters_.mirror_contents_given_up, 6u);
  for (char letter = 'A'; letter < 'A' + 10; ++letter) mention({letter}, kPeer, kFirst);
  EXPECT_EQ(wants_.awaited(), 6u);
  for (char digit = '0'; digit < '0' + 10; ++digit) mention({digit}, kPeer, kSecond);
  EXPECT_EQ(wants_.awaited(), 7u);
}

TEST_F(ContentWantsTest, OneThatLacksMuchHoldsUpNoOther) {
  for (char letter = 'a'; letter < 'a' + 3; ++letter) {
    mention(std::string(1000, letter), kPeer, kFirst);
  }
  mention("x", kPeer, kSecond);
  mention("y", kPeer, kSecond);
  const auto first = flush();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].second.validators.size(), 1u);
  wants_.on_contents(kPeer, {first[0].second.number, {}, true});  // it has none of them
  const auto second = flush();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].second.validators, (std::vector{Validator::of("x"), Validator::of("y")}))
      << "what fits goes along with what does not";
  wants_.on_contents(kPeer, {second[0].second.number, {content("x"), content("y")}, true});
  EXPECT_EQ(flush().at(0).second.validators, std::vector{Validator::of(std::string(1000, 'b'))});
  EXPECT_FALSE(wants_.lacks(kSecond));
}

TEST_F(ContentWantsTest, KeepsOnlyWhatWasAskedForAndIsWhatItsValidatorSays) {
  mention("asked");
  const std::uint64_t number = flush().at(0).second.number;
  wants_.on_contents(kPeer, {number, {content("never asked")}, false});
  EXPECT_FALSE(has("never asked"));
  wants_.on_contents(kOther, {number, {content("asked")}, true});
  EXPECT_FALSE(has("asked")) << "somebody else was asked";
  wants_.on_contents(kPeer, {number, {{Validator::of("asked"), bytes("liar!")}}, true});
  EXPECT_FALSE(has("asked"));
  EXPECT_EQ(counters_.mirror_contents_wrong, 2u);
}

TEST_F(ContentWantsTest, GivesUpAfterItsPatienceAndIgnoresTheLateAnswer) {
  mention("late");
  const std::uint64_t number = flush().at(0).second.number;
  EXPECT_EQ(wants_.next_deadline(), now_ + 5s);
  now_ += 5s;
  EXPECT_TRUE(flush().empty());
  EXPECT_EQ(wants_.awaited(), 0u);
  mention("next");
  const std::uint64_t next = flush().at(0).second.number;
  wants_.on_contents(kPeer, {number, {}, true});
  EXPECT_EQ(wants_.awaited(), 1u) << "that was not the answer to this question";
  wants_.on_contents(kPeer, {next, {content("next")}, true});
  EXPECT_TRUE(has("next"));
}

// --- answers that wait for contents ---

TEST_F(ContentWantsTest, WhatLacksNothingIsAnsweredAtOnce) {
  mention("a", kPeer, kFirst);
  EXPECT_EQ(answered(kPeer, kSecond, 4), (Answers{{kPeer, 4}}));
  EXPECT_TRUE(answered(kPeer, kFirst, 1).empty());
}

TEST_F(ContentWantsTest, AnAnswerWaitsForAllThatItsSessionLacksAndOnlyTheLastIsSent) {
  mention("a", kPeer, kFirst);
  mention("b", kPeer, kFirst);
  mention("b", kPeer, kSecond);
  EXPECT_TRUE(answered(kPeer, kFirst, 1).empty());
  EXPECT_TRUE(answered(kPeer, kSecond, 8).empty());
  const std::uint64_t number = flush().at(0).second.number;
  wants_.on_contents(kPeer, {number, {content("b")}, false});
  EXPECT_EQ(flush_answers(), (Answers{{kPeer, 8}}));
  EXPECT_TRUE(wants_.lacks(kFirst));
  EXPECT_TRUE(answered(kPeer, kFirst, 2).empty());
  wants_.on_contents(kPeer, {number, {content("a")}, true});
  EXPECT_EQ(wants_.next_deadline(), Instant::min());
  EXPECT_EQ(flush_answers(), (Answers{{kPeer, 2}}));
  EXPECT_EQ(wants_.lacking(), 0u);
}

TEST_F(ContentWantsTest, WhatIsGivenUpIsNotWaitedFor) {
  mention("a", kPeer, kFirst);
  EXPECT_TRUE(answered(kPeer, kFirst, 1).empty());
  flush();
  now_ += 5s;
  EXPECT_EQ(flush_answers(), (Answers{{kPeer, 1}}));
}

TEST_F(ContentWantsTest, WhatOneCannotGiveIsAskedOfAnotherWhoHasNamedIt) {
  mention("a", kPeer, kFirst);
  mention("a", kOther, kSecond);
  EXPECT_TRUE(answered(kPeer, kFirst, 1).empty());
  EXPECT_TRUE(answered(kOther, kSecond, 2).empty());
  flush();
  wants_.link_down(kPeer);
  const auto asked = flush();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].first, kOther);
  EXPECT_TRUE(wants_.lacks(kSecond));
  EXPECT_FALSE(wants_.lacks(kFirst)) << "who fed it is gone, and so is the answer";
  wants_.on_contents(kOther, {asked[0].second.number, {}, true});
  EXPECT_EQ(flush_answers(), (Answers{{kOther, 2}})) << "nobody is left who could give it";
  EXPECT_EQ(wants_.awaited(), 0u);
}

TEST_F(ContentWantsTest, ASessionThatIsForgottenAndComesAgainWaitsForItsOwn) {
  mention("a", kPeer, kFirst);
  wants_.forget(kFirst);
  EXPECT_EQ(answered(kPeer, kFirst, 1), (Answers{{kPeer, 1}}));
  mention("b", kPeer, kFirst);
  EXPECT_TRUE(answered(kPeer, kFirst, 2).empty());
  const std::uint64_t number = flush().at(0).second.number;
  wants_.on_contents(kPeer, {number, {content("a")}, false});
  EXPECT_TRUE(flush_answers().empty());
  wants_.on_contents(kPeer, {number, {content("b")}, true});
  EXPECT_EQ(flush_answers(), (Answers{{kPeer, 2}}));
}

TEST_F(ContentWantsTest, NoMoreSessionsWaitThanTheBound) {
  mention("a", kPeer, kFirst);
  for (std::uint64_t i = 0; i < 20; ++i) mention("a", kPeer, {9, i});
  EXPECT_EQ(wants_.lacking(), 8u);
}

TEST_F(ContentWantsTest, ForgetsWhatItAskedOfAPeerThatIsGoneAndAsksAnother) {
  mention("a");
  flush();
  mention("b");
  wants_.link_down(kPeer);
  EXPECT_EQ(wants_.awaited(), 0u);
  EXPECT_EQ(wants_.next_deadline(), kNever);
  mention("a", kOther);
  EXPECT_EQ(flush().at(0).first, kOther);
}

}  // namespace
}  // namespace tandem
