// The promises about who takes new sessions, and who is chosen as alternate, from outside of the
// nodes.
#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using Kind = Decision::Kind;

class AdmissionClaims : public NodeBench {
 protected:
  NodeOptions options_for(const std::string& name) override {
    NodeOptions options = NodeBench::options_for(name);
    options.capacity = 4;
    options.threshold = 2;
    return options;
  }
  // A confirmed session, whatever the threshold.
  SessionToken made_to_serve(const std::string& at, SessionId session) {
    return served(at, served(at, new_session(at, session, kNewSession | kMustServe)));
  }
  void fill(const std::string& name, int sessions) {
    for (int i = 0; i < sessions; ++i) {
      made_to_serve(name, {id(name).value, static_cast<std::uint64_t>(++made_)});
    }
  }
  SessionToken fresh(const std::string& at, unsigned flags = kNewSession) {
    return new_session(at, SessionId{99, static_cast<std::uint64_t>(++made_)}, flags);
  }
  int made_ = 0;
};

TEST_F(AdmissionClaims, OverThresholdRefersANewSessionToTheBestByStatusWhichMustServe) {
  start({"a", "b", "c"});
  fill("b", 2);
  fill("c", 1);
  fill("a", 3);
  publish();
  const SessionToken token = fresh("a");
  const Decision decision = request("a", token);
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id("c"));
  EXPECT_EQ(decision.refer.flags, kNewSession | kMustServe);
  EXPECT_EQ(request("a", token).refer.primary, id("c")) << "requests that overlap go the same way";
  fill("c", 2);  // meanwhile the second is over its threshold as well
  EXPECT_EQ(request("c", decision.refer).kind, Kind::kServe);
}

TEST_F(AdmissionClaims, AllOverThresholdTheLeastLoadedServes) {
  start({"a", "b"});
  fill("b", 4);
  fill("a", 3);
  publish();
  EXPECT_EQ(request("a", fresh("a")).kind, Kind::kServe);
}

TEST_F(AdmissionClaims, AllAtCapacityIsUnavailableAndExistingSessionsAreServed) {
  start({"a", "b"});
  fill("b", 4);
  fill("a", 3);
  const SessionToken held = made_to_serve("a", kSession);
  publish();
  EXPECT_EQ(request("a", fresh("a")).kind, Kind::kUnavailable);
  EXPECT_EQ(request("a", fresh("a", kNewSession | kMustServe)).kind, Kind::kUnavailable);
  EXPECT_EQ(request("a", held).kind, Kind::kServe);
}

TEST_F(AdmissionClaims, TakeoverIgnoresCapacity) {
  start({"a", "b"});
  fill("b", 4);
  const SessionToken held = confirmed("a");
  kill("a");
  EXPECT_EQ(served("b", with_flags(held, kTakeover)).primary, id("b"));
  EXPECT_EQ(node("b").status().primaries, 5u);
}

TEST_F(AdmissionClaims, ThousandsWithoutCookiesLeaveRoomForOthers) {
  start({"a", "b"});
  for (int i = 0; i < 5000; ++i) {
    const SessionToken token = fresh("a");
    ASSERT_EQ(request("a", token).kind, Kind::kServe);
    node("a").on_request_end(token.session);
  }
  EXPECT_EQ(node("a").status().primaries, 0u);
  const SessionToken held = confirmed("a");
  EXPECT_EQ(held.primary, id("a"));
  pass(11s);
  EXPECT_EQ(node("a").gauges().sessions_provisional, 0u);
}

TEST_F(AdmissionClaims, CrossingTheThresholdIsUrgent) {
  start({"a", "b"});
  fill("a", 2);
  EXPECT_FALSE(node("a").status_is_urgent());
  fill("a", 1);
  EXPECT_TRUE(node("a").status_is_urgent());
  node("a").next_status();
  EXPECT_FALSE(node("a").status_is_urgent());
}

TEST_F(AdmissionClaims, AlternateIsChosenByThePrimaryByStatus) {
  start({"a", "b", "c", "d"});
  fill("b", 4);  // no room: not N+1-safe
  node("d").set_draining(true);
  publish();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(confirmed("a", {1, i}).alternate, id("c"));
  }
}

TEST_F(AdmissionClaims, AlternatesAreSpreadOverAllOthers) {
  start({"a", "b", "c", "d"});
  std::map<ServerId, int> shares;
  for (std::uint64_t i = 1; i <= 3; ++i) ++shares[confirmed("a", {1, i}).alternate];
  EXPECT_EQ(shares.size(), 3u);
}

class LinkClaims : public NodeBench {};

// Without a balancer nobody would say that it is dead.
TEST_F(LinkClaims, AnAlternateIsOneThatIsLinkedWhereThereIsOne) {
  start({"a", "b", "c"});
  kill("b");
  for (std::uint64_t i = 1; i <= 4; ++i) {
    EXPECT_EQ(confirmed("a", {1, i}).alternate, id("c"));
  }
  kill("c");
  EXPECT_TRUE(confirmed("a", {1, 5}).alternate) << "its link may come back";
}

class ZoneClaims : public NodeBench {};

TEST_F(ZoneClaims, AlternateIsInAnotherZoneWhereZonesAreNamed) {
  for (const char* name : {"a", "b"}) seats_[name].zone = "north";
  seats_["c"].zone = "south";
  start({"a", "b", "c"});
  for (std::uint64_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(confirmed("a", {1, i}).alternate, id("c"));
  }
}

}  // namespace
}  // namespace tandem
