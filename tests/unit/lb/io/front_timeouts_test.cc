// What the front does when clients or servers let it wait.
#include "lb/io/front.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontTimeout : public FrontTest {
 protected:
  // A GET of a client whose session is on `primary`, with `alternate`.
  std::string request(const Origin& primary, const Origin& alternate) {
    return get("/x", cookie(token(primary, &alternate)));
  }
  Origin a_{"a"};
  Origin b_{"b"};
  static constexpr Duration kShort = 80ms;
};

TEST_F(FrontTimeout, OfTheHeadIs408) {
  options_.limits.header_timeout = kShort;
  start({&a_});
  Peer client = this->client();
  client.send("GET / HTTP/1.1\r\nHo");
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(client.at_end());
}

// Some clients end a body with it; it is not the beginning of a head.
TEST_F(FrontTimeout, OfTheHeadIsNotThatOfAnEmptyLine) {
  options_.limits.header_timeout = kShort;
  options_.limits.keepalive_timeout = 4 * kShort;
  start({&a_});
  Peer client = this->client();
  client.send("POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 3\r\n\r\nabc\r\n");
  Peer server = a_.accept();
  server.read_head();
  server.send(ok("x"));
  client.read_response();
  EXPECT_EQ(client.read_to_end(), "");  // and no 408
}

TEST_F(FrontTimeout, OfAnIdleConnectionClosesIt) {
  options_.limits.keepalive_timeout = kShort;
  start({&a_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  server.send(ok("x"));
  client.read_response();
  EXPECT_TRUE(client.at_end());
}

TEST_F(FrontTimeout, OfTheBodyIs408) {
  options_.limits.body_timeout = kShort;
  start({&a_});
  Peer client = this->client();
  client.send("POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 4\r\n\r\nbo");
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 408 "));
}

TEST_F(FrontTimeout, OfTheResponseIs504AndTold) {
  options_.upstream.response_timeout = kShort;
  start({&a_, &b_});
  Peer client = this->client();
  client.send(request(a_, b_));
  Peer server = a_.accept();
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 504 "));
  EXPECT_TRUE(reported(a_));
  EXPECT_FALSE(b_.asked());
}

TEST_F(FrontTimeout, OfAResponseThatStandsStillAborts) {
  options_.limits.body_timeout = kShort;
  start({&a_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
  client.read_head();
  EXPECT_EQ(client.read(2), "ab");
  EXPECT_TRUE(client.was_reset());
}

TEST_F(FrontTimeout, OfAPooledConnectionClosesIt) {
  options_.upstream.idle_timeout = kShort;
  start({&a_});
  Peer client = this->client();
  client.send(get("/"));
  Peer server = a_.accept();
  server.read_head();
  server.send(ok("x"));
  client.read_response();
  EXPECT_TRUE(server.at_end());
}

}  // namespace
}  // namespace tandem
