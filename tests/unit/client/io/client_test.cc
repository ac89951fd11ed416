#include "client/include/tandem/client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <filesystem>

#include "common/session/validator.h"
#include "common/storage/sqlite.h"
#include "tests/support/scripted_server.h"

namespace tandem {
namespace {

using test::ScriptedServer;
using Answer = ScriptedServer::Answer;
using Request = ScriptedServer::Request;
using Then = Answer::Then;

std::string response(int status, std::string_view more, std::string_view body) {
  return fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n{}", status, more, body.size(),
                     body);
}

// Answers GETs as a server with our validators does.
Answer serve_content(const Request& request, std::string_view content, std::string_view more = {}) {
  const std::string etag = Validator::of(content).etag();
  if (request.head.find("If-None-Match: " + etag) != std::string::npos) {
    return {
        fmt::format("HTTP/1.1 304 X\r\nTandem-Reuse: mirror\r\nETag: {}\r\n{}\r\n", etag, more)};
  }
  return {response(200, fmt::format("ETag: {}\r\n{}", etag, more), content)};
}

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ClientTest() override { std::filesystem::remove_all(directory_); }
  std::string file() const { return (directory_ / "cache.db").string(); }

  std::filesystem::path directory_;
};

TEST_F(ClientTest, FetchesAndThenUsesItsCopyOnOneConnection) {
  ScriptedServer server([](const Request& request) {
    return serve_content(request, "content", "Tandem-Server: a\r\n");
  });
  Client client({.balancer = server.url()});
  const Reply first = client.get("/x");
  ASSERT_TRUE(first) << first.message;
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body(), "content");
  EXPECT_EQ(first.source, ReplySource::kFetched);
  EXPECT_EQ(first.server, "a");
  EXPECT_GT(first.bytes_received, 7u);
  const Reply second = client.get("/x");
  EXPECT_EQ(second.body(), "content");
  EXPECT_EQ(second.source, ReplySource::kByMirror);
  EXPECT_EQ(second.content, first.content);  // not copied
  EXPECT_EQ(client.cached_items(), 1u);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTest, SendsWhatItIsGiven) {
  ScriptedServer server([](const Request& request) {
    return Answer{
        response(201, "", request.head.substr(0, request.head.find('\r')) + "|" + request.body)};
  });
  Client client({.balancer = server.url()});
  EXPECT_EQ(client.post("/p", "body").body(), "POST /p HTTP/1.1|body");
  EXPECT_EQ(client.put("/p", "").body(), "PUT /p HTTP/1.1|");
  EXPECT_EQ(client.remove("/p").body(), "DELETE /p HTTP/1.1|");
  EXPECT_EQ(client.request("PATCH", "/p", "x").body(), "PATCH /p HTTP/1.1|x");
  const std::string large(5 << 20, 'x');
  EXPECT_EQ(client.post("/p", large).body().size(), large.size() + 17);
}

