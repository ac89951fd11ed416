// The front as a plain HTTP/1.1 proxy: messages of every framing, both ways, on kept connections.
#include <thread>

#include "lb/io/front.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontProxy : public FrontTest {
 protected:
  Origin a_{"a"};
};

TEST_F(FrontProxy, PassesARequestAndItsResponse) {
  start({&a_});
  Peer client = this->client();
  client.send(
      "GET /x?y=1 HTTP/1.1\r\nHost: site:80\r\nX-Mine: 1\r\nConnection: keep-alive, X-Hop\r\n"
      "X-Hop: gone\r\nKeep-Alive: timeout=1\r\nX-Forwarded-For: 1.2.3.4\r\n"
      "Tandem-Refer: forged\r\nTE: trailers\r\n\r\n");
  Peer server = a_.accept();
  EXPECT_EQ(server.read_head(),
            "GET /x?y=1 HTTP/1.1\r\nHost: site:80\r\nX-Mine: 1\r\n"
            "X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: site:80\r\nVia: 1.1 tandem\r\n\r\n");
  server.send(ok("hello", "X-Theirs: 2\r\nConnection: keep-alive\r\nTandem-Server: lies\r\n"));
  const std::string response = client.read_response();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\nX-Theirs: 2\r\nContent-Length: 5\r\n"))
      << response;
  EXPECT_TRUE(response.ends_with("\r\nVia: 1.1 tandem\r\n\r\nhello")) << response;
  EXPECT_EQ(response.find("Connection"), std::string::npos);
  EXPECT_EQ(response.find("lies"), std::string::npos);
}

TEST_F(FrontProxy, KeepsConnectionsOnBothSides) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/1"));
  Peer server = a_.accept();
  server.read_head();
  server.send(ok("1"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\n1"));
  client.send(get("/2"));
  EXPECT_TRUE(server.read_head().starts_with("GET /2 "));
  server.send(ok("2"));
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\n2"));
  Peer other = this->client();  // another client's request goes over the same pooled connection
  other.send(get("/3"));
  EXPECT_TRUE(server.read_head().starts_with("GET /3 "));
  server.send(ok("3"));
  EXPECT_TRUE(other.read_response().ends_with("\r\n\r\n3"));
  EXPECT_EQ(counts().server_connects.value(), 1u);
}

TEST_F(FrontProxy, AnswersPipelinedRequestsInOrder) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/1") + get("/2") +
              "POST /3 HTTP/1.1\r\nHost: s\r\nContent-Length: 3\r\n\r\nabc" + get("/4"));
  Peer server = a_.accept();
  for (const std::string n : {"1", "2", "3", "4"}) {
    EXPECT_NE(server.read_head().find(" /" + n + " "), std::string::npos);
    if (n == "3") {
      EXPECT_EQ(server.read(3), "abc");
    }
    server.send(ok(n));
    EXPECT_TRUE(client.read_response().ends_with("\r\n\r\n" + n));
  }
}

TEST_F(FrontProxy, TakesARequestInSingleBytes) {
  start({&a_});
  Peer client = this->client();
  for (char c : get("/bytes", "X-A: b\r\n")) client.send({&c, 1});
  Peer server = a_.accept();
  EXPECT_TRUE(server.read_head().starts_with("GET /bytes HTTP/1.1\r\nHost: site\r\nX-A: b\r\n"));
  for (char c : ok("slow")) server.send({&c, 1});
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\nslow"));
}

TEST_F(FrontProxy, RelaysChunksAndTrailersAsTheyAre) {
  start({&a_});
  Peer client = this->client();
  const std::string chunks = "5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
  client.send("PUT /c HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
  Peer server = a_.accept();
  EXPECT_NE(server.read_head().find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(server.read(chunks.size()), chunks);
  server.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
  client.read_head();
  EXPECT_EQ(client.read(chunks.size()), chunks);
  client.send(get("/next"));
  EXPECT_TRUE(server.read_head().starts_with("GET /next "));
}

TEST_F(FrontProxy, RelaysABodyUntilTheServerCloses) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.0 200 OK\r\n\r\nall ");
  EXPECT_EQ(field(client.read_head(), "Connection"), "close");
  server.send("of it");
  server.close();
  EXPECT_EQ(client.read_to_end(), "all of it");
}

TEST_F(FrontProxy, ResponsesWithoutABodyEndWithTheirHead) {
  start({&a_});
  Peer client = this->client();
  client.send("HEAD /h HTTP/1.1\r\nHost: s\r\n\r\n");
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_EQ(field(client.read_head(), "Content-Length"), "1000");
  for (const std::string status : {"204 No Content", "304 Not Modified"}) {
    client.send(get("/"));
    server.read_head();
    server.send("HTTP/1.1 " + status + "\r\nETag: \"x\"\r\n\r\n");
    EXPECT_TRUE(client.read_head().starts_with("HTTP/1.1 " + status));
  }
}

TEST_F(FrontProxy, PassesInterimResponsesAndExpectations) {
  start({&a_});
  Peer client = this->client();
  client.send("PUT / HTTP/1.1\r\nHost: s\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  Peer server = a_.accept();
  EXPECT_NE(server.read_head().find("Expect: 100-continue\r\n"), std::string::npos);
  server.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(client.read_head().starts_with("HTTP/1.1 100 Continue\r\n"));
  client.send("body");
  EXPECT_EQ(server.read(4), "body");
  server.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("done"));
  EXPECT_NE(client.read_head().find("Link: </a>\r\n"), std::string::npos);
  EXPECT_TRUE(client.read_response().ends_with("\r\n\r\ndone"));
}

TEST_F(FrontProxy, TunnelsAnUpgradedConnection) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n") + "early");
  Peer server = a_.accept();
  const std::string request = server.read_head();
  EXPECT_EQ(field(request, "Upgrade"), "websocket");
  EXPECT_EQ(field(request, "Connection"), "upgrade");
  server.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "\r\nfirst");
  const std::string response = client.read_head();
  EXPECT_EQ(field(response, "Upgrade"), "websocket");
  EXPECT_EQ(field(response, "Connection"), "upgrade");
  EXPECT_EQ(client.read(5), "first");
  EXPECT_EQ(server.read(5), "early");
  const std::string big(1 << 20, 'x');
  std::thread sender([&] { client.send(big); });
  EXPECT_EQ(server.read(big.size()), big);
  sender.join();
  client.end();
  EXPECT_TRUE(server.at_end());
  server.send("bye");
  server.close();
  EXPECT_EQ(client.read_to_end(), "bye");
}

