#include "lb/io/check.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <map>
#include <optional>
#include <string>

#include "common/net/admin_server.h"
#include "common/net/http_server.h"

namespace tandem {
namespace {

// A server that answers as `status_` says; `frozen_` listens, and its kernel accepts, no more.
class CheckTest : public ::testing::Test {
 protected:
  CheckTest() {
    auto opened =
        AdminServer::open(loop_, SocketAddress::loopback(0), [this](const AdminRequest& r) {
          asked_ = r.path;
          return AdminResponse{status_, "text/plain", "", {}};
        });
    EXPECT_TRUE(opened);
    server_ = std::move(*opened);
    frozen_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    SocketAddress any = SocketAddress::loopback(0);
    EXPECT_EQ(::bind(frozen_.get(), any.raw(), any.size()), 0);
    EXPECT_EQ(::listen(frozen_.get(), 8), 0);
  }
  std::string frozen_address() const { return SocketAddress::local_of(frozen_.get()).text(); }

  // The detail of a failed check, "" of a good one.
  std::string check(ServerKind kind, const std::string& address, const std::string& path = "",
                    Duration timeout = 5s) {
    std::optional<std::string> result;
    Checker checker(
        loop_, resolver_, {timeout, path, shortage_most_},
        [&](ServerId server, std::uint64_t serial, ProbeResult outcome, const std::string& d) {
          EXPECT_EQ(server, ServerId::of("a"));
          EXPECT_EQ(serial, 7U);
          EXPECT_EQ(outcome == ProbeResult::kAnswered, d.empty());
          refused_ = outcome == ProbeResult::kRefused;
          result = d;
          loop_.stop();
        });
    checker.start({ServerId::of("a"), kind, address, 7});
    loop_.run();
    return result.value_or("not called");
  }

