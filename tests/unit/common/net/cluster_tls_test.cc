#include "common/net/cluster_tls.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/net/channel_client.h"
#include "common/net/channel_server.h"

namespace tandem {
namespace {

ClusterKey key_of(std::uint8_t fill, UnixSeconds seals_from) {
  ClusterKey key;
  key.secret.fill(fill);
  key.seals_from = seals_from;
  return key;
}
const ClusterKey kOld = key_of(1, 0), kNew = key_of(2, 1000), kNext = key_of(3, 5000);

struct Silent final : ChannelHandler {
  void on_channel_open(Channel&) override {}
  void on_channel_message(Channel&, Message) override {}
  void on_channel_closed(Channel&, const Error&) override {}
};

// How many failures before one end with these keys reaches another with those, at a time.
unsigned failures_between(const ClusterKeys& connecting, const ClusterKeys& accepting,
                          UnixSeconds now) {
  EventLoop loop;
  Resolver resolver(loop);
  Silent silent;
  ChannelOptions here, there;
  here.self.name = "here";
  there.self.name = "there";
  ChannelServer server(loop, ClusterTls(accepting).accepting(), there, silent);
  EXPECT_TRUE(server.listen(SocketAddress::loopback(0)));
  const ClusterTls tls(connecting);
  unsigned asked = 0;
  ChannelClient client(
      loop, resolver, Random(1), Address{"127.0.0.1", server.address().port()},
      [&](unsigned failures) {
        asked = failures;
        return tls.connecting(now, failures);
      },
      here, silent, Backoff{1ms, 1ms});
  client.start();
  Timer look(loop, [&] {
    if (client.channel() != nullptr || asked > 5) return loop.stop();
    look.set_after(1ms);
  });
  look.set_after(1ms);
  loop.run();
  return asked;
}

TEST(ClusterTls, TheKeyThatSealsIsOfferedFirst) {
  const ClusterKeys both({kOld, kNew});
  EXPECT_EQ(failures_between(both, both, 1000), 0u);
  EXPECT_EQ(failures_between(both, ClusterKeys({kOld}), 999), 0u);
  EXPECT_EQ(failures_between(both, ClusterKeys({kNew}), 1000), 0u);
}

TEST(ClusterTls, AProcessThatHasTheNewKeyLaterIsReachedAllTheSame) {
  const ClusterKeys both({kOld, kNew});
  EXPECT_EQ(failures_between(both, ClusterKeys({kOld}), 1000), 1u);
  EXPECT_EQ(failures_between(ClusterKeys({kOld}), both, 1000), 0u);
}

TEST(ClusterTls, OneThatHasDroppedTheOldKeyToo) {
  const ClusterKeys three({kOld, kNew, kNext});
  EXPECT_EQ(failures_between(three, ClusterKeys({kNew, kNext}), 999), 1u);
  EXPECT_EQ(failures_between(three, ClusterKeys({kOld}), 5000), 2u);
  EXPECT_EQ(failures_between(ClusterKeys({kOld, kNew}), ClusterKeys({kNew, kNext}), 999), 1u);
}

TEST(ClusterTls, NoOtherClusterIsReached) {
  EXPECT_GT(failures_between(ClusterKeys({kOld, kNew}), ClusterKeys({kNext}), 1000), 5u);
}

}  // namespace
}  // namespace tandem
