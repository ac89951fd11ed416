// What the front does when servers fail, freeze, refuse, refer or talk nonsense; and clients, too.
#include <algorithm>
#include <thread>

#include "lb/io/front.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontFailure : public FrontTest {
 protected:
  // A GET of a client whose session is on `primary`, with `alternate`.
  std::string request(const Origin& primary, const Origin& alternate) {
    return get("/x", cookie(token(primary, &alternate)));
  }
  std::string post(const Origin& primary, const Origin& alternate) {
    return "POST /x HTTP/1.1\r\nHost: s\r\nContent-Length: 4\r\n" +
           cookie(token(primary, &alternate)) + "\r\nbody";
  }
  Origin a_{"a"};
  Origin b_{"b"};
  Origin c_{"c"};
};

TEST_F(FrontFailure, ARefusedConnectionIsATakeoverAndTold) {
  start({&a_, &b_, &c_});
  a_.die();
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = b_.accept();
  server.read_head();
  server.send(ok("b"));
  const std::string response = client.read_response();
  EXPECT_TRUE(response.ends_with("\r\n\r\nb"));
  const SessionToken moved = opened(cookie_of(response));
  EXPECT_EQ(moved.primary, b_.id());
  EXPECT_EQ(moved.alternate == a_.id() || moved.alternate == c_.id(), true);
  EXPECT_EQ(moved.epoch, (Epoch{3, b_.id()}));
  EXPECT_EQ(field(response, "Cache-Control"), "private");
  EXPECT_TRUE(reported(a_));
}

