#include "server/core/type_access.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem {
namespace {

using As = TypeAccess::As;
using Failure = TypeAccess::Failure;
using Request = TypeAccess::Request;
using Step = TypeAccess::Step;

constexpr std::uint64_t kTypes = 77;

// Server "a" of a group of three; /a/, /b/ and /c/ are owned by name.
class TypeAccessTest : public ::testing::Test {
 protected:
  TypeAccessTest() : machine_(ServerId::of("a"), Ownership(types(), "default"), options()) {
    for (const char* name : {"a", "b", "c"}) {
      ServerRecord record;
      record.id = ServerId::of(name);
      record.name = name;
      record.group = "default";
      record.online = true;
      record.incarnation = 5;
      record.status.capacity = 100;
      view_.servers.push_back(record);
    }
    view_.maker = 9;
    for (ServerId id : {b_, c_}) machine_.on_linked(id, types().fingerprint());
    tell();
  }
  static Types types() { return Types({{"/a/", "a"}, {"/b/", "b"}, {"/c/", "c"}}, 16); }
  static TypeAccessOptions options() {
    TypeAccessOptions made;
    made.asks_max = 3;
    made.waiting_max = 2;
    return made;
  }

  void tell() {
    ++view_.version;
    machine_.on_view(view_);
  }
  void set_online(std::size_t at, bool online) {
    view_.servers[at].online = online;
    tell();
  }
  Step begin(const std::string& target, Request& request, std::uint32_t hops = 0) {
    return machine_.begin(now_, target, {.hops = hops}, request);
  }
  Step begin(const std::string& target) {
    Request request;
    return begin(target, request);
  }
  Step write(const std::string& target, Request& request, TypeAccess::Origin origin = {}) {
    origin.write = true;
    return machine_.begin(now_, target, origin, request);
  }
  std::uint64_t since(const std::string& target) const {
    return machine_.ownership().epoch(machine_.ownership().types().type_of(target)).version;
  }
  // A path of "b"'s prefix; who acts for it if "b" is offline.
  ServerId heir_of_b() const {
    return machine_.ownership().order(machine_.ownership().types().type_of("/b/1"))[1];
  }
  bool forgets(const std::string& target) {
    const TypeId type = machine_.ownership().types().type_of(target);
    for (const TypeId one : machine_.take_forgotten()) {
      if (one == type) return true;
    }
    return false;
  }

  const ServerId a_ = ServerId::of("a"), b_ = ServerId::of("b"), c_ = ServerId::of("c");
  Instant now_ = Instant{} + 1h;
  View view_;
  TypeAccess machine_;
};

TEST_F(TypeAccessTest, OwnType) {
  EXPECT_EQ(begin("/a/1").as, As::kOwn);
  EXPECT_EQ(machine_.counters().own, 1U);
  EXPECT_EQ(machine_.under_way(), 0U);
}

TEST_F(TypeAccessTest, OtherTypeWithTheOwnerOnlineIsAskedFor) {
  Request request;
  const Step step = begin("/b/1?x", request);
  EXPECT_EQ(step.as, As::kAsk);
  EXPECT_EQ(step.server, b_);
  EXPECT_EQ(step.until, now_ + options().answer_within);
  EXPECT_EQ(machine_.under_way(), 1U);
  machine_.on_taken(request);
  machine_.end(request);
  EXPECT_EQ(machine_.under_way(), 0U);
  EXPECT_TRUE(machine_.take_reports().empty());
}

TEST_F(TypeAccessTest, OwnerMarkedOfflineWhoActsInItsSteadProcesses) {
  set_online(1, false);
  const Step step = begin("/b/1");
  if (heir_of_b() == a_) {
    EXPECT_EQ(step.as, As::kStandIn);
  } else {
    EXPECT_EQ(step.as, As::kAsk);
    EXPECT_EQ(step.server, c_);
  }
  set_online(2, false);
  EXPECT_EQ(begin("/b/1").as, As::kStandIn);
  EXPECT_EQ(begin("/c/1").as, As::kStandIn);
  EXPECT_TRUE(machine_.take_reports().empty());
}

TEST_F(TypeAccessTest, AskingASilentOneFailsItIsProcessedHereAndTheMasterIsTold) {
  Request request;
  const Step asked = begin("/b/1", request);
  now_ = asked.until;
  EXPECT_EQ(machine_.on_failure(now_, Failure::kSilent, request).as, As::kFailed);
  const auto reports = machine_.take_reports();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0], (FailureReport{b_, 5, Seen::kSilent}));
  EXPECT_EQ(machine_.under_way(), 0U);
}

