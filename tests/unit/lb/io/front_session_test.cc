// Sessions at the front: who gets which token, what servers are told, referrals.
#include "lb/io/front.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontSession : public FrontTest {
 protected:
  static std::string library(const std::string& token) {
    return "Tandem-Session: " + token + "\r\n";
  }
  // A referral to `target`, as a tandem-server seals it.
  std::string referral(const Origin& target, std::uint8_t flags = kMustServe) {
    SessionToken token;
    token.session = SessionId{1, 2};
    token.epoch = Epoch{2, a_.id()};
    token.primary = target.id();
    token.flags = flags;
    return "HTTP/1.1 421 Misdirected Request\r\nTandem-Refer: " +
           std::string(TokenCodec(options_.keys).seal(token, now()).view()) +
           "\r\nContent-Length: 0\r\n\r\n";
  }
  Origin a_{"a", ServerKind::kTandem};
  Origin b_{"b", ServerKind::kTandem};
  Origin c_{"c", ServerKind::kTandem};
  Origin plain_{"plain"};
};

TEST_F(FrontSession, AWarmTokenIsPassedOnAsItIs) {
  start({&a_, &b_});
  const std::string token = this->token(b_, &a_);
  Peer client = this->client();
  Peer server;
  for (int i = 0; i < 3; ++i) {
    client.send(get("/", cookie(token)));
    if (i == 0) server = b_.accept();
    const std::string request = server.read_head();
    EXPECT_EQ(field(request, "Tandem-Session"), token);
    EXPECT_EQ(field(request, "Cookie"), "");
    server.send(ok("x"));
    EXPECT_EQ(cookie_of(client.read_response()), "");
  }
  EXPECT_EQ(counts().tokens_sealed.value(), 0u);
}

TEST_F(FrontSession, ANewSessionIsAskedForUnderASeal) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/", "Cookie: a=b; tandem=junk; c=d\r\n"));
  Peer server = a_.accept();
  const std::string request = server.read_head();
  EXPECT_EQ(field(request, "Cookie"), "a=b; c=d");
  const SessionToken asked = opened(field(request, "Tandem-Session"));
  EXPECT_EQ(asked.flags, kNewSession);
  EXPECT_EQ(asked.primary, a_.id());
  EXPECT_TRUE(asked.session);
  const std::string given = token(a_);
  server.send(ok("x", "Tandem-Session: " + given + "\r\nTandem-Server: a\r\n"));
  const std::string response = client.read_response();
  EXPECT_EQ(field(response, "Set-Cookie"), "tandem=" + given + "; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(field(response, "Cache-Control"), "private");
  EXPECT_EQ(field(response, "Tandem-Session"), "");
  EXPECT_EQ(field(response, "Tandem-Server"), "a");
  EXPECT_EQ(counts().tokens_bad.value(), 1u);
}

TEST_F(FrontSession, LibraryClientsGetTheHeaderAndNoCookie) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/", "Tandem-Cache: 0123456789abcdef\r\n"));
  Peer server = a_.accept();
  EXPECT_EQ(field(server.read_head(), "Tandem-Cache"), "0123456789abcdef");
  const std::string given = token(a_);
  server.send(ok("x", "Tandem-Session: " + given + "\r\nTandem-Reuse: mirror\r\n"));
  const std::string response = client.read_response();
  EXPECT_EQ(field(response, "Tandem-Session"), given);
  EXPECT_EQ(field(response, "Set-Cookie"), "");
  EXPECT_EQ(field(response, "Tandem-Reuse"), "mirror");
  client.send(get("/", library(given)));
  EXPECT_EQ(field(server.read_head(), "Tandem-Session"), given);
}

TEST_F(FrontSession, CacheControlLetsNobodyElseKeepTheToken) {
  start({&a_});
  const std::pair<std::string, std::string> cases[] = {
      {"public, max-age=60, s-maxage=600", "max-age=60, private"},
      {"no-store", "no-store"},
      {"private, max-age=1", "private, max-age=1"},
      {"no-cache=\"a, b\"", "no-cache=\"a, b\", private"},
  };
  Peer client = this->client();
  Peer server;
  for (const auto& [given, expected] : cases) {
    client.send(get("/"));
    if (server.fd() < 0) server = a_.accept();
    server.read_head();
    server.send(ok("x", "Tandem-Session: " + token(a_) + "\r\nCache-Control: " + given + "\r\n"));
    EXPECT_EQ(field(client.read_response(), "Cache-Control"), expected);
  }
}

