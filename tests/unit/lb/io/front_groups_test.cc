// Several groups behind one front: which request goes where, and with which of a client's tokens.
#include "common/cluster/server_list.h"
#include "common/session/group_fields.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

// a and b are of no routed group, c and d of "api", e is a plain server of "shop".
class FrontGroups : public FrontTest {
 protected:
  FrontGroups() {
    route({{"", "/api", "api"}, {"shop.example", "", "shop"}, {"", "/none", "none"}});
  }
  void route(std::vector<RouteRule> rules) {
    auto made = Routes::make(std::move(rules));
    ASSERT_TRUE(made);
    routes_ = std::make_shared<const Routes>(std::move(*made));
  }
  void start_all() { start({&a_, &b_, &c_, &d_, &e_}); }
  static std::string library(const std::string& value) {
    return "Tandem-Session: " + value + "\r\n";
  }
  // The request as the server gets it; the answer sets no token.
  std::string passed(Peer& client, Origin& server, const std::string& request) {
    client.send(request);
    Peer peer = server.accept();
    std::string head = peer.read_head();
    peer.send(ok("x"));
    response_ = client.read_response();
    peer.end();
    return head;
  }
  std::string response_;

  Origin a_{"a", ServerKind::kTandem, "default"};
  Origin b_{"b", ServerKind::kTandem, "default"};
  Origin c_{"c", ServerKind::kTandem, "api"};
  Origin d_{"d", ServerKind::kTandem, "api"};
  Origin e_{"e", ServerKind::kPlain, "shop"};
};

TEST_F(FrontGroups, TheRouteSaysWhoseTheRequestIsAndTheCookieFollows) {
  start_all();
  Peer client = this->client();
  const std::string own = token(a_, &b_), api = token(c_, &d_);
  const std::string both = "Cookie: x=1; tandem=" + own + "; tandem-api=" + api + "\r\n";
  const std::string to_a = passed(client, a_, get("/", both));
  EXPECT_EQ(field(to_a, "Tandem-Session"), own);
  EXPECT_EQ(field(to_a, "Cookie"), "x=1") << "no server sees a token that is not for it";
  Peer other = this->client();
  const std::string to_c = passed(other, c_, get("/api/x", both));
  EXPECT_EQ(field(to_c, "Tandem-Session"), api);
  EXPECT_EQ(field(to_c, "Cookie"), "x=1");
  EXPECT_EQ(counts().tokens_foreign.value(), 0u);
}

TEST_F(FrontGroups, ANewSessionIsMadeInTheGroupAndSetInItsCookie) {
  start_all();
  Peer client = this->client();
  client.send("GET / HTTP/1.1\r\nHost: Shop.Example:8080\r\n\r\n");
  Peer plain = e_.accept();
  plain.read_head();
  plain.send(ok("x"));
  const std::string response = client.read_response();
  const std::string set = field(response, "Set-Cookie");
  ASSERT_TRUE(set.starts_with("tandem-shop=")) << response;
  EXPECT_EQ(opened(set.substr(12, set.find(';') - 12)).primary, e_.id());
  EXPECT_EQ(field(response, "Tandem-Group"), "") << "that is for the library";
}

TEST_F(FrontGroups, ATokenOfAnotherGroupsServersIsNone) {
  start_all();
  Peer client = this->client();
  client.send(get("/api", "Cookie: tandem-api=" + token(a_, &b_) + "\r\n"));
  Peer server = c_.asked() ? c_.accept() : Peer();
  for (int tries = 0; server.fd() < 0 && tries < 1000; ++tries) {
    ::usleep(1000);
    if (c_.asked()) server = c_.accept();
    if (server.fd() < 0 && d_.asked()) server = d_.accept();
  }
  ASSERT_GE(server.fd(), 0) << "it went elsewhere";
  EXPECT_EQ(opened(field(server.read_head(), "Tandem-Session")).flags, kNewSession);
  server.send(ok("x"));
  client.read_response();
  EXPECT_EQ(counts().tokens_foreign.value(), 1u);
  EXPECT_EQ(counts().tokens_bad.value(), 0u);
}

TEST_F(FrontGroups, OfALibrarysTokensTheServerGetsItsOwnAlone) {
  start_all();
  const std::string own = token(a_, &b_), api = token(c_, &d_);
  std::string value;
  append_session(value, own, "");
  append_session(value, api, "api");
  Peer client = this->client();
  const std::string to_c = passed(client, c_, get("/api/x", library(value)));
  EXPECT_EQ(field(to_c, "Tandem-Session"), api);
  EXPECT_EQ(to_c.find("group="), std::string::npos);
  EXPECT_EQ(field(response_, kGroupField.data()), "api") << "though no token is set";
  Peer other = this->client();
  EXPECT_EQ(field(passed(other, a_, get("/", library(value))), "Tandem-Session"), own);
  EXPECT_EQ(field(response_, kGroupField.data()), "");
}

