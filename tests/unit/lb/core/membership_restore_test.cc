// A balancer that starts again has its cluster from the directory before the servers register.
#include <gtest/gtest.h>

#include <algorithm>

#include "lb/core/membership.h"

namespace tandem {
namespace {

constexpr Instant kStart = Instant{} + 1h;

ServerRow server(std::string name, ServerState state = ServerState::kOnline) {
  ServerRow row;
  row.id = ServerId::of(name);
  row.name = std::move(name);
  row.data_address = "10.0.0.1:9101";
  row.peer_address = "10.0.0.1:9201";
  row.group = "default";
  row.capacity = 1000;
  row.threshold = 800;
  row.state = state;
  row.incarnation = 5;
  return row;
}

DirectoryContents two_of_three() {
  DirectoryContents contents;
  contents.view_version = 70;
  contents.last_change = 3;
  contents.servers = {server("a"), server("b"), server("c", ServerState::kOffline)};
  contents.buddies = {{ServerId::of("a"), ServerId::of("b"), ServerId::of("b")},
                      {ServerId::of("b"), ServerId::of("a"), ServerId::of("a")}};
  return contents;
}

template <class Action>
std::vector<Action> all(const MembershipActions& actions) {
  std::vector<Action> found;
  for (const MembershipAction& action : actions) {
    if (const auto* one = std::get_if<Action>(&action)) found.push_back(*one);
  }
  return found;
}

struct Restarted {
  explicit Restarted(const DirectoryContents& contents, std::vector<PlainServer> plain = {}) {
    machine.restore(kStart, contents);
    EXPECT_TRUE(machine.configure(kStart, {}, plain));
    machine.on_deadline(kStart, actions);
  }
  const ServerRecord* find(const char* name) {
    view = machine.view();
    return view.find(ServerId::of(name));
  }
  void answer(const char* name, bool answers, Instant at) {
    for (const StartProbe& probe : all<StartProbe>(std::exchange(actions, {}))) {
      if (probe.server != ServerId::of(name)) {
        actions.push_back(probe);
        continue;
      }
      machine.on_probe_result(at, probe.server, probe.serial,
                              answers ? ProbeResult::kAnswered : ProbeResult::kRefused, "refused",
                              actions);
    }
    machine.on_deadline(at, actions);
  }

  Membership machine{kStart, {}};
  MembershipActions actions;
  View view;
};

TEST(MembershipRestore, TheFirstViewHasWhatTheDirectoryHas) {
  Restarted balancer(two_of_three());
  const auto views = all<PublishView>(balancer.actions);
  ASSERT_EQ(views.size(), 1U);
  const View& view = *views[0].view;
  ASSERT_EQ(view.servers.size(), 3U);
  EXPECT_TRUE(view.find(ServerId::of("a"))->online);
  EXPECT_FALSE(view.find(ServerId::of("c"))->online);
  EXPECT_EQ(view.find(ServerId::of("a"))->status.capacity, 1000U);
  EXPECT_EQ(view.find(ServerId::of("a"))->first_buddy, ServerId::of("b"));
  EXPECT_TRUE(all<StoreChange>(balancer.actions).empty()) << "nothing has changed";
}

TEST(MembershipRestore, TheVersionIsGreaterThanAnyThatWasPublished) {
  DirectoryContents contents = two_of_three();
  contents.view_version = std::uint64_t{1} << 50;  // the clock was put back since
  EXPECT_GT(Restarted(contents).machine.view().version, (std::uint64_t{1} << 50) + 1'000'000);
}

TEST(MembershipRestore, ThoseOnlineAreProbedAtOnce) {
  Restarted balancer(two_of_three());
  EXPECT_EQ(all<StartProbe>(balancer.actions).size(), 3U);
  balancer.answer("a", true, kStart + 5ms);
  EXPECT_TRUE(balancer.find("a")->online);
  balancer.answer("b", false, kStart + 20ms);
  EXPECT_TRUE(balancer.find("a")->online);
  for (int i = 1; i <= 10 && balancer.find("b")->online; ++i) {  // as often as it is asked
    balancer.machine.on_deadline(kStart + 20ms + i * 1ms, balancer.actions);
    balancer.answer("b", false, kStart + 20ms + i * 1ms);
  }
  EXPECT_FALSE(balancer.find("b")->online);
  EXPECT_TRUE(balancer.find("a")->online);
}

TEST(MembershipRestore, WhoWasDrainedIsDrainedStillAndWhoIsNotKnownAnyMoreIsForgotten) {
  DirectoryContents contents = two_of_three();
  contents.drained = {"a", "p", "unknown"};
  const PlainServer p{"p", "10.0.0.9:80", 1000, 800, ""}, q{"q", "10.0.0.9:81", 1000, 800, ""};
  Restarted balancer(contents, {p, q});
  EXPECT_TRUE(balancer.find("a")->status.draining);
  EXPECT_FALSE(balancer.find("b")->status.draining);
  EXPECT_TRUE(balancer.find("p")->status.draining);
  EXPECT_FALSE(balancer.find("q")->status.draining);
  EXPECT_TRUE(balancer.machine.state_of(ServerId::of("p")).drained);
  const auto stored = all<StoreChange>(balancer.actions);
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].change.drained, (std::set<std::string>{"a", "p"}));
  balancer.actions.clear();

