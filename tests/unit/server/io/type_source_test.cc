// Whom a request goes to, and how it comes back.
#include "tests/unit/server/io/type_bench.h"

namespace tandem::server {
namespace {

using namespace type_bench;

TEST_F(TypeSourceTest, TheOwnerIsAskedAndTheAskerDoesNothing) {
  link();
  Client client;
  get(client, "/b/1", a);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.status, 200);
  EXPECT_EQ(client.from, "source");
  EXPECT_EQ(client.body, "content");
  EXPECT_TRUE(a.inner.seen.empty());
  ASSERT_EQ(b.inner.seen.size(), 1U);
  EXPECT_EQ(b.inner.seen[0].head.substr(0, 14), "GET /b/1 HTTP/");
  EXPECT_EQ(a.types.machine().under_way(), 0U);
}

TEST_F(TypeSourceTest, OwnItemsAreProcessedHere) {
  link();
  Client client;
  get(client, "/a/1", a);
  run_until([&] { return client.done; });
  EXPECT_EQ(a.inner.seen.size(), 1U);
  EXPECT_TRUE(b.inner.seen.empty());
}

TEST_F(TypeSourceTest, LargeBodiesGoBothWaysHoweverSlowTheReader) {
  link();
  b.inner.content.assign(3'000'000, 'x');
  b.inner.content[2'999'999] = 'y';
  Client client;
  client.pause_each = true;
  get(client, "/b/1", a);
  run_until([&] {
    if (std::exchange(client.paused, false)) client.call->resume();
    return client.done;
  });
  EXPECT_EQ(client.body, b.inner.content);
  EXPECT_GT(b.inner.paused, 0);

  Client writer;
  HttpRequest put = make_request("PUT", "/b/2", Address{"h", 80});
  put.streams = true;
  writer.call = a.types.start(std::move(put), writer);
  const std::string part(50'000, 'p');
  for (int i = 0; i < 20; ++i) writer.call->send_body(part);
  writer.call->end_body();
  run_until([&] { return writer.done; });
  EXPECT_FALSE(writer.failed);
  EXPECT_EQ(b.inner.seen.at(1).body.size(), 1'000'000U);
}

TEST_F(TypeSourceTest, ManyAtOnceStayWithinTheLinksWindow) {
  link();
  b.inner.content.assign(200'000, 'z');
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 100; ++i) {
    get(*clients.emplace_back(std::make_unique<Client>()), "/b/" + std::to_string(i), a);
  }
  run_until([&] {
    for (const auto& one : clients) {
      if (!one->done) return false;
    }
    return true;
  });
  for (const auto& one : clients) EXPECT_EQ(one->body.size(), 200'000U);
}

TEST_F(TypeSourceTest, WhatTheAskerHoldsDoesNotCross) {
  link();
  b.inner.content.assign(90'000, 'k');
  const Validator validator = Validator::of(b.inner.content);
  a.contents.put(validator, std::make_shared<const std::string>(b.inner.content));
  a.types.note_content(ItemKey::of("/b/1"), validator);
  Client client;
  get(client, "/b/1", a);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.body, b.inner.content);
  EXPECT_EQ(client.from, "source");
  b.inner.content[5] = 'l';  // of the same length
  Client other;
  get(other, "/b/1", a);
  run_until([&] { return other.done; });
  EXPECT_EQ(other.body, b.inner.content);
  std::uint64_t held = 0, received = 0;
  for (const auto& count : a.types.counts()) {
    if (count.name == "types_held_total") held = count.value;
    if (count.name == "types_body_bytes_received_total") received = count.value;
  }
  EXPECT_EQ(held, 1U);
  EXPECT_EQ(received, 90'000U);
}

TEST_F(TypeSourceTest, TheFailureOfTheOwnersSourceIsNoFailureOfAsking) {
  link();
  b.inner.fails = true;
  Client client;
  get(client, "/b/1", a);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.failed, HttpFailure::Kind::kTimeout);
  EXPECT_TRUE(a.inner.seen.empty());
  EXPECT_TRUE(a.balancers.reports.empty());
}

TEST_F(TypeSourceTest, WhoGoesAwayCancelsAtTheOwner) {
  link();
  b.inner.holds = true;
  Client client;
  get(client, "/b/1", a);
  run_until([&] { return b.inner.calls.size() == 1; });
  client.call.reset();
  run_until([&] { return b.inner.calls.empty(); });
  EXPECT_EQ(a.types.machine().under_way(), 0U);
}

TEST_F(TypeSourceTest, IfTheOwnerDiesTheStandInFetchesOnceMoreAndItIsDroppedLater) {
  link();
  b.inner.holds = true;
  a.inner.watched = {"/b/1", "/a/1"};
  Client client, writer;
  get(client, "/b/1", a);
  writer.call = a.types.start(make_request("POST", "/b/1", Address{"h", 80}), writer);
  run_until([&] { return b.inner.calls.size() == 2; });
  ServerRecord record = b.record();
  b_lives = false;
  b.peers.stop();
  run_until([&] { return !a.balancers.reports.empty(); });
  EXPECT_EQ(a.balancers.reports[0], (FailureReport{ServerId::of("b"), 1, Seen::kClosed}));
  record.online = false;
  tell({a.record(), record});
  run_until([&] { return client.done && writer.done; });
  EXPECT_EQ(client.body, "content");
  EXPECT_EQ(a.inner.seen.size(), 1U);
  EXPECT_EQ(writer.failed, HttpFailure::Kind::kReset) << "a POST is never executed twice";
  EXPECT_EQ(a.inner.forgotten, "");
  record.online = true;
  tell({a.record(), record});
  EXPECT_EQ(a.inner.forgotten, "/b/1 ");
}

// It may have been done, and would fail by itself: 412 for a write that is in.
TEST_F(TypeSourceTest, AWriteWithConditionsIsNotDoneAgain) {
  link();
  b.inner.holds = true;
  Client plain, conditional;
  const auto put = [&](Client& client, const std::string& fields) {
    HttpRequest request = make_request("PUT", "/b/1", Address{"h", 80});
    request.head.insert(request.head.size() - 2, fields);
    client.call = a.types.start(std::move(request), client);
  };
  put(plain, "");
  put(conditional, "If-Match: \"1\"\r\n");
  run_until([&] { return b.inner.calls.size() == 2; });
  ServerRecord record = b.record(false);
  b_lives = false;
  b.peers.stop();
  run_until([&] { return !a.balancers.reports.empty(); });
  tell({a.record(), record});
  run_until([&] { return plain.done && conditional.done; });
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(conditional.failed, HttpFailure::Kind::kReset);
  EXPECT_EQ(a.inner.seen.size(), 1U);
}

TEST_F(TypeSourceTest, ASilentOwnerIsNotWaitedForAndTheMasterIsTold) {
  Member c(loop, resolver, "c", 30ms);
  b.peers.remove_listener(b.types);  // it hears, and says nothing
  View view;
  view.version = 1;
  view.servers = {b.record(), c.record()};
  const auto shared = std::make_shared<const View>(std::move(view));
  b.tell(shared);
  c.tell(shared);
  run_until([&] { return c.peers.links() == 1 && b.peers.links() == 1; });
  Client client;
  get(client, "/b/1", c);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.body, "content");
  EXPECT_EQ(c.inner.seen.size(), 1U);
  EXPECT_EQ(c.balancers.reports,
            (std::vector<FailureReport>{{ServerId::of("b"), 1, Seen::kSilent}}));
}

}  // namespace
}  // namespace tandem::server