TEST_F(FrontSession, RequestTokensOfClientsAreNone) {
  start({&a_});
  SessionToken forged;
  forged.session = SessionId{9, 9};
  forged.primary = a_.id();
  forged.flags = kMustServe;
  const std::string text(TokenCodec(options_.keys).seal(forged, now()).view());
  Peer client = this->client();
  client.send(get("/", library(text)));
  Peer server = a_.accept();
  const SessionToken asked = opened(field(server.read_head(), "Tandem-Session"));
  EXPECT_EQ(asked.flags, kNewSession);
  EXPECT_NE(asked.session, forged.session);
}

TEST_F(FrontSession, ATakeoverIsToldToTheAlternate) {
  start({&a_, &b_});
  a_.die();
  Peer client = this->client();
  client.send(get("/", library(token(a_, &b_))));
  Peer server = b_.accept();
  const SessionToken asked = opened(field(server.read_head(), "Tandem-Session"));
  EXPECT_EQ(asked.flags, kTakeover);
  EXPECT_EQ(asked.session, (SessionId{1, 2}));
  EXPECT_EQ(asked.epoch, (Epoch{2, a_.id()}));
  EXPECT_EQ(asked.alternate, b_.id());
}

TEST_F(FrontSession, WithBothGoneAnyGetsItAndMayReferItOn) {
  start({&a_, &b_, &c_});
  a_.die();
  b_.die();
  Peer client = this->client();
  client.send(get("/", library(token(a_, &b_))));
  Peer server = c_.accept();
  EXPECT_EQ(opened(field(server.read_head(), "Tandem-Session")).flags, kTakeover);
}

