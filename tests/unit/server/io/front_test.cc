// The front with real sockets on both sides: an origin that says what the test wants, and a client
// that reads the very bytes.
#include "server/io/front.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <vector>

#include "tests/unit/server/io/front_shell.h"

namespace tandem::server {
namespace {

const std::string kTag = "\"11-22\"";

// --- validators ---------------------------------------------------------------------------------

TEST(FrontValidators, OurTagReplacesTheOriginsAndStandsForTheContent) {
  const Always origin(ok("hello", "ETag: \"theirs\"\r\nLast-Modified: x\r\n"));
  Shell shell(EtagRule::kContent, origin);
  auto client = shell.client();
  const Reply first = ask(*client, get());
  EXPECT_EQ(first.status(), 200);
  EXPECT_EQ(first.body, "hello");
  const std::string etag = field(first.head, "ETag");
  EXPECT_EQ(etag, Validator::of("hello").etag());
  EXPECT_EQ(first.head.find("theirs"), first.head.npos);
  EXPECT_EQ(field(first.head, "Tandem-Server"), "a");
  const std::string token = field(first.head, "Tandem-Session");
  EXPECT_FALSE(token.empty());

  const Reply again =
      ask(*client, get("Tandem-Session: " + token + "\r\nIf-None-Match: " + etag + "\r\n"));
  EXPECT_EQ(again.status(), 304);
  EXPECT_EQ(field(again.head, "ETag"), etag);
  EXPECT_EQ(field(again.head, "Tandem-Reuse"), "validator");
  EXPECT_EQ(field(again.head, "Content-Length"), "");
  EXPECT_EQ(field(again.head, "Content-Type"), "");
  ASSERT_EQ(origin.heads->size(), 2u);  // it was asked, and not told of a tag that it does not know
  EXPECT_EQ((*origin.heads)[1].find("If-None-Match"), std::string::npos);
  EXPECT_EQ((*origin.heads)[1].find("Tandem-"), std::string::npos);
  EXPECT_EQ(shell.origin().connections(), 1);
}

TEST(FrontValidators, ALibraryClientIsAnsweredByItsMirror) {
  Shell shell(EtagRule::kContent, Always(ok("hello")));
  auto client = shell.client();
  const std::string cache = "Tandem-Cache: 00000000000000aa\r\n";
  const Reply first = ask(*client, get(cache));
  const std::string token = "Tandem-Session: " + field(first.head, "Tandem-Session") + "\r\n";
  const std::string know = "If-None-Match: " + field(first.head, "ETag") + "\r\n";
  // The session is confirmed now: the item enters the mirror, by its validator.
  const Reply second = ask(*client, get(cache + token + know));
  EXPECT_EQ(field(second.head, "Tandem-Reuse"), "validator");
  const Reply third = ask(*client, get(cache + token + know));
  EXPECT_EQ(third.status(), 304);
  EXPECT_EQ(field(third.head, "Tandem-Reuse"), "mirror");
}

TEST(FrontValidators, ChangedContentIsSent) {
  Shell shell(EtagRule::kContent, Always(ok("new")));
  auto client = shell.client();
  const Reply reply = ask(*client, get("If-None-Match: " + Validator::of("old").etag() + "\r\n"));
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(reply.body, "new");
  EXPECT_EQ(field(reply.head, "Tandem-Reuse"), "");
}

TEST(FrontValidators, NeverReusedWithoutBeingAsked) {
  Shell shell(EtagRule::kContent, Always(ok("same")));
  auto client = shell.client();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(*client, get()).status(), 200);
}

TEST(FrontValidators, TheOriginsStrongTagStaysAndItDecides) {
  const Always origin("HTTP/1.1 304 Not Modified\r\nETag: " + kTag + "\r\n\r\n");
  Shell shell(EtagRule::kOrigin, origin);
  auto client = shell.client();
  const Reply reply = ask(*client, get("If-None-Match: " + kTag + "\r\n"));
  EXPECT_EQ(reply.status(), 304);
  EXPECT_EQ(field(reply.head, "ETag"), kTag);
  EXPECT_EQ(field(reply.head, "Tandem-Reuse"), "");
  EXPECT_EQ(field(origin.heads->at(0), "If-None-Match"), kTag);
}

TEST(FrontValidators, IfMatchOnOurTagIsRefusedWithoutTheOrigin) {
  const Always origin(ok("x"));
  Shell shell(EtagRule::kContent, origin);
  auto client = shell.client();
  const Reply reply = ask(*client, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nIf-Match: " +
                                       Validator::of("x").etag() + "\r\n\r\n");
  EXPECT_EQ(reply.status(), 412);
  EXPECT_TRUE(origin.heads->empty());
}

TEST(FrontValidators, WhatMayNotBeStoredPassesWithoutOurTag) {
  Shell shell(EtagRule::kOrigin, Always(ok("secret", "Cache-Control: no-store\r\n")));
  auto client = shell.client();
  const Reply reply =
      ask(*client, get("If-None-Match: " + Validator::of("secret").etag() + "\r\n"));
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(field(reply.head, "ETag"), "");
  EXPECT_EQ(field(reply.head, "Cache-Control"), "no-store");
}

TEST(FrontValidators, ALargeBodyOfUnknownLengthStreamsWithoutOurTag) {
  const std::string body(2500, 'x');
  Shell shell(EtagRule::kContent, [&](Talk& talk, int) {
    talk.head();
    talk.send("HTTP/1.1 200 OK\r\nETag: \"theirs\"\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 5; ++i) talk.send("1f4\r\n" + body.substr(0, 500) + "\r\n");
    talk.send("0\r\n\r\n");
  });
  auto client = shell.client();
  client->send(get());
  const std::string head = client->head();
  EXPECT_EQ(field(head, "ETag"), "");
  EXPECT_EQ(field(head, "Transfer-Encoding"), "chunked");
  std::string got;
  for (std::size_t n; (n = std::stoul(client->until("\r\n"), nullptr, 16)) > 0;) {
    got += client->bytes(n);
    EXPECT_EQ(client->bytes(2), "\r\n");
  }
  EXPECT_EQ(got, body);
}

// --- methods, ranges, bodies
// ----------------------------------------------------------------------

TEST(FrontBodies, HeadHasTheLengthAndNoBody) {
  Shell shell(EtagRule::kContent,
              Always("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"theirs\"\r\n\r\n"));
  auto client = shell.client();
  client->send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\nHEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
  for (int i = 0; i < 2; ++i) {
    const std::string head = client->head();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 ")) << head;
    EXPECT_EQ(field(head, "Content-Length"), "5");
    EXPECT_EQ(field(head, "ETag"), "");
  }
}

TEST(FrontBodies, PartsPassAndIfRangeOnOurTagAsksForTheWhole) {
  const Always origin(
      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nhe");
  Shell shell(EtagRule::kContent, origin);
  auto client = shell.client();
  const Reply part = ask(*client, get("Range: bytes=0-1\r\n"));
  EXPECT_EQ(part.status(), 206);
  EXPECT_EQ(part.body, "he");
  EXPECT_EQ(field(part.head, "Content-Range"), "bytes 0-1/5");
  ask(*client, get("Range: bytes=0-1\r\nIf-Range: " + Validator::of("hello").etag() + "\r\n"));
  EXPECT_EQ(field(origin.heads->at(0), "Range"), "bytes=0-1");
  EXPECT_EQ(field(origin.heads->at(1), "Range"), "");
}

TEST(FrontBodies, AChunkedUploadArrivesWhole) {
  std::string head, body;
  Shell shell(EtagRule::kContent, [&](Talk& talk, int) {
    head = talk.head();
    for (std::size_t n; (n = std::stoul(talk.until("\r\n"), nullptr, 16)) > 0;) {
      body += talk.bytes(n);
      talk.bytes(2);
    }
    talk.until("\r\n");
    talk.send(ok("thanks"));
  });
  auto client = shell.client();
  client->send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n");
  client->send("5\r\nhello\r\n");
  client->send("6;ext=1\r\n world\r\n0\r\nX: y\r\n\r\n");
  EXPECT_EQ(read(*client).body, "thanks");
  EXPECT_EQ(body, "hello world");
  EXPECT_EQ(field(head, "Transfer-Encoding"), "chunked");
  EXPECT_EQ(field(head, "Trailer"), "");
}

TEST(FrontBodies, ALargeUploadAndItsEchoPassInBoundedMemory) {
  constexpr std::size_t kSize = 32 << 20;
  Shell shell(EtagRule::kContent, [&](Talk& talk, int) {
    talk.head();
    const std::string all = talk.bytes(kSize);
    talk.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(all.size()) + "\r\n\r\n");
    talk.send(all);
  });
  auto client = shell.client();
  std::string sent(kSize, 'x');
  for (std::size_t i = 0; i < sent.size(); i += 1000) sent[i] = static_cast<char>('a' + i % 23);
  client->send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(kSize) +
               "\r\n\r\n");
  client->send(sent);
  EXPECT_TRUE(read(*client).body == sent);
}

TEST(FrontBodies, ContinueIsSaidOnce) {
  std::string head;
  Shell shell(EtagRule::kContent, [&](Talk& talk, int) {
    head = talk.head();
    talk.send("HTTP/1.1 100 Continue\r\n\r\n");
    talk.send(ok(talk.bytes(5)));
  });
  auto client = shell.client();
  client->send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client->head(), "HTTP/1.1 100 Continue\r\n\r\n");
  client->send("hello");
  EXPECT_EQ(read(*client).body, "hello");
  EXPECT_EQ(field(head, "Expect"), "");
}

