// Behind another load balancer, which says by a PROXY header whose connection it is.
#include "lb/io/front.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontProxies : public FrontTest {
 protected:
  void trust(const char* network) { options_.proxies = {IpNetwork::parse(network).value()}; }
  std::string client_seen_by(Peer& server) { return field(server.read_head(), "X-Forwarded-For"); }
  Origin app_{"app"};
  const std::string header_ = "PROXY TCP4 10.1.2.3 10.0.0.1 4660 80\r\n";
};

TEST_F(FrontProxies, TheOneThatIsTrustedSaysWhoTheClientIs) {
  trust("127.0.0.0/8");
  start({&app_});
  Peer client = this->client();
  client.send(header_ + get("/"));
  Peer server = app_.accept();
  EXPECT_EQ(client_seen_by(server), "10.1.2.3");
  server.send(ok("x"));
  client.read_response();
  client.send(get("/again"));
  EXPECT_EQ(client_seen_by(server), "10.1.2.3");
}

TEST_F(FrontProxies, TheOneThatIsTrustedMayNotLeaveItOut) {
  trust("127.0.0.1");
  start({&app_});
  Peer client = this->client();
  client.send(get("/"));
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_FALSE(app_.asked());
}

TEST_F(FrontProxies, OthersAreNotBelieved) {
  trust("10.0.0.0/8");
  start({&app_});
  Peer client = this->client();
  client.send(header_ + get("/"));
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 400 "));
  Peer honest = this->client();
  honest.send(get("/"));
  Peer server = app_.accept();
  EXPECT_EQ(client_seen_by(server), "127.0.0.1");
}

}  // namespace
}  // namespace tandem
