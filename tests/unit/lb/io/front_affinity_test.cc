// Sessions at the front, where an application's own header carries the tokens, and where sessions
// are lost.
#include "lb/io/front.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontAffinity : public FrontTest {
 protected:
  FrontAffinity() { options_.affinity.header = "Mcp-Session-Id"; }
  static std::string id(const std::string& value, const std::string& token) {
    return "Mcp-Session-Id: " + value + ";tandem=" + token + "\r\n";
  }
  // The token in a response's header, whose value without it is `value`.
  static std::string token_in(const std::string& head, const std::string& value) {
    const std::string got = field(head, "Mcp-Session-Id");
    EXPECT_TRUE(got.starts_with(value + ";tandem=")) << head;
    EXPECT_EQ(field(head, "Set-Cookie"), "");
    return got.substr(std::min(got.size(), value.size() + 8));
  }
  Origin a_{"a", ServerKind::kTandem};
  Origin b_{"b", ServerKind::kTandem};
  Origin app_{"app"};
  Origin other_{"other"};
};

TEST_F(FrontAffinity, ATandemServersTokenGoesOutInTheHeaderAndLasts) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/", "Mcp-Session-Id: of-somebody-else\r\n"));
  Peer server = a_.accept();
  const std::string first = server.read_head();
  EXPECT_EQ(opened(field(first, "Tandem-Session")).flags, kNewSession);
  EXPECT_EQ(field(first, "Mcp-Session-Id"), "of-somebody-else");
  server.send(ok("x", "Mcp-Session-Id: 42\r\nTandem-Session: " + token(a_, &b_) + "\r\n"));
  const std::string response = client.read_response();
  const std::string given = token_in(response, "42");
  EXPECT_EQ(opened(given).flags, kLasting);
  EXPECT_EQ(opened(given).alternate, b_.id());
  EXPECT_EQ(field(response, "Cache-Control"), "private");
  EXPECT_EQ(field(response, "Tandem-Session"), "");

  client.send(get("/", id("42", given)));
  const std::string second = server.read_head();
  EXPECT_EQ(field(second, "Mcp-Session-Id"), "42");
  EXPECT_EQ(field(second, "Tandem-Session"), given);
  // Clients take the last value for theirs: it never comes without a token.
  server.send(ok("x", "Mcp-Session-Id: 42\r\n"));
  EXPECT_EQ(token_in(client.read_response(), "42"), given);
  client.send(get("/", id("42", given)));
  server.read_head();
  server.send(ok("x", "Tandem-Session: " + token(a_) + "\r\n"));  // no header: nowhere to go
  const std::string without = client.read_response();
  EXPECT_EQ(without.find("andem="), std::string::npos);
  EXPECT_EQ(field(without, "Cache-Control"), "");
}

TEST_F(FrontAffinity, ATokenOfAnyAgeFindsItsServer) {
  start({&a_, &b_});
  const std::string old = token(b_, &a_, 50 * options_.token_ttl, kLasting);
  Peer client = this->client();
  client.send(get("/", id("x", old)));
  Peer server = b_.accept();
  EXPECT_EQ(field(server.read_head(), "Tandem-Session"), old);
  // One that was not made to last expires here, too.
  server.send(ok("x"));
  client.read_response();
  EXPECT_EQ(counts().tokens_bad.value(), 0u);
  forget(a_);
  client.send(get("/", id("x", token(b_, &a_, 2 * options_.token_ttl))));
  EXPECT_EQ(opened(field(server.read_head(), "Tandem-Session")).flags, kNewSession);
  EXPECT_EQ(counts().tokens_bad.value(), 1u);
}

TEST_F(FrontAffinity, APlainServersSessionIsCountedOnceAndRenewedWhereTheHeaderComes) {
  start({&app_, &other_});
  Peer client = this->client();
  const std::string kept = token(app_, &other_, options_.token_ttl / 2 + 10, kLasting);
  client.send(get("/", id("7", kept)));
  Peer server = app_.accept();
  EXPECT_EQ(field(server.read_head(), "Mcp-Session-Id"), "7");
  server.send(ok("x"));  // without the header there is no occasion
  EXPECT_EQ(client.read_response().find("tandem="), std::string::npos);
  EXPECT_EQ(counts().tokens_sealed.value(), 0u);
  client.send(get("/", id("7", kept)));
  server.read_head();
  server.send(ok("x", "Mcp-Session-Id: 7\r\n"));
  const SessionToken renewed = opened(token_in(client.read_response(), "7"));
  EXPECT_GE(renewed.issued, now() - 5);
  EXPECT_EQ(renewed.flags, kLasting);
  EXPECT_TRUE(comes_true([&] { return !sessions_.empty(); }));
}

