// The bounded question to all peers: what is made of the answers, in whatever order they come.
#include "server/core/questions.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tandem {
namespace {

using As = WhereAnswer::As;
constexpr SessionId kSession{1, 2};
constexpr ServerId kA{1}, kB{2}, kC{3};

WhereAnswer answer(As as, Epoch epoch, ServerId alternate = {}, std::uint32_t entries = 0) {
  return {
      .session = kSession, .as = as, .epoch = epoch, .alternate = alternate, .entries = entries};
}

struct Said {
  ServerId from;
  WhereAnswer answer;
};

// What is found when each of them has answered.
Finding found(const std::vector<Said>& all) {
  NodeCounters counters;
  Questions questions(counters, 10, 300ms);
  std::vector<ServerId> peers;
  for (const Said& one : all) peers.push_back(one.from);
  EXPECT_TRUE(questions.ask(Instant{1h}, kSession, peers));
  for (const Said& one : all) {
    EXPECT_EQ(questions.finding(kSession), nullptr) << "not all have answered";
    questions.on_answer(one.from, one.answer);
  }
  EXPECT_EQ(questions.take_settled(), (std::vector<SessionId>{kSession}));
  const Finding* finding = questions.finding(kSession);
  return finding == nullptr ? Finding{} : *finding;
}

TEST(QuestionsTest, TheNewestEpochCountsInWhateverOrder) {
  std::vector<Said> all{{kA, answer(As::kPrimary, {3, kA}, kB)},
                        {kB, answer(As::kCopy, {3, kA}, {}, 9)},
                        {kC, answer(As::kNote, {4, ServerId{9}}, ServerId{8})}};
  const auto order = [](const Said& a, const Said& b) { return a.from < b.from; };
  do {
    const Finding finding = found(all);
    EXPECT_EQ(finding.epoch, (Epoch{4, ServerId{9}}));
    EXPECT_EQ(finding.primary, ServerId{}) << "it serves an older epoch";
    EXPECT_EQ(finding.holder, ServerId{8}) << "the copy is of an older epoch";
  } while (std::next_permutation(all.begin(), all.end(), order));
}

TEST(QuestionsTest, OfTwoCopiesTheFullerOneIsTakenInWhateverOrder) {
  std::vector<Said> all{{kA, answer(As::kCopy, {3, kA}, {}, 5)},
                        {kB, answer(As::kCopy, {3, kA}, {}, 9)},
                        {kC, answer(As::kNothing, {})}};
  const auto order = [](const Said& a, const Said& b) { return a.from < b.from; };
  do {
    const Finding finding = found(all);
    EXPECT_EQ(finding.holder, kB);
    EXPECT_EQ(finding.ignorant, (std::vector<ServerId>{kC}));
  } while (std::next_permutation(all.begin(), all.end(), order));
}

TEST(QuestionsTest, WhatAServerSaysOfItselfGoesBeforeWhatOthersSay) {
  std::vector<Said> all{{kA, answer(As::kPrimary, {3, kA}, kC)},
                        {kB, answer(As::kCopy, {3, kA}, {}, 1)}};
  EXPECT_EQ(found(all).holder, kB);
  std::swap(all[0], all[1]);
  EXPECT_EQ(found(all).holder, kB);
}

}  // namespace
}  // namespace tandem