TEST_F(TypeAccessTest, AskingOneWhoseLinkGoesFailsItIsProcessedHereAndTheMasterIsTold) {
  Request request;
  begin("/b/1", request);
  machine_.on_unlinked(b_);
  const Step waits = machine_.on_failure(now_, Failure::kClosed, request);
  EXPECT_EQ(waits.as, As::kWait);
  EXPECT_EQ(waits.until, now_ + options().patience);
  EXPECT_EQ(machine_.take_reports(), (std::vector<FailureReport>{{b_, 5, Seen::kClosed}}));
  now_ = waits.until;
  EXPECT_EQ(machine_.on_changed(now_, request).as, As::kFailed);
  EXPECT_EQ(machine_.waiting(), 0U);
  EXPECT_EQ(begin("/b/2").as, As::kFailed) << "the next does not wait as long again";
}

TEST_F(TypeAccessTest, IfTheAskedOneDiesTheOneThatTheViewNamesIsAskedOnce) {
  Request request;
  begin("/b/1", request);
  machine_.on_unlinked(b_);
  ASSERT_EQ(machine_.on_failure(now_, Failure::kClosed, request).as, As::kWait);
  set_online(1, false);
  const Step step = machine_.on_changed(now_, request);
  if (heir_of_b() == a_) {
    EXPECT_EQ(step.as, As::kStandIn);
    return;
  }
  ASSERT_EQ(step.as, As::kAsk);
  EXPECT_EQ(step.server, c_);
  machine_.on_unlinked(c_);
  now_ += 1ms;
  EXPECT_EQ(machine_.on_failure(now_, Failure::kClosed, request).as, As::kFailed)
      << "two were asked";
}

TEST_F(TypeAccessTest, OneThatIsBackOnAnotherLinkIsAskedAgain) {
  Request request;
  begin("/b/1", request);
  machine_.on_linked(b_, kTypes);
  EXPECT_EQ(machine_.on_failure(now_, Failure::kClosed, request).as, As::kAsk);
  EXPECT_EQ(machine_.counters().asked_again, 1U);
}

TEST_F(TypeAccessTest, ASilentOneIsLeftAloneThenOneRequestFindsOut) {
  Request request;
  now_ = begin("/b/1", request).until;
  machine_.on_failure(now_, Failure::kSilent, request);
  EXPECT_EQ(begin("/b/2").as, As::kFailed);
  now_ += options().mistrust;
  Request second;
  EXPECT_EQ(begin("/b/2", second).as, As::kAsk);
  EXPECT_EQ(begin("/b/3").as, As::kFailed);
  machine_.on_taken(second);
  EXPECT_EQ(begin("/b/3").as, As::kAsk);
}

TEST_F(TypeAccessTest, ASuspectIsReportedOnceInAWhile) {
  Request one, two;
  begin("/b/1", one);
  now_ = begin("/b/2", two).until;
  machine_.on_failure(now_, Failure::kSilent, one);
  machine_.on_failure(now_, Failure::kSilent, two);
  EXPECT_EQ(machine_.take_reports().size(), 1U);
}

TEST_F(TypeAccessTest, ALinkThatIsNotThereYetIsWaitedFor) {
  machine_.on_unlinked(b_);
  Request request;
  ASSERT_EQ(begin("/b/1", request).as, As::kWait);
  machine_.on_linked(b_, types().fingerprint());
  EXPECT_EQ(machine_.on_changed(now_ + 1ms, request).as, As::kAsk);
  EXPECT_EQ(machine_.waiting(), 0U);
}

TEST_F(TypeAccessTest, RefusedIsProcessedHereAndNoFailure) {
  Request request;
  begin("/b/1", request);
  EXPECT_EQ(machine_.on_failure(now_, Failure::kRefused, request).as, As::kBusy);
  EXPECT_TRUE(machine_.take_reports().empty());
}

TEST_F(TypeAccessTest, Bounds) {
  Request requests[4];
  for (int i = 0; i < 3; ++i) EXPECT_EQ(begin("/b/1", requests[i]).as, As::kAsk);
  EXPECT_EQ(begin("/b/1", requests[3]).as, As::kBusy);
  machine_.end(requests[0]);
  EXPECT_EQ(begin("/b/1", requests[0]).as, As::kAsk);
  machine_.on_unlinked(c_);
  Request waiting[3];
  for (int i = 0; i < 2; ++i) EXPECT_EQ(begin("/c/1", waiting[i]).as, As::kWait);
  EXPECT_EQ(begin("/c/1", waiting[2]).as, As::kBusy);
  machine_.end(waiting[0]);
  EXPECT_EQ(begin("/c/1", waiting[2]).as, As::kWait);
}