TEST_F(FrontSession, AChunkedBodyThatCannotBeKeptMustBeServedThoughItIsWhole) {
  options_.upstream.retry_buffer = 4;
  start({&a_, &b_});
  Peer client = this->client();
  client.send("PUT / HTTP/1.1\r\nHost: s\r\n" + library(token(a_, &b_)) +
              "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  Peer server = a_.accept();
  EXPECT_EQ(opened(field(server.read_head(), "Tandem-Session")).flags, kMustServe);
}

TEST_F(FrontSession, ABodyThatCannotBeKeptMustBeServed) {
  start({&a_, &b_});
  const std::string token = this->token(a_, &b_);
  Peer client = this->client();
  client.send("PUT / HTTP/1.1\r\nHost: s\r\n" + library(token) + "Content-Length: 100000\r\n\r\n");
  Peer server = a_.accept();
  SessionToken asked = opened(field(server.read_head(), "Tandem-Session"));
  EXPECT_EQ(asked.flags, kMustServe);
  EXPECT_EQ(asked.primary, a_.id());
  Peer other = this->client();
  other.send("PUT / HTTP/1.1\r\nHost: s\r\n" + library(token) + "Content-Length: 60000\r\n\r\n");
  server = a_.accept();
  EXPECT_EQ(field(server.read_head(), "Tandem-Session"), token);
}

TEST_F(FrontSession, AReferralIsFollowedWithItsOwnTokenAndTheBody) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send("POST / HTTP/1.1\r\nHost: s\r\n" + library(token(a_, &b_)) +
              "Content-Length: 4\r\n\r\nbody");
  Peer server = a_.accept();
  server.read_head();
  server.read(4);
  const std::string refer = referral(b_, kTakeover | kMustServe);
  server.send(refer);
  Peer other = b_.accept();
  const std::string request = other.read_head();
  EXPECT_EQ(field(request, "Tandem-Session"), field(refer, "Tandem-Refer"));
  EXPECT_EQ(other.read(4), "body");
  other.send(ok("b"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\nb"));
  // The referring server's connection is still good.
  Peer next = this->client();
  next.send(get("/next", library(token(a_, &b_))));
  EXPECT_TRUE(server.read_head().starts_with("GET /next "));
  EXPECT_EQ(counts().referrals.value(), 1u);
}

TEST_F(FrontSession, ReferralsEndAfterTwo) {
  start({&a_, &b_, &c_});
  Peer client = this->client();
  client.send(get("/", library(token(a_, &b_))));
  Peer server = a_.accept();
  server.read_head();
  server.send(referral(b_));
  server = b_.accept();
  server.read_head();
  server.send(referral(c_));
  server = c_.accept();
  server.read_head();
  server.send(referral(a_));
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 502 "));
}

TEST_F(FrontSession, AForgedReferralIsNotFollowed) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(get("/", library(token(a_, &b_))));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 421 M\r\nTandem-Refer: forged\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 502 "));
  EXPECT_FALSE(b_.asked());
}

TEST_F(FrontSession, A421OfAPlainServerIsAnAnswer) {
  start({&plain_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = plain_.accept();
  server.read_head();
  server.send(referral(plain_));
  const std::string response = client.read_head();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 421 "));
  EXPECT_EQ(field(response, "Tandem-Refer"), "");
}

TEST_F(FrontSession, RequestsThatOverlapBeforeTheFirstTokenGetOneSession) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(get("/1") + get("/2") + get("/3"));
  Origin& chosen = [&]() -> Origin& {
    for (;;) {
      if (a_.asked()) return a_;
      if (b_.asked()) return b_;
      ::poll(nullptr, 0, 1);
    }
  }();
  Peer server = chosen.accept();
  const SessionToken first = opened(field(server.read_head(), "Tandem-Session"));
  server.send(ok("1", "Tandem-Session: " + token(chosen) + "\r\n"));
  for (int i = 0; i < 2; ++i) {
    const SessionToken next = opened(field(server.read_head(), "Tandem-Session"));
    EXPECT_EQ(next.session, first.session);
    EXPECT_EQ(next.flags, kNewSession);
    EXPECT_EQ(next.primary, chosen.id());
    server.send(ok("2", "Tandem-Session: " + token(chosen) + "\r\n"));
  }
  for (int i = 0; i < 3; ++i) client.read_response();
  client.send(get("/4"));  // has seen the token and does not bring it: another session
  Peer other = chosen.id() == a_.id() ? b_.accept() : a_.accept();
  EXPECT_NE(opened(field(other.read_head(), "Tandem-Session")).session, first.session);
}

// A browser asks for several things at once, each with the token that it has.
TEST_F(FrontSession, ASessionIsCountedOnceHoweverManyRequestsRenewIt) {
  Origin other("other");
  start({&plain_, &other});
  const std::string old = token(plain_, &other, 1000);
  const auto ask = [&](Origin& origin, const std::string& sealed) {
    Peer client = this->client();
    client.send(get("/", cookie(sealed)));
    Peer server = origin.accept();
    server.read_head();
    server.send(ok("x", "Connection: close\r\n"));
    EXPECT_NE(cookie_of(client.read_response()), "");
  };
  for (int i = 0; i < 6; ++i) ask(plain_, old);
  ask(other, token(other, &plain_, 1000));
  EXPECT_TRUE(comes_true([&] {
    return sessions_.size() == 2 && sessions_[0].primaries > 0 && sessions_[1].primaries > 0;
  }));
  for (const auto& each : sessions_) {
    EXPECT_EQ(each.primaries, 1);
    EXPECT_EQ(each.alternates, 1);
  }
}

TEST_F(FrontSession, PlainServersSeeNoTokenAndTheirSessionsAreCounted) {
  Origin other("other");
  start({&plain_, &other});
  Peer client = this->client();
  client.send(get("/", cookie(token(plain_, &other, 1000))));  // over half its life: renewed
  Peer server = plain_.accept();
  const std::string request = server.read_head();
  EXPECT_EQ(request.find("andem="), std::string::npos);
  EXPECT_EQ(field(request, "Tandem-Session"), "");
  server.send(ok("x"));
  const SessionToken renewed = opened(cookie_of(client.read_response()));
  EXPECT_EQ(renewed.session, (SessionId{1, 2}));
  EXPECT_EQ(renewed.epoch, (Epoch{2, plain_.id()}));
  EXPECT_GE(renewed.issued, now() - 5);
  EXPECT_TRUE(comes_true([&] { return !sessions_.empty(); }));
}

TEST_F(FrontSession, AProvisionalPlainSessionIsConfirmedWhenItComesBack) {
  Origin other("other");
  start({&plain_, &other});
  Peer client = this->client();
  client.send(get("/"));
  Origin& chosen = [&]() -> Origin& {
    for (;;) {
      if (plain_.asked()) return plain_;
      if (other.asked()) return other;
      ::poll(nullptr, 0, 1);
    }
  }();
  Origin& rest = chosen.id() == plain_.id() ? other : plain_;
  Peer server = chosen.accept();
  server.read_head();
  server.send(ok("x"));
  const std::string provisional = cookie_of(client.read_response());
  EXPECT_FALSE(opened(provisional).alternate);
  client.send(get("/", cookie(provisional)));
  server.read_head();
  server.send(ok("x"));
  const std::string confirmed = cookie_of(client.read_response());
  EXPECT_EQ(opened(confirmed).alternate, rest.id());
  EXPECT_EQ(opened(confirmed).session, opened(provisional).session);
  client.send(get("/", cookie(confirmed)));
  server.read_head();
  server.send(ok("x"));
  EXPECT_EQ(cookie_of(client.read_response()), "");
  EXPECT_TRUE(comes_true([&] {
    for (const auto& each : sessions_) {
      if (each.server == chosen.id() && each.primaries == 1) return true;
    }
    return false;
  }));
}

TEST_F(FrontSession, RotatedKeysOpenWhatTheOldOnesSealed) {
  start({&a_});
  const std::string old_token = token(a_);
  Peer client = this->client();
  client.send(get("/", library(old_token)));
  Peer server = a_.accept();
  EXPECT_EQ(field(server.read_head(), "Tandem-Session"), old_token);
  server.send(ok("x"));
  client.read_response();
  ClusterKey other;
  other.secret.fill(9);
  worker_->post_keys(ClusterKeys({other}));  // the old one is gone: its tokens are none
  client.send(get("/", library(old_token)));
  const std::string text = field(server.read_head(), "Tandem-Session");
  EXPECT_NE(text, old_token);
  options_.keys = ClusterKeys({other});
  EXPECT_EQ(opened(text).flags, kNewSession);
}

TEST_F(FrontSession, WritesALineForEachRequest) {
  const std::string path = ::testing::TempDir() + "/front_access_" + std::to_string(::getpid());
  auto log = AccessLog::open(path, LogFormat::kJson);
  ASSERT_TRUE(log);
  log_ = log->get();
  start({&plain_});
  Peer client = this->client();
  client.send("PUT /a\"b HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n\r\n");
  Peer server = plain_.accept();
  server.read_head();
  server.send(ok("12345"));
  const std::string response = client.read_response();
  Peer bad = this->client();
  bad.send("GARBAGE\r\n\r\n");
  bad.read_to_end();
  EXPECT_EQ(counts().status_4xx.value(), 1u);
  worker_.reset();
  log->reset();
  std::FILE* file = std::fopen(path.c_str(), "r");
  ASSERT_NE(file, nullptr);
  char line[1024] = {};
  EXPECT_NE(std::fgets(line, sizeof line, file), nullptr);
  char refused[1024] = {};
  EXPECT_NE(std::fgets(refused, sizeof refused, file), nullptr);
  EXPECT_NE(std::string(refused).find("\"method\":\"-\",\"target\":\"-\",\"status\":400,"),
            std::string::npos)
      << refused;
  std::fclose(file);
  ::unlink(path.c_str());
  const std::string text = line;
  EXPECT_NE(text.find("\"method\":\"PUT\",\"target\":\"/a\\u0022b\",\"status\":200,\"bytes\":" +
                      std::to_string(response.size()) + ",\"ms\":"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"server\":\"plain\",\"takeover\":false,\"retries\":0,\"referrals\":0,"
                      "\"sent\":1}\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace tandem
