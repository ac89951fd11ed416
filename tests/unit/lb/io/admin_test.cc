#include "lb/io/admin.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

struct Target final : AdminTarget {
  AdminSnapshot snapshot() override { return now; }
  std::vector<MembershipEvent> events(std::int64_t after) override {
    asked_after = after;
    return logged;
  }
  DrainOrder drain(const std::string& server, bool on) override {
    drained += server + (on ? "+" : "-");
    if (server == "far") return DrainOrder::kElsewhere;
    return server == "a" ? DrainOrder::kTaken : DrainOrder::kUnknown;
  }
  std::string reload() override { return complaints; }
  AdminSnapshot now;
  std::vector<MembershipEvent> logged;
  std::int64_t asked_after = -1;
  std::string drained;
  std::string complaints;
};

struct AdminTest : ::testing::Test {
  AdminTest() {
    AdminSnapshot& now = target.now;
    now.conf_file = "x.toml";
    now.serving = true;
    now.workers = 2;
    now.front = {"127.0.0.1:8080"};
    now.admin = "127.0.0.1:7480";
    now.view_version = 5;
    AdminSnapshot::Server server;
    server.record.id = ServerId{7};
    server.record.name = "a";
    server.record.kind = ServerKind::kPlain;
    server.record.data_address = "app:80";
    server.record.online = true;
    server.record.status = {3, 10, 100, 80, 4, false};
    server.resolved = "10.0.0.1:80";
    now.servers.push_back(server);
    now.counts = {{"requests_total", "Requests whose head was read", 42}};
  }
  AdminResponse ask(std::string_view method, const std::string& path,
                    const std::string& query = "") {
    return answer_admin({method, path, query}, target);
  }
  Target target;
};

TEST_F(AdminTest, HealthzIsGoodOnlyWhileServing) {
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  target.now.draining = true;
  EXPECT_EQ(ask("GET", "/healthz").status, 503);
  target.now.draining = target.now.serving = false;
  EXPECT_EQ(ask("GET", "/healthz").status, 503);
}

TEST_F(AdminTest, StatusTellsWhatIsBoundAndEveryServer) {
  const AdminResponse status = ask("GET", "/status");
  EXPECT_EQ(status.content_type, "application/json");
  for (const char* part :
       {"\"program\":\"tandem-lb\"", "\"front\":[\"127.0.0.1:8080\"]", "\"version\":5",
        "\"name\":\"a\"", "\"state\":\"online\"", "\"resolved\":\"10.0.0.1:80\"",
        "\"primaries\":10,\"capacity\":100,\"threshold\":80,\"alternates\":4",
        "\"requests_total\":42"}) {
    EXPECT_NE(status.body.find(part), std::string::npos) << part << " in " << status.body;
  }
}

TEST_F(AdminTest, NPlusOneIsToldEverywhere) {
  target.now.n_plus_one.deaths = {{ServerId{7}, 0}};
  EXPECT_NE(ask("GET", "/status").body.find("\"n_plus_one\":{\"safe\":true,\"deaths\":[]}"),
            std::string::npos);
  EXPECT_NE(ask("GET", "/metrics").body.find("\ntandem_n_plus_one_safe 1\n"), std::string::npos);
  EXPECT_EQ(ask("GET", "/status", "format=table").body.find("N+1"), std::string::npos);
  target.now.n_plus_one.deaths = {{ServerId{7}, 3}};
  const std::string json = ask("GET", "/status").body;
  EXPECT_NE(json.find("\"n_plus_one\":{\"safe\":false,\"deaths\":[{\"server\":\"a\","
                      "\"sessions_over_capacity\":3}]}"),
            std::string::npos)
      << json;
  const std::string metrics = ask("GET", "/metrics").body;
  EXPECT_NE(metrics.find("\ntandem_n_plus_one_safe 0\n"), std::string::npos);
  EXPECT_NE(metrics.find("\ntandem_n_plus_one_over{server=\"a\"} 3\n"), std::string::npos);
  EXPECT_NE(ask("GET", "/status", "format=table")
                .body.find("\nnot N+1-safe: if a died, 3 sessions would be over capacity\n"),
            std::string::npos);
}