TEST_F(FrontAffinity, APlainServersFirstAnswerCarriesAWholeToken) {
  start({&app_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = app_.accept();
  server.read_head();
  server.send(ok("x"));
  EXPECT_EQ(client.read_response().find("andem="), std::string::npos);
  client.send(get("/"));
  server.read_head();
  server.send(ok("x", "Mcp-Session-Id: 9\r\n"));
  const SessionToken given = opened(token_in(client.read_response(), "9"));
  EXPECT_EQ(given.epoch, (Epoch{2, app_.id()}));
  EXPECT_TRUE(comes_true([&] { return sessions_.size() == 1 && sessions_[0].primaries == 1; }));
}

class FrontLoss : public FrontTest {
 protected:
  // Two servers that are both gone, and one that is not theirs.
  Peer ask(const std::string& fields) {
    start({&a_, &b_, &c_});
    a_.die();
    b_.die();
    Peer client = this->client();
    client.send(get("/", fields));
    return client;
  }
  Origin a_{"a"};
  Origin b_{"b"};
  Origin c_{"c"};
  bool server_is_new_ = true;
};

TEST_F(FrontLoss, A503LeavesTheTokenWhereItIs) {
  options_.on_lost.reject_status = 503;
  Peer client = ask(cookie(token(a_, &b_)));
  const std::string response = client.read_response();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 503 ")) << response;
  EXPECT_EQ(field(response, "Set-Cookie"), "");
  EXPECT_EQ(field(response, "Retry-After"), "1");
  EXPECT_EQ(counts().lost.value(), 1u);
  EXPECT_EQ(counts().lost_rejected.value(), 1u);
  EXPECT_FALSE(c_.asked());
}

TEST_F(FrontLoss, A410TakesTheCookieBack) {
  options_.on_lost.reject_status = 410;
  Peer client = ask(cookie(token(a_, &b_)));
  const std::string response = client.read_response();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 410 Gone\r\n")) << response;
  EXPECT_EQ(field(response, "Set-Cookie"), "tandem=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
}

TEST_F(FrontLoss, A410TellsTheLibraryToForgetItsToken) {
  options_.on_lost.reject_status = 410;
  Peer client = ask("Tandem-Session: " + token(a_, &b_) + "\r\n");
  const std::string response = client.read_response();
  EXPECT_EQ(field(response, "Tandem-Session"), "none");
  EXPECT_EQ(field(response, "Set-Cookie"), "");
}

// A third server may have a copy: a tandem-server is asked, and may refer there.
TEST_F(FrontLoss, ATandemServerIsAskedBeforeASessionIsCalledLost) {
  options_.on_lost.reject_status = 410;
  Origin a("ta", ServerKind::kTandem), b("tb", ServerKind::kTandem), c("tc", ServerKind::kTandem);
  start({&a, &b, &c});
  a.die();
  b.die();
  Peer client = this->client();
  client.send(get("/", cookie(token(a, &b))));
  Peer server = c.accept();
  EXPECT_EQ(opened(field(server.read_head(), "Tandem-Session")).flags, kTakeover | kKnownOnly);
  server.send(
      "HTTP/1.1 421 Misdirected Request\r\nTandem-Refer: none\r\nContent-Length: 0\r\n\r\n");
  const std::string response = client.read_response();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 410 Gone\r\n")) << response;
  EXPECT_EQ(counts().lost_rejected.value(), 1u);
  client.send(get("/", cookie(token(a, &b))));
  server.read_head();
  server.send(ok("x", "Tandem-Session: " + token(c) + "\r\n"));  // it had the copy
  EXPECT_EQ(cookie_of(client.read_response()).size(), kTokenLength);
  EXPECT_EQ(counts().lost.value(), 2u);
  EXPECT_EQ(counts().lost_rejected.value(), 1u);
}

// Its primary may have been started anew.
TEST_F(FrontLoss, EveryTandemServerIsToldThatASessionThatNobodyKnowsIsNotBegun) {
  options_.on_lost.reject_status = 503;
  Origin a("ta", ServerKind::kTandem);
  start({&a});
  Peer client = this->client();
  client.send(get("/", "Tandem-Lost: any\r\n" + cookie(token(a))));
  Peer server = a.accept();
  const std::string head = server.read_head();
  EXPECT_EQ(field(head, "Tandem-Lost"), "reject");
  EXPECT_EQ(field(head, "Tandem-Session"), token(a)) << "as it came";
  server.send(
      "HTTP/1.1 421 Misdirected Request\r\nTandem-Refer: none\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(counts().lost.value(), 1u);
  EXPECT_EQ(counts().lost_rejected.value(), 1u);
  client.send(get("/"));
  EXPECT_EQ(field(server.read_head(), "Tandem-Lost"), "") << "a new session";
}

TEST_F(FrontLoss, WhereNothingIsRejectedNobodyMaySayThatASessionIsLost) {
  Origin a("ta", ServerKind::kTandem);
  start({&a});
  Peer client = this->client();
  client.send(get("/", "Tandem-Lost: reject\r\n" + cookie(token(a))));
  Peer server = a.accept();
  EXPECT_EQ(field(server.read_head(), "Tandem-Lost"), "");
  server.send(
      "HTTP/1.1 421 Misdirected Request\r\nTandem-Refer: none\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 502 "));
}

// The clocks of balancer and servers may differ: a token that a fast clock issued in the future is
// taken, and one that has just expired by ours may be young by the issuer's.
TEST_F(FrontLoss, ClocksMayDifferInBothDirections) {
  start({&a_});
  Peer client = this->client();
  Peer server;
  const auto taken = [&](UnixSeconds age) {
    client.send(get("/", cookie(token(a_, &b_, age))));
    if (server_is_new_) server = a_.accept();
    server_is_new_ = false;
    server.read_head();
    server.send(ok("x"));
    const std::string set = cookie_of(client.read_response());
    return set.empty() || opened(set).session == SessionId{1, 2};
  };
  constexpr UnixSeconds kSlack = 5;  // for the test's own time
  EXPECT_TRUE(taken(kSlack - kClockSkewMax));
  EXPECT_TRUE(taken(options_.token_ttl + kClockSkewMax - kSlack));
  EXPECT_EQ(counts().tokens_bad.value(), 0u);
  EXPECT_FALSE(taken(-kClockSkewMax - kSlack));
  EXPECT_FALSE(taken(options_.token_ttl + kClockSkewMax + kSlack));
  EXPECT_EQ(counts().tokens_bad.value(), 2u);
}

}  // namespace
}  // namespace tandem