TEST_F(TypeAccessTest, WhoIsAskedAndDoesNotActAsksOnOnce) {
  Request request;
  const Step step = begin("/b/1", request, 1);
  EXPECT_EQ(step.as, As::kAsk);
  EXPECT_EQ(step.server, b_);
  EXPECT_EQ(begin("/b/1", request, 2).as, As::kNobodyElse);
}

TEST_F(TypeAccessTest, WhoHasNoTypesIsNotAsked) {
  machine_.on_linked(b_, 0);
  EXPECT_EQ(begin("/b/1").as, As::kBusy);
  EXPECT_EQ(machine_.disagreeing(), std::vector<ServerId>{b_});
  machine_.on_linked(b_, 12345);
  EXPECT_EQ(begin("/b/1").as, As::kAsk);
  EXPECT_EQ(machine_.disagreeing(), std::vector<ServerId>{b_});
  view_.servers[1].group = "other";
  tell();
  EXPECT_TRUE(machine_.disagreeing().empty());
}

TEST_F(TypeAccessTest, WithoutAViewEverythingIsProcessedHere) {
  TypeAccess alone(a_, Ownership(types(), "default"));
  Request request;
  EXPECT_EQ(alone.begin(now_, "/b/1", {}, request).as, As::kNobodyElse);
}

// --- what is temporary -------------------------------------------------------------------------

TEST_F(TypeAccessTest, WhatWasProcessedInTheOwnersSteadIsForgottenWhenItIsBack) {
  set_online(1, false);
  set_online(2, false);
  ASSERT_EQ(begin("/b/1").as, As::kStandIn);
  EXPECT_FALSE(forgets("/b/1"));
  view_.servers[0].zone = "z";
  tell();
  EXPECT_FALSE(forgets("/b/1")) << "a view that changes nothing of it";
  set_online(1, true);
  EXPECT_TRUE(forgets("/b/1"));
  set_online(2, true);
  EXPECT_FALSE(forgets("/b/1")) << "once";
}

TEST_F(TypeAccessTest, WhatWasProcessedSinceAskingFailedIsForgottenWhenTheOwnerAnswers) {
  Request request;
  now_ = begin("/b/1", request).until;
  ASSERT_EQ(machine_.on_failure(now_, Failure::kSilent, request).as, As::kFailed);
  now_ += options().mistrust;
  ASSERT_EQ(begin("/b/1", request).as, As::kAsk);
  EXPECT_FALSE(forgets("/b/1"));
  machine_.on_taken(request);
  EXPECT_TRUE(forgets("/b/1"));
}

TEST_F(TypeAccessTest, AnOwnTypeForWhichAnotherActedIsForgotten) {
  begin("/a/1");
  set_online(0, false);
  EXPECT_TRUE(forgets("/a/1"));
  set_online(0, true);
  begin("/a/1");
  // It was frozen through its own death and return: only the number of the view tells.
  view_.version += 5;
  tell();
  EXPECT_TRUE(forgets("/a/1"));
}

// --- writes ---

TEST_F(TypeAccessTest, AWriteWhoseOwnerIsSilentWaitsForWhoActsInItsStead) {
  Request request;
  const Step asked = write("/b/1", request);
  ASSERT_EQ(asked.as, As::kAsk);
  EXPECT_EQ(request.sent, (ActingEpoch{since("/b/1"), b_}));
  now_ = asked.until;
  const Step waits = machine_.on_failure(now_, Failure::kSilent, request);
  EXPECT_EQ(waits.as, As::kWait) << "it may not be done here";
  EXPECT_EQ(machine_.take_reports().size(), 1U);
  EXPECT_EQ(machine_.on_changed(now_, request).as, As::kWait) << "nor be sent to b again";
  set_online(1, false);
  const Step next = machine_.on_changed(now_, request);
  if (heir_of_b() == a_) {
    EXPECT_EQ(next.as, As::kStandIn);
  } else {
    EXPECT_EQ(next.as, As::kAsk);
    EXPECT_EQ(next.server, c_);
    EXPECT_EQ(request.sent, (ActingEpoch{since("/b/1"), c_}));
  }
  EXPECT_EQ(machine_.waiting(), 0U);
}

TEST_F(TypeAccessTest, AWriteForWhichNobodyIsNamedInTimeIsGivenUp) {
  Request request;
  write("/b/1", request);
  machine_.on_unlinked(b_);
  const Instant until = now_ + options().write_patience;
  const Step waits = machine_.on_failure(now_, Failure::kClosed, request);
  EXPECT_EQ(waits.as, As::kWait);
  EXPECT_EQ(waits.until, until);
  machine_.on_linked(b_, types().fingerprint());
  EXPECT_EQ(machine_.on_changed(now_, request).as, As::kWait) << "b may have done it";
  now_ = until;
  EXPECT_EQ(machine_.on_changed(now_, request).as, As::kFailed);
  EXPECT_EQ(machine_.waiting(), 0U);
}

