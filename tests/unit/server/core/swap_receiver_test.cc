// Which copy may be swapped to: the formula alone.
#include "server/core/swap_receiver.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using Answer = SwapAnswer::Answer;
constexpr ServerId kPrimary{1}, kOther{2};
constexpr SessionId kId{1, 2};
constexpr Epoch kEpoch{3, kPrimary};
const SwapCommand kCommand{kId, kEpoch, 7, true};

class SwapReceiverTest : public ::testing::Test {
 protected:
  SwapReceiverTest() {
    copy_.role = Role::kAlternate;
    copy_.epoch = kEpoch;
    copy_.primary = copy_.fed_by = kPrimary;
    copy_.expected = 8;
  }
  SwapRuling rule(ServerId from, const SwapCommand& command) {
    return rule_on_command(from, command, &copy_, std::nullopt, true);
  }

  MirrorPool pool_{MirrorOptions{}};
  Session copy_{kId, pool_};
};

TEST_F(SwapReceiverTest, AWholeCopyOfTheCommandersOwnIsTaken) {
  EXPECT_TRUE(rule(kPrimary, kCommand).takes);
  EXPECT_FALSE(rule_on_command(kPrimary, kCommand, &copy_, std::nullopt, false).takes);
}

TEST_F(SwapReceiverTest, ACopyThatLacksABatchIsNot) {
  copy_.expected = 7;
  EXPECT_FALSE(rule(kPrimary, kCommand).takes);
}

TEST_F(SwapReceiverTest, ACopyOfAnOlderEpochIsNot) {
  copy_.epoch = {2, kPrimary};
  const SwapRuling ruling = rule(kPrimary, kCommand);
  EXPECT_FALSE(ruling.takes);
  EXPECT_EQ(ruling.answer, Answer::kRefused);
}

TEST_F(SwapReceiverTest, ACopyThatAnotherFedIsNot) {
  EXPECT_FALSE(rule(kOther, kCommand).takes);
  copy_.fed_by = kOther;
  EXPECT_FALSE(rule(kPrimary, kCommand).takes);
}

TEST_F(SwapReceiverTest, ANewerEpochIsTold) {
  copy_.epoch = {4, kOther};
  EXPECT_EQ(rule(kPrimary, kCommand).answer, Answer::kStale);
  EXPECT_EQ(rule(kPrimary, kCommand).epoch, (Epoch{4, kOther}));
  copy_.role = Role::kPrimary;
  EXPECT_EQ(rule(kPrimary, kCommand).answer, Answer::kTaken) << "it says so again";
  EXPECT_FALSE(rule(kPrimary, kCommand).takes);
}

TEST_F(SwapReceiverTest, WhereItWentIsTold) {
  const auto ruling = rule_on_command(kPrimary, kCommand, nullptr, Epoch{5, kOther}, true);
  EXPECT_EQ(ruling.answer, Answer::kStale);
  EXPECT_EQ(ruling.epoch, (Epoch{5, kOther}));
}

}  // namespace
}  // namespace tandem
