#include "lb/conf/conf.h"

#include <gtest/gtest.h>

#include "common/config/reader.h"

namespace tandem::lb {
namespace {

Reading<Conf> read(const std::string& text) {
  return read_conf(schema(), ConfText{"etc/tandem-lb.toml", text});
}

const std::string kFront = "[front]\nlisten = [\"127.0.0.1:8080\"]\n";
const std::string kServer = "[[server]]\nname = \"app1\"\naddress = \"127.0.0.1:9001\"\n";

TEST(LbConf, ReadsTheKeysThatAdministratorsRelyOn) {
  const auto reading = read(R"(
workers = 2
[front]
listen = ["127.0.0.1:8080"]
tls_listen = ["127.0.0.1:8443"]
certificates = ["site.pem"]
header_timeout = "5s"
[control]
listen = "127.0.0.1:7400"
key_file = "cluster.key"
[session]
affinity = "cookie"
cookie = "sticky"
ttl = "1h"
[admin]
listen = "127.0.0.1:7480"
[log]
access = "access.log"
[check]
interval = "2s"
path = "/health"
[[server]]
name = "app1"
address = "127.0.0.1:9001"
capacity = 10
threshold = 8
)");
  ASSERT_TRUE(reading) << reading.error();
  const Conf& conf = reading->conf;
  EXPECT_EQ(conf.workers, 2u);
  EXPECT_EQ(conf.front.certificates, std::vector<std::string>{"etc/site.pem"});
  EXPECT_EQ(conf.front.limits.header_timeout, 5s);
  EXPECT_EQ(conf.control.listen->port, 7400);
  EXPECT_EQ(conf.control.key_file, "etc/cluster.key");
  EXPECT_EQ(conf.session.cookie, "sticky");
  EXPECT_EQ(conf.session.ttl, 1h);
  EXPECT_EQ(conf.admin.listen->port, 7480);
  EXPECT_EQ(conf.log.access, "etc/access.log");
  EXPECT_EQ(conf.check.path, "/health");
  ASSERT_EQ(conf.servers.size(), 1u);
  EXPECT_EQ(conf.servers[0].threshold, 8u);
}

TEST(LbConf, PlainServersNeedNoControlAndNoKey) {
  const auto reading = read(kFront + kServer);
  ASSERT_TRUE(reading) << reading.error();
  EXPECT_FALSE(reading->conf.control.listen);
  EXPECT_TRUE(reading->conf.control.key_file.empty());
}

TEST(LbConf, AFollowerNeedsTheKeyAndNothingElse) {
  const auto reading =
      read(kFront + "[control]\nkey_file = \"k\"\n[master]\naddress = \"lb1:7400\"\n");
  ASSERT_TRUE(reading) << reading.error();
  EXPECT_EQ(reading->conf.master.address->text(), "lb1:7400");
  EXPECT_FALSE(reading->conf.control.balancers) << "counted";
  EXPECT_FALSE(read(kFront + kServer + "[master]\naddress = \"lb1:7400\"\n"));
}

TEST(LbConf, RoutesAndGroups) {
  const auto reading = read(kFront + kServer + "group = \"api\"\n" + R"([[route]]
host = "*.shop.example"
path = "/api"
group = "api"
[[route]]
group = "rest"
)");
  ASSERT_TRUE(reading) << reading.error();
  EXPECT_EQ(reading->conf.servers[0].group, "api");
  EXPECT_EQ(read(kFront + kServer)->conf.servers[0].group, "default");
  ASSERT_EQ(reading->conf.routes.size(), 2u);
  EXPECT_EQ(reading->conf.routes[0].host, "*.shop.example");
  EXPECT_EQ(reading->conf.routes[0].path, "/api");
  EXPECT_EQ(reading->conf.routes[1].group, "rest");
  EXPECT_TRUE(restart_needed(schema(), read(kFront + kServer)->conf, reading->conf).empty());
}

TEST(LbConf, RoutesThatCannotBeAreComplainedOf) {
  const auto reading = read(kFront + kServer + R"([[route]]
host = "shop.example:80"
path = "api?x"
group = ""
[[route]]
host = "Shop.example"
path = "/"
group = "a"
[[route]]
host = "shop.example."
group = "b"
[[route]]
path = "/x"
)");
  ASSERT_FALSE(reading);
  for (const char* wanted :
       {"route[0].host: must be a name such as", "route[0].path: must begin with \"/\"",
        "route[0].group: must not be empty",
        "route[2].host: is of the same host and path as route[1]", "route[3].group: is missing"}) {
    EXPECT_NE(reading.error().find(wanted), std::string::npos) << wanted << "\n" << reading.error();
  }
}

TEST(LbConf, RoutesAreBounded) {
  std::string text = kFront + kServer;
  for (int i = 0; i < 1025; ++i) {
    text += "[[route]]\npath = \"/" + std::to_string(i) + "\"\ngroup = \"g" +
            std::to_string(i % 64) + "\"\n";
  }
  EXPECT_NE(read(text).error().find("is of one route too many: 1024 may be"), std::string::npos);
  text = kFront + kServer;
  for (int i = 0; i < 65; ++i) {
    text += "[[route]]\npath = \"/" + std::to_string(i) + "\"\ngroup = \"g" + std::to_string(i) +
            "\"\n";
  }
  EXPECT_NE(read(text).error().find("is one group too many: routes may lead to 64"),
            std::string::npos);
}

TEST(LbConf, ThresholdFollowsTheCapacity) {
  const auto reading = read(kFront + kServer + "capacity = 10\n");
  ASSERT_TRUE(reading) << reading.error();
  EXPECT_EQ(reading->conf.servers[0].threshold, 8u);
  EXPECT_EQ(read(kFront + kServer + "capacity = 1\n")->conf.servers[0].threshold, 1u);
}

TEST(LbConf, AReloadChangesServersAndChecks) {
  const Conf before = read(kFront + kServer)->conf;
  const Conf after = read(kFront + kServer + "capacity = 3\n[check]\nrise = 7\n")->conf;
  EXPECT_TRUE(restart_needed(schema(), before, after).empty());
  const Conf other = read("workers = 3\n[front]\nlisten = [\"127.0.0.1:81\"]\n" + kServer)->conf;
  EXPECT_EQ(restart_needed(schema(), before, other),
            (std::vector<std::string>{"workers", "front.listen"}));
}

}  // namespace
}  // namespace tandem::lb
