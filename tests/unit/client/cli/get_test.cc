#include "client/cli/get.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/session/validator.h"
#include "tests/support/scripted_server.h"

namespace tandem {
namespace {

using test::ScriptedServer;
using Answer = ScriptedServer::Answer;
using Request = ScriptedServer::Request;

std::string response(int status, std::string_view more, std::string_view body) {
  return fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n{}", status, more, body.size(),
                     body);
}

// A little site: two pages that link to each other and to a picture, and links that lead nowhere.
Answer serve_site(const Request& request) {
  const std::string target = request.head.substr(4, request.head.find(' ', 4) - 4);
  std::string type = "text/html", body;
  if (target == "/") {
    body =
        "<a href='two.html#x'>two</a> <img src=/p.png> <a href='http://elsewhere/'> "
        "<a href='mailto:a@b'> <a href=/moved>";
  } else if (target == "/two.html") {
    body = "<a href='./'>one</a> <a href=missing.html>";
  } else if (target == "/p.png") {
    type = "image/png";
    body = "<a href=not-a-link>";
  } else if (target == "/moved") {
    return {response(301, "Location: /new\r\n", "")};
  } else if (target == "/new") {
    body = "new";
  } else {
    return {response(404, "", "none")};
  }
  const std::string etag = Validator::of(body).etag();
  if (request.head.find("If-None-Match: " + etag) != std::string::npos) {
    const char* how = type == "image/png" ? "validator" : "mirror";
    return {fmt::format("HTTP/1.1 304 X\r\nETag: {}\r\nTandem-Reuse: {}\r\n\r\n", etag, how)};
  }
  return {response(200, fmt::format("Content-Type: {}\r\nETag: {}\r\n", type, etag), body)};
}

class GetTest : public ::testing::Test {
 protected:
  GetTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~GetTest() override { std::filesystem::remove_all(directory_); }

  int run(std::vector<std::string> urls) {
    options.urls = std::move(urls);
    char* text[2] = {nullptr, nullptr};
    std::size_t size[2] = {0, 0};
    std::FILE* streams[2] = {open_memstream(&text[0], &size[0]),
                             open_memstream(&text[1], &size[1])};
    const int status = Get(options, streams[0], streams[1]).run();
    for (int i = 0; i < 2; ++i) {
      std::fclose(streams[i]);
      (i == 0 ? out : err).assign(text[i], size[i]);
      std::free(text[i]);
    }
    return status;
  }
  std::string file(const char* name) const { return (directory_ / name).string(); }
  bool said(std::string_view what) const { return err.find(what) != err.npos; }

  GetOptions options;
  std::string out, err;
  std::filesystem::path directory_;
};

TEST_F(GetTest, WritesTheContent) {
  ScriptedServer server(serve_site);
  EXPECT_EQ(run({server.url() + "/new"}), kExitOk);
  EXPECT_EQ(out, "new");
  EXPECT_EQ(err, "");
  EXPECT_EQ(run({server.url().substr(7) + "/new", server.url() + "/missing"}), kExitOk);
  EXPECT_EQ(out, "newnone");
  options.output = file("out");
  EXPECT_EQ(run({server.url() + "/new"}), kExitOk);
  std::ifstream written(file("out"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(written), {}), "new");
}

TEST_F(GetTest, FollowsASiteAndSaysHowEachItemCame) {
  ScriptedServer server(serve_site);
  options.recursive = true;
  options.verbose = true;
  options.client.cache_file = file("cache.db");
  EXPECT_EQ(run({server.url()}), kExitOk);
  EXPECT_EQ(out, "");
  EXPECT_TRUE(
      said("6 items: 5 fetched, 0 reused by mirror, 0 by validator, 0 without asking, "
           "1 failed"))
      << err;
  EXPECT_TRUE(said("* " + server.url() + "/two.html: fetched, status 200")) << err;
  EXPECT_EQ(server.requests(), 6);
  EXPECT_EQ(run({server.url()}), kExitOk);  // another process, the same file
  EXPECT_TRUE(said("* " + server.url() + "/two.html: reused by mirror, status 200")) << err;
  EXPECT_TRUE(said("* " + server.url() + "/p.png: reused by validator, status 200")) << err;
  EXPECT_TRUE(said("6 items: 1 fetched, 3 reused by mirror, 1 by validator")) << err;
}

TEST_F(GetTest, FollowsNoFurtherThanItIsTold) {
  ScriptedServer server(serve_site);
  options.recursive = true;
  options.items_max = 3;
  run({server.url()});
  EXPECT_TRUE(said("3 items:")) << err;
  options.items_max = 100;
  options.depth_max = 0;
  run({server.url()});
  EXPECT_TRUE(said("1 items:")) << err;
}

TEST_F(GetTest, FollowsRedirectsOnDemand) {
  ScriptedServer server([](const Request& request) {
    if (request.head.starts_with("GET /loop")) {
      return Answer{response(302, "Location: loop\r\n", "")};
    }
    return serve_site(request);
  });
  EXPECT_EQ(run({server.url() + "/moved"}), kExitOk);
  EXPECT_EQ(out, "");
  options.follow_redirects = true;
  EXPECT_EQ(run({server.url() + "/moved"}), kExitOk);
  EXPECT_EQ(out, "new");
  EXPECT_EQ(run({server.url() + "/loop"}), kExitRedirects);
}

TEST_F(GetTest, SendsDataAndShowsHeads) {
  ScriptedServer server([](const Request& request) {
    return Answer{response(201, "X: y\r\n", request.head.substr(0, 5) + request.body)};
  });
  options.data = "data";
  options.has_data = true;
  options.include = true;
  EXPECT_EQ(run({server.url()}), kExitOk);
  EXPECT_EQ(out, "HTTP/1.1 201\r\nX: y\r\nContent-Length: 9\r\n\r\nPOST data");
  options.method = "PUT";
  options.include = false;
  EXPECT_EQ(run({server.url()}), kExitOk);
  EXPECT_EQ(out, "PUT /data");
}

TEST_F(GetTest, ExitsAsCurlDoes) {
  ScriptedServer server(serve_site);
  EXPECT_EQ(run({"ftp://x/"}), kExitBadUrl);
  EXPECT_EQ(err, "tandem-get: \"ftp://x/\" is not a URL of http or https\n");
  options.silent = true;
  EXPECT_EQ(run({"ftp://x/", server.url() + "/new"}), kExitBadUrl);
  EXPECT_EQ(err, "");
  EXPECT_EQ(out, "new");
  options.fail = true;
  EXPECT_EQ(run({server.url() + "/missing"}), kExitHttpStatus);
  EXPECT_EQ(out, "");
  options.output = "/no/such/directory/file";
  EXPECT_EQ(run({server.url() + "/new"}), kExitWrite);
  EXPECT_EQ(exit_status_of(ClientFailure::kResolve), 6);
  EXPECT_EQ(exit_status_of(ClientFailure::kConnect), 7);
  EXPECT_EQ(exit_status_of(ClientFailure::kTimeout), 28);
  EXPECT_EQ(exit_status_of(ClientFailure::kReceive), 56);
}

}  // namespace
}  // namespace tandem