  Hello hello;
  hello.name = "a";
  hello.incarnation = 6;
  balancer.machine.on_message(kStart, 1, hello, balancer.actions);
  balancer.machine.on_message(kStart, 1, Register{"10.0.0.1:9101", "10.0.0.1:9201", "", "", {}},
                              balancer.actions);
  ASSERT_FALSE(all<SendMessage>(balancer.actions).empty());
  EXPECT_EQ(std::get<Drain>(all<SendMessage>(balancer.actions).back().message), Drain{true});
  balancer.actions.clear();
  for (const char* name : {"a", "p"}) {
    balancer.machine.set_drain(kStart, name, false, balancer.actions);
    EXPECT_FALSE(balancer.find(name)->status.draining) << name;
  }
  balancer.machine.on_deadline(kStart + 1s, balancer.actions);
  EXPECT_EQ(all<StoreChange>(balancer.actions).back().change.drained, std::set<std::string>{});
}

// The directory could not be read at first.
TEST(MembershipRestore, WhoWasDrainedIsDrainedAgainWhenTheDirectoryIsReadLater) {
  const PlainServer p{"p", "10.0.0.9:80", 1000, 800, ""};
  Restarted balancer({}, {p});
  EXPECT_FALSE(balancer.find("p")->status.draining);
  DirectoryContents contents = two_of_three();
  contents.drained = {"b", "p"};
  balancer.machine.restore(kStart + 1s, contents);
  EXPECT_TRUE(balancer.find("p")->status.draining);
  EXPECT_TRUE(balancer.find("b")->status.draining);
}

TEST(MembershipRestore, AServerThatRegistersIsItself) {
  Restarted balancer(two_of_three());
  Hello hello;
  hello.name = "a";
  hello.incarnation = 5;
  Register registration{"10.0.0.1:9101", "10.0.0.1:9201", "", "default", {}};
  registration.status.sequence = 9;
  registration.status.primaries = 17;
  registration.status.capacity = 1000;
  registration.status.threshold = 800;
  balancer.actions.clear();
  balancer.machine.on_message(kStart + 20ms, 1, hello, balancer.actions);
  balancer.machine.on_message(kStart + 20ms, 1, registration, balancer.actions);
  balancer.machine.on_deadline(kStart + 20ms, balancer.actions);
  EXPECT_EQ(balancer.find("a")->status.primaries, 17U);
  EXPECT_TRUE(all<CloseConnection>(balancer.actions).empty());
  EXPECT_TRUE(all<StoreChange>(balancer.actions).empty()) << "the directory has it already";
}

TEST(MembershipRestore, OneThatLeftIsNotAskedForAgain) {
  DirectoryContents contents;
  contents.servers = {server("a", ServerState::kLeft)};
  Restarted balancer(contents);
  EXPECT_TRUE(all<StartProbe>(balancer.actions).empty());
  EXPECT_TRUE(balancer.find("a")->left);
}

TEST(MembershipRestore, TheConfsPlainServersComeFirst) {
  Restarted balancer(two_of_three(), {{"a", "10.0.0.9:80", 10, 8, ""}});
  EXPECT_EQ(balancer.find("a")->kind, ServerKind::kPlain);
  const auto changes = all<StoreChange>(balancer.actions);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].change.removed, std::vector<ServerId>{ServerId::of("a")});
}

TEST(MembershipRestore, ADirectoryThatCouldNotBeReadAtFirstAddsThoseThatAreNotKnown) {
  Membership machine(kStart, {});
  MembershipActions actions;
  ASSERT_TRUE(machine.configure(kStart, {}, {}));
  Hello hello;
  hello.name = "c";
  hello.incarnation = 8;
  machine.on_message(kStart, 1, hello, actions);
  machine.on_message(kStart, 1, Register{"10.0.0.3:1", "10.0.0.3:2", "", "default", {}}, actions);
  machine.on_deadline(kStart, actions);
  const std::uint64_t version = machine.view().version;
  machine.restore(kStart + 1s, two_of_three());
  machine.on_deadline(kStart + 1s, actions);
  const View view = machine.view();
  EXPECT_GT(view.version, version);
  EXPECT_EQ(view.servers.size(), 3U);
  EXPECT_EQ(view.find(ServerId::of("c"))->data_address, "10.0.0.3:1");
  EXPECT_TRUE(view.find(ServerId::of("c"))->online);
}

TEST(MembershipRestore, ARefusedConfChangesNothing) {
  Restarted balancer(two_of_three());
  balancer.machine.on_message(kStart, 1, Hello{.name = "r", .incarnation = 1}, balancer.actions);
  balancer.machine.on_message(kStart, 1, Register{"r:80", "r:90", "", "", {}}, balancer.actions);
  // "a" would give way; but "r" is here.
  const std::vector<PlainServer> wanted = {{"a", "x:80", 100, 80, ""}, {"r", "y:80", 100, 80, ""}};
  EXPECT_FALSE(balancer.machine.configure(kStart, {}, wanted));
  ASSERT_NE(balancer.find("a"), nullptr);
  EXPECT_EQ(balancer.find("a")->kind, ServerKind::kTandem);
  EXPECT_TRUE(balancer.machine.configure(kStart, {}, {wanted[0]}));
  EXPECT_EQ(balancer.find("a")->kind, ServerKind::kPlain);
}

}  // namespace
}  // namespace tandem