  EventLoop loop_;
  Resolver resolver_{loop_};
  std::unique_ptr<AdminServer> server_;
  Descriptor frozen_;
  int status_ = 200;
  Duration shortage_most_ = 10s;
  bool refused_ = false;
  std::string asked_;
};

TEST_F(CheckTest, ATandemServerIsAskedForItsHealth) {
  EXPECT_EQ(check(ServerKind::kTandem, server_->address().text()), "");
  EXPECT_EQ(asked_, "/.well-known/tandem/health");
  status_ = 503;
  EXPECT_EQ(check(ServerKind::kTandem, server_->address().text()), "it answered 503");
  EXPECT_FALSE(refused_);
}

// Somebody who says their name with each answer.
struct Named final : HttpServerHandler {
  void on_request(HttpExchange& exchange, const http::RequestHead&, const http::Framing&) override {
    exchange.respond(status, "Tandem-Server: " + name + "\r\n", "");
  }
  std::string name;
  int status = 200;
};

TEST_F(CheckTest, AnAnswerOfAnotherTandemServerIsNobodysWhoWasMeant) {
  Named named;
  HttpServer server(loop_, {}, named);
  const auto at = server.listen(SocketAddress::loopback(0));
  ASSERT_TRUE(at);
  named.name = "a";
  EXPECT_EQ(check(ServerKind::kTandem, at->text()), "");
  named.name = "b";
  EXPECT_EQ(check(ServerKind::kTandem, at->text()), "another server answers there: b");
  EXPECT_TRUE(refused_);
  named.status = 503;
  EXPECT_EQ(check(ServerKind::kTandem, at->text()), "another server answers there: b");
  named.status = 200;
  EXPECT_EQ(check(ServerKind::kPlain, at->text(), "/"), "") << "of a plain server it is a field";
}

TEST_F(CheckTest, ATandemServerThatIsFullLives) {
  struct Nobody final : HttpServerHandler {
    void on_request(HttpExchange&, const http::RequestHead&, const http::Framing&) override {}
  } nobody;
  HttpServer full(loop_, HttpServerOptions{.connections_max = 0}, nobody);
  EXPECT_EQ(check(ServerKind::kTandem, full.listen(SocketAddress::loopback(0))->text()), "");
  EXPECT_EQ(full.refused(), 1u);
}

// While no descriptor is left here, nothing is said of the server; afterwards it is asked again.
TEST_F(CheckTest, AShortageHereIsNoFailureThere) {
  ASSERT_EQ(check(ServerKind::kPlain, server_->address().text()), "");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  Timer relief(loop_, [&] { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0); });
  relief.set_after(Checker::kShortagePause + 20ms);
  EXPECT_EQ(check(ServerKind::kPlain, server_->address().text()), "");
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

// Verdicts on others may wait for the answer.
TEST_F(CheckTest, AShortageThatLastsIsAFailure) {
  ASSERT_EQ(check(ServerKind::kPlain, server_->address().text()), "");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  shortage_most_ = 150ms;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::string detail = check(ServerKind::kPlain, server_->address().text());
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_NE(detail.find("Too many open files"), std::string::npos) << detail;
  EXPECT_FALSE(refused_);
}

// As many as a zone that is gone has; nobody there says a word.
TEST_F(CheckTest, AVerificationDoesNotWaitForProbesThatMayTakeLong) {
  std::vector<std::uint64_t> results;
  Checker checker(loop_, resolver_, {60s, ""},
                  [&](ServerId, std::uint64_t serial, ProbeResult, const std::string&) {
                    results.push_back(serial);
                    loop_.stop();
                  });
  const std::uint64_t many = 2 * Checker::kUnderWayMax;
  for (std::uint64_t i = 0; i < many; ++i) {
    checker.start({ServerId::of("a"), ServerKind::kTandem, frozen_address(), i + 1});
  }
  EXPECT_EQ(checker.started(), Checker::kPatientMax);
  checker.start({ServerId::of("b"), ServerKind::kTandem, server_->address().text(), many + 1, 5s});
  EXPECT_EQ(checker.started(), Checker::kPatientMax + 1);
  loop_.run();
  EXPECT_EQ(results, std::vector<std::uint64_t>{many + 1});
}

TEST_F(CheckTest, APlainServerIsAskedForThePath) {
  status_ = 302;
  EXPECT_EQ(check(ServerKind::kPlain, server_->address().text(), "/health"), "");
  EXPECT_EQ(asked_, "/health");
  status_ = 404;
  EXPECT_EQ(check(ServerKind::kPlain, server_->address().text(), "/health"), "it answered 404");
}

TEST_F(CheckTest, WithoutAPathAConnectIsEnough) {
  EXPECT_EQ(check(ServerKind::kPlain, frozen_address()), "");
  EXPECT_EQ(asked_, "");
}

TEST_F(CheckTest, AFrozenServerFails) {
  EXPECT_EQ(check(ServerKind::kTandem, frozen_address(), "", 30ms), "no answer within 30 ms");
}

TEST_F(CheckTest, ARefusedConnectionFails) {
  const std::string address = frozen_address();
  frozen_.reset();
  const std::string detail = check(ServerKind::kTandem, address);
  EXPECT_NE(detail.find("Connection refused"), std::string::npos) << detail;
  EXPECT_TRUE(refused_);
}

TEST_F(CheckTest, ANameIsResolved) {
  const std::string port = std::to_string(server_->address().port());
  EXPECT_EQ(check(ServerKind::kTandem, "localhost:" + port), "");
}

TEST_F(CheckTest, AnAddressThatIsNoneFails) {
  EXPECT_EQ(check(ServerKind::kTandem, "nonsense"), "its address cannot be understood");
}

TEST_F(CheckTest, MoreThanTheBoundWaitForTheirTurn) {
  std::map<std::uint64_t, bool> results;
  const std::size_t wanted = Checker::kUnderWayMax + 20;
  Checker checker(loop_, resolver_, {5s, ""},
                  [&](ServerId, std::uint64_t serial, ProbeResult outcome, const std::string&) {
                    results[serial] = outcome == ProbeResult::kAnswered;
                    if (results.size() == wanted) loop_.stop();
                  });
  for (std::uint64_t i = 0; i < wanted; ++i) {
    checker.start({ServerId::of("a"), ServerKind::kPlain, server_->address().text(), i + 1});
  }
  loop_.run();
  EXPECT_EQ(checker.started(), wanted);
  EXPECT_EQ(checker.failed(), 0U);
}

}  // namespace
}  // namespace tandem