TEST_F(ClientTest, ReadsBodiesHoweverTheyEnd) {
  ScriptedServer server([](const Request& request) -> Answer {
    if (request.head.starts_with("HEAD")) {
      return {"HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n"};
    }
    if (request.head.starts_with("GET /chunks")) {
      return {
          "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 X\r\nTransfer-Encoding: "
          "chunked\r\n\r\n"
          "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"};
    }
    return {"HTTP/1.1 200 X\r\n\r\nuntil the end", Then::kClose};
  });
  Client client({.balancer = server.url()});
  EXPECT_EQ(client.get("/chunks").body(), "abcde");
  const Reply head = client.request("HEAD", "/", "");
  EXPECT_EQ(head.body(), "");
  EXPECT_EQ(head.header("content-length"), "5");
  EXPECT_EQ(client.get("/").body(), "until the end");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(client.get("/").body(), "until the end");  // and on a new connection
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(ClientTest, AnIdempotentRequestSurvivesResetsAndCutResponses) {
  ScriptedServer server([](const Request& request) -> Answer {
    if (request.number == 0) return {"", Then::kReset};
    if (request.number == 1)
      return {"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\ncut", Then::kClose};
    return {response(200, "", "whole")};
  });
  Client client({.balancer = server.url()});
  const Reply reply = client.get("/");
  ASSERT_TRUE(reply) << reply.message;
  EXPECT_EQ(reply.body(), "whole");
  EXPECT_EQ(reply.attempts, 3u);
}

TEST_F(ClientTest, APostIsNotRepeatedOnceItWasSent) {
  ScriptedServer server([](const Request&) { return Answer{"", Then::kReset}; });
  Client client({.balancer = server.url()});
  const Reply reply = client.post("/", "x");
  EXPECT_FALSE(reply);
  EXPECT_EQ(reply.failure, ClientFailure::kReceive);
  EXPECT_FALSE(reply.message.empty());
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(ClientTest, APostFindsOutThatItsConnectionWasClosedBeforeItSends) {
  ScriptedServer server([](const Request&) { return Answer{response(200, "", "ok")}; });
  Client client({.balancer = server.url()});
  EXPECT_TRUE(client.get("/"));
  server.close_connection();
  const Reply reply = client.post("/", "x");
  ASSERT_TRUE(reply) << reply.message;
  EXPECT_EQ(reply.attempts, 1u);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(ClientTest, WaitsForServiceAsToldAndGivesTheAnswerInTheEnd) {
  ScriptedServer server([](const Request& request) {
    if (request.number == 0) return Answer{response(503, "Retry-After: 0\r\n", "busy")};
    return Answer{response(200, "", "ok")};
  });
  Client client({.balancer = server.url()});
  const Reply reply = client.get("/");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.attempts, 2u);
}

TEST_F(ClientTest, NamesTheReasonWhenThereIsNoResponse) {
  std::string gone;
  {
    ScriptedServer server([](const Request&) { return Answer{}; });
    gone = server.url();
  }
  Client nobody({.balancer = gone, .attempts_max = 2});
  const Reply refused = nobody.get("/");
  EXPECT_EQ(refused.failure, ClientFailure::kConnect) << refused.message;
  EXPECT_EQ(refused.attempts, 2u);

  ScriptedServer silent([](const Request&) { return Answer{"", Then::kHang}; });
  Client impatient({.balancer = silent.url(), .timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(impatient.get("/").failure, ClientFailure::kTimeout);
  EXPECT_EQ(impatient.get("/").failure, ClientFailure::kTimeout);  // and can be used again

  ScriptedServer strange([](const Request&) { return Answer{"SSH-2.0-x\r\n", Then::kClose}; });
  EXPECT_EQ(Client({.balancer = strange.url()}).get("/").failure, ClientFailure::kProtocol);

  ScriptedServer large([](const Request&) { return Answer{response(200, "", "123456")}; });
  EXPECT_EQ(Client({.balancer = large.url(), .body_bytes_max = 5}).get("/").failure,
            ClientFailure::kProtocol);
  EXPECT_EQ(Client({.balancer = large.url(), .body_bytes_max = 6}).get("/").body(), "123456");

  EXPECT_EQ(Client({.balancer = "nonsense"}).get("/").failure, ClientFailure::kOptions);
  // A label that is too long is refused before anybody is asked.
  EXPECT_EQ(Client({.balancer = "http://" + std::string(70, 'x') + ".invalid"}).get("/").failure,
            ClientFailure::kResolve);
  EXPECT_EQ(Client({.balancer = gone, .cache_file = "/no/such/directory/file"}).get("/").failure,
            ClientFailure::kOptions);
}

TEST_F(ClientTest, TheSessionAndTheCacheOutliveTheProcess) {
  ScriptedServer server([](const Request& request) {
    const bool known = request.head.find("Tandem-Session: T") != std::string::npos;
    return serve_content(request, request.head.starts_with("GET /x") ? "content" : "other",
                         known ? "" : "Tandem-Session: T\r\n");
  });
  std::string cache_id;
  {
    Client client({.balancer = server.url(), .cache_file = file()});
    EXPECT_TRUE(client.get("/x"));
    EXPECT_TRUE(client.get("/y"));
    cache_id = client.cache_id();
  }
  Client client({.balancer = server.url(), .cache_file = file()});
  EXPECT_EQ(client.session_token(), "T");
  EXPECT_EQ(client.cache_id(), cache_id);
  EXPECT_EQ(client.cached_items(), 2u);
  const Reply reply = client.get("/x");
  EXPECT_EQ(reply.source, ReplySource::kByMirror);
  EXPECT_EQ(reply.body(), "content");
  const auto mode = std::filesystem::status(file()).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::others_read, std::filesystem::perms::none);

  ScriptedServer other([](const Request& request) { return serve_content(request, "z"); });
  Client elsewhere({.balancer = other.url(), .cache_file = file()});
  EXPECT_EQ(elsewhere.cached_items(), 0u);  // an origin sees neither items nor names of another
  EXPECT_EQ(elsewhere.session_token(), "");
  EXPECT_NE(elsewhere.cache_id(), cache_id);
}

// A balancer with two groups: one for /api, and one for the rest.
TEST_F(ClientTest, TheSessionsInAllGroupsOutliveTheProcess) {
  std::string head;
  ScriptedServer server([&](const Request& request) {
    head = request.head;
    const bool api = request.head.find(" /api/") != std::string::npos;
    const bool knows = request.head.find(api ? "T1;group=api" : "T0") != std::string::npos;
    std::string more = api ? "Tandem-Group: api\r\n" : "";
    if (!knows) more += api ? "Tandem-Session: T1\r\n" : "Tandem-Session: T0\r\n";
    return serve_content(request, "content", more);
  });
  {
    Client client({.balancer = server.url(), .cache_file = file()});
    EXPECT_EQ(client.get("/x").group, "");
    EXPECT_EQ(client.get("/api/x").group, "api");
    EXPECT_TRUE(client.get("/api/y"));
    EXPECT_EQ(client.session_token(), "T1");
  }
  Client client({.balancer = server.url(), .cache_file = file()});
  EXPECT_EQ(client.session_token("api"), "T1");
  EXPECT_EQ(client.session_token(""), "T0");
  EXPECT_EQ(client.get("/x").source, ReplySource::kByMirror);
  EXPECT_NE(head.find("\r\nTandem-Session: T0, T1;group=api\r\n"), std::string::npos) << head;
  EXPECT_TRUE(client.put("/api/x", "new"));  // its copy goes
  EXPECT_TRUE(client.get("/x"));
  EXPECT_EQ(head.find("evicted="), std::string::npos) << "it was another group's";
  EXPECT_TRUE(client.get("/api/y"));
  EXPECT_NE(head.find("evicted="), std::string::npos) << head;
}

TEST_F(ClientTest, AFileOfAVersionWithoutGroupsIsTakenOver) {
  ScriptedServer server([](const Request& request) { return serve_content(request, "content"); });
  EXPECT_TRUE(Client({.balancer = server.url(), .cache_file = file()}).get("/x"));
  {
    auto database = Database::open(file());
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("ALTER TABLE item DROP COLUMN failover_group"));
    ASSERT_TRUE(database->execute("DROP TABLE session"));
    ASSERT_TRUE(database->execute("UPDATE client SET token = 'T'"));
  }
  for (int run = 0; run < 2; ++run) {
    Client client({.balancer = server.url(), .cache_file = file()});
    EXPECT_EQ(client.session_token(), "T");
    EXPECT_EQ(client.get("/x").source, ReplySource::kByMirror);
  }
}

TEST_F(ClientTest, WhatIsDamagedOnDiskIsNotUsed) {
  ScriptedServer server([](const Request& request) { return serve_content(request, "content"); });
  EXPECT_TRUE(Client({.balancer = server.url(), .cache_file = file()}).get("/x"));
  {
    auto database = Database::open(file());
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("UPDATE item SET content = x'636f6e74656e54'"));  // "contenT"
    ASSERT_EQ(database->changed_rows(), 1);
  }
  Client client({.balancer = server.url(), .cache_file = file()});
  EXPECT_EQ(client.cached_items(), 0u);
  EXPECT_EQ(client.get("/x").body(), "content");
}

TEST_F(ClientTest, WhatIsGivenUpGoesFromTheDiskToo) {
  ScriptedServer server([](const Request& request) {
    return serve_content(request, std::string(1000, request.head[5]));
  });
  {
    Client client({.balancer = server.url(), .cache_file = file()});
    for (const char* target : {"/a", "/b", "/c"}) EXPECT_TRUE(client.get(target));
    EXPECT_TRUE(client.get("/a"));
  }
  {
    Client smaller({.balancer = server.url(), .cache_bytes = 3500, .cache_file = file()});
    EXPECT_EQ(smaller.cached_items(), 2u);
  }
  Client client({.balancer = server.url(), .cache_file = file()});
  EXPECT_EQ(client.cached_items(), 2u);
  EXPECT_FALSE(client.get("/b").announced);  // the least recently used of the three
  EXPECT_TRUE(client.get("/a").announced);
}

// After a takeover: one request that no old server knows, and then item by item without it.
TEST_F(ClientTest, AServerWithoutValidationIsAskedItemByItem) {
  std::atomic<int> validations{0};
  std::atomic<const char*> name{"a"};
  ScriptedServer server([&](const Request& request) -> Answer {
    if (request.head.starts_with("POST /.well-known/tandem/validate ")) {
      ++validations;
      return {response(404, "", "no such endpoint")};
    }
    return serve_content(request, "content",
                         fmt::format("Tandem-Session: t\r\nTandem-Server: {}\r\n", name.load()));
  });
  Client client({.balancer = server.url(), .reuse_fresh = true});
  for (const char* target : {"/a", "/b", "/c"}) EXPECT_TRUE(client.get(target));
  name = "b";
  EXPECT_EQ(client.get("/a").validation.requests, 0u) << "only its response tells";
  const Reply reply = client.get("/b");
  EXPECT_EQ(reply.validation.requests, 1u);
  EXPECT_FALSE(reply.validation.known);
  EXPECT_EQ(reply.source, ReplySource::kByMirror);
  EXPECT_EQ(client.get("/c").validation.requests, 0u);
  EXPECT_EQ(validations, 1);
}

// A server that takes the validation and never answers costs a part of the call's time, not the
// call.
TEST_F(ClientTest, AValidationWithoutAnAnswerDoesNotFailTheCall) {
  std::atomic<const char*> name{"a"};
  ScriptedServer server([&](const Request& request) -> Answer {
    if (request.head.starts_with("POST ")) return {"", Then::kHang};
    return serve_content(request, "content",
                         fmt::format("Tandem-Session: t\r\nTandem-Server: {}\r\n", name.load()));
  });
  Client client(
      {.balancer = server.url(), .reuse_fresh = true, .timeout = std::chrono::seconds(2)});
  for (const char* target : {"/a", "/b"}) EXPECT_TRUE(client.get(target));
  name = "b";
  EXPECT_TRUE(client.get("/a"));
  const Reply reply = client.get("/b");
  EXPECT_TRUE(reply) << reply.message;
  EXPECT_EQ(reply.source, ReplySource::kByMirror);
  EXPECT_GE(reply.validation.requests, 1u);
}

TEST_F(ClientTest, ACallThatNobodyIsAskedAboutLeavesNothingBehind) {
  ScriptedServer server([](const Request& request) {
    return serve_content(request, "content", "Cache-Control: max-age=3600\r\n");
  });
  Client client({.balancer = server.url(), .reuse_fresh = true});
  const HeaderFields large{{"X-Large", std::string(8 << 10, 'x')}};
  EXPECT_EQ(client.get("/x", large).source, ReplySource::kFetched);
  EXPECT_EQ(client.get("/x", large).source, ReplySource::kLocal);
  const std::size_t before = ::mallinfo2().uordblks;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(client.get("/x", large).source, ReplySource::kLocal);
    ASSERT_EQ(client.get("no target", large).failure, ClientFailure::kOptions);
  }
  EXPECT_LT(::mallinfo2().uordblks, before + (1 << 20));
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(ClientTest, TheActiveServersAreAskedOfTheBalancer) {
  std::string asked;
  ScriptedServer server([&](const Request& request) -> Answer {
    asked = request.head.substr(0, request.head.find("\r\n"));
    if (request.head.starts_with("POST ")) return {response(202, "", "Accepted\n")};
    return {response(200, "Cache-Control: no-store\r\n",
                     R"({"version":9,"servers":[{"name":"a","address":"h:1","online":true}]})")};
  });
  Client client({.balancer = server.url()});
  const ActiveServers active = client.servers();
  ASSERT_TRUE(active) << active.message;
  EXPECT_EQ(asked, "GET /.well-known/tandem/servers HTTP/1.1");
  EXPECT_EQ(active.version, 9u);
  ASSERT_EQ(active.servers.size(), 1u);
  EXPECT_EQ(active.servers[0].name, "a");
  EXPECT_EQ(active.servers[0].address, "h:1");
  EXPECT_TRUE(active.servers[0].online);
  EXPECT_EQ(client.report("a").status, 202);
  EXPECT_EQ(asked, "POST /.well-known/tandem/report?server=a HTTP/1.1");
}

TEST_F(ClientTest, ABalancerThatTellsNoServersIsAnError) {
  std::atomic<int> status{404};
  ScriptedServer server(
      [&](const Request&) -> Answer { return {response(status, "", "nothing of the kind\n")}; });
  Client client({.balancer = server.url(), .attempts_max = 1});
  EXPECT_EQ(client.servers().failure, ClientFailure::kProtocol);
  status = 200;
  const ActiveServers garbled = client.servers();
  EXPECT_EQ(garbled.failure, ClientFailure::kProtocol);
  EXPECT_EQ(garbled.message, "what came is not a list of servers");
}

}  // namespace
}  // namespace tandem
