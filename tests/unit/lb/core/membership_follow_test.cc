// Membership among several balancers: who follows, whose view counts, what a master learns.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "lb/core/membership.h"

namespace tandem {
namespace {

constexpr std::uint64_t kSelf = 1, kMaster = 2, kOther = 3;

class MembershipFollowTest : public ::testing::Test {
 protected:
  MembershipFollowTest() { settle(); }

  static Membership::Options options(bool has_master = true) {
    Membership::Options options;
    options.maker = kSelf;
    options.has_master = has_master;
    options.first_version = 10;
    return options;
  }
  void settle() {
    now_ += Membership::kViewGap;
    machine_.on_deadline(now_, actions_);
    for (MembershipAction& action : std::exchange(actions_, {})) {
      if (auto* probe = std::get_if<StartProbe>(&action)) {
        probes_.push_back(*probe);
      } else if (auto* send = std::get_if<SendMessage>(&action)) {
        sent_[send->to].push_back(send->message);
      } else if (auto* broadcast = std::get_if<Broadcast>(&action)) {
        for (ConnectionId to : broadcast->to) sent_[to].push_back(broadcast->message);
      } else if (auto* view = std::get_if<PublishView>(&action)) {
        published_ = view->view;
      } else if (auto* stored = std::get_if<StoreChange>(&action)) {
        for (const MembershipEvent& event : stored->change.events) events_.push_back(event.kind);
      }
    }
  }
  void tell(ConnectionId from, const Message& message) {
    machine_.on_message(now_, from, message, actions_);
    settle();
  }
  void enter(const std::string& name, ConnectionId connection, bool reads_changes = false) {
    tell(connection, Hello{.name = name, .incarnation = 1});
    machine_.on_message(now_, connection, Register{name + ":80", name + ":90", "", "", status(1)},
                        actions_);
    if (reads_changes) machine_.on_message(now_, connection, ViewRequest{}, actions_);
    settle();
  }
  void befriend(ConnectionId connection, ViewId knows = {kOther, 1}) {
    tell(connection, Hello{.name = "@other", .balancer = true});
    tell(connection, Follow{knows});
    tell(connection, ViewRequest{});
  }
  void refuse_probes() {
    while (!probes_.empty()) {
      for (const StartProbe& probe : std::exchange(probes_, {})) {
        machine_.on_probe_result(now_, probe.server, probe.serial, ProbeResult::kRefused, "",
                                 actions_);
      }
      settle();
    }
    for (int i = 0; i < 3; ++i) settle();  // those that died together leave together
  }
  static Status status(std::uint64_t sequence, std::uint32_t primaries = 0) {
    Status made{sequence, primaries, 1000, 800, 0, false};
    return made;
  }
  static ServerRecord record(const std::string& name, bool online = true,
                             std::uint64_t incarnation = 1) {
    ServerRecord made;
    made.id = ServerId::of(name);
    made.name = name;
    made.data_address = name + ":80";
    made.incarnation = incarnation;
    made.online = online;
    made.status = status(1);
    return made;
  }
  static View masters(std::uint64_t version, std::vector<ServerRecord> servers) {
    return {version, 4, std::move(servers), kMaster, false};
  }
  void follow(const View& view) {
    machine_.follow(now_, view);
    settle();
  }
  // What a server that reads changes holds now.
  View held(ConnectionId connection) const {
    View view;
    for (const Message& message : sent_.at(connection)) {
      if (const auto* whole = std::get_if<ViewUpdate>(&message)) view = whole->view;
      if (const auto* delta = std::get_if<ViewDelta>(&message)) {
        const auto next = apply(view, *delta);
        EXPECT_TRUE(next);
        if (next) view = *next;
      }
    }
    return view;
  }
  template <class M>
  std::size_t count(ConnectionId to) const {
    const auto& messages = sent_.at(to);
    return static_cast<std::size_t>(std::count_if(
        messages.begin(), messages.end(), [](const auto& m) { return std::get_if<M>(&m); }));
  }
  bool online(const std::string& name) const {
    const ServerRecord* found = published_->find(ServerId::of(name));
    return found != nullptr && found->online;
  }