TEST(FrontBodies, OtherInterimResponsesPass) {
  Shell shell(EtagRule::kContent,
              Always("HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n" + ok("x")));
  auto client = shell.client();
  client->send(get());
  const std::string hints = client->head();
  EXPECT_TRUE(hints.starts_with("HTTP/1.1 103 ")) << hints;
  EXPECT_EQ(field(hints, "Link"), "</s.css>");
  EXPECT_EQ(read(*client).body, "x");
}

TEST(FrontBodies, AnEarlyAnswerToAnUploadIsDelivered) {
  Shell shell(EtagRule::kContent, [&](Talk& talk, int) {
    talk.head();
    talk.send(
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    talk.end();
    talk.rest();
  });
  auto client = shell.client();
  client->send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\nsome");
  const Reply reply = read(*client);
  EXPECT_EQ(reply.status(), 413);
  EXPECT_EQ(reply.body, "big");
  EXPECT_EQ(client->rest(), "");  // the rest of the upload has no reader: the connection ends
}

// --- tunnels
// --------------------------------------------------------------------------------------

TEST(FrontTunnel, CarriesBothWaysUntilBothHaveEnded) {
  std::string head, heard;
  Shell shell(EtagRule::kContent, [&](Talk& talk, int) {
    head = talk.head();
    talk.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nwelcome");
    heard = talk.rest();
    talk.send("goodbye");
  });
  auto client = shell.client();
  client->send(get("Connection: Upgrade\r\nUpgrade: x\r\n") + "early");
  const std::string answer = client->head();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
  EXPECT_EQ(field(answer, "Upgrade"), "x");
  EXPECT_EQ(client->bytes(7), "welcome");
  const std::string large(3 << 20, 'y');
  client->send(large);
  client->end();
  EXPECT_EQ(client->rest(), "goodbye");
  EXPECT_TRUE(heard == "early" + large);
  EXPECT_EQ(field(head, "Upgrade"), "x");
}

TEST(FrontTunnel, AnUpgradeThatTheOriginIgnoresIsAnOrdinaryRequest) {
  Shell shell(EtagRule::kContent, Always(ok("plain")));
  auto client = shell.client();
  EXPECT_EQ(ask(*client, get("Connection: Upgrade\r\nUpgrade: x\r\n")).body, "plain");
  EXPECT_EQ(ask(*client, get()).body, "plain");
}

// --- an origin that fails
// -------------------------------------------------------------------------

TEST(FrontFailures, AnOriginThatIsSilentSaysNonsenseOrCloses) {
  const auto status_with = [](Origin::Converse converse) {
    HttpClientOptions impatient;
    impatient.response_timeout = 50ms;
    Shell shell(EtagRule::kContent, std::move(converse), impatient);
    auto client = shell.client();
    return ask(*client, get()).status();
  };
  EXPECT_EQ(status_with([](Talk& talk, int) { talk.rest(); }), 504);
  EXPECT_EQ(status_with([](Talk& talk, int) {
              talk.head();
              talk.send("220 mail ready\r\n\r\n");
            }),
            502);
  EXPECT_EQ(status_with([](Talk& talk, int) { talk.head(); }), 502);
  // Cut while it is being gathered: nothing has been promised yet.
  EXPECT_EQ(status_with([](Talk& talk, int) {
              talk.head();
              talk.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            }),
            502);
}

TEST(FrontFailures, AnOriginThatIsNotThere) {
  int gone = 0;
  {
    Origin closed([](Talk&, int) {});
    gone = closed.port();
  }
  EventLoop loop;
  Resolver resolver(loop);
  NodeOptions node;
  node.name = "a";
  NodeDriver driver(loop, node);
  HttpSource source(loop, resolver,
                    HttpDestination{Address{"127.0.0.1", static_cast<std::uint16_t>(gone)}}, {});
  Front front(loop, driver, source, options(EtagRule::kContent), keys());
  ASSERT_TRUE(front.listen(SocketAddress::loopback(0)));
  std::thread thread([&] { loop.run(); });
  {
    auto client = Talk::to(front.address().port());
    const auto reply = ask(*client, get());
    EXPECT_EQ(reply.status(), 503);
    EXPECT_EQ(field(reply.head, "Retry-After"), "1");
    EXPECT_EQ(ask(*client, get({}, "/.well-known/tandem/health")).status(), 200);
    EXPECT_EQ(ask(*client, get({}, "/.well-known/tandem/other")).status(), 404);
  }
  loop.stop();
  thread.join();
}

TEST(FrontFailures, AStreamedBodyThatIsCutIsNeverCompleted) {
  Shell shell(EtagRule::kContent, [](Talk& talk, int) {
    talk.head();
    talk.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
              std::string(2000, 'x') + "\r\n");
  });
  auto client = shell.client();
  client->send(get());
  const std::string all = client->rest();
  EXPECT_NE(all.find("xxx"), all.npos);
  EXPECT_EQ(all.find("\r\n0\r\n"), all.npos);
}

