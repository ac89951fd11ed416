#include "lb/io/control.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/net/admin_server.h"
#include "common/net/channel_client.h"
#include "common/net/cluster_tls.h"

namespace tandem {
namespace {

ClusterKeys keys_of(std::uint8_t first) {
  ClusterKey key;
  key.secret[0] = first;
  return ClusterKeys({key});
}

// A tandem-server as far as the control wire and the health request go.
class FakeServer final : private ChannelHandler {
 public:
  FakeServer(EventLoop& loop, Resolver& resolver, const std::string& name, const Control& control,
             const ClusterKeys& keys, std::uint64_t incarnation = 1)
      : client_(loop, resolver, Random(1), Address{"127.0.0.1", control.address().port()},
                always(ClusterTls(keys).connecting(0, 0)), options(name, incarnation), *this) {
    auto opened = AdminServer::open(loop, SocketAddress::loopback(0), [this](const AdminRequest&) {
      return AdminResponse{well ? 200 : 503, "text/plain", "", {}};
    });
    EXPECT_TRUE(opened);
    data_ = std::move(*opened);
    client_.start();
  }
  void send(const Message& message) { client_.channel()->send(message); }
  void lose_connection() { client_.stop(); }
  void die() {
    data_.reset();
    client_.stop();
  }
  const View& view() const { return view_; }
  unsigned failures() const { return client_.failures(); }
  std::string refused;
  std::vector<StatusUpdate> statuses;
  bool draining = false;
  bool well = true;  // else it answers neither probes nor pings

 private:
  static ChannelOptions options(const std::string& name, std::uint64_t incarnation) {
    ChannelOptions options;
    options.self.name = name;
    options.self.incarnation = incarnation;
    return options;
  }
  void on_channel_open(Channel& channel) override {
    channel.send(Register{data_->address().text(), "127.0.0.1:1", "", "", {1, 0, 10, 8, 0, false}});
  }
  void on_channel_message(Channel& channel, Message message) override {
    const auto* ping = std::get_if<Ping>(&message);
    if (ping != nullptr && well) channel.send(Pong{ping->number, 0});
    const auto* look = std::get_if<Look>(&message);
    if (look != nullptr && well) channel.send(Looked{look->number, look->server, false});
    if (auto* update = std::get_if<ViewUpdate>(&message)) view_ = update->view;
    if (auto* status = std::get_if<StatusUpdate>(&message)) statuses.push_back(*status);
    if (auto* no = std::get_if<Refused>(&message)) refused = no->reason;
    if (auto* drain = std::get_if<Drain>(&message)) draining = drain->draining;
  }
  void on_channel_closed(Channel&, const Error&) override {}

  View view_;
  std::unique_ptr<AdminServer> data_;
  ChannelClient client_;
};

class ControlTest : public ::testing::Test, private Cluster::Audience {
 protected:
  ControlTest() {
    Cluster::Options options;
    options.membership.status_interval = 50ms;
    options.check.timeout = 5s;
    cluster_ = std::make_unique<Cluster>(loop_, resolver_, options,
                                         static_cast<Cluster::Audience&>(*this));
    control_ = std::make_unique<Control>(loop_, ClusterTls(keys_of(1)).accepting(),
                                         balancer_hello(7, 1), *cluster_);
    EXPECT_TRUE(control_->listen(SocketAddress::loopback(0)));
  }
  FakeServer& server(const std::string& name, std::uint8_t key = 1, std::uint64_t incarnation = 1) {
    servers_.push_back(
        std::make_unique<FakeServer>(loop_, resolver_, name, *control_, keys_of(key), incarnation));
    return *servers_.back();
  }
  bool online(const std::string& name) const {
    const ServerRecord* record = view_ ? view_->view->find(ServerId::of(name)) : nullptr;
    return record != nullptr && record->online;
  }
  // Runs until `holds`; false if it does not within a generous time.
  bool until(const std::function<bool()>& holds) {
    bool held = false;
    std::unique_ptr<Timer> look;
    const Instant end = loop_.now() + 20s;
    look = std::make_unique<Timer>(loop_, [&] {
      held = holds();
      if (held || loop_.now() > end) return loop_.stop();
      look->set_after(1ms);
    });
    look->set_after(0ms);
    loop_.run();
    return held;
  }

  EventLoop loop_;
  Resolver resolver_{loop_};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Control> control_;
  std::vector<std::unique_ptr<FakeServer>> servers_;
  RoutedViewPtr view_;
  std::vector<StatusUpdate> statuses_;

