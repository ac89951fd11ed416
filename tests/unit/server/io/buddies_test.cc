// Buddy watches over real channels, all on one loop.
#include "server/io/buddies.h"

#include <gtest/gtest.h>

#include <functional>

#include "server/io/peers.h"

namespace tandem::server {
namespace {

const TlsPsk kKey{"k", std::string(32, 'k')};

struct Member final : BalancerCarrier {
  Member(EventLoop& loop, Resolver& resolver, const std::string& with_name, Duration interval)
      : name(with_name),
        driver(loop, node_options()),
        buddies(loop, {with_name, interval, false}),
        peers(loop, resolver, driver, options()) {
    EXPECT_TRUE(peers.listen(SocketAddress::loopback(0)));
    peers.add_listener(buddies);
    buddies.set_peers(&peers);
    buddies.set_balancers(this);
  }
  NodeOptions node_options() const {
    NodeOptions made;
    made.name = name;
    return made;
  }
  PeersOptions options() const {
    PeersOptions made;
    made.self.name = name;
    made.self.incarnation = 1;
    made.accepting = TlsContext::psk_server({kKey});
    made.connecting = always(TlsContext::psk_client(kKey));
    return made;
  }
  void tell_all(const Message& message) override { told.push_back(message); }
  void on_view(const ViewPtr& view) {
    buddies.on_view(view);
    peers.on_view(view);
  }

  std::string name;
  std::vector<Message> told;
  NodeDriver driver;
  Buddies buddies;
  Peers peers;
};

struct BuddiesTest : ::testing::Test {
  explicit BuddiesTest(Duration interval = 100ms) : resolver(loop) {
    for (const char* name : {"a", "b", "c"}) {
      members.push_back(std::make_unique<Member>(loop, resolver, name, interval));
    }
    publish();
    run_until([&] { return watch(0).links().size() == 2 && all_linked(); });
  }
  void run_until(std::function<bool()> condition) {
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop, [&] {
      if (condition()) return loop.stop();
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop.run();
  }
  const BuddyWatch& watch(std::size_t i) const { return members[i]->buddies.watch(); }
  bool all_linked() const {
    return members[0]->peers.links() + members[1]->peers.links() + members[2]->peers.links() == 6;
  }
  // A ring in the order of names.
  void publish() {
    View view;
    view.version = ++version;
    const std::size_t n = members.size();
    for (std::size_t i = 0; i < n; ++i) {
      ServerRecord made;
      made.name = members[i]->name;
      made.id = ServerId::of(made.name);
      made.peer_address = members[i]->peers.address().text();
      made.incarnation = 1;
      made.online = true;
      made.first_buddy = ServerId::of(members[(i + n - 1) % n]->name);
      made.second_buddy = ServerId::of(members[(i + 1) % n]->name);
      view.servers.push_back(made);
    }
    const auto shared = std::make_shared<const View>(std::move(view));
    for (auto& member : members) member->on_view(shared);
  }

  EventLoop loop;
  Resolver resolver;
  std::uint64_t version = 0;
  std::vector<std::unique_ptr<Member>> members;
};

TEST_F(BuddiesTest, PingAndAnswerAndReportNobody) {
  run_until([&] { return watch(0).counters().answered > 5 && watch(1).counters().answered > 5; });
  for (auto& member : members) {
    EXPECT_TRUE(member->told.empty());
    const auto heard = member->buddies.heard();
    ASSERT_EQ(heard.size(), 2U);
    EXPECT_NE(heard[0].buddy, member->name);
  }
}

struct SlowBuddiesTest : BuddiesTest {
  SlowBuddiesTest() : BuddiesTest(1h) {}
};

// The interval is an hour: no timer tells it.
TEST_F(SlowBuddiesTest, AChannelThatCloses) {
  members[2]->peers.remove_listener(members[2]->buddies);
  members[2]->peers.stop();
  run_until([&] { return !members[0]->told.empty() && !members[1]->told.empty(); });
  for (const std::size_t by : {0U, 1U}) {
    EXPECT_EQ(std::get<FailureReport>(members[by]->told[0]),
              (FailureReport{ServerId::of("c"), 1, Seen::kClosed}));
    EXPECT_EQ(members[by]->buddies.on_balancer_linked().size(), 1U);
  }
  EXPECT_TRUE(members[2]->told.empty());
}

TEST_F(SlowBuddiesTest, ALookIsAnsweredByWhatThePeerAnswers) {
  members[0]->buddies.on_balancer_message(Look{5, ServerId::of("b"), ""});
  run_until([&] { return !members[0]->told.empty(); });
  EXPECT_EQ(std::get<Looked>(members[0]->told[0]), (Looked{5, ServerId::of("b"), true}));
}

// What the system allows is tested where it can be chosen (tests/integration).
TEST(IcmpProbe, FindsThisHostOrSaysWhatForbidsIt) {
  EventLoop loop;
  std::vector<ServerId> answers;
  auto probe = IcmpProbe::open(loop, [&](ServerId of) {
    answers.push_back(of);
    loop.stop();
  });
  if (!probe) {
    EXPECT_NE(probe.error().message.find("net.ipv4.ping_group_range"), std::string::npos);
    return;
  }
  (*probe)->ask(ServerId{7}, SocketAddress::loopback(9));
  loop.run();
  EXPECT_EQ(answers, (std::vector<ServerId>{ServerId{7}}));
  EXPECT_EQ((*probe)->answered(), 1U);
}

}  // namespace
}  // namespace tandem::server
