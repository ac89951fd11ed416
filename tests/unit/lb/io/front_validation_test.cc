// Whole-cache validations at the front: the one reserved path that clients may ask for.
#include <gtest/gtest.h>

#include "common/session/validation.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontValidation : public FrontTest {
 protected:
  static std::string post(const std::string& fields, const std::string& body = "body") {
    return "POST " + std::string(kValidationPath) + " HTTP/1.1\r\nHost: site\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string session(const std::string& token) {
    return "Tandem-Session: " + token + "\r\nTandem-Cache: 0123456789abcdef\r\n";
  }
  std::string ask(const std::string& request) {
    Peer client = this->client();
    client.send(request);
    return client.read_response();
  }
  Origin a_{"a", ServerKind::kTandem};
  Origin b_{"b", ServerKind::kTandem};
  Origin plain_{"plain"};
};

TEST_F(FrontValidation, GoesToTheSessionsPrimary) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(post(session(token(b_, &a_))));
  Peer server = b_.accept();
  const std::string head = server.read_head();
  EXPECT_TRUE(head.starts_with("POST /.well-known/tandem/validate HTTP/1.1\r\n")) << head;
  EXPECT_EQ(field(head, "Tandem-Cache"), "0123456789abcdef");
  EXPECT_EQ(server.read(4), "body");
  server.send(ok("answer"));
  EXPECT_TRUE(client.read_response().ends_with("answer"));
}

// POST is not idempotent by name, but this one may be sent again: no byte of it changes anything.
TEST_F(FrontValidation, IsTakenOverLikeAnIdempotentRequest) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(post(session(token(a_, &b_))));
  Peer server = a_.accept();
  EXPECT_NE(server.read_head(), "");
  EXPECT_EQ(server.read(4), "body");
  server.reset();
  Peer alternate = b_.accept();
  const std::string head = alternate.read_head();
  EXPECT_EQ(opened(field(head, "Tandem-Session")).flags, kTakeover);
  EXPECT_EQ(alternate.read(4), "body");
  alternate.send(ok("x"));
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 200"));
}

TEST_F(FrontValidation, IsForTheSessionsOfTheLibraryAlone) {
  start({&a_, &plain_});
  const std::string good = token(a_);
  EXPECT_TRUE(ask(post("")).starts_with("HTTP/1.1 400")) << "no session";
  EXPECT_TRUE(ask(post(session("junk"))).starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(ask(post(session(token(a_, nullptr, 3600)))).starts_with("HTTP/1.1 400")) << "old";
  EXPECT_TRUE(ask(post("Cookie: tandem=" + good + "\r\n")).starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(ask(post(session(token(plain_)))).starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(ask(get(kValidationPath, session(good))).starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(ask(get("/.well-known/tandem/health", session(good))).starts_with("HTTP/1.1 404"));
  EXPECT_FALSE(a_.asked());
  EXPECT_FALSE(plain_.asked());
}

}  // namespace
}  // namespace tandem
