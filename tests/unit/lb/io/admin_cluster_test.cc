#include "lb/io/admin_cluster.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

AdminSnapshot::Server server(std::string name, const char* first, const char* second) {
  AdminSnapshot::Server server;
  ServerRecord& record = server.record;
  record.id = ServerId::of(name);
  record.name = std::move(name);
  record.data_address = "10.0.0.1:9101";
  record.peer_address = "10.0.0.1:9201";
  record.zone = "east";
  record.group = "default";
  record.online = true;
  record.status.primaries = 12;
  record.status.capacity = 1000;
  if (*first != 0) record.first_buddy = ServerId::of(first);
  if (*second != 0) record.second_buddy = ServerId::of(second);
  return server;
}

AdminSnapshot three() {
  AdminSnapshot snapshot;
  snapshot.view_version = 70;
  snapshot.servers = {server("a", "b", "c"), server("b", "c", "a"), server("c", "a", "b")};
  return snapshot;
}

TEST(AdminCluster, ServersAsATable) {
  AdminSnapshot snapshot = three();
  snapshot.servers[1] = server("b", "", "");
  snapshot.servers[1].record.online = false;
  EXPECT_EQ(
      servers_table(snapshot),
      "view 70\n"
      "SERVER  STATE    ZONE  GROUP    ADDRESS        PEERS AT       BUDDIES  SESSIONS  CAPACITY\n"
      "a       online   east  default  10.0.0.1:9101  10.0.0.1:9201  b, c     12        1000\n"
      "b       offline  east  default  10.0.0.1:9101  10.0.0.1:9201  -        12        1000\n"
      "c       online   east  default  10.0.0.1:9101  10.0.0.1:9201  a, b     12        1000\n");
  EXPECT_NE(servers_json(snapshot).find("\"first_buddy\":\"b\",\"second_buddy\":\"c\""),
            std::string::npos);
}

TEST(AdminCluster, TheRingInItsOrder) {
  EXPECT_EQ(ring_table(three()),
            "view 70, a whole ring of 3\n"
            "SERVER  ZONE  FIRST BUDDY  SECOND BUDDY\n"
            "a       east  b            c\n"
            "c       east  a            b\n"
            "b       east  c            a\n");
  EXPECT_EQ(ring_json(three()).substr(0, 100),
            "{\"view\":70,\"whole\":true,\"ring\":[{\"server\":\"a\",\"zone\":\"east\",\"first\":"
            "\"b\",\"second\":\"c\"},{\"server\":\"c\",");
}

TEST(AdminCluster, ARingThatIsBrokenIsSaidToBe) {
  const auto whole = [](const AdminSnapshot& snapshot) {
    return ring_json(snapshot).find("\"whole\":true") != std::string::npos;
  };
  EXPECT_TRUE(whole(three()));
  AdminSnapshot alone;
  EXPECT_TRUE(whole(alone));
  alone.servers = {server("a", "", "")};
  EXPECT_TRUE(whole(alone));
  alone.servers.push_back(server("b", "", ""));  // two, and neither watches the other
  EXPECT_FALSE(whole(alone));
  AdminSnapshot broken = three();
  broken.servers[1].record.first_buddy = ServerId::of("a");  // not the one before it
  EXPECT_FALSE(whole(broken));
  broken = three();
  broken.servers.push_back(server("d", "", ""));  // online, in no ring
  EXPECT_FALSE(whole(broken));
  broken = three();
  broken.servers.pop_back();  // leads to nobody
  EXPECT_FALSE(whole(broken));
  AdminSnapshot two_rings;
  two_rings.servers = {server("a", "b", "b"), server("b", "a", "a"), server("c", "d", "d"),
                       server("d", "c", "c")};
  EXPECT_FALSE(whole(two_rings));
}

struct Target final : AdminTarget {
  AdminSnapshot snapshot() override { return three(); }
  std::vector<MembershipEvent> events(std::int64_t after) override {
    asked_after = after;
    MembershipEvent event;
    event.kind = MembershipEvent::Kind::kOffline;
    event.logged = 1'700'000'000'500'000;
    event.name = "a";
    event.text = "refused";
    return {event};
  }
  DrainOrder drain(const std::string&, bool) override { return DrainOrder::kUnknown; }
  std::string reload() override { return {}; }
  std::int64_t asked_after = -1;
};

TEST(AdminCluster, EventsForPeopleAndPrograms) {
  Target target;
  const auto ask = [&](const std::string& query) {
    return answer_cluster({"GET", "/events", query}, target)->body;
  };
  EXPECT_EQ(ask("format=table"), "2023-11-14 22:13:20.500  offline          a  refused\n");
  EXPECT_EQ(target.asked_after, 0);
  EXPECT_EQ(ask("format=table&cursor=true&after=17"),
            "1700000000500000\t2023-11-14 22:13:20.500  offline          a  refused\n");
  EXPECT_EQ(target.asked_after, 17);
  const std::string object =
      "{\"at\":1700000000500000,\"time\":\"2023-11-14 22:13:20.500Z\",\"kind\":\"offline\","
      "\"server\":\"a\",\"text\":\"refused\"}";
  EXPECT_EQ(ask("format=lines"), object + "\n");
  EXPECT_EQ(ask(""), "{\"events\":[" + object + "]}\n");
  EXPECT_EQ(answer_cluster({"GET", "/events", "after=x"}, target)->status, 400);
  EXPECT_EQ(answer_cluster({"POST", "/ring", ""}, target)->status, 405);
  EXPECT_FALSE(answer_cluster({"GET", "/status", ""}, target));
}

}  // namespace
}  // namespace tandem
