// The links to balancers, with real channels, all on one loop.
#include "server/io/balancer_links.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "common/net/channel_server.h"

namespace tandem::server {
namespace {

const TlsPsk kKey{"k", std::string(32, 'k')};

// A balancer as far as its servers see it.
struct Balancer final : ChannelHandler {
  explicit Balancer(EventLoop& loop)
      : server(loop, TlsContext::psk_server({kKey}), options(), *this) {
    EXPECT_TRUE(server.listen(SocketAddress::loopback(0)));
  }
  static ChannelOptions options() {
    ChannelOptions made;
    made.self.name = "@lb";
    made.self.balancer = true;
    return made;
  }
  void on_channel_open(Channel& opened) override { channel = &opened; }
  void on_channel_message(Channel&, Message message) override {
    if (std::holds_alternative<Register>(message)) heard += "R";
    if (std::holds_alternative<ViewRequest>(message)) heard += "V";
    if (std::holds_alternative<Leave>(message)) heard += "L";
  }
  void on_channel_closed(Channel&, const Error&) override {}
  Channel* channel = nullptr;  // the last
  std::string heard;
  ChannelServer server;
};

struct Unmoved final : ViewFollower {
  void on_view(const ViewPtr&) override {}
  void on_drain(bool) override {}
};

struct BalancerLinksTest : ::testing::Test {
  void run_until(std::function<bool()> condition) {
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop, [&] {
      if (condition()) return loop.stop();
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop.run();
  }
  static NodeOptions node_options() {
    NodeOptions made;
    made.name = "a";
    return made;
  }
  EventLoop loop;
  Resolver resolver{loop};
  NodeDriver driver{loop, node_options()};
  Unmoved follower;
};

// It may know the server as online, from its directory: it would be taken for dead.
TEST_F(BalancerLinksTest, ABalancerThatIsRestartedInAServersLastSecondsIsToldThatItLeaves) {
  Balancer balancer(loop);
  BalancerLinksOptions options;
  options.self.name = "a";
  options.self.incarnation = 1;
  options.connecting = always(TlsContext::psk_client(kKey));
  options.balancers = {*Address::parse(balancer.server.address().text())};
  BalancerLinks links(loop, resolver, driver, follower, std::move(options));
  links.start();
  run_until([&] { return balancer.heard == "RV"; });
  links.leave();
  run_until([&] { return balancer.heard == "RVL"; });
  balancer.heard.clear();
  balancer.server.drop(*balancer.channel);
  run_until([&] { return !balancer.heard.empty() && balancer.heard.back() == 'V'; });
  EXPECT_EQ(balancer.heard, "RLV");
}

}  // namespace
}  // namespace tandem::server
