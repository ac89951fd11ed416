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

std::string complaint_of(const std::string& top, const std::string& rest) {
  const auto reading = read(top, "url = \"http://127.0.0.1:8000\"\n" + rest);
  return reading ? "" : reading.error();
}

TEST(ServerConf, TypesOfData) {
  const auto reading = read("", R"(url = "http://127.0.0.1:8000"
[data]
partitioned = true
virtual_types = 64
[[type]]
prefix = "/img/"
[[type]]
prefix = "/api/"
owner = "b"
)");
  ASSERT_TRUE(reading) << reading.error();
  EXPECT_TRUE(reading->conf.data.partitioned);
  EXPECT_EQ(reading->conf.data.virtual_types, 64U);
  ASSERT_EQ(reading->conf.types.size(), 2U);
  EXPECT_EQ(reading->conf.types[1].prefix, "/api/");
  EXPECT_EQ(reading->conf.types[1].owner, "b");
  EXPECT_FALSE(read("")->conf.data.partitioned);
}

TEST(ServerConf, ComplainsOfTypes) {
  const auto has = [](const std::string& text, const char* what) {
    return text.find(what) != std::string::npos;
  };
  const std::string on = "[data]\npartitioned = true\n";
  const std::string a = "[[type]]\nprefix = \"/a/\"\n";
  EXPECT_EQ(complaint_of("", a), "");
  EXPECT_PRED2(has, complaint_of("", on + a + a), "\"/a/\" is already the prefix of type[0]");
  EXPECT_PRED2(has, complaint_of("", on + "[[type]]\nprefix = \"a\"\n"), "must begin with a slash");
  EXPECT_PRED2(has, complaint_of("", on + "[[type]]\nprefix = \"/%61\"\n"), "without % and query");
  EXPECT_PRED2(has, complaint_of("", on + "[[type]]\nowner = \"a\"\n"), "prefix");
  EXPECT_EQ(complaint_of("", on + a), "");
}

TEST(ServerConf, AReloadChangesCapacityAndThreshold) {
  const Conf before = read("")->conf;
  EXPECT_TRUE(restart_needed(schema(), before, read("capacity = 7\nthreshold = 3")->conf).empty());
  EXPECT_EQ(restart_needed(schema(), before, read("zone = \"b\"", "url = \"sqlite:x\"")->conf),
            (std::vector<std::string>{"zone", "source.url"}));
}

}  // namespace
}  // namespace tandem::server