TEST_F(FrontFailure, APostIsResentAfterARefusedConnection) {
  start({&a_, &b_});
  a_.die();
  Peer client = this->client();
  client.send(post(a_, b_));
  Peer server = b_.accept();
  server.read_head();
  EXPECT_EQ(server.read(4), "body");
  server.send(ok("b"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\nb"));
}

TEST_F(FrontFailure, AResetBeforeTheFirstByteIsATakeover) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.reset();
  server = b_.accept();
  EXPECT_TRUE(server.read_head().starts_with("GET /x "));
  server.send(ok("b"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\nb"));
  EXPECT_TRUE(reported(a_));
}

TEST_F(FrontFailure, HalfAHeadIsNoResponse) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Len");
  server.close();
  server = b_.accept();
  server.read_head();
  server.send(ok("b"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\nb"));
}

TEST_F(FrontFailure, APostIsNeverSentTwice) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(post(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.reset();
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 502 "));
  EXPECT_FALSE(b_.asked());
  EXPECT_TRUE(reported(a_));
}

TEST_F(FrontFailure, AResetOfAReusedConnectionIsTriedOnAFreshOne) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.send(ok("1"));
  client.read_response();
  client.send(request(a_, b_));
  server.read_head();
  server.reset();
  server = a_.accept();
  server.read_head();
  server.send(ok("2"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\n2"));
  EXPECT_FALSE(b_.asked());
}

TEST_F(FrontFailure, AResetOfATandemServersConnectionIsATakeover) {
  Origin primary{"p", ServerKind::kTandem}, alternate{"q", ServerKind::kTandem};
  start({&primary, &alternate});
  Peer client = this->client();
  client.send(request(primary, alternate));
  Peer server = primary.accept();
  server.read_head();
  server.send(ok("1"));
  client.read_response();
  client.send(request(primary, alternate));
  server.read_head();
  server.reset();
  server = alternate.accept();
  server.read_head();
  server.send(ok("2"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\n2"));
  EXPECT_FALSE(primary.asked());
  EXPECT_TRUE(reported(primary));
}

// It might have closed it for being idle: only another try there would tell.
TEST_F(FrontFailure, AConnectionToATandemServerThatWasIdleForLongIsNotUsedAgain) {
  options_.upstream.surely_kept = -1s;
  Origin primary{"p", ServerKind::kTandem}, alternate{"q", ServerKind::kTandem};
  start({&primary, &alternate});
  Peer client = this->client();
  client.send(request(primary, alternate));
  Peer server = primary.accept();
  server.read_head();
  server.send(ok("1"));
  client.read_response();
  client.send(request(primary, alternate));
  server = primary.accept();
  server.read_head();
  server.reset();
  server = alternate.accept();
  server.read_head();
  server.send(ok("2"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\n2"));
  EXPECT_FALSE(primary.asked());
}

TEST_F(FrontFailure, ABodyIsSentAgainFromTheBuffer) {
  start({&a_, &b_});
  Peer client = this->client();
  const std::string body(60'000, 'p');
  client.send("PUT /x HTTP/1.1\r\nHost: s\r\nContent-Length: 60000\r\n" + cookie(token(a_, &b_)) +
              "\r\n" + body);
  Peer server = a_.accept();
  server.read_head();
  EXPECT_EQ(server.read(body.size()), body);
  server.reset();
  server = b_.accept();
  server.read_head();
  EXPECT_EQ(server.read(body.size()), body);
  server.send(ok("b"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\nb"));
}

TEST_F(FrontFailure, ABodyThatOutgrewTheBufferIsNotSentAgain) {
  start({&a_, &b_});
  Peer client = this->client();
  const std::string body(200'000, 'p');
  client.send("PUT /x HTTP/1.1\r\nHost: s\r\nContent-Length: 200000\r\n" + cookie(token(a_, &b_)) +
              "\r\n" + body);
  Peer server = a_.accept();
  server.read_head();
  EXPECT_EQ(server.read(body.size()), body);
  server.reset();
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 502 "));
  EXPECT_FALSE(b_.asked());
}

TEST_F(FrontFailure, AFrozenServerIsTakenOverWhenDeclaredOffline) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer frozen = a_.accept();
  frozen.read_head();
  show({&a_});
  Peer server = b_.accept();
  server.read_head();
  server.send(ok("b"));
  const std::string response = client.read_response();
  EXPECT_TRUE(response.ends_with("\r\n\r\nb"));
  EXPECT_EQ(opened(cookie_of(response)).primary, b_.id());
  EXPECT_EQ(frozen.read_to_end(), "");
}

TEST_F(FrontFailure, APostOnAFrozenServerIsAnsweredBy504) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(post(a_, b_));
  Peer frozen = a_.accept();
  frozen.read_head();
  show({&a_});
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 504 "));
  EXPECT_FALSE(b_.asked());
}

TEST_F(FrontFailure, ARequestOutlivesThePlaceOfItsServerInTheView) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(post(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  forget(a_);
  Peer other = this->client();  // the view is in force once this one goes elsewhere
  other.send(request(a_, b_));
  Peer takes_over = b_.accept();
  takes_over.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 200 "));
}

TEST_F(FrontFailure, ManyRequestsOnAFrozenServerAreAllTakenOver) {
  start({&a_, &b_});
  std::vector<Peer> clients, frozen;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(this->client());
    clients.back().send(request(a_, b_));
    frozen.push_back(a_.accept());
    frozen.back().read_head();
  }
  show({&a_});
  for (int i = 0; i < 20; ++i) {
    Peer server = b_.accept();
    server.read_head();
    server.send(ok("b", "Connection: close\r\n"));
  }
  for (Peer& each : clients) EXPECT_TRUE(each.read_response().ends_with("\r\n\r\nb"));
}

TEST_F(FrontFailure, AResponseThatHasBegunIsNotTakenOverWhenItsServerGoesOffline) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
  client.read_head();
  EXPECT_EQ(client.read(2), "ab");
  show({&a_});
  server.send("cd");
  EXPECT_EQ(client.read(2), "cd");
}

TEST_F(FrontFailure, ALibraryNeedNotWaitForTheRestFromAServerThatIsOffline) {
  options_.upstream.offline_patience = 80ms;
  start({&a_, &b_});
  Peer client = this->client();
  client.send(get("/x", "Tandem-Session: " + token(a_, &b_) + "\r\n"));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nab");
  client.read_head();
  EXPECT_EQ(client.read(2), "ab");
  show({&a_});
  server.send("cd");  // what comes is passed on
  EXPECT_EQ(client.read(2), "cd");
  EXPECT_TRUE(client.was_reset());
}

TEST_F(FrontFailure, AServerThatLetsARequestWaitIsReported) {
  options_.upstream.recheck_interval = 20ms;
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  EXPECT_TRUE(reported(a_));
  server.send(ok("late"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\nlate"));
  EXPECT_FALSE(b_.asked());
}

TEST_F(FrontFailure, ARequestThatIsGivenUpIsReset) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(post(a_, b_));
  Peer frozen = a_.accept();
  frozen.read_head();
  EXPECT_EQ(frozen.read(4), "body");
  show({&a_});
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 504 "));
  EXPECT_TRUE(frozen.was_reset());
}

TEST_F(FrontFailure, AResponseThatBreaksOffEndsTheClientsConnection) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  client.read_head();
  EXPECT_EQ(client.read(4), "half");
  server.close();
  EXPECT_TRUE(client.was_reset());
  EXPECT_FALSE(b_.asked());
  EXPECT_EQ(counts().aborts.value(), 1u);
  EXPECT_EQ(counts().client_gone.value(), 0u);
}

TEST_F(FrontFailure, AClientThatLeavesIsCounted) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  client.reset();
  EXPECT_TRUE(server.was_reset());  // the request is given up
  EXPECT_EQ(counts().client_gone.value(), 1u);
  EXPECT_EQ(counts().aborts.value(), 0u);
}

TEST_F(FrontFailure, BrokenChunksEndTheClientsConnection) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.read_head();
  EXPECT_EQ(client.read(8), "3\r\nabc\r\n");
  server.send("zz\r\n");
  EXPECT_TRUE(client.was_reset());
}

TEST_F(FrontFailure, WhatIsNotHttpIs502) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.send("SSH-2.0-OpenSSH\r\n\r\n");
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 502 "));
  EXPECT_FALSE(b_.asked());
}

TEST_F(FrontFailure, AnErrorOfALivingServerIsItsAnswer) {
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client.read_head().starts_with("HTTP/1.1 500 Oops\r\n"));
  EXPECT_FALSE(b_.asked());
}

TEST_F(FrontFailure, WithoutServersItIs503WithRetryAfter) {
  start({&a_});
  show({&a_});
  Peer client = this->client();
  client.send(get("/"));
  const std::string response = client.read_response();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(field(response, "Retry-After"), "1");
  client.send(get("/again"));  // the connection goes on
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 503 "));
}

TEST_F(FrontFailure, WithAllServersRefusingItIs503) {
  start({&a_, &b_});
  a_.die();
  b_.die();
  Peer client = this->client();
  client.send(request(a_, b_));
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 503 "));
}

TEST_F(FrontFailure, WithAllServersFailingWithItItIs502) {
  start({&a_, &b_});
  b_.die();
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  server.read_head();
  server.reset();
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 502 "));
}

TEST_F(FrontFailure, ANewSessionGoesToAnotherServerIfTheFirstFails) {
  start({&a_, &b_});
  a_.die();
  Peer client = this->client();
  for (int i = 0; i < 2; ++i) {
    client.send(get("/"));
    Peer server = b_.accept();
    server.read_head();
    server.send(ok("b", "Connection: close\r\n"));
    EXPECT_EQ(opened(cookie_of(client.read_response())).primary, b_.id());
  }
}

// --- what clients do wrong
// ------------------------------------------------------------------------

TEST_F(FrontFailure, MalformedRequestsAreRefusedAndTheConnectionEnds) {
  start({&a_});
  const std::pair<std::string, std::string> cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
      {"GET /" + std::string(10'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", "414"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n", "431"},
      {"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "405"},
      {"GET /.well-known/tandem/health HTTP/1.1\r\nHost: a\r\n\r\n", "404"},
  };
  for (const auto& [request, status] : cases) {
    Peer client = this->client();
    client.send(request);
    const std::string response = client.read_response();
    EXPECT_TRUE(response.starts_with("HTTP/1.1 " + status)) << request.substr(0, 80) << response;
    if (status != "405" && status != "404") {
      EXPECT_EQ(field(response, "Connection"), "close");
      EXPECT_TRUE(client.at_end());
    }
  }
  EXPECT_FALSE(a_.asked());
}

// --- time
// -----------------------------------------------------------------------------------------

TEST_F(FrontFailure, ConnectionsOverTheLimitAreClosed) {
  options_.limits.connections_max = 1;
  start({&a_});
  Peer first = this->client();
  first.send(get("/"));
  Peer server = a_.accept();
  Peer second = this->client();
  EXPECT_EQ(second.read_to_end(), "");
  server.read_head();
  server.send(ok("x"));
  EXPECT_TRUE(first.read_response().ends_with("x"));
}

TEST_F(FrontFailure, DrainingFinishesWhatIsUnderWay) {
  start({&a_});
  Peer idle = this->client();
  idle.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  server.send(ok("1"));
  idle.read_response();
  Peer busy = this->client();
  busy.send(get("/"));
  server.read_head();
  worker_->drain();
  EXPECT_TRUE(idle.at_end());
  server.send(ok("2"));
  const std::string response = busy.read_to_end();
  EXPECT_EQ(field(response, "Connection"), "close");
  EXPECT_TRUE(response.ends_with("\r\n\r\n2"));
  EXPECT_TRUE(comes_true([&] { return drained_; }));
}

// Its head has said that the connection goes on, and was right then.
TEST_F(FrontFailure, DrainingClosesAConnectionWhoseResponseWasUnderWay) {
  start({&a_});
  Peer idle = this->client();
  Peer client = this->client();
  client.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
  EXPECT_EQ(field(client.read_head(), "Connection"), "");
  EXPECT_EQ(client.read(2), "ab");
  worker_->drain();
  EXPECT_TRUE(idle.at_end());  // it has begun
  server.send("cd");
  EXPECT_EQ(client.read(2), "cd");
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(comes_true([&] { return drained_; }));
}

TEST_F(FrontFailure, DrainingAnswersWhatHasComeBehindAResponseUnderWay) {
  start({&a_});
  Peer idle = this->client();
  Peer client = this->client();
  client.send(get("/1"));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na");
  client.read_head();
  EXPECT_EQ(client.read(1), "a");
  client.send(get("/2"));
  worker_->drain();
  EXPECT_TRUE(idle.at_end());
  server.send("b");
  EXPECT_EQ(client.read(1), "b");
  EXPECT_TRUE(server.read_head().starts_with("GET /2 "));
  server.send(ok("2"));
  const std::string response = client.read_to_end();
  EXPECT_EQ(field(response, "Connection"), "close");
  EXPECT_TRUE(response.ends_with("\r\n\r\n2"));
  EXPECT_TRUE(comes_true([&] { return drained_; }));
}

}  // namespace
}  // namespace tandem
