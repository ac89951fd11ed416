#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <utility>

#include "common/net/channel_client.h"
#include "common/net/channel_server.h"

namespace tandem {
namespace {

const TlsPsk kKey{"k", std::string(32, 'k')};

MirrorContents large_message() {
  const auto bytes = std::make_shared<const std::string>(kFrameContentBytesMax, 'x');
  return {.number = 1, .contents = {{Validator::of(*bytes), bytes}}, .last = true};
}

// Notes what it is told, and calls `then` after each.
struct Notes final : ChannelHandler {
  void on_channel_open(Channel& channel) override {
    log += "open(" + channel.peer().name + ") ";
    last = &channel;
    if (then) then();
  }
  void on_channel_message(Channel& channel, Message message) override {
    last = &channel;
    messages.push_back(std::move(message));
    if (then) then();
  }
  void on_channel_closed(Channel&, const Error& why) override {
    log += "closed ";
    reason = why.message;
    last = nullptr;
    if (then) then();
  }
  std::string log, reason;
  std::vector<Message> messages;
  Channel* last = nullptr;
  std::function<void()> then;
};

ChannelOptions named(const std::string& name) {
  ChannelOptions options;
  options.self.name = name;
  options.self.incarnation = 7;
  return options;
}

struct ChannelTest : ::testing::Test {
  ChannelTest()
      : resolver(loop),
        server(loop, TlsContext::psk_server({kKey}), named("server"), server_notes) {
    EXPECT_TRUE(server.listen(SocketAddress::loopback(0)));
    to = Address{"127.0.0.1", server.address().port()};
  }
  std::unique_ptr<ChannelClient> client_named(const std::string& name, TlsPsk key = kKey) {
    auto client = std::make_unique<ChannelClient>(loop, resolver, Random(1), to,
                                                  always(TlsContext::psk_client(std::move(key))),
                                                  named(name), client_notes, Backoff{1ms, 5ms});
    client->start();
    return client;
  }
  void run_until(const std::function<bool()>& condition) {
    const auto check = [this, condition] {
      if (condition()) loop.stop();
    };
    server_notes.then = client_notes.then = check;
    std::unique_ptr<Timer> look;  // failures to connect are not told
    look = std::make_unique<Timer>(loop, [&] {
      check();
      look->set_after(1ms);
    });
    look->set_after(1ms);
    loop.run();
    server_notes.then = client_notes.then = nullptr;
  }

  EventLoop loop;
  Resolver resolver;
  Notes server_notes, client_notes;
  ChannelServer server;
  Address to;
};

TEST_F(ChannelTest, SaysHelloAndCarriesMessagesInOrder) {
  auto client = client_named("client");
  run_until([&] { return client->channel() != nullptr && server_notes.last != nullptr; });
  EXPECT_EQ(server_notes.log, "open(client) ");
  EXPECT_EQ(client_notes.log, "open(server) ");
  EXPECT_EQ(client->channel()->peer().incarnation, 7u);
  const MirrorContents large = large_message();
  client->channel()->send(StatusReport{Status{.sequence = 1}});
  client->channel()->send(large);
  client->channel()->send(StatusReport{Status{.sequence = 2}});
  server_notes.last->send(Drain{true});
  run_until([&] { return server_notes.messages.size() == 3 && client_notes.messages.size() == 1; });
  EXPECT_EQ(std::get<StatusReport>(server_notes.messages[0]).status.sequence, 1u);
  EXPECT_EQ(std::get<MirrorContents>(server_notes.messages[1]), large);
  EXPECT_EQ(std::get<StatusReport>(server_notes.messages[2]).status.sequence, 2u);
  EXPECT_EQ(std::get<Drain>(client_notes.messages[0]), Drain{true});
}

TEST_F(ChannelTest, ComesBackAfterTheOtherEndIsGone) {
  auto client = client_named("client");
  run_until([&] { return client->channel() != nullptr; });
  const SocketAddress at = server.address();
  server.stop();
  run_until([&] { return client_notes.log == "open(server) closed "; });
  ASSERT_TRUE(server.listen(at));
  run_until([&] { return client->channel() != nullptr; });
  EXPECT_EQ(client_notes.log, "open(server) closed open(server) ");
}

// Whoever is let in and thrown out at once, again and again, comes ever more rarely.
TEST_F(ChannelTest, AChannelThatOpensAndIsClosedAtOnceIsAFailureLikeOthers) {
  const auto begun = std::chrono::steady_clock::now();
  ChannelClient client(loop, resolver, Random(1), to, always(TlsContext::psk_client(kKey)),
                       named("client"), client_notes, Backoff{4ms, 10s});
  client.start();
  run_until([&] {
    if (server_notes.last != nullptr) server.drop(*std::exchange(server_notes.last, nullptr));
    return client_notes.log.ends_with(
        "open(server) closed open(server) closed open(server) closed "
        "open(server) closed open(server) closed open(server) ");
  });
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 2ms + 4ms + 8ms + 16ms + 32ms);
}

TEST_F(ChannelTest, RefusesItsOwnNameAndAForeignKey) {
  auto reflection = client_named("server");
  auto foreign = client_named("foreign", TlsPsk{"k", std::string(32, 'x')});
  auto good = client_named("good");
  run_until([&] {
    return good->channel() != nullptr && server_notes.last != nullptr &&
           reflection->failures() >= 2 && foreign->failures() >= 2;
  });
  EXPECT_EQ(server_notes.log, "open(good) ");
}

TEST_F(ChannelTest, AFullQueueClosesTheChannel) {
  auto client = client_named("client");
  run_until([&] { return client->channel() != nullptr && server_notes.last != nullptr; });
  const MirrorContents large = large_message();
  while (client->channel()->queued_bytes() <= (std::size_t{32} << 20)) {
    client->channel()->send(large);
  }
  run_until([&] { return client_notes.log == "open(server) closed "; });
  EXPECT_EQ(client_notes.reason, "takes messages too slowly: the queue is full");
}

// Whoever closes without having read all resets; that comes together with its last words here.
TEST_F(ChannelTest, AResetRightAfterTheLastWordsIsSeen) {
  auto client = client_named("client");
  run_until([&] { return client->channel() != nullptr && server_notes.last != nullptr; });
  run_until([&] { return client->channel()->is_open(); });
  loop.post([&] {
    server_notes.last->send(Drain{true});  // never read
    server_notes.last->flush();
    client->channel()->send(StatusReport{Status{.sequence = 1}});
    client->channel()->flush();
    client->stop();
  });
  run_until([&] { return server_notes.log == "open(client) closed "; });
  EXPECT_EQ(server_notes.messages.size(), 1u);
}

TEST_F(ChannelTest, LastWordsAreSentBeforeADrop) {
  auto client = client_named("client");
  run_until([&] { return client->channel() != nullptr && server_notes.last != nullptr; });
  server_notes.last->send(Refused{"there is another of your name"});
  server.drop(*server_notes.last);
  run_until([&] { return client_notes.log == "open(server) closed "; });
  ASSERT_EQ(client_notes.messages.size(), 1u);
  EXPECT_EQ(std::get<Refused>(client_notes.messages[0]).reason, "there is another of your name");
  EXPECT_EQ(server_notes.log, "open(client) ");  // it asked for the end itself
}

}  // namespace
}  // namespace tandem
