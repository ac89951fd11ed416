#include "lb/core/follower.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tandem {
namespace {

constexpr std::uint64_t kSelf = 1, kMaster = 2;

View view(std::uint64_t version, std::uint64_t maker = kMaster) {
  return {version, 2, {}, maker, false};
}
FailureReport report(const std::string& name) { return {ServerId::of(name), 0, Seen::kClosed}; }

// A follower in virtual time, and what it wanted.
class FollowerTest : public ::testing::Test {
 protected:
  void connect() {
    machine_.on_connected(now_, actions_);
    carry_out();
  }
  void lose() {
    machine_.on_lost(now_, actions_);
    carry_out();
  }
  void hear(const Message& message) {
    machine_.on_message(now_, message, actions_);
    carry_out();
  }
  void fail(const std::string& name) {
    machine_.on_failure(now_, report(name), actions_);
    carry_out();
  }
  void run(Duration time) {
    for (const Instant end = now_ + time;;) {
      const Instant next = machine_.next_deadline();
      if (next > end) {
        now_ = end;
        return;
      }
      now_ = std::max(now_, next);
      machine_.on_deadline(now_, actions_);
      carry_out();
    }
  }
  void carry_out() {
    for (FollowerAction& action : std::exchange(actions_, {})) {
      if (auto* tell = std::get_if<TellMaster>(&action)) {
        if (auto* failure = std::get_if<FailureReport>(&tell->message))
          reports_.push_back(*failure);
        if (std::get_if<ViewRequest>(&tell->message)) said_ += "?";
        if (std::get_if<StatusUpdate>(&tell->message)) said_ += "s";
      }
      if (std::get_if<TellMasterSeen>(&action)) said_ += "S";
      if (std::get_if<TellMasterFollow>(&action)) said_ += "F";
      if (auto* follow = std::get_if<FollowView>(&action)) followed_ = follow->view;
      if (std::get_if<FollowStatus>(&action)) ++statuses_;
      if (std::get_if<ActAlone>(&action)) followed_ = nullptr;
    }
  }
  std::string said() { return std::exchange(said_, ""); }