TEST_F(FrontGroups, AGroupWithoutServersIsAnOutageOfItsRoutesAlone) {
  start_all();
  show({&c_, &d_});
  Peer client = this->client();
  const std::string api = token(c_, &d_);
  for (const char* target : {"/api", "/none"}) {
    client.send(get(target, library(api + ";group=api")));
    const std::string response = client.read_response();
    EXPECT_TRUE(response.starts_with("HTTP/1.1 503")) << response;
    EXPECT_EQ(field(response, "Retry-After"), "1");
    EXPECT_EQ(field(response, "Tandem-Group"), target + 1);
  }
  passed(client, a_, get("/", cookie(token(a_))));
  EXPECT_TRUE(response_.starts_with("HTTP/1.1 200"));
}

TEST_F(FrontGroups, ATakeoverStaysInTheGroup) {
  start_all();
  show({&c_});
  Peer client = this->client();
  const std::string head =
      passed(client, d_, get("/api", "Cookie: tandem-api=" + token(c_, &d_) + "\r\n"));
  EXPECT_EQ(opened(field(head, "Tandem-Session")).flags, kTakeover);
  Peer other = this->client();
  const std::string lost =
      passed(other, d_, get("/api", "Cookie: tandem-api=" + token(c_) + "\r\n"));
  EXPECT_EQ(opened(field(lost, "Tandem-Session")).flags, kTakeover);
  EXPECT_EQ(counts().lost.value(), 1u);
}

TEST_F(FrontGroups, AValidationGoesToTheGroupThatItNames) {
  start_all();
  const auto post = [](const std::string& path, const std::string& value) {
    return "POST " + path + " HTTP/1.1\r\nHost: shop.example\r\nTandem-Session: " + value +
           "\r\nTandem-Cache: 0123456789abcdef\r\nContent-Length: 0\r\n\r\n";
  };
  const std::string both = token(a_) + ", " + token(c_) + ";group=api";
  Peer client = this->client();
  EXPECT_EQ(field(passed(client, c_, post(validation_path("api"), both)), "Tandem-Session"),
            both.substr(both.find(", ") + 2, token(c_).size()));
  EXPECT_EQ(field(response_, "Tandem-Group"), "api");
  passed(client, a_, post(validation_path(""), both));
  EXPECT_EQ(field(response_, "Tandem-Group"), "");
  for (const char* group : {"default", "nobody"}) {
    client.send(post(validation_path(group), both));
    EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 404")) << group;
  }
}

TEST_F(FrontGroups, OverlappingRequestsOfTwoGroupsAreTwoSessions) {
  start_all();
  show({&b_, &d_});
  Peer client = this->client();
  client.send(get("/") + get("/api"));
  Peer first = a_.accept();
  first.read_head();
  first.send(ok("x", "Tandem-Session: " + token(a_) + "\r\n"));
  EXPECT_TRUE(client.read_response().starts_with("HTTP/1.1 200"));
  Peer second = c_.accept();
  EXPECT_EQ(opened(field(second.read_head(), "Tandem-Session")).primary, c_.id());
  second.send(ok("x"));
  client.read_response();
  EXPECT_EQ(counts().sessions_new.value(), 2u);
}

TEST_F(FrontGroups, TheListOfServersTellsTheRoutes) {
  options_.server_list = true;
  start_all();
  const auto listed = [this] {
    Peer client = this->client();
    client.send(get(kServerListPath));
    const std::string response = client.read_response();
    const auto read =
        parse_server_list(std::string_view(response).substr(response.find("\r\n\r\n") + 4));
    EXPECT_TRUE(read) << response;
    return read ? *read : ServerListing{};
  };
  ServerListing list = listed();
  EXPECT_EQ(list.routes, routes_->rules());
  ASSERT_EQ(list.servers.size(), 4u);
  EXPECT_EQ(list.servers[2].group, "api");
  routes_ = nullptr;
  show();
  for (int tries = 0; !list.routes->empty() && tries < 1000; ++tries) list = listed();
  ASSERT_TRUE(list.routes) << "that there are none is told, too";
  EXPECT_TRUE(list.routes->empty());
}

// A request that is under way stays with the group that has it; the next one goes by the new
// routes.
TEST_F(FrontGroups, RoutesMayChangeUnderARequest) {
  start_all();
  Peer client = this->client();
  client.send(get("/api", "Cookie: tandem-api=" + token(c_, &d_) + "\r\n"));
  Peer server = c_.accept();
  server.read_head();
  route({{"", "/a", "aaa"}, {"", "/other", "api"}});
  show();
  Peer probe = this->client();
  std::string answer;
  do {  // until the group of the new routes is known
    probe.send("POST " + validation_path("aaa") +
               " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    answer = probe.read_response();
  } while (answer.starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400")) << answer;
  const std::string next = token(d_);
  server.send(ok("x", "Tandem-Session: " + next + "\r\n"));
  EXPECT_TRUE(field(client.read_response(), "Set-Cookie").starts_with("tandem-api=" + next));
  passed(client, a_, get("/api", cookie(token(a_))));
  EXPECT_TRUE(response_.starts_with("HTTP/1.1 200"));
}

}  // namespace
}  // namespace tandem
