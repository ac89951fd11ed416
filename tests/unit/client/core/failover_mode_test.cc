#include "client/core/failover_mode.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using Notice = FailoverModes::Notice;
using namespace std::chrono_literals;

const Instant kStart{100s};

class FailoverModesTest : public ::testing::Test {
 protected:
  void fail_times(int times, Instant at = kStart) {
    for (int i = 0; i < times; ++i) (void)modes.on_failure("a", at);
  }

  FailoverModes modes{{.retries = 3, .retry_after = 10s, .probe_patience = 2s, .servers_max = 4}};
};

TEST_F(FailoverModesTest, IsEnteredAfterTheConfiguredTries) {
  EXPECT_EQ(modes.on_failure("a", kStart), Notice::kNone);
  EXPECT_EQ(modes.on_failure("a", kStart), Notice::kNone);
  EXPECT_FALSE(modes.avoids("a"));
  EXPECT_EQ(modes.on_failure("a", kStart), Notice::kEntered);
  EXPECT_TRUE(modes.avoids("a"));
  EXPECT_FALSE(modes.avoids("b"));
}

TEST_F(FailoverModesTest, TheMasterIsToldOnceOfEnteringIt) {
  fail_times(2);
  EXPECT_EQ(modes.on_failure("a", kStart), Notice::kEntered);
  EXPECT_EQ(modes.on_failure("a", kStart), Notice::kNone);
  EXPECT_EQ(modes.on_failure("a", kStart + 1s), Notice::kNone);
  EXPECT_EQ(modes.entered(), 1u);
}

TEST_F(FailoverModesTest, TriesThatFailHaveToFollowEachOther) {
  fail_times(2);
  EXPECT_EQ(modes.on_answer("a"), Notice::kNone);
  fail_times(2);
  EXPECT_FALSE(modes.avoids("a"));
}

TEST_F(FailoverModesTest, TheServerIsNotTriedBeforeRetryAfter) {
  fail_times(3);
  EXPECT_EQ(modes.next_deadline(), kStart + 10s);
  EXPECT_EQ(modes.take_probe(kStart + 10s - 1ns), std::nullopt);
  EXPECT_TRUE(modes.avoids("a"));
  EXPECT_EQ(modes.take_probe(kStart + 10s), "a");
}

TEST_F(FailoverModesTest, OneProbeAtATimeAndTheServerIsStillLeftAlone) {
  fail_times(3);
  EXPECT_EQ(modes.take_probe(kStart + 10s), "a");
  EXPECT_EQ(modes.take_probe(kStart + 10s), std::nullopt);
  EXPECT_TRUE(modes.avoids("a"));
}

TEST_F(FailoverModesTest, AFailedProbeBeginsTheWaitAnewAndTellsNobody) {
  fail_times(3);
  EXPECT_EQ(modes.take_probe(kStart + 10s), "a");
  EXPECT_EQ(modes.on_failure("a", kStart + 11s), Notice::kNone);
  EXPECT_EQ(modes.take_probe(kStart + 21s - 1ns), std::nullopt);
  EXPECT_EQ(modes.take_probe(kStart + 21s), "a");
}

TEST_F(FailoverModesTest, AProbeOfWhichNothingIsHeardHasFailed) {
  fail_times(3);
  EXPECT_EQ(modes.take_probe(kStart + 10s), "a");
  EXPECT_EQ(modes.take_probe(kStart + 22s - 1ns), std::nullopt);
  EXPECT_EQ(modes.take_probe(kStart + 22s), "a");
}

TEST_F(FailoverModesTest, IsLeftOnSuccessAndTheMasterIsTold) {
  fail_times(3);
  EXPECT_EQ(modes.take_probe(kStart + 10s), "a");
  EXPECT_EQ(modes.on_answer("a"), Notice::kLeft);
  EXPECT_FALSE(modes.avoids("a"));
  EXPECT_EQ(modes.left(), 1u);
  EXPECT_EQ(modes.next_deadline(), kNever);
  EXPECT_EQ(modes.on_answer("a"), Notice::kNone);
  EXPECT_EQ(modes.on_failure("a", kStart + 12s), Notice::kNone) << "its tries are counted anew";
}

TEST_F(FailoverModesTest, ACallThatHadNobodyElseMayEndItToo) {
  fail_times(3);
  EXPECT_EQ(modes.on_answer("a"), Notice::kLeft);
  EXPECT_FALSE(modes.avoids("a"));
}

TEST_F(FailoverModesTest, EachServerHasItsOwn) {
  fail_times(3);
  for (int i = 0; i < 3; ++i) (void)modes.on_failure("b", kStart + 1s);
  EXPECT_EQ(modes.avoided(), 2u);
  EXPECT_EQ(modes.next_deadline(), kStart + 10s);
  EXPECT_EQ(modes.take_probe(kStart + 11s), "a");
  EXPECT_EQ(modes.take_probe(kStart + 11s), "b");
  EXPECT_EQ(modes.on_answer("a"), Notice::kLeft);
  EXPECT_TRUE(modes.avoids("b"));
}

TEST_F(FailoverModesTest, OverTheBoundNobodyElseIsLeftAlone) {
  for (const char* name : {"a", "b", "c", "d"}) (void)modes.on_failure(name, kStart);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(modes.on_failure("e", kStart), Notice::kNone);
  EXPECT_FALSE(modes.avoids("e"));
}

TEST_F(FailoverModesTest, AProbeThatCannotBeCarriedOutIsSoonAnothers) {
  fail_times(3);
  EXPECT_EQ(modes.take_probe(kStart + 10s), "a");
  modes.put_back("a", kStart + 10s);
  EXPECT_TRUE(modes.avoids("a"));
  EXPECT_EQ(modes.next_deadline(), kStart + 10s + FailoverModes::kProbeAgain);
  EXPECT_EQ(modes.take_probe(kStart + 10s), std::nullopt) << "not to the same one at once";
  EXPECT_EQ(modes.take_probe(kStart + 10s + FailoverModes::kProbeAgain), "a");
  (void)modes.on_answer("a");
  modes.put_back("a", kStart + 11s);
  EXPECT_EQ(modes.next_deadline(), kNever);
}

TEST_F(FailoverModesTest, WhoIsGoneIsForgottenAndLeavesPlaceForOthers) {
  fail_times(3);
  for (const char* name : {"b", "c", "d"}) (void)modes.on_failure(name, kStart);
  modes.forget_unless([](std::string_view server) { return server == "b"; });
  EXPECT_EQ(modes.known(), 1u);
  EXPECT_FALSE(modes.avoids("a"));
  EXPECT_EQ(modes.next_deadline(), kNever);
  EXPECT_EQ(modes.left(), 0u) << "it has not answered";
  for (int i = 0; i < 3; ++i) (void)modes.on_failure("e", kStart);
  EXPECT_TRUE(modes.avoids("e"));
}

TEST(FailoverModes, NoTriesAtAllAreOne) {
  FailoverModes modes({.retries = 0});
  EXPECT_EQ(modes.on_failure("a", kStart), Notice::kEntered);
}

}  // namespace
}  // namespace tandem
