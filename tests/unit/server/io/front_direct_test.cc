// What clients that come without a balancer are told, and what others are not.
#include <gtest/gtest.h>

#include "common/cluster/direct_fields.h"
#include "common/cluster/server_list.h"
#include "common/net/clock.h"
#include "tests/unit/server/io/front_shell.h"

namespace tandem::server {
namespace {

const std::string kDirect = "Tandem-Direct: view=0\r\n";

View two_servers() {
  View view;
  view.version = 12;
  for (const char* name : {"a", "b"}) {
    ServerRecord record;
    record.name = name;
    record.id = ServerId::of(name);
    record.data_address = std::string("host-") + name + ":80";
    record.online = true;
    record.status.capacity = 100;
    record.status.threshold = 80;
    view.servers.push_back(record);
  }
  return view;
}

class FrontDirect : public ::testing::Test {
 protected:
  Whereabouts where(const Reply& reply) {
    const auto said = Whereabouts::parse(field(reply.head, "Tandem-Where"));
    EXPECT_TRUE(said) << reply.head;
    return said.value_or(Whereabouts{});
  }
  Shell shell_{EtagRule::kContent, Always(ok("hello")), {}, 300ms, true};
};

TEST_F(FrontDirect, ADirectClientIsToldWhoServesIt) {
  shell_.view(two_servers());
  auto client = shell_.client();
  const Reply first = ask(*client, get(kDirect));
  EXPECT_EQ(where(first), (Whereabouts{12, "a", ""})) << "provisional: no alternate yet";
  const std::string token = "Tandem-Session: " + field(first.head, "Tandem-Session") + "\r\n";
  EXPECT_EQ(where(ask(*client, get(kDirect + token))).primary, "a");
}

TEST_F(FrontDirect, WithAReferralItIsToldWhomToAsk) {
  View view = two_servers();
  shell_.view(view);
  TokenCodec codec(keys());
  const SessionToken elsewhere{{7, 7}, {3, ServerId::of("b")}, ServerId::of("b"), {}, 0, 0};
  const std::string token =
      "Tandem-Session: " + std::string(codec.seal(elsewhere, unix_clock()).view()) + "\r\n";
  auto client = shell_.client();
  const Reply reply = ask(*client, get(kDirect + token));
  EXPECT_EQ(reply.status(), 421);
  EXPECT_FALSE(field(reply.head, "Tandem-Refer").empty());
  EXPECT_EQ(where(reply), (Whereabouts{12, "b", ""}));
}

TEST_F(FrontDirect, OthersAreNotTold) {
  shell_.view(two_servers());
  auto client = shell_.client();
  EXPECT_EQ(field(ask(*client, get()).head, "Tandem-Where"), "");
  Shell closed(EtagRule::kContent, Always(ok("hello")));
  closed.view(two_servers());
  auto other = closed.client();
  EXPECT_EQ(field(ask(*other, get(kDirect)).head, "Tandem-Where"), "");
  EXPECT_EQ(ask(*other, get("", std::string(kServerListPath))).status(), 404);
}

TEST_F(FrontDirect, TheListOfServersIsTheViews) {
  auto client = shell_.client();
  const Reply none = ask(*client, get("", std::string(kServerListPath)));
  EXPECT_EQ(none.body, R"({"version":0,"servers":[]})");
  shell_.view(two_servers());
  const Reply reply = ask(*client, get("", std::string(kServerListPath)));
  const auto list = parse_server_list(reply.body);
  ASSERT_TRUE(list) << reply.body;
  EXPECT_EQ(list->version, 12u);
  ASSERT_EQ(list->servers.size(), 2u);
  EXPECT_EQ(list->servers[1], (ListedServer{"b", "host-b:80", true, "", 100}));
}

TEST_F(FrontDirect, WhoComesForATypeIsServedWithoutASession) {
  shell_.view(two_servers());
  auto client = shell_.client();
  const Reply reply = ask(*client, get("Tandem-Direct: view=0;by=type\r\n"));
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(reply.body, "hello");
  EXPECT_EQ(field(reply.head, "Tandem-Session"), "");
  EXPECT_EQ(where(reply).view, 12u);
  shell_.with_driver(
      [](NodeDriver& driver) { EXPECT_EQ(driver.node().counters().sessions_new, 0u); });
  const std::string etag = field(reply.head, "ETag");
  EXPECT_EQ(ask(*client, get("Tandem-Direct: view=0;by=type\r\nIf-None-Match: " + etag + "\r\n"))
                .status(),
            304);
  EXPECT_NE(field(ask(*client, get(kDirect)).head, "Tandem-Session"), "") << "and others have one";
}

}  // namespace
}  // namespace tandem::server