  Instant now_ = Instant{} + 100s;
  Follower machine_{{1s, kSelf}};
  FollowerActions actions_;
  std::string said_;  // to the master, in turn: F follow, S what is seen, ? the view, s status
  std::vector<FailureReport> reports_;
  ViewPtr followed_;
  int statuses_ = 0;
};

TEST_F(FollowerTest, TheMasterLearnsWhatIsSeenHereBeforeItTellsItsView) {
  connect();
  EXPECT_EQ(said(), "FS?");
  EXPECT_EQ(followed_, nullptr);
  hear(ViewUpdate{view(5)});
  ASSERT_NE(followed_, nullptr);
  EXPECT_EQ(followed_->version, 5u);
  EXPECT_TRUE(machine_.following());
}

TEST_F(FollowerTest, ChangesAreFollowedAndAGapIsAskedFor) {
  connect();
  hear(ViewUpdate{view(5)});
  said();
  hear(diff(view(5), view(6)));
  EXPECT_EQ(followed_->version, 6u);
  hear(diff(view(7), view(8)));
  EXPECT_EQ(said(), "?");
  EXPECT_EQ(followed_->version, 6u);
  hear(ViewUpdate{view(8)});
  EXPECT_EQ(followed_->version, 8u);
}

TEST_F(FollowerTest, AnAnswerThatNamesAnotherViewIsAGapToo) {
  connect();
  hear(FollowAck{{kMaster, 4}});
  EXPECT_EQ(said(), "FS?") << "none is held yet";
  hear(ViewUpdate{view(5)});
  hear(FollowAck{{kMaster, 5}});
  EXPECT_EQ(said(), "");
  hear(FollowAck{{kMaster, 6}});
  EXPECT_EQ(said(), "?");
}

TEST_F(FollowerTest, ItSaysEveryIntervalThatItFollows) {
  connect();
  said();
  for (int i = 0; i < 3; ++i) {
    run(1s);
    hear(FollowAck{});
  }
  EXPECT_EQ(said(), "FFF");
}

TEST_F(FollowerTest, AMasterThatIsGoneLeavesItAloneUntilItTellsItsViewAgain) {
  connect();
  hear(ViewUpdate{view(5)});
  lose();
  EXPECT_EQ(followed_, nullptr);
  EXPECT_FALSE(machine_.following());
  EXPECT_EQ(machine_.next_deadline(), kNever);
  connect();
  EXPECT_EQ(followed_, nullptr);
  hear(ViewUpdate{view(9)});
  EXPECT_EQ(followed_->version, 9u);
  EXPECT_EQ(machine_.counts().times_alone, 1u);
}

TEST_F(FollowerTest, AMasterThatIsSilentForThreeIntervalsIsLeftUntilItIsHeard) {
  connect();
  hear(ViewUpdate{view(5)});
  run(3s - 1ms);
  EXPECT_TRUE(machine_.following());
  run(1ms);
  EXPECT_FALSE(machine_.following());
  EXPECT_EQ(followed_, nullptr);
  hear(FollowAck{{kMaster, 5}});
  EXPECT_EQ(followed_->version, 5u);
}

TEST_F(FollowerTest, FailuresAreReportedAtOnce) {
  connect();
  fail("a");
  fail("a");
  EXPECT_EQ(reports_.size(), 2u);
  EXPECT_EQ(machine_.counts().reports, 2u);
}

TEST_F(FollowerTest, WithoutTheMasterTheLatestFailureOfEachServerWaits) {
  fail("a");
  fail("b");
  fail("a");
  EXPECT_EQ(machine_.reports_waiting(), 2u);
  connect();
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_EQ(reports_[0], report("b"));
  EXPECT_EQ(reports_[1], report("a"));
}

// The server may have come back in the meantime.
TEST_F(FollowerTest, WhatHasWaitedIsAReasonToLookAndNoWitnesssWord) {
  fail("old");
  now_ += Follower::kWitnessAge - 1ms;
  fail("young");
  now_ += 1ms;
  connect();
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_EQ(reports_[0], (FailureReport{ServerId::of("old"), 0, Seen::kUnknown}));
  EXPECT_EQ(reports_[1], report("young"));
}

TEST_F(FollowerTest, WhatWaitsIsBoundedInNumberAndAge) {
  for (std::size_t i = 0; i <= Follower::kReportsMax; ++i) fail("s" + std::to_string(i));
  EXPECT_EQ(machine_.reports_waiting(), Follower::kReportsMax);
  EXPECT_EQ(machine_.counts().reports_lost, 1u);
  now_ += Follower::kReportAge + 1s;
  fail("young");
  connect();
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_EQ(reports_[0], report("young"));
}

TEST_F(FollowerTest, WhatIsSeenHereIsToldAfterAChangeAndNotTooOften) {
  connect();
  said();
  machine_.on_seen(now_, 1);
  machine_.on_seen(now_, 2);
  run(Follower::kSeenGap - 1ms);
  EXPECT_EQ(said(), "");
  run(1ms);
  EXPECT_EQ(said(), "S");
  machine_.on_seen(now_, 2);
  run(500ms);
  EXPECT_EQ(said(), "");
}

TEST_F(FollowerTest, StatusTravelsBothWays) {
  const StatusUpdate update{{{ServerId::of("a"), {}}}};
  machine_.on_status_seen(update, actions_);
  hear(update);
  EXPECT_EQ(said(), "");
  connect();
  said();
  machine_.on_status_seen(update, actions_);
  hear(update);
  EXPECT_EQ(said(), "s");
  EXPECT_EQ(statuses_, 0) << "there is no view that it belongs to";
  hear(ViewUpdate{view(5)});
  hear(update);
  EXPECT_EQ(statuses_, 1);
}

TEST_F(FollowerTest, TwoThatFollowEachOtherDoNotGoInACircle) {
  connect();
  hear(ViewUpdate{view(5, kSelf)});
  EXPECT_EQ(followed_, nullptr);
  EXPECT_FALSE(machine_.following());
  hear(ViewUpdate{view(6)});
  EXPECT_TRUE(machine_.following());
}

}  // namespace
}  // namespace tandem
