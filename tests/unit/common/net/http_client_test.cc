#include "common/net/http_client.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "common/net/http_fetch.h"
#include "common/net/listener.h"

namespace tandem {
namespace {

// A server by script: for each connection, in order, what to answer to each read that ends a
// request (a head without body). "" closes the connection.
struct Scripted final : AcceptHandler {
  struct Connection final : StreamHandler {
    void on_stream(bool, bool) override {
      if (!unsent.empty()) send();
      char buffer[65536];
      for (;;) {
        const IoResult got = stream->read(buffer);
        if (!got.ok()) break;
        seen.append(buffer, got.bytes);
        received += got.bytes;
      }
      while (answers != nullptr && seen.find("\r\n\r\n") != seen.npos && next < answers->size()) {
        heads.push_back(seen.substr(0, seen.find("\r\n\r\n") + 4));
        seen.erase(0, heads.back().size());
        const std::string& answer = (*answers)[next++];
        if (answer.empty()) {
          stream.reset();
          return;
        }
        unsent += answer;
        send();
        if (resets) {
          stream->reset_on_close();
          stream.reset();
          if (told) told();
          return;
        }
        if (answer.find("Connection: close") == answer.npos) continue;
        if (cuts) {
          ::shutdown(stream->fd(), SHUT_WR);
        } else {
          stream->shutdown_write();
        }
      }
    }
    void send() {
      const IoResult put = stream->write(unsent);
      if (put.ok()) unsent.erase(0, put.bytes);
    }
    std::unique_ptr<Stream> stream;
    std::string seen, unsent;
    std::size_t received = 0;
    std::vector<std::string> heads;
    const std::vector<std::string>* answers = nullptr;
    std::size_t next = 0;
    bool resets = false, cuts = false;
    std::function<void()> told;
  };
  explicit Scripted(EventLoop& on) : loop(on) {
    listener = *Listener::open(loop, SocketAddress::loopback(0), {}, *this);
  }
  void on_accept(Descriptor socket, const SocketAddress&) override {
    auto connection = std::make_unique<Connection>();
    if (connections.size() < scripts.size()) connection->answers = &scripts[connections.size()];
    connection->resets = resets;
    connection->told = told;
    connection->stream = std::make_unique<Stream>(loop, std::move(socket), connection.get());
    if (tls != nullptr) connection->stream->start_tls(*tls);
    connection->cuts = cuts;
    connections.push_back(std::move(connection));
  }
  EventLoop& loop;
  std::unique_ptr<Listener> listener;
  std::vector<std::vector<std::string>> scripts;
  bool resets = false;  // right after the first answer
  bool cuts = false;    // ends without TLS's notice
  std::shared_ptr<const TlsContext> tls;
  std::function<void()> told;  // ... has happened
  std::vector<std::unique_ptr<Connection>> connections;
};

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct HttpClientTest : ::testing::Test {
  HttpClientTest() : resolver(loop), server(loop), client(loop, resolver, HttpClientOptions{}) {
    to.address = Address{"127.0.0.1", server.listener->address().port()};
  }
  // "200 ok", or what failed.
  std::string get(const std::string& method = "GET", const std::string& body = {}) {
    std::string text;
    HttpFetch fetch(client, [&](Result<HttpReply> reply) {
      text = reply ? std::to_string(reply->status) + " " + reply->body : reply.error().message;
      loop.stop();
    });
    fetch.start(to, make_request(method, "/", to.address, {}, body));
    loop.run();
    return text;
  }
  EventLoop loop;
  Resolver resolver;
  Scripted server;
  HttpClient client;
  HttpDestination to;
};

// Notes all calls; acts through hooks.
struct Calls final : HttpCallHandler {
  void on_response(const http::ResponseHead& head, const http::Framing&) override {
    log += std::to_string(head.status()) + " ";
    if (responded) responded();
  }
  void on_interim(const http::ResponseHead& head) override {
    log += "(" + std::to_string(head.status()) + ") ";
  }
  void on_body(std::string_view bytes) override {
    body += bytes;
    if (more) more();
  }
  void on_complete() override {
    log += "complete";
    done();
  }
  void on_failure(const HttpFailure& why) override {
    failure = why;
    log += "failed";
    done();
  }
  void on_writable() override {
    if (writable) writable();
  }
  std::string log, body;
  HttpFailure failure;
  std::function<void()> done = [] {}, more, writable, responded;
};

TEST_F(HttpClientTest, ReusesItsConnection) {
  server.scripts = {{kOk, kOk}};
  EXPECT_EQ(get(), "200 ok");
  EXPECT_EQ(client.idle_connections(), 1u);
  EXPECT_EQ(get(), "200 ok");
  EXPECT_EQ(server.connections.size(), 1u);
}

TEST_F(HttpClientTest, ReadsChunksAndBodiesUntilClose) {
  server.scripts = {
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
       "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"}};
  EXPECT_EQ(get(), "200 abc");
  EXPECT_EQ(get(), "200 until the end");
  EXPECT_EQ(client.connections(), 0u);
}

TEST_F(HttpClientTest, AReusedConnectionThatWasClosedIsTriedAgainOnce) {
  server.scripts = {{kOk, ""}, {kOk, ""}, {""}};
  EXPECT_EQ(get(), "200 ok");
  EXPECT_EQ(get(), "200 ok");  // closed after the request was read; a fresh one answers
  EXPECT_EQ(server.connections.size(), 2u);
  // The fresh one is closed, too: no third try.
  EXPECT_NE(get().find("closed before its response"), std::string::npos);
  EXPECT_EQ(server.connections.size(), 3u);
}

TEST_F(HttpClientTest, APostIsNeverSentTwice) {
  server.scripts = {{kOk, ""}, {kOk}};
  EXPECT_EQ(get(), "200 ok");
  EXPECT_NE(get("POST", "x").find("closed before its response"), std::string::npos);
  EXPECT_EQ(server.connections.size(), 1u);
}

TEST_F(HttpClientTest, FailuresAreToldApart) {
  server.scripts = {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabc"},
                    {"SMTP ready\r\n\r\n"},
                    {}};
  Calls calls;
  calls.done = [&] { loop.stop(); };
  const auto run = [&](HttpClient& with) {
    calls.log.clear();
    const auto call = with.start(to, make_request("GET", "/", to.address), calls);
    loop.run();
    return calls.failure.kind;
  };
  EXPECT_EQ(run(client), HttpFailure::Kind::kCut);
  EXPECT_EQ(run(client), HttpFailure::Kind::kMalformed);
  HttpClient impatient(loop, resolver, {.response_timeout = 20ms});
  EXPECT_EQ(run(impatient), HttpFailure::Kind::kTimeout);
  EXPECT_TRUE(calls.failure.sent);
  HttpClient none(loop, resolver, {.connections_max = 0});
  EXPECT_EQ(run(none), HttpFailure::Kind::kShortage);
  server.listener.reset();
  EXPECT_EQ(run(client), HttpFailure::Kind::kConnect);
  EXPECT_FALSE(calls.failure.sent);
}

// A reset right behind the first bytes of a response is found long before the response timeout.
TEST_F(HttpClientTest, AResetHiddenByAShortReadIsFound) {
  server.scripts = {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"}};
  Calls calls;
  calls.done = [&] { loop.stop(); };
  server.resets = true;
  const auto call = client.start(to, make_request("GET", "/", to.address), calls);
  loop.run();
  EXPECT_EQ(calls.failure.kind, HttpFailure::Kind::kCut);
}

// Writing meets the reset first, and reading then an end without an error: of a body that only the
// connection's end completes it must not be taken for that.
TEST_F(HttpClientTest, AResetThatWritingHasMetIsNoBodysEnd) {
  server.scripts = {{"HTTP/1.1 200 OK\r\n\r\npart"}};
  server.resets = true;
  Calls calls;
  calls.done = [&] { loop.stop(); };
  HttpRequest request;
  request.head = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  request.method = http::Method::kPut;
  request.streams = request.chunked = true;
  auto call = client.start(to, std::move(request), calls);
  server.told = [&] { call->send_body("more"); };
  loop.run();
  EXPECT_EQ(calls.log, "200 failed");
  EXPECT_EQ(calls.failure.kind, HttpFailure::Kind::kCut);
}

// The response ends where the read does, and more lies behind it.
TEST_F(HttpClientTest, WhatTalksOutOfTurnIsNotReused) {
  const auto response = [](std::size_t size) {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: ";
    std::size_t body = size - head.size() - 4;
    body -= std::to_string(body).size();
    return head + std::to_string(body) + "\r\n\r\n" + std::string(body, 'x');
  };
  const std::string junk = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\njunk";
  // The first makes the socket's buffer grow, so that the second is there at once.
  server.scripts = {{response(8 << 20), response(EventLoop::kScratchBytes) + junk, kOk}, {kOk}};
  EXPECT_GT(get().size(), std::size_t{8} << 19);
  EXPECT_GT(get().size(), EventLoop::kScratchBytes / 2);
  EXPECT_EQ(get(), "200 ok");
}

TEST_F(HttpClientTest, InterimResponsesAndTunnels) {
  server.scripts = {
      {"HTTP/1.1 103 Early Hints\r\n\r\n"
       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
       "early"}};
  Calls calls;
  HttpCall::Tunnel tunnel;
  std::unique_ptr<HttpCall> call;
  calls.responded = [&] {
    tunnel = call->take_tunnel();
    loop.stop();
  };
  HttpRequest request =
      make_request("GET", "/", to.address, {{"Connection", "Upgrade"}, {"Upgrade", "x"}});
  request.upgrade = true;
  call = client.start(to, std::move(request), calls);
  loop.run();
  EXPECT_EQ(calls.log, "(103) 101 ");
  EXPECT_EQ(tunnel.early, "early");
  EXPECT_TRUE(tunnel.stream != nullptr);
  EXPECT_EQ(client.connections(), 0u);
}

TEST_F(HttpClientTest, PausingHoldsTheBody) {
  server.scripts = {{"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef"}};
  Calls calls;
  std::unique_ptr<HttpCall> call;
  bool resumed = false;
  Timer later(loop, [&] {
    EXPECT_EQ(calls.body, "");
    resumed = true;
    call->resume();
  });
  calls.responded = [&] {
    call->pause();
    later.set_after(5ms);
  };
  calls.done = [&] { loop.stop(); };
  call = client.start(to, make_request("GET", "/", to.address), calls);
  loop.run();
  EXPECT_TRUE(resumed);
  EXPECT_EQ(calls.body, "abcdef");
}

TEST_F(HttpClientTest, AStreamedBodyIsHeldBackAndChunked) {
  server.scripts = {{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"}};
  Calls calls;
  calls.done = [&] { loop.stop(); };
  HttpRequest request;
  request.head = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  request.method = http::Method::kPut;
  request.streams = request.chunked = true;
  auto call = client.start(to, std::move(request), calls);
  const std::string part(100000, 'x');
  EXPECT_FALSE(call->send_body(part));
  int parts = 1;
  calls.writable = [&] {
    while (parts < 20 && call->send_body(part)) ++parts;
    if (parts == 20) call->end_body();
    ++parts;
  };
  loop.run();
  EXPECT_EQ(calls.log, "200 complete");
  EXPECT_GE(parts, 20);
}

TEST_F(HttpClientTest, AFastResponseLeavesOthersTheirTurn) {
  constexpr std::size_t kTurn = 4096;
  loop.set_turn_bytes(kTurn);
  const std::string body(4'000'000, 'x');
  server.scripts = {{"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + body}};
  Calls calls;
  auto call = client.start(to, make_request("GET", "/", to.address), calls);
  std::size_t most = 0, last = 0;
  while (last < body.size()) {
    loop.post([&] { loop.stop(); });
    loop.run();
    most = std::max(most, calls.body.size() - last);
    last = calls.body.size();
  }
  EXPECT_LE(most, 2 * (kTurn + EventLoop::kScratchBytes));
}

TEST_F(HttpClientTest, ACancelledCallIsSilent) {
  server.scripts = {{kOk}, {kOk}};
  Calls calls;
  auto call = client.start(to, make_request("GET", "/", to.address), calls);
  calls.responded = [&] {
    call.reset();
    loop.stop();
  };
  loop.run();
  EXPECT_EQ(get(), "200 ok");
  EXPECT_EQ(calls.log, "200 ");
}

TEST_F(HttpClientTest, OverTlsABodyWithoutALengthEndsWithTheNoticeOfItsEnd) {
  const TlsPsk key{"k", std::string(32, 'k')};
  server.tls = TlsContext::psk_server({key});
  to.tls = TlsContext::psk_client(key);
  const std::string until_close = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf";
  const std::string with_length =
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nhalf";
  server.scripts = {{until_close}, {until_close}, {with_length}};
  EXPECT_EQ(get(), "200 half");
  server.cuts = true;
  EXPECT_NE(get().find("closed in its response"), std::string::npos);
  EXPECT_EQ(get(), "200 half");
}

}  // namespace
}  // namespace tandem
