// What the balancer itself answers under the reserved path: the list of servers, and reports.
#include <gtest/gtest.h>

#include "common/cluster/server_list.h"
#include "lb/core/report_limit.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

class FrontReserved : public FrontTest {
 protected:
  FrontReserved() { options_.server_list = true; }

  static std::string post(const std::string& target) {
    return "POST " + target + " HTTP/1.1\r\nHost: site\r\nContent-Length: 0\r\n\r\n";
  }
  std::string ask(const std::string& request) {
    Peer client = this->client();
    client.send(request);
    return client.read_response();
  }
  ServerListing list() {
    const std::string response = ask(get(kServerListPath));
    const std::size_t body = response.find("\r\n\r\n") + 4;
    const auto read = parse_server_list(std::string_view(response).substr(body));
    EXPECT_TRUE(read) << response;
    return read ? *read : ServerListing{};
  }
  Origin a_{"a", ServerKind::kTandem};
  Origin b_{"b", ServerKind::kTandem};
  Origin plain_{"plain"};
};

TEST_F(FrontReserved, TheListIsThatOfTheView) {
  start({&a_, &b_, &plain_});
  const ServerListing first = list();
  ASSERT_EQ(first.servers.size(), 2u);
  EXPECT_EQ(first.servers[0], (ListedServer{"a", a_.address().text(), true, "", 1000}));
  EXPECT_EQ(first.servers[1], (ListedServer{"b", b_.address().text(), true, "", 1000}));
  show({&b_});
  ServerListing second = list();
  for (int tries = 0; second.version == first.version && tries < 1000; ++tries) second = list();
  EXPECT_GT(second.version, first.version);
  EXPECT_FALSE(second.servers[1].online);
  EXPECT_FALSE(a_.asked());
  EXPECT_FALSE(plain_.asked());
}

TEST_F(FrontReserved, ItsHeadSaysWhatItIs) {
  start({&a_});
  const std::string response = ask(get(kServerListPath));
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(field(response, "Content-Type"), "application/json");
  EXPECT_EQ(field(response, "Cache-Control"), "no-store");
  Peer client = this->client();  // and the connection goes on
  client.send("HEAD " + std::string(kServerListPath) + " HTTP/1.1\r\nHost: site\r\n\r\n");
  EXPECT_TRUE(client.read_head().starts_with("HTTP/1.1 200"));
  client.send(get(kServerListPath));
  EXPECT_TRUE(client.read_response().ends_with("]}"));
}

TEST_F(FrontReserved, AReportMakesSomebodyLook) {
  start({&a_, &plain_});
  const std::string report(kReportPath);
  EXPECT_TRUE(ask(post(report + "?server=a")).starts_with("HTTP/1.1 202 Accepted\r\n"));
  EXPECT_TRUE(reported(a_));
  for (const char* query : {"?server=plain", "?server=nobody", "?server=", "x?server=a"}) {
    EXPECT_TRUE(ask(post(report + query)).starts_with("HTTP/1.1 404")) << query;
  }
  EXPECT_TRUE(ask(post(report)).starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(ask(post(report + "?name=a")).starts_with("HTTP/1.1 400"));
  const std::string no_get = ask(get(report + "?server=a"));
  EXPECT_TRUE(no_get.starts_with("HTTP/1.1 405"));
  EXPECT_EQ(field(no_get, "Allow"), "POST");
  const std::string no_post = ask(post(std::string(kServerListPath)));
  EXPECT_TRUE(no_post.starts_with("HTTP/1.1 405"));
  EXPECT_EQ(field(no_post, "Allow"), "GET, HEAD");
  EXPECT_FALSE(a_.asked());
}

TEST_F(FrontReserved, AServerThatAnswersAgainIsCountedAndNobodyLooks) {
  start({&a_});
  const std::string report = std::string(kReportPath) + "?server=a" + std::string(kReportAnswers);
  EXPECT_TRUE(ask(post(report)).starts_with("HTTP/1.1 202"));
  EXPECT_EQ(worker_->counts().client_returns.value(), 1u);
  EXPECT_EQ(worker_->counts().client_reports.value(), 0u);
}

TEST_F(FrontReserved, ReportsAreLimited) {
  start({&a_});
  Peer client = this->client();
  int refused = 0;
  for (int i = 0; i < 3 * ReportLimit::kBurst; ++i) {
    client.send(post(std::string(kReportPath) + "?server=a"));
    refused += client.read_response().starts_with("HTTP/1.1 429");
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(worker_->counts().client_reports_refused.value(), static_cast<unsigned>(refused));
}

TEST_F(FrontReserved, AllIsClosedUnlessTheConfOpensIt) {
  options_.server_list = false;
  start({&a_});
  EXPECT_TRUE(ask(get(kServerListPath)).starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(ask(post(std::string(kReportPath) + "?server=a")).starts_with("HTTP/1.1 404"));
}

TEST_F(FrontReserved, WhatElseIsReservedIsClosed) {
  start({&a_});
  for (const char* path : {"/.well-known/tandem/", "/.well-known/tandem/serversx",
                           "/.well-known/tandem/servers?x", "/.well-known/tandem/status"}) {
    EXPECT_TRUE(ask(get(path)).starts_with("HTTP/1.1 404")) << path;
  }
  EXPECT_FALSE(a_.asked());
}

}  // namespace
}  // namespace tandem
