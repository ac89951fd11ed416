#include "common/net/http_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>

#include "common/net/http_fetch.h"
#include "common/net/http_server_connection.h"

namespace tandem {
namespace {

// Answers by path: see on_request().
struct App final : HttpServerHandler, HttpExchangeHandler {
  void on_request(HttpExchange& exchange, const http::RequestHead& head,
                  const http::Framing& framing) override {
    targets += std::string(head.target()) + " ";
    current = &exchange;
    const std::string_view path = head.target();
    if (path == "/wait") {
      exchange.set_handler(this);
      if (waiting) waiting();
    } else if (path == "/head") {
      exchange.set_handler(this);
      exchange.start_response(200, "OK", {}, std::nullopt);
    } else if (path == "/echo") {
      exchange.set_handler(this);
      echo = true;
      if (head.expects_continue()) exchange.send_interim(100, {});
      if (framing.kind == http::BodyKind::kLength) {
        exchange.start_response(200, "OK", {}, framing.length);
      } else {
        exchange.start_response(200, "OK", {}, std::nullopt);
      }
      exchange.resume_body();
    } else if (path == "/large") {
      exchange.set_handler(this);
      echo = false;
      left = 20 << 20;
      exchange.start_response(200, "OK", {}, std::nullopt);
      on_response_writable();
    } else if (path == "/upgrade") {
      tunnel = exchange.take_tunnel("Connection: Upgrade\r\nUpgrade: x\r\n");
    } else {
      exchange.respond(200, "X-A: b\r\n", "you asked for " + std::string(path));
    }
  }
  void on_request_body(std::string_view bytes) override {
    if (echo && !current->send_body(bytes)) current->pause_body();
  }
  void on_request_end() override { current->end_response(); }
  void on_response_writable() override {
    if (echo) return current->resume_body();
    const std::string part(100000, 'x');
    while (left > 0) {
      const std::size_t n = std::min(left, part.size());
      left -= n;
      largest_unsent += 1;
      if (!current->send_body(std::string_view(part).substr(0, n))) return;
    }
    current->end_response();
    if (ended) ended();
  }
  void on_aborted() override {
    aborted = true;
    if (on_abort) on_abort();
  }
  std::string targets;
  HttpExchange* current = nullptr;
  HttpExchange::Tunnel tunnel;
  bool echo = false, aborted = false;
  std::size_t left = 0, largest_unsent = 0;
  std::function<void()> waiting, on_abort, ended;
};

// A raw client.
struct Raw final : StreamHandler {
  Raw(EventLoop& on, const SocketAddress& to) : loop(on) {
    stream = *Stream::connect(loop, to, this);
  }
  Raw(EventLoop& on, Descriptor socket) : loop(on) {
    stream = std::make_unique<Stream>(loop, std::move(socket), this);
  }
  void on_stream(bool, bool) override {
    if (!to_send.empty()) {
      const IoResult put = stream->write(to_send);
      if (put.ok()) to_send.erase(0, put.bytes);
    }
    char buffer[65536];
    while (!hold) {
      const IoResult got = stream->read(buffer);
      if (!got.ok()) {
        ended = got.end() || got.failed();
        break;
      }
      text.append(buffer, got.bytes);
    }
    if (check && check()) loop.stop();
  }
  // Sends, and reads until the condition holds, or never does.
  void talk(std::string what, std::function<bool()> until) {
    Timer patience(loop, [this] { loop.stop(); });
    patience.set_after(5s);
    to_send += what;
    check = std::move(until);
    on_stream(true, true);
    loop.run();
    check = nullptr;
  }
  EventLoop& loop;
  std::unique_ptr<Stream> stream;
  std::string to_send, text;
  bool ended = false, hold = false;
  std::function<bool()> check;
};

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

struct HttpServerTest : ::testing::Test {
  HttpServerTest() : server(loop, options(), app) {
    at = *server.listen(SocketAddress::loopback(0));
  }
  static HttpServerOptions options() {
    HttpServerOptions made;
    made.header_timeout = 40ms;
    made.keepalive_timeout = 40ms;
    made.linger_timeout = 100ms;
    return made;
  }
  void rounds() {
    for (int round = 0; round < 5; ++round) {
      loop.post([&] { loop.stop(); });
      loop.run();
    }
  }
  EventLoop loop;
  App app;
  HttpServer server;
  SocketAddress at;
};

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Raw client(loop, at);
  client.talk(
      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /c HTTP/1.1\r\nHost: x\r\n\r\n",
      [&] { return ends_with(client.text, "you asked for /c"); });
  EXPECT_EQ(app.targets, "/a /b /c ");
  EXPECT_LT(client.text.find("asked for /a"), client.text.find("asked for /c"));
  EXPECT_EQ(client.text.find("asked for /b"), client.text.npos);
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(HttpServerTest, EchoesABodyInPiecesWithContinue) {
  Raw client(loop, at);
  client.talk("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
              [&] { return ends_with(client.text, "\r\n\r\n"); });
  EXPECT_TRUE(client.text.starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
  client.talk("he", [&] { return ends_with(client.text, "he"); });
  client.talk("llo", [&] { return ends_with(client.text, "hello"); });
  client.talk(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n",
      [&] { return ends_with(client.text, "you asked for /next"); });
  EXPECT_NE(client.text.find("\r\n3\r\nabc\r\n0\r\n\r\n"), client.text.npos);
}

// What the first piece said holds: it says where the body ends.
TEST_F(HttpServerTest, AHeadThatComesInPiecesIsWhole) {
  Raw client(loop, at);
  for (const char* piece : {"POST /ec", "ho HTTP/1.1\r\nHost: x\r\n", "Content-Length: 5\r\n"}) {
    client.to_send = piece;
    client.on_stream(true, true);
    rounds();
  }
  client.talk("X-A: b\r\n\r\nhelloGET /next HTTP/1.1\r\nHost: x\r\n\r\n",
              [&] { return client.ended || ends_with(client.text, "you asked for /next"); });
  EXPECT_TRUE(client.text.starts_with("HTTP/1.1 200 ")) << client.text;
  EXPECT_NE(client.text.find("\r\n\r\nhello"), std::string::npos) << client.text;
  EXPECT_EQ(app.targets, "/echo /next ");
}

TEST_F(HttpServerTest, ALargeBodyWaitsForTheClient) {
  Raw client(loop, at);
  client.hold = true;
  Timer later(loop, [&] { loop.stop(); });
  client.to_send = "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  later.set_after(20ms);
  loop.run();
  EXPECT_GT(app.left, std::size_t{10} << 20);  // far from all of it is held in memory
  client.hold = false;
  client.talk("", [&] { return client.ended; });
  EXPECT_EQ(app.left, 0u);
  EXPECT_GT(client.text.size(), std::size_t{20} << 20);
  EXPECT_TRUE(ends_with(client.text, "0\r\n\r\n"));
}

TEST_F(HttpServerTest, OldClientsGetABodyThatEndsWithTheConnection) {
  Raw client(loop, at);
  client.talk("GET /large HTTP/1.0\r\n\r\n", [&] { return client.ended; });
  EXPECT_EQ(client.text.find("chunked"), client.text.npos);
  EXPECT_EQ(client.text.size() - client.text.find("\r\n\r\n") - 4, std::size_t{20} << 20);
}

TEST_F(HttpServerTest, BadHeadsAreRefusedAndTheConnectionEnds) {
  Raw client(loop, at);
  client.talk("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
              [&] { return client.ended; });
  EXPECT_TRUE(client.text.starts_with("HTTP/1.1 400 Bad Request\r\n")) << client.text;
  EXPECT_EQ(app.targets, "");
}

TEST_F(HttpServerTest, SlowHeadsAndIdleConnectionsEnd) {
  Raw slow(loop, at), idle(loop, at);
  bool idle_ended = false;
  idle.check = [&] {
    idle_ended = idle.ended;
    return idle.ended && slow.ended;
  };
  slow.talk("GET / HT", [&] { return slow.ended && idle_ended; });
  EXPECT_TRUE(slow.text.starts_with("HTTP/1.1 408 ")) << slow.text;
  EXPECT_EQ(idle.text, "");
}

TEST_F(HttpServerTest, AClientThatIsGoneIsTold) {
  auto client = std::make_unique<Raw>(loop, at);
  app.waiting = [&] {
    client->stream->reset_on_close();
    client->stream.reset();
    app.on_abort = [&] { loop.stop(); };
    // A hidden reset is met by writing.
    loop.defer([&] {
      app.current->start_response(200, "OK", {}, std::nullopt);
      app.echo = false;
      app.left = 1 << 20;
      app.on_response_writable();
    });
  };
  client->to_send = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
  loop.run();
  EXPECT_TRUE(app.aborted);
  EXPECT_EQ(server.connections(), 0u);
}

TEST_F(HttpServerTest, AnAnswerMayTakeLongerThanTheClientsTimeouts) {
  HttpServerOptions impatient = options();
  impatient.body_timeout = 20ms;
  HttpServer other(loop, impatient, app);
  Raw client(loop, *other.listen(SocketAddress::loopback(0)));
  Timer later(loop, [&] { app.current->respond(200, {}, "late"); });
  app.waiting = [&] { later.set_after(80ms); };
  client.talk("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n",
              [&] { return ends_with(client.text, "late"); });
  EXPECT_FALSE(app.aborted);
}

TEST_F(HttpServerTest, ALateAnswerWithoutTheRequestsBodySaysThatTheConnectionEnds) {
  Raw client(loop, at);
  app.waiting = [&] { loop.defer([&] { app.current->respond(421, {}, "elsewhere"); }); };
  client.talk("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
              [&] { return ends_with(client.text, "elsewhere"); });
  EXPECT_NE(client.text.find("Connection: close\r\n"), std::string::npos) << client.text;
}

TEST_F(HttpServerTest, OneThatIsFullSaysSoAndKeepsNothing) {
  HttpServerOptions small = options();
  small.connections_max = 1;
  HttpServer full(loop, small, app);
  const SocketAddress address = *full.listen(SocketAddress::loopback(0));
  Raw first(loop, address);
  first.talk("GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
             [&] { return ends_with(first.text, "you asked for /a"); });
  Raw second(loop, address);
  second.talk("GET /b HTTP/1.1\r\nHost: x\r\n\r\n",
              [&] { return second.ended || ends_with(second.text, "\r\n\r\n"); });
  EXPECT_TRUE(second.text.starts_with("HTTP/1.1 503 ")) << second.text;
  EXPECT_NE(second.text.find("\r\nRetry-After: 1\r\n"), second.text.npos);
  EXPECT_EQ(full.refused(), 1u);
  EXPECT_EQ(full.connections(), 1u);
  EXPECT_EQ(app.targets, "/a ");
}

TEST_F(HttpServerTest, HandsOverATunnel) {
  Raw client(loop, at);
  client.talk("GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nearly",
              [&] { return ends_with(client.text, "\r\n\r\n"); });
  EXPECT_TRUE(client.text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_EQ(app.tunnel.early, "early");
  EXPECT_TRUE(app.tunnel.stream != nullptr);
}

TEST_F(HttpServerTest, DrainsRequestsUnderWay) {
  Raw idle(loop, at), busy(loop, at);
  idle.talk("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", [&] { return ends_with(idle.text, "/a"); });
  bool drained = false;
  app.waiting = [&] {
    server.drain([&] {
      drained = true;
      loop.stop();
    });
    loop.defer([&] { app.current->respond(200, {}, "done"); });
  };
  busy.to_send = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
  busy.on_stream(true, true);
  loop.run();
  EXPECT_TRUE(drained);
  busy.on_stream(true, true);
  EXPECT_NE(busy.text.find("Connection: close"), busy.text.npos);
  EXPECT_TRUE(ends_with(busy.text, "done"));
}

TEST_F(HttpServerTest, ADrainLetsAnAnswerOutThatHasJustEnded) {
  Raw client(loop, at);
  bool drained = false;
  app.waiting = [&] {
    app.current->respond(204, {}, {});
    server.drain([&] {
      drained = true;
      loop.stop();
    });
  };
  client.talk("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", [&] { return client.ended; });
  EXPECT_TRUE(client.text.starts_with("HTTP/1.1 204 ")) << client.text;
  client.stream.reset();
  if (!drained) loop.run();
}

TEST_F(HttpServerTest, ADrainLetsTheLastPartOfALargeAnswerOut) {
  Raw client(loop, at);
  app.ended = [&] { server.drain([] {}); };
  client.talk("GET /large HTTP/1.1\r\nHost: x\r\n\r\n", [&] { return client.ended; });
  EXPECT_GT(client.text.size(), std::size_t{20} << 20);
  EXPECT_TRUE(ends_with(client.text, "0\r\n\r\n"));
}

TEST_F(HttpServerTest, AHeadDoesNotWaitForItsBody) {
  Raw client(loop, at);
  client.talk("GET /head HTTP/1.1\r\nHost: x\r\n\r\n",
              [&] { return ends_with(client.text, "\r\n\r\n"); });
  EXPECT_TRUE(client.text.starts_with("HTTP/1.1 200 ")) << client.text;
}

TEST_F(HttpServerTest, IdleAfterAnAnswerWithoutABodyIsIdle) {
  Raw client(loop, at);  // body_timeout is far longer
  client.talk("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", [&] { return client.ended; });
  EXPECT_TRUE(client.text.starts_with("HTTP/1.1 200 ")) << client.text;
  EXPECT_TRUE(client.ended);
}

TEST_F(HttpServerTest, AnAnswerWithinTheRequestsBodySaysThatTheConnectionEnds) {
  Raw client(loop, at);
  app.waiting = [&] {
    app.current->resume_body();
    loop.defer([&] { app.current->respond(413, {}, "too much"); });
  };
  client.talk("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf",
              [&] { return ends_with(client.text, "too much"); });
  EXPECT_NE(client.text.find("Connection: close\r\n"), std::string::npos) << client.text;
}

TEST_F(HttpServerTest, AnEarlyStreamedAnswerSaysThatTheConnectionEnds) {
  Raw client(loop, at);
  app.waiting = [&] {
    app.current->start_response(413, "Content Too Large", {}, 3);
    app.current->send_body("big");
    app.current->end_response();
  };
  client.talk("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf",
              [&] { return ends_with(client.text, "big"); });
  EXPECT_NE(client.text.find("Connection: close\r\n"), std::string::npos) << client.text;
}

TEST_F(HttpServerTest, HalfOfAnEmptyLineIsWaitedFor) {
  Raw client(loop, at);
  client.to_send = "\r";
  rounds();
  client.talk("\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n",
              [&] { return ends_with(client.text, "you asked for /next"); });
  EXPECT_TRUE(ends_with(client.text, "you asked for /next")) << client.text;
}

// Nothing but the head has come, in two pieces: the head is not what comes behind it.
TEST_F(HttpServerTest, ATunnelBeginsBehindItsHead) {
  Raw client(loop, at);
  client.to_send = "GET /upgrade HTTP/1.1\r\nHost: x\r\n";
  rounds();
  client.talk("Connection: Upgrade\r\nUpgrade: x\r\n\r\n",
              [&] { return ends_with(client.text, "\r\n\r\n"); });
  EXPECT_TRUE(client.text.starts_with("HTTP/1.1 101 ")) << client.text;
  EXPECT_EQ(app.tunnel.early, "");
}

// --- TLS: what is sealed, and waits for the socket
// ------------------------------------------------

// A connection whose socket takes a little of an answer, and the whole of it is sealed.
struct SealedAnswer : HttpServerTest {
  SealedAnswer() : tls_server(loop, patient(), app) {
    const TlsPsk key{"k", std::string(32, 'k')};
    EXPECT_TRUE(tls_server.listen(SocketAddress::loopback(0), TlsContext::psk_server({key})));
    psk = TlsContext::psk_client(key);
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const int small = 4096;
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    connection = std::make_unique<HttpServerConnection>(tls_server, Descriptor(ends[0]),
                                                        SocketAddress::loopback(1));
    client = std::make_unique<Raw>(loop, Descriptor(ends[1]));
    client->stream->start_tls(*psk);
    app.waiting = [this] {
      app.current->respond(200, {}, body);
      client->hold = true;
      loop.stop();
    };
    client->talk("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", [] { return false; });
    rounds();
  }
  static HttpServerOptions patient() {
    HttpServerOptions made = options();
    made.keepalive_timeout = made.header_timeout = 10s;
    return made;
  }
  void expect_all() {
    rounds();
    client->hold = false;
    client->talk("", [&] { return client->ended; });
    EXPECT_TRUE(ends_with(client->text, body)) << client->text.size();
  }
  const std::string body = std::string(60'000, 'b');
  std::shared_ptr<const TlsContext> psk;
  HttpServer tls_server;
  std::unique_ptr<HttpServerConnection> connection;
  std::unique_ptr<Raw> client;
};

TEST_F(SealedAnswer, IsSentBeforeADrainCloses) {
  connection->drain();
  expect_all();
}

TEST_F(SealedAnswer, IsSentThoughTheClientHasEndedItsSide) {
  client->stream->shutdown_write();
  expect_all();
}

}  // namespace
}  // namespace tandem
