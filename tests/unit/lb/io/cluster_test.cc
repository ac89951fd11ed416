// The cluster with its real checker, on one loop.
#include "lb/io/cluster.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "common/net/descriptor.h"

namespace tandem {
namespace {

struct Deafened final : Cluster::Audience {
  void on_view(RoutedViewPtr) override {}
  void on_status(const StatusUpdate&) override {}
};

struct Above final : Cluster::Upward {
  void on_seen(std::uint64_t) override {}
  void on_status_seen(const StatusUpdate&) override {}
  void on_failure(const FailureReport& report) override { failures.push_back(report); }
  std::vector<FailureReport> failures;
};

// A socket that listens and answers nothing; its kernel accepts.
struct Frozen {
  Frozen() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const SocketAddress any = SocketAddress::loopback(0);
    EXPECT_EQ(::bind(socket.get(), any.raw(), any.size()), 0);
    EXPECT_EQ(::listen(socket.get(), 8), 0);
  }
  std::string address() const { return SocketAddress::local_of(socket.get()).text(); }
  Descriptor socket;
};

struct ClusterTest : ::testing::Test {
  // What an administrator is told of the server; empty if it answered.
  std::string verify(const std::string& name) {
    std::optional<std::string> result;
    EXPECT_TRUE(cluster.verify(name, [&](bool answered, const std::string& detail) {
      EXPECT_EQ(answered, detail.empty());
      result = detail;
      loop.stop();
    }));
    loop.run();
    return result.value_or("not called");
  }
  static Cluster::Options options(Duration timeout) {
    Cluster::Options made;
    made.check.timeout = timeout;
    return made;
  }

  EventLoop loop;
  Resolver resolver{loop};
  Deafened audience;
  Frozen frozen;
  Cluster cluster{loop, resolver, options(30ms), audience};
};

TEST_F(ClusterTest, WhoDoesNotAnswerAnAdministratorIsReportedToTheMaster) {
  Above above;
  cluster.set_upward(&above);
  ServerRecord record;
  record.id = ServerId::of("m");
  record.name = "m";
  record.data_address = frozen.address();
  record.online = true;
  cluster.follow(View{500, 2, {record}, 7, false});
  EXPECT_EQ(verify("m"), "no answer within 30 ms");
  ASSERT_EQ(above.failures.size(), 1U);
  EXPECT_EQ(above.failures[0].suspect, ServerId::of("m"));
  EXPECT_EQ(above.failures[0].seen, Seen::kUnknown);
}

// What is passed on is a witness's word only if it would be one here.
TEST_F(ClusterTest, TheWordOfAServerThatIsSuspectedIsPassedOnAsAReasonToLook) {
  Above above;
  cluster.set_upward(&above);
  for (const ConnectionId from : {1, 2}) {
    const std::string name = from == 1 ? "a" : "b";
    cluster.on_message(from, Hello{.name = name, .incarnation = 1});
    cluster.on_message(from, Register{frozen.address(), "", "", "", {}});
  }
  cluster.on_message(2, FailureReport{ServerId::of("a"), 1, Seen::kSilent});
  cluster.on_message(1, FailureReport{ServerId::of("b"), 1, Seen::kSilent});
  ASSERT_EQ(above.failures.size(), 2U);
  EXPECT_EQ(above.failures[0].seen, Seen::kSilent);
  EXPECT_EQ(above.failures[1].seen, Seen::kUnknown) << "b accuses it";
}

TEST_F(ClusterTest, ChecksGoOnAsBeforeWhenAConfIsRefused) {
  cluster.on_message(1, Hello{.name = "a", .incarnation = 1});
  cluster.on_message(1, Register{frozen.address(), "", "", "", {}});
  EXPECT_FALSE(cluster.configure(options(300ms), {{"a", "x:80", 100, 80, ""}}));
  EXPECT_EQ(verify("a"), "no answer within 30 ms");
  ASSERT_TRUE(cluster.configure(options(50ms), {}));
  EXPECT_EQ(verify("a"), "no answer within 50 ms");
}

}  // namespace
}  // namespace tandem
