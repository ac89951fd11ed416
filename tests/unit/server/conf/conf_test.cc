#include "server/conf/conf.h"

#include <gtest/gtest.h>

#include "common/config/reader.h"

namespace tandem::server {
namespace {

Reading<Conf> read(const std::string& top, const std::string& rest = "") {
  return read_conf(schema(), ConfText{"etc/tandem-server.toml", R"(
name = "a"
listen = "127.0.0.1:9101"
peer_listen = "127.0.0.1:9201"
balancers = ["127.0.0.1:7400"]
key_file = "cluster.key"
)" + top + "\n[source]\n" + (rest.empty() ? "url = \"http://127.0.0.1:8000\"" : rest)});
}

TEST(ServerConf, ReadsTheKeysThatAdministratorsRelyOn) {
  const auto reading =
      read("capacity = 10\nthreshold = 8\nzone = \"z\"\ngroup = \"g\"",
           "url = \"http://127.0.0.1:8000\"\netag = \"content\"\nvalidator = \"crc32\"\n[mirror]\n"
           "clients = \"all\"\nbytes = \"1MiB\"\n[admin]\nlisten = \"127.0.0.1:7481\"\n");
  ASSERT_TRUE(reading) << reading.error();
  const Conf& conf = reading->conf;
  EXPECT_EQ(conf.name, "a");
  EXPECT_EQ(conf.listen.port, 9101);
  EXPECT_EQ(conf.peer_listen.port, 9201);
  EXPECT_EQ(conf.balancers.at(0).port, 7400);
  EXPECT_EQ(conf.key_file, "etc/cluster.key");
  EXPECT_EQ(conf.capacity, 10u);
  EXPECT_EQ(conf.threshold, 8u);
  EXPECT_EQ(conf.source.url.kind, SourceKind::kHttp);
  EXPECT_EQ(conf.source.url.address.text(), "127.0.0.1:8000");
  EXPECT_EQ(conf.source.etag, EtagMode::kContent);
  EXPECT_EQ(conf.source.validator, ValidatorKind::kCrc32);
  EXPECT_EQ(conf.mirror.clients, MirrorClients::kAll);
  EXPECT_EQ(conf.mirror.bytes, 1024u * 1024);
}

TEST(ServerConf, ADatabaseIsAPathBesideTheFile) {
  const auto reading = read("", "url = \"sqlite:items.db\"");
  ASSERT_TRUE(reading) << reading.error();
  EXPECT_EQ(reading->conf.source.url.kind, SourceKind::kSqlite);
  EXPECT_EQ(reading->conf.source.url.path, "etc/items.db");
}

TEST(ServerConf, AReloadChangesCapacityAndThreshold) {
  const Conf before = read("")->conf;
  EXPECT_TRUE(restart_needed(schema(), before, read("capacity = 7\nthreshold = 3")->conf).empty());
  EXPECT_EQ(restart_needed(schema(), before, read("zone = \"b\"", "url = \"sqlite:x\"")->conf),
            (std::vector<std::string>{"zone", "source.url"}));
}

}  // namespace
}  // namespace tandem::server
