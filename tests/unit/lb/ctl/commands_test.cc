#include "lb/ctl/commands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <sstream>
#include <thread>

#include "common/net/admin_server.h"
#include "lb/ctl/admin_client.h"

namespace tandem {
namespace {

// An admin listener that says what it was asked.
class CommandsTest : public ::testing::Test {
 protected:
  CommandsTest() {
    auto opened =
        AdminServer::open(loop_, SocketAddress::loopback(0), [this](const AdminRequest& r) {
          if (r.path == "/drain" && r.method == "GET") {
            const std::size_t asked = asked_++;
            return AdminResponse{
                200, "text/plain", progress_.at(std::min(asked, progress_.size() - 1)) + "\n", {}};
          }
          if (event_lines_) {  // one event each time
            return AdminResponse{200,
                                 "text/plain",
                                 std::to_string(++asked_) + "\t" + r.path + "?" + r.query + "\n",
                                 {}};
          }
          return AdminResponse{status_,
                               "text/plain",
                               std::string(r.method) + " " + r.path + "?" + r.query + "\n",
                               {}};
        });
    EXPECT_TRUE(opened);
    server_ = std::move(*opened);
    url_ = "http://" + server_->address().text();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~CommandsTest() override {
    loop_.stop();
    thread_.join();
  }
  CtlStreams streams() { return {out_, err_}; }

  EventLoop loop_;
  std::unique_ptr<AdminServer> server_;
  std::thread thread_;
  std::atomic<int> status_{200};
  std::atomic<bool> event_lines_{false};
  std::vector<std::string> progress_{"drained 0"};  // set before it is asked for
  std::atomic<std::size_t> asked_{0};
  std::string url_;
  std::ostringstream out_, err_;
};

TEST_F(CommandsTest, StatusAsksForATableOrJson) {
  EXPECT_EQ(run_status(url_, false, streams()), 0);
  EXPECT_EQ(run_status(url_ + "/", true, streams()), 0);
  EXPECT_EQ(out_.str(), "GET /status?format=table\nGET /status?\n");
}

TEST_F(CommandsTest, ServersRingAndEventsAskForATableOrJson) {
  EXPECT_EQ(run_servers(url_, false, streams()), 0);
  EXPECT_EQ(run_ring(url_, true, streams()), 0);
  EXPECT_EQ(run_events(url_, {}, streams()), 0);
  EXPECT_EQ(run_events(url_, {.json = true}, streams()), 0);
  EXPECT_EQ(out_.str(),
            "GET /servers?format=table\nGET /ring?\nGET /events?format=table\nGET /events?\n");
}

TEST_F(CommandsTest, VerifySaysWhetherTheServerAnswers) {
  EXPECT_EQ(run_verify(url_, "a", false, streams()), 0);
  status_ = 504;
  EXPECT_EQ(run_verify(url_, "b", true, streams()), 1);
  EXPECT_EQ(out_.str(), "POST /verify?server=a\nPOST /verify?server=b&format=json\n");
  EXPECT_EQ(err_.str(), "");
  status_ = 404;
  EXPECT_EQ(run_verify(url_, "c", false, streams()), 1);
  EXPECT_NE(err_.str(), "");
}

TEST_F(CommandsTest, FollowingAsksForWhatCameSince) {
  event_lines_ = true;
  EXPECT_EQ(run_events(url_, {.follow = true, .interval = 1ms, .polls_max = 3}, streams()), 0);
  EXPECT_EQ(out_.str(),
            "/events?format=table&cursor=true&after=0\n"
            "/events?format=table&cursor=true&after=1\n"
            "/events?format=table&cursor=true&after=2\n");
}

TEST_F(CommandsTest, DrainNamesTheServer) {
  EXPECT_EQ(run_drain(url_, "a b", {.wait = false}, streams()), 0);
  EXPECT_EQ(run_drain(url_, "a", {.off = true}, streams()), 0);
  EXPECT_EQ(out_.str(), "POST /drain?server=a%20b&on=true\nPOST /drain?server=a&on=false\n");
}

TEST_F(CommandsTest, DrainShowsWhatIsLeftUntilNothingIs) {
  progress_ = {"draining 12", "draining 12", "draining 5", "drained 0"};
  EXPECT_EQ(run_drain(url_, "a", {.interval = 1ms}, streams()), 0);
  EXPECT_EQ(out_.str(),
            "POST /drain?server=a&on=true\na: 12 sessions left\na: 5 sessions left\n"
            "a: 0 sessions left\na is drained\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CommandsTest, DrainRedrawsOneLineOnATerminal) {
  progress_ = {"draining 12", "drained 0"};
  EXPECT_EQ(run_drain(url_, "a", {.redraw = true, .interval = 1ms}, streams()), 0);
  EXPECT_EQ(out_.str(),
            "POST /drain?server=a&on=true\n\ra: 12 sessions left\x1b[K"
            "\ra: 0 sessions left\x1b[K\na is drained\n");
}

TEST_F(CommandsTest, DrainSaysAtTheDeadlineHowManyAreLeft) {
  progress_ = {"draining 12"};
  EXPECT_EQ(run_drain(url_, "a", {.deadline = 3ms, .interval = 1ms}, streams()), 1);
  EXPECT_EQ(err_.str(),
            "tandemctl: the deadline has passed: 12 sessions are left on a, which goes on "
            "draining\n");
}

TEST_F(CommandsTest, DrainOfAServerThatIsGoneOrTakenBackFails) {
  progress_ = {"offline 3"};
  EXPECT_EQ(run_drain(url_, "a", {}, streams()), 1);
  asked_ = 0;
  progress_ = {"online 3"};
  EXPECT_EQ(run_drain(url_, "a", {}, streams()), 1);
  EXPECT_EQ(err_.str(), "tandemctl: a is offline\ntandemctl: a was taken back\n");
  asked_ = 0;
  progress_ = {"left 0"};
  EXPECT_EQ(run_drain(url_, "a", {}, streams()), 0) << "an orderly shutdown";
}

TEST_F(CommandsTest, ExplainTellsASessionFromAToken) {
  const std::string session(32, 'a');
  EXPECT_EQ(run_explain(url_, session, false, streams()), 0);
  EXPECT_EQ(run_explain(url_, "some_token", true, streams()), 0);
  EXPECT_EQ(run_explain_death(url_, "a", false, streams()), 0);
  EXPECT_EQ(out_.str(), "GET /explain?session=" + session +
                            "&format=table\nGET /explain?token=some_token\n"
                            "GET /explain?if_dies=a&format=table\n");
}

TEST_F(CommandsTest, ARefusalIsSaidAndFails) {
  status_ = 422;
  EXPECT_EQ(run_reload(url_, streams()), 1);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(), "tandemctl: the balancer refuses:\nPOST /reload?\n");
}

TEST_F(CommandsTest, NobodyThereIsSaidAndFails) {
  EXPECT_EQ(run_reload("nonsense", streams()), 1);
  EXPECT_EQ(err_.str(), "tandemctl: \"nonsense\" is not http://HOST:PORT\n");
  err_.str("");
  const Descriptor held(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SocketAddress at = SocketAddress::loopback(0);
  ASSERT_EQ(::bind(held.get(), at.raw(), at.size()), 0);  // bound, but nobody listens
  const std::string address = SocketAddress::local_of(held.get()).text();
  EXPECT_EQ(run_reload(address, streams()), 1);
  EXPECT_EQ(err_.str(), "tandemctl: cannot connect to " + address + ": Connection refused\n");
}

TEST_F(CommandsTest, KeygenRefusesToOverwrite) {
  std::string pattern = ::testing::TempDir() + "tandem-ctl-XXXXXX";
  const std::string folder = ::mkdtemp(pattern.data());
  EXPECT_EQ(run_keygen(folder + "/k", streams()), 0);
  EXPECT_EQ(run_keygen(folder + "/k", streams()), 1);
  EXPECT_EQ(err_.str(), "tandemctl: cannot make key file " + folder + "/k: File exists\n");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tandem