TEST(FrontFailures, AClientThatLeavesCancelsAtTheOrigin) {
  std::promise<void> ended;
  Shell shell(EtagRule::kContent, [&](Talk& talk, int) {
    talk.head();
    talk.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const std::string part(100000, 'x');
    while (talk.send(part)) {
    }
    ended.set_value();
  });
  auto client = shell.client();
  client->send(get());
  client->head();
  client->reset();
  EXPECT_EQ(ended.get_future().wait_for(std::chrono::seconds(test::kPatienceSeconds)),
            std::future_status::ready);
  EXPECT_EQ(shell.in_flight(), 0u);
}

TEST(FrontFailures, AnUploadThatIsCutIsNeverCompleted) {
  std::promise<void> begun;
  std::promise<std::string> received;
  Shell shell(EtagRule::kContent, [&](Talk& talk, int) {
    talk.until("hello");
    begun.set_value();
    received.set_value(talk.rest());
  });
  auto client = shell.client();
  client->send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  begun.get_future().get();  // else there would be nothing to cut
  client->close();
  EXPECT_EQ(received.get_future().get().find("0\r\n\r\n"), std::string::npos);
}

// --- tokens
// -----------------------------------------------------------------------------------------

TEST(FrontTokens, AForgedTokenIsNoToken) {
  Shell shell(EtagRule::kContent, Always(ok("x")));
  auto client = shell.client();
  const Reply first = ask(*client, get());
  std::string token = field(first.head, "Tandem-Session");
  const Reply warm = ask(*client, get("Tandem-Session: " + token + "\r\n"));
  EXPECT_EQ(warm.status(), 200);
  token[10] = token[10] == 'A' ? 'B' : 'A';
  const Reply forged = ask(*client, get("Tandem-Session: " + token + "\r\n"));
  EXPECT_EQ(forged.status(), 200);
  EXPECT_FALSE(field(forged.head, "Tandem-Session").empty());  // of a session of its own
  EXPECT_NE(field(forged.head, "Tandem-Session"), token);
}