TEST_F(AdminTest, GroupsAndTheirRoutes) {
  EXPECT_EQ(ask("GET", "/status", "format=table").body.find("GROUP"), std::string::npos);
  target.now.servers[0].record.group = "default";
  AdminSnapshot::Server other = target.now.servers[0];
  other.record.id = ServerId{8};
  other.record.name = "b";
  other.record.group = "api";
  other.record.online = false;
  target.now.servers.push_back(other);
  target.now.routes = {{"", "/api", "api"}, {"*.x", "", "api"}, {"", "/z", "zoo"}};
  target.now.n_plus_one.deaths = {{ServerId{7}, 3}};
  const std::string json = ask("GET", "/status").body;
  EXPECT_NE(json.find(R"("routes":[{"host":"","path":"/api","group":"api"},)"), std::string::npos)
      << json;
  EXPECT_NE(json.find(R"({"name":"api","routed":true,"servers":1,"online":0,)"
                      R"("n_plus_one_safe":true})"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find(R"({"name":"default","routed":false,"servers":1,"online":1,)"
                      R"("n_plus_one_safe":false})"),
            std::string::npos)
      << json;
  const std::string metrics = ask("GET", "/metrics").body;
  EXPECT_NE(metrics.find("tandem_group_servers_online{group=\"zoo\"} 0\n"), std::string::npos);
  EXPECT_NE(metrics.find("tandem_group_servers_online{group=\"default\"} 1\n"), std::string::npos);
  EXPECT_NE(metrics.find("tandem_group_n_plus_one_safe{group=\"default\"} 0\n"), std::string::npos);
  const std::string table = ask("GET", "/status", "format=table").body;
  EXPECT_NE(table.find("GROUP    SERVERS  ONLINE  SERVES\n"
                       "api            1       0  */api, *.x/\n"
                       "default        1       1  all other requests\n"
                       "zoo            0       0  */z\n"),
            std::string::npos)
      << table;
}

TEST_F(AdminTest, StatusAsATable) {
  const std::string table = ask("GET", "/status", "format=table").body;
  EXPECT_NE(
      table.find("a       plain   online    app:80         10         80       100           4"),
      std::string::npos)
      << table;
}

TEST_F(AdminTest, StatesOfAServer) {
  AdminSnapshot::Server& server = target.now.servers[0];
  server.record.status.draining = true;
  EXPECT_EQ(state_name(server), "draining");
  server.record.online = false;
  EXPECT_EQ(state_name(server), "offline");
  server.left = true;
  EXPECT_EQ(state_name(server), "left");
}

TEST_F(AdminTest, MetricsAreInTheExpositionFormat) {
  target.now.servers[0].record.name = "a\"\\";
  const AdminResponse metrics = ask("GET", "/metrics");
  EXPECT_EQ(metrics.content_type, "text/plain; version=0.0.4; charset=utf-8");
  for (const char* part : {"# TYPE tandem_requests_total counter\ntandem_requests_total 42\n",
                           "# TYPE tandem_server_sessions gauge\n",
                           "tandem_server_sessions{server=\"a\\\"\\\\\"} 10\n"}) {
    EXPECT_NE(metrics.body.find(part), std::string::npos) << part << " in " << metrics.body;
  }
}

TEST_F(AdminTest, DrainTellsHowFarItIs) {
  auto& server = target.now.servers[0];
  server.record.online = true;
  EXPECT_EQ(ask("GET", "/drain", "server=nobody").status, 404);
  const std::string name = "server=" + server.record.name;
  server.record.status.draining = true;
  server.record.status.primaries = 7;
  EXPECT_EQ(ask("GET", "/drain", name).body, "draining 7\n");
  server.drained = true;
  server.record.status.primaries = 0;
  EXPECT_EQ(ask("GET", "/drain", name).body, "drained 0\n");
  server.record.online = false;
  EXPECT_EQ(ask("GET", "/drain", name).body, "offline 0\n");
}

TEST_F(AdminTest, DrainNamesAServer) {
  EXPECT_EQ(ask("POST", "/drain", "server=a&on=true").status, 200);
  EXPECT_EQ(ask("POST", "/drain", "server=a").status, 200);
  EXPECT_EQ(ask("POST", "/drain", "server=a&on=false").status, 200);
  EXPECT_EQ(ask("POST", "/drain", "server=b").status, 404);
  EXPECT_EQ(ask("POST", "/drain", "server=far").status, 409);
  EXPECT_EQ(target.drained, "a+a+a-b+far+");
  EXPECT_EQ(ask("POST", "/drain").status, 400);
  EXPECT_EQ(ask("POST", "/drain", "server=a&on=maybe").status, 400);
}

TEST_F(AdminTest, ABadReloadTellsItsComplaints) {
  EXPECT_EQ(ask("POST", "/reload").status, 200);
  target.complaints = "x.toml:1:1: no";
  EXPECT_EQ(ask("POST", "/reload").status, 422);
  EXPECT_EQ(ask("POST", "/reload").body, "x.toml:1:1: no\n");
}

TEST_F(AdminTest, WrongMethodsAndPathsAreRefused) {
  EXPECT_EQ(ask("PUT", "/drain").status, 405);
  EXPECT_EQ(ask("PUT", "/drain").allow, "GET, HEAD, POST");
  EXPECT_EQ(ask("POST", "/status").status, 405);
  EXPECT_EQ(ask("GET", "/").status, 404);
}

}  // namespace
}  // namespace tandem
