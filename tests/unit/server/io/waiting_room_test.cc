#include "server/io/waiting_room.h"

#include <gtest/gtest.h>

#include <ctime>

#include "tests/unit/server/io/front_shell.h"

namespace tandem::server {
namespace {

// A session whose servers are gone, as a balancer sends it.
std::string homeless(const SessionId& session) {
  SessionToken token;
  token.session = session;
  token.epoch = Epoch{4, ServerId::of("gone")};
  token.primary = ServerId::of("gone");
  token.flags = kTakeover;
  const auto now = static_cast<UnixSeconds>(::time(nullptr));
  return "Tandem-Session: " + std::string(TokenCodec(keys()).seal(token, now).view()) + "\r\n";
}

void await_waiting(Shell& shell, std::size_t count) {
  while (shell.in_flight() != count) std::this_thread::yield();
}

// It knows its peers: b, and is linked with it.
void meet_b(Shell& shell) {
  View view;
  view.version = 1;
  ServerRecord record;
  record.id = ServerId::of("b");
  record.name = "b";
  record.online = true;
  view.servers.push_back(record);
  shell.view(view);
  shell.with_driver([](NodeDriver& driver) { driver.peer_connected(ServerId::of("b"), 1); });
}

TEST(FrontWaiting, ARequestWaitsForItsPeersAndIsThenServedWhole) {
  Shell shell(EtagRule::kContent, Always(ok("x")), {}, 1h);
  meet_b(shell);
  auto client = shell.client();
  client->send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n" + homeless({7, 7}) +
               "\r\nhello");
  await_waiting(shell, 1);
  // No room for another: it is told to come again.
  auto other = shell.client();
  const Reply refused = ask(*other, get(homeless({8, 8})));
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(field(refused.head, "Retry-After"), "1");
  shell.with_driver([](NodeDriver& driver) {
    WhereAnswer nothing;
    nothing.session = {7, 7};
    driver.deliver(ServerId::of("b"), nothing);
  });
  const Reply reply = read(*client);
  EXPECT_EQ(reply.status(), 200);
  const auto token = TokenCodec(keys()).open(field(reply.head, "Tandem-Session"),
                                             static_cast<UnixSeconds>(::time(nullptr)), 1800);
  ASSERT_TRUE(token);
  EXPECT_EQ(token.token.epoch, (Epoch{5, ServerId::of("a")}));
}

TEST(FrontWaiting, AClientThatLeftWhileItWaitedLeavesNothingBehind) {
  Shell shell(EtagRule::kContent, Always(ok("x")), {}, 1h);
  meet_b(shell);
  auto client = shell.client();
  client->send(get(homeless({7, 7})));
  await_waiting(shell, 1);
  client->reset();
  // Its link goes down: there is nobody left to wait for.
  shell.with_driver([](NodeDriver& driver) { driver.peer_disconnected(ServerId::of("b")); });
  await_waiting(shell, 0);
  EXPECT_EQ(ask(*shell.client(), get(homeless({7, 7}))).status(), 200);
}

TEST(FrontWaiting, ARequestThatIsFoundElsewhereIsReferredThere) {
  Shell shell(EtagRule::kContent, Always(ok("x")), {}, 1h);
  meet_b(shell);
  auto client = shell.client();
  client->send(get(homeless({7, 7})));
  await_waiting(shell, 1);
  shell.with_driver([](NodeDriver& driver) {
    WhereAnswer copy;
    copy.session = {7, 7};
    copy.as = WhereAnswer::As::kCopy;
    copy.epoch = Epoch{4, ServerId::of("gone")};
    driver.deliver(ServerId::of("b"), copy);
  });
  const Reply reply = read(*client);
  EXPECT_EQ(reply.status(), 421);
  const auto refer = TokenCodec(keys()).open(field(reply.head, "Tandem-Refer"),
                                             static_cast<UnixSeconds>(::time(nullptr)), 1800);
  ASSERT_TRUE(refer);
  EXPECT_EQ(refer.token.primary, ServerId::of("b"));
  EXPECT_EQ(refer.token.flags, kTakeover | kMustServe);
}

}  // namespace
}  // namespace tandem::server