  Instant now_ = Instant{} + 100s;
  Membership machine_{now_, options()};
  MembershipActions actions_;
  std::map<ConnectionId, std::vector<Message>> sent_;
  std::vector<StartProbe> probes_;
  ViewPtr published_;
  std::vector<MembershipEvent::Kind> events_;
};

TEST_F(MembershipFollowTest, WhoReadsChangesIsToldThem) {
  enter("a", 1, true);
  enter("b", 2, true);
  enter("c", 3);
  EXPECT_EQ(count<ViewUpdate>(1), 1u);
  EXPECT_EQ(count<ViewDelta>(1), 2u);
  EXPECT_EQ(count<ViewUpdate>(3), 1u);
  EXPECT_EQ(held(1), *published_);
  EXPECT_EQ(held(2), *published_);
  tell(1, ViewRequest{});
  EXPECT_EQ(count<ViewUpdate>(1), 2u);
}

TEST_F(MembershipFollowTest, FollowersAreCountedAndToldTheView) {
  enter("a", 1);
  EXPECT_EQ(published_->balancers, 1u);
  befriend(5);
  EXPECT_EQ(published_->balancers, 2u);
  EXPECT_EQ(held(5), *published_);
  EXPECT_EQ(count<FollowAck>(5), 1u);
  machine_.on_connection_lost(now_, 5, actions_);
  settle();
  EXPECT_EQ(published_->balancers, 1u);
  EXPECT_EQ(machine_.followers(), 0u);
}

TEST_F(MembershipFollowTest, AFollowerIsToldNothingBeforeItHasToldWhatItSees) {
  tell(5, Hello{.name = "@other", .balancer = true});
  tell(5, Follow{{kOther, 1}});
  EXPECT_EQ(count<ViewUpdate>(5), 0u);
  tell(5, ViewUpdate{{9, 1, {record("x")}, kOther, true}});
  EXPECT_EQ(count<ViewUpdate>(5), 0u);
  tell(5, ViewRequest{});
  ASSERT_EQ(count<ViewUpdate>(5), 1u);
  EXPECT_NE(held(5).find(ServerId::of("x")), nullptr);
}

TEST_F(MembershipFollowTest, WhatAFollowersClientsSayIsAReasonToLookAndNoWitness) {
  enter("a", 1);
  befriend(5);
  const auto looked = probes_.size();
  tell(5, FailureReport{ServerId::of("a"), 0, Seen::kUnknown});
  EXPECT_EQ(machine_.master().counts().reports, 0u);
  EXPECT_EQ(machine_.follower_reports(), 1u);
  EXPECT_GT(probes_.size(), looked);
  tell(5, FailureReport{ServerId::of("a"), 0, Seen::kSilent});  // a server's, passed on
  EXPECT_EQ(machine_.master().counts().reports, 1u);
}

TEST_F(MembershipFollowTest, FollowersAreBounded) {
  for (ConnectionId id = 1; id <= Membership::kFollowersMax; ++id) befriend(id);
  EXPECT_EQ(machine_.followers(), Membership::kFollowersMax);
  befriend(Membership::kFollowersMax + 1);
  EXPECT_EQ(count<Refused>(Membership::kFollowersMax + 1), 2u);  // the view is refused, too
  EXPECT_EQ(machine_.followers(), Membership::kFollowersMax);
}

TEST_F(MembershipFollowTest, ABalancerDoesNotRegisterAndAServerDoesNotFollow) {
  tell(5, Hello{.name = "@other", .balancer = true});
  tell(5, Register{"x:1", "x:2", "", "", {}});
  EXPECT_EQ(count<Refused>(5), 1u);
  tell(6, Hello{.name = "a"});
  tell(6, Follow{});
  EXPECT_EQ(count<Refused>(6), 1u);
}

TEST_F(MembershipFollowTest, TheMastersViewGoesAboveWhateverAFollowerKnows) {
  enter("a", 1);
  befriend(5, {kOther, 700});
  EXPECT_EQ(published_->version, 701u);
  tell(5, Follow{published_->id()});
  EXPECT_EQ(published_->version, 701u) << "its own view is nothing new";
}

TEST_F(MembershipFollowTest, AMasterAdoptsWhomOnlyAFollowerSeesAndLooksForItself) {
  befriend(5);
  tell(5, ViewUpdate{{9, 1, {record("x"), record("y", false)}, kOther, true}});
  EXPECT_TRUE(online("x"));
  EXPECT_EQ(published_->find(ServerId::of("y")), nullptr);
  tell(5, StatusUpdate{{{ServerId::of("x"), status(8, 17)}}});
  EXPECT_EQ(machine_.view().find(ServerId::of("x"))->status.primaries, 17u);
  ASSERT_EQ(probes_.size(), 1u);
  refuse_probes();
  EXPECT_FALSE(online("x"));
  tell(5, ViewUpdate{{9, 1, {record("x")}, kOther, true}});
  EXPECT_FALSE(online("x")) << "a follower's word is no answer to a probe";
  tell(5, ViewUpdate{{9, 1, {record("x", true, 2)}, kOther, true}});
  EXPECT_TRUE(online("x")) << "a new start of it is another process";
}

TEST_F(MembershipFollowTest, OfItsOwnServersAMasterIsToldNothing) {
  enter("a", 1);
  befriend(5);
  ServerRecord lie = record("a", false, 9);
  lie.data_address = "elsewhere:1";
  tell(5, ViewUpdate{{9, 1, {lie}, kOther, true}});
  lie.online = true;
  tell(5, ViewUpdate{{9, 1, {lie}, kOther, true}});
  tell(5, StatusUpdate{{{ServerId::of("a"), status(99, 99)}}});
  EXPECT_TRUE(online("a"));
  EXPECT_EQ(published_->servers[0].data_address, "a:80");
  EXPECT_EQ(machine_.view().servers[0].status.primaries, 0u);
}

TEST_F(MembershipFollowTest, WhileItFollowsTheMastersViewIsEverybodysUnderItsOwnNumber) {
  enter("a", 1, true);
  EXPECT_TRUE(published_->stand_in);
  follow(masters(500, {record("a", false), record("m")}));
  EXPECT_EQ(published_->id(), (ViewId{kMaster, 500}));
  EXPECT_FALSE(published_->stand_in);
  EXPECT_EQ(published_->balancers, 4u);
  EXPECT_FALSE(online("a")) << "the master's word counts";
  EXPECT_TRUE(online("m"));
  EXPECT_EQ(held(1), *published_);
  enter("b", 2);
  EXPECT_EQ(published_->id(), (ViewId{kMaster, 500})) << "what is seen here changes nothing yet";
  EXPECT_EQ(machine_.seen().servers.size(), 2u);
}

// Each balancer would accept one of the two.
TEST_F(MembershipFollowTest, ANameThatLivesElsewhereByTheMastersWordIsRefused) {
  enter("known", 9);
  ServerRecord known = record("known");
  known.data_address = "old:80";
  ServerRecord elsewhere = record("a", true, 2);
  elsewhere.data_address = "there:80";
  follow(masters(500, {elsewhere, record("b", true, 2), record("c", false, 2), known}));
  const auto accepted = [&](const std::string& name, ConnectionId from, std::uint64_t incarnation) {
    tell(from, Hello{.name = name, .incarnation = incarnation});
    tell(from, Register{name + ":80", name + ":90", "", "", status(1)});
    return sent_.count(from) == 0 || count<Refused>(from) == 0;
  };
  EXPECT_FALSE(accepted("a", 1, 3));
  EXPECT_FALSE(accepted("a", 2, 1));
  EXPECT_TRUE(accepted("a", 3, 2)) << "it is that one";
  EXPECT_TRUE(accepted("b", 4, 3)) << "it was restarted: two cannot be at one address";
  EXPECT_TRUE(accepted("c", 5, 3)) << "the other one is gone";
  machine_.on_connection_lost(now_, 9, actions_);
  settle();
  EXPECT_TRUE(accepted("known", 6, 2)) << "its end was seen here";
}

TEST_F(MembershipFollowTest, AServerIsToldToDrainWhereItIsRegistered) {
  enter("a", 1, true);
  follow(masters(500, {record("a"), record("m")}));
  EXPECT_EQ(machine_.set_drain(now_, "a", true, actions_), DrainOrder::kTaken);
  EXPECT_EQ(machine_.set_drain(now_, "m", true, actions_), DrainOrder::kElsewhere);
  EXPECT_EQ(machine_.set_drain(now_, "nobody", true, actions_), DrainOrder::kUnknown);
  settle();
  EXPECT_FALSE(machine_.view().find(ServerId::of("m"))->status.draining);
}

TEST_F(MembershipFollowTest, PlainServersStayEachBalancersOwn) {
  ASSERT_TRUE(machine_.configure(now_, options(), {{"p", "p:80", 1000, 800, ""}}));
  follow(masters(500, {record("m")}));
  ASSERT_EQ(published_->servers.size(), 2u);
  EXPECT_TRUE(online("p"));
}

TEST_F(MembershipFollowTest, TheFresherStatusCounts) {
  enter("a", 1);
  tell(1, StatusReport{status(7, 70)});
  follow(masters(500, {record("a"), record("m")}));
  EXPECT_EQ(published_->find(ServerId::of("a"))->status.primaries, 70u);
  machine_.follow_status({{{ServerId::of("m"), status(3, 30)}, {ServerId::of("a"), status(99, 1)}}},
                         actions_);
  settle();
  EXPECT_EQ(machine_.view().find(ServerId::of("m"))->status.primaries, 30u);
  EXPECT_EQ(machine_.view().find(ServerId::of("a"))->status.primaries, 70u) << "it says so itself";
}

// A change of the view may be made of one that is older than the status that was told since.
TEST_F(MembershipFollowTest, ANewViewDoesNotBringOldStatusBack) {
  follow(masters(500, {record("m"), record("n")}));
  machine_.follow_status({{{ServerId::of("m"), status(3, 30)}, {ServerId::of("n"), status(3, 30)}}},
                         actions_);
  settle();
  follow(masters(501, {record("m"), record("n", true, 2)}));
  EXPECT_EQ(published_->find(ServerId::of("m"))->status.primaries, 30u);
  EXPECT_EQ(published_->find(ServerId::of("n"))->status.primaries, 0u) << "another process";
  ServerRecord newer = record("m");
  newer.status = status(4, 40);
  follow(masters(502, {newer}));
  EXPECT_EQ(published_->find(ServerId::of("m"))->status.primaries, 40u);
}

TEST_F(MembershipFollowTest, ThatTheMasterIsLostIsNoEventOfItsServers) {
  follow(masters(500, {record("m"), record("n")}));
  events_.clear();
  machine_.act_alone(now_);
  settle();
  ASSERT_TRUE(online("m") && online("n"));
  EXPECT_EQ(published_->find(ServerId::of("m"))->first_buddy, ServerId::of("n"));
  EXPECT_TRUE(events_.empty());
  refuse_probes();
  EXPECT_EQ(events_, std::vector(2, MembershipEvent::Kind::kOffline));
}

TEST_F(MembershipFollowTest, WithoutTheMasterWhatIsSeenHereCounts) {
  enter("a", 1, true);
  follow(masters(500, {record("a", false), record("m"), record("n", false)}));
  machine_.act_alone(now_);
  settle();
  EXPECT_EQ(published_->maker, kSelf);
  EXPECT_GT(published_->version, 500u);
  EXPECT_TRUE(published_->stand_in);
  EXPECT_EQ(published_->balancers, 4u) << "they still assign";
  EXPECT_TRUE(online("a")) << "it is seen here";
  EXPECT_TRUE(online("m")) << "nothing is known against it";
  EXPECT_EQ(held(1).id(), published_->id());
  refuse_probes();
  EXPECT_FALSE(online("m"));
  follow(masters(900, {record("a")}));
  EXPECT_EQ(published_->id(), (ViewId{kMaster, 900}));
  EXPECT_EQ(machine_.seen().servers.size(), 1u) << "whom only the master knew it no longer judges";
}

}  // namespace
}  // namespace tandem
