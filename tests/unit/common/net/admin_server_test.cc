#include "common/net/admin_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <thread>

namespace tandem {
namespace {

AdminResponse answer(const AdminRequest& r) {
  if (r.path == "/large") return {200, "text/plain", std::string(8 << 20, 'x'), {}};
  if (r.path != "/echo") return {404, "text/plain", "no\n", {}};
  return {200, "text/plain", std::string(r.method) + " " + r.query + " " + r.parameter("name"), {}};
}

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() {
    // /late and /never keep the client waiting, all else is answered at once.
    auto opened = AdminServer::open(loop_, SocketAddress::loopback(0),
                                    [this](const AdminRequest& r, AdminServer::Reply reply) {
                                      if (r.path != "/late" && r.path != "/never") {
                                        return reply(answer(r));
                                      }
                                      replies_.push_back(std::move(reply));
                                      if (r.path == "/late") late_.set_after(1ms);
                                      if (r.path == "/never") loop_.stop();
                                    });
    EXPECT_TRUE(opened) << opened.error().message;
    server_ = std::move(*opened);
  }

  // Sends all of `request`, ends its side and returns all that comes back.
  std::string talk(const std::string& request) {
    std::string answer;
    std::thread client([&] {
      Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(::connect(fd.get(), server_->address().raw(), server_->address().size()), 0);
      EXPECT_EQ(::send(fd.get(), request.data(), request.size(), 0),
                static_cast<ssize_t>(request.size()));
      ::shutdown(fd.get(), SHUT_WR);
      char bytes[4096];
      for (ssize_t n; (n = ::recv(fd.get(), bytes, sizeof bytes, 0)) > 0;) answer.append(bytes, n);
      loop_.post([this] { loop_.stop(); });
    });
    loop_.run();
    client.join();
    return answer;
  }
  static std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }

  EventLoop loop_;
  std::vector<AdminServer::Reply> replies_;
  Timer late_{loop_, [this] {
                for (const auto& reply : replies_) reply({200, "text/plain", "at last", {}});
              }};
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, AnswersAndDecodesParameters) {
  const std::string answer =
      talk("GET /echo?x=1&name=a%20b+c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.rfind("HTTP/1.1 200 OK\r\n", 0), 0U) << answer;
  EXPECT_EQ(body_of(answer), "GET x=1&name=a%20b+c a b c");
}

TEST_F(AdminServerTest, AnswersOneAfterTheOtherOnAConnection) {
  const std::string answer =
      talk("POST /echo?name=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(answer.find("POST name=1 1HTTP/1.1 404 Not Found"), std::string::npos) << answer;
}

TEST_F(AdminServerTest, AnswersLargerThanTheSocketsBuffer) {
  EXPECT_EQ(body_of(talk("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")).size(), 8U << 20);
}

TEST_F(AdminServerTest, AnAnswerMayComeLaterButOnlyOnce) {
  EXPECT_EQ(body_of(talk("GET /late HTTP/1.1\r\nHost: x\r\n\r\n")), "at last");
  replies_.front()({500, "text/plain", "again", {}});
}

TEST_F(AdminServerTest, AnAnswerThatComesAfterTheClientOrTheServerHasGoneIsLost) {
  const Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(fd.get(), server_->address().raw(), server_->address().size()), 0);
  const std::string request = "GET /never HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), 0), std::ssize(request));
  loop_.run();
  ASSERT_EQ(replies_.size(), 1U);
  server_.reset();
  replies_.front()({200, "text/plain", "nobody hears it", {}});
}

TEST_F(AdminServerTest, HeadHasNoBody) {
  EXPECT_EQ(body_of(talk("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n")), "");
}

TEST_F(AdminServerTest, WhatIsNotHttpIsRefused) {
  EXPECT_EQ(talk("nonsense\r\n\r\n").rfind("HTTP/1.1 400", 0), 0U);
  EXPECT_EQ(talk("GET /" + std::string(20000, 'x')).rfind("HTTP/1.1 414", 0), 0U);
}

TEST_F(AdminServerTest, AWebPageCannotSendAnAdministratorsWishes) {
  EXPECT_EQ(talk("POST /echo HTTP/1.1\r\nHost: x\r\nOrigin: http://evil\r\n\r\n")
                .rfind("HTTP/1.1 403", 0),
            0U);
  EXPECT_EQ(talk("POST /echo HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: cross-site\r\n\r\n")
                .rfind("HTTP/1.1 403", 0),
            0U);
}

TEST_F(AdminServerTest, ConnectionsAreForgottenWhenTheyEnd) {
  talk("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  loop_.defer([this] { loop_.stop(); });
  loop_.run();
  EXPECT_EQ(server_->connections(), 0U);
}

}  // namespace
}  // namespace tandem