 private:
  void on_view(RoutedViewPtr view) override { view_ = std::move(view); }
  void on_status(const StatusUpdate& update) override { statuses_.push_back(update); }
};

TEST_F(ControlTest, ServersRegisterAndAllAreToldTheView) {
  FakeServer& a = server("a");
  FakeServer& b = server("b");
  ASSERT_TRUE(until([&] { return a.view().servers.size() == 2 && b.view().servers.size() == 2; }));
  EXPECT_TRUE(online("a"));
  EXPECT_EQ(view_->addresses[0].text(), view_->view->servers[0].data_address);
  EXPECT_EQ(control_->connections(), 2U);
}

TEST_F(ControlTest, AStatusReachesTheOthersAndTheWorkers) {
  FakeServer& a = server("a");
  FakeServer& b = server("b");
  ASSERT_TRUE(until([&] { return b.view().servers.size() == 2; }));
  a.send(StatusReport{{2, 7, 10, 8, 0, false}});
  ASSERT_TRUE(until([&] { return !b.statuses.empty() && !statuses_.empty(); }));
  EXPECT_EQ(b.statuses.back().entries.front().status.primaries, 7U);
}

TEST_F(ControlTest, AServerThatDiesIsOfflineAndTheOthersAreTold) {
  FakeServer& a = server("a");
  FakeServer& b = server("b");
  ASSERT_TRUE(until([&] { return b.view().servers.size() == 2; }));
  Cluster::Options options;
  options.membership.status_interval = 1h;  // so that it is known by its connection's end alone
  ASSERT_TRUE(cluster_->configure(options, {}));
  a.die();
  ASSERT_TRUE(until([&] { return !online("a"); }));
  ASSERT_TRUE(until([&] { return !b.view().servers[0].online; }));
  EXPECT_TRUE(online("b"));
}

TEST_F(ControlTest, AServerThatOnlyLosesItsConnectionStaysOnline) {
  FakeServer& a = server("a");
  ASSERT_TRUE(until([&] { return online("a"); }));
  a.lose_connection();
  ASSERT_TRUE(until([&] { return control_->connections() == 0; }));
  const std::uint64_t probes = cluster_->checker().started();
  ASSERT_TRUE(until([&] { return cluster_->checker().started() > probes + 3; }));
  EXPECT_TRUE(online("a"));
}

TEST_F(ControlTest, ASilentServerWhoseProbeFailsIsOffline) {
  FakeServer& a = server("a");
  server("b");  // the witness
  ASSERT_TRUE(until([&] { return online("a") && online("b"); }));
  a.well = false;
  ASSERT_TRUE(until([&] { return !online("a"); }));
  EXPECT_TRUE(online("b"));
  EXPECT_EQ(control_->connections(), 2U);
}

TEST_F(ControlTest, TheNameOfALivingServerIsRefused) {
  FakeServer& a = server("a");
  ASSERT_TRUE(until([&] { return online("a"); }));
  FakeServer& other = server("a", 1, 2);
  // The first reports, as servers do; else it would be silent after three intervals.
  std::uint64_t sequence = 1;
  ASSERT_TRUE(until([&] {
    a.send(StatusReport{{++sequence, 0, 10, 8, 0, false}});
    return !other.refused.empty();
  }));
  EXPECT_EQ(other.refused, "a server of this name is registered and alive");
  EXPECT_TRUE(online("a"));
}

TEST_F(ControlTest, AnotherKeyIsNoMember) {
  FakeServer& stranger = server("a", 2);
  ASSERT_TRUE(until([&] { return stranger.failures() > 0; }));
  EXPECT_EQ(control_->connections(), 0U);
  EXPECT_TRUE(view_ == nullptr || view_->view->servers.empty());
}

TEST_F(ControlTest, OtherKeysAreInForceForThoseWhoComeNext) {
  server("a");
  ASSERT_TRUE(until([&] { return online("a"); }));
  control_->set_context(ClusterTls(keys_of(2)).accepting());
  server("b", 2);
  ASSERT_TRUE(until([&] { return online("b"); }));
  EXPECT_TRUE(online("a"));
}

TEST_F(ControlTest, DrainReachesTheServer) {
  FakeServer& a = server("a");
  ASSERT_TRUE(until([&] { return online("a"); }));
  EXPECT_EQ(cluster_->set_drain("a", true), DrainOrder::kTaken);
  EXPECT_TRUE(until([&] { return a.draining; }));
  EXPECT_EQ(cluster_->set_drain("nobody", true), DrainOrder::kUnknown);
}

}  // namespace
}  // namespace tandem