TEST(FrontTokens, ATokenForAnotherServerIsReferred) {
  const Always origin(ok("x"));
  Shell shell(EtagRule::kContent, origin);
  View view;
  view.version = 1;
  for (const char* name : {"a", "b"}) {
    ServerRecord record;
    record.id = ServerId::of(name);
    record.name = name;
    record.online = true;
    record.status.capacity = 10;
    record.status.threshold = 8;
    view.servers.push_back(record);
  }
  shell.view(view);
  TokenCodec codec(keys());
  SessionToken token;
  token.session = SessionId{1, 2};
  token.epoch = Epoch{1, ServerId::of("b")};
  token.primary = ServerId::of("b");
  token.alternate = ServerId::of("c");
  const auto now = static_cast<UnixSeconds>(::time(nullptr));
  auto client = shell.client();
  const Reply reply = ask(*client,
                          "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                          "Tandem-Session: " +
                              std::string(codec.seal(token, now).view()) + "\r\n\r\nhello");
  EXPECT_EQ(reply.status(), 421);
  const auto refer = codec.open(field(reply.head, "Tandem-Refer"), now, 1800);
  ASSERT_TRUE(refer);
  EXPECT_EQ(refer.token.primary, ServerId::of("b"));
  EXPECT_NE(refer.token.flags, kNoFlags);
  EXPECT_TRUE(origin.heads->empty());
}

}  // namespace
}  // namespace tandem::server