TEST_F(TypeAccessTest, AWriteIsNotSentAgainToAServerThatIsBack) {
  Request request;
  write("/b/1", request);
  machine_.on_failure(now_, Failure::kSilent, request);
  set_online(1, false);
  set_online(1, true);
  EXPECT_EQ(machine_.on_changed(now_, request).as, As::kWait) << "it may have it twice then";
  machine_.end(request);
}

TEST_F(TypeAccessTest, AWriteThatNobodyHasYetIsSentWhenTheLinkStands) {
  machine_.on_unlinked(b_);
  Request request;
  Step step = write("/b/1", request);
  EXPECT_EQ(step.as, As::kWait);
  now_ = step.until;
  step = machine_.on_changed(now_, request);
  EXPECT_EQ(step.as, As::kWait);
  EXPECT_EQ(machine_.take_reports(), (std::vector<FailureReport>{{b_, 5, Seen::kUnreachable}}));
  machine_.on_linked(b_, types().fingerprint());
  EXPECT_EQ(machine_.on_changed(now_, request).as, As::kAsk);
  machine_.end(request);
}

TEST_F(TypeAccessTest, AWriteFromAnotherIsDoneHereOrWaitsAndIsNeverAskedOn) {
  Request mine, others;
  EXPECT_EQ(write("/a/1", mine, {.hops = 1, .since = since("/a/1")}).as, As::kOwn);
  // Its asker knows a view that is on its way here.
  ASSERT_EQ(write("/b/1", others, {.hops = 1, .since = view_.version + 1}).as, As::kWait);
  set_online(1, false);
  const Step step = machine_.on_changed(now_, others);
  EXPECT_EQ(step.as, heir_of_b() == a_ ? As::kStandIn : As::kWait);
  machine_.end(others);
}

TEST_F(TypeAccessTest, AWriteThatWasSentBeforeAnotherActedIsRefused) {
  const std::uint64_t before = since("/a/1");
  set_online(0, false);
  set_online(0, true);
  Request request;
  EXPECT_EQ(write("/a/1", request, {.hops = 1, .since = before}).as, As::kOutdated);
  EXPECT_EQ(machine_.counters().outdated, 1U);
  const TypeId type = machine_.ownership().types().type_of("/a/1");
  EXPECT_EQ(machine_.acting_since(type), view_.version);
  EXPECT_EQ(write("/a/1", request, {.hops = 1, .since = view_.version}).as, As::kOwn);
  EXPECT_EQ(write("/a/1", request, {.hops = 1}).as, As::kOwn) << "an older asker does not say";
}

TEST_F(TypeAccessTest, WhoActsSinceLaterThanIsKnownHereSaysSoAndIsAskedAgain) {
  Request request;
  write("/b/1", request);
  Step step = machine_.on_failure(now_, Failure::kRefused, request, 40);
  EXPECT_EQ(step.as, As::kAsk);
  EXPECT_EQ(request.sent, (ActingEpoch{40, b_}));
  machine_.end(request);
  EXPECT_EQ(write("/b/1", request).as, As::kAsk);
  EXPECT_EQ(request.sent, (ActingEpoch{40, b_})) << "it is remembered";
  // It does not act: a view is on its way.
  step = machine_.on_failure(now_, Failure::kRefused, request, 0);
  EXPECT_EQ(step.as, As::kWait);
  machine_.end(request);
  EXPECT_EQ(machine_.under_way(), 0U);
}

TEST_F(TypeAccessTest, AWriteIsAskedForSoOftenAtMost) {
  Request request;
  Step step = write("/b/1", request);
  std::uint64_t later = 40;
  std::uint32_t asked = 0;
  for (; step.as == As::kAsk; ++asked) {
    step = machine_.on_failure(now_, Failure::kRefused, request, ++later);
  }
  EXPECT_EQ(asked, TypeAccess::kWriteAttemptsMax);
  EXPECT_EQ(step.as, As::kWait);
  machine_.end(request);
}

TEST_F(TypeAccessTest, AWriteWithoutAViewIsNotWaitedWith) {
  TypeAccess fresh(a_, Ownership(types(), "default"), options());
  Request request;
  EXPECT_EQ(fresh.begin(now_, "/b/1", {.write = true}, request).as, As::kNobodyElse);
}

}  // namespace
}  // namespace tandem