TEST_F(FrontProxy, ClientsOfHttp10GetNoChunks) {
  start({&a_});
  Peer client = this->client();
  client.send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  Peer server = a_.accept();
  const std::string request = server.read_head();
  EXPECT_TRUE(request.starts_with("GET /old HTTP/1.1\r\n"));
  EXPECT_EQ(field(request, "Host"), a_.address().text());
  server.send(ok("kept"));
  const std::string kept = client.read_response();
  EXPECT_EQ(field(kept, "Connection"), "keep-alive");
  client.send("GET /old HTTP/1.0\r\n\r\n");
  server.read_head();
  server.send(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  const std::string head = client.read_head();
  EXPECT_EQ(field(head, "Transfer-Encoding"), "");
  EXPECT_EQ(field(head, "Connection"), "close");
  EXPECT_EQ(client.read_to_end(), "abcde");
}

TEST_F(FrontProxy, ClosesWhenTheClientWantsThat) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/", "Connection: close\r\n"));
  Peer server = a_.accept();
  EXPECT_EQ(field(server.read_head(), "Connection"), "");
  server.send(ok("last"));
  const std::string response = client.read_to_end();
  EXPECT_EQ(field(response, "Connection"), "close");
  EXPECT_TRUE(response.ends_with("last"));
}

TEST_F(FrontProxy, AClientThatHasEndedItsSideStillGetsItsResponse) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/half"));
  client.end();
  Peer server = a_.accept();
  server.read_head();
  server.send(ok("there"));
  EXPECT_TRUE(client.read_to_end().ends_with("\r\n\r\nthere"));
}

TEST_F(FrontProxy, AClientThatLeavesEndsTheRequest) {
  start({&a_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  client.reset();
  EXPECT_EQ(server.read_to_end(), "");
}

TEST_F(FrontProxy, AnEarlyResponseEndsTheConnection) {
  start({&a_});
  Peer client = this->client();
  client.send("POST /big HTTP/1.1\r\nHost: s\r\nContent-Length: 1000\r\n\r\nonly this");
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(client.read_head().starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(client.at_end());
}

// Both directions move at once, each held back by its reader alone.
TEST_F(FrontProxy, StreamsBothWaysAtOnce) {
  start({&a_});
  Peer client = this->client();
  constexpr std::size_t kSize = 8 << 20;
  std::string body(kSize, '\0');
  for (std::size_t i = 0; i < kSize; ++i) body[i] = static_cast<char>(i * 7 + (i >> 12));
  std::thread sender([&] {
    client.send("POST /echo HTTP/1.1\r\nHost: s\r\nContent-Length: " + std::to_string(kSize) +
                "\r\n\r\n" + body);
  });
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  std::thread echo([&] {
    for (std::size_t done = 0; done < kSize;) {
      const std::string piece = server.read(std::min<std::size_t>(100'000, kSize - done));
      if (piece.empty() || !server.send(piece)) break;
      done += piece.size();
    }
  });
  client.read_head();
  EXPECT_TRUE(client.read(kSize) == body);
  sender.join();
  echo.join();
}

// A reader that does not read holds the server back: what is on the way is bounded by the sockets'
// buffers and one piece here.
TEST_F(FrontProxy, ASlowReaderHoldsTheServerBack) {
  start({&a_});
  Peer client = Peer::connect(port_, 64 * 1024);
  client.send(get("/"));
  Peer server = a_.accept();
  const int small = 128 * 1024;
  ::setsockopt(server.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  server.read_head();
  constexpr std::size_t kSize = 64 << 20;
  server.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  const std::string piece(64 * 1024, 'z');
  std::size_t sent = 0;
  pollfd writable{server.fd(), POLLOUT, 0};
  while (sent<kSize&& ::poll(&writable, 1, 300)> 0) {
    const ssize_t n = ::send(server.fd(), piece.data(), std::min(piece.size(), kSize - sent),
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
  EXPECT_LT(sent, 24u << 20);
  std::thread rest([&] {
    while (sent < kSize) {
      const std::size_t n = std::min(piece.size(), kSize - sent);
      if (!server.send({piece.data(), n})) break;
      sent += n;
    }
  });
  client.read_head();
  std::size_t got = 0;
  for (std::string bytes; got < kSize; got += bytes.size()) {
    bytes = client.read(std::min<std::size_t>(1 << 20, kSize - got));
    if (bytes.empty()) break;
  }
  EXPECT_EQ(got, kSize);
  rest.join();
}

}  // namespace
}  // namespace tandem
