// Answers of others that are given again when another acts for their type.
#include "tests/unit/server/io/type_bench.h"

namespace tandem::server {
namespace {

using namespace type_bench;

struct NotedAnswersOfOthers : TypeSourceTest {
  NotedAnswersOfOthers() {
    a.inner.versioned = true;
    a.inner.content = "what a has to fetch";
    link();
  }
  // Answered from memory, or fetched by a after all?
  void expect_noted(const std::string& target = "/b/1") {
    const std::size_t fetched = a.inner.seen.size();
    const Client client = get_for_session(target, a);
    EXPECT_EQ(client.status, 200);
    EXPECT_EQ(client.body, "content");
    EXPECT_EQ(client.from, "source");
    EXPECT_EQ(client.cache_status, "a; hit");
    EXPECT_EQ(a.inner.seen.size(), fetched);
  }
  void expect_fetched(const std::string& target = "/b/1") {
    const std::size_t fetched = a.inner.seen.size();
    EXPECT_EQ(get_for_session(target, a).body, "what a has to fetch");
    EXPECT_EQ(a.inner.seen.size(), fetched + 1);
  }
};

TEST_F(NotedAnswersOfOthers, AreGivenAgainWhenAnotherActs) {
  get_for_session("/b/1", a);
  get_for_session("/b/1", a);
  EXPECT_EQ(b.inner.seen.size(), 2U) << "who acts as before is asked";
  kill_b();
  expect_noted();
  expect_fetched("/b/2");
  return_b();
  expect_noted();
  EXPECT_EQ(count(a, "types_noted_used_total"), 2U);
}

TEST_F(NotedAnswersOfOthers, ThatAreForAHeadHaveNoBody) {
  get_for_session("/b/1", a);
  kill_b();
  Client client;
  client.call = a.types.start(make_request("HEAD", "/b/1", Address{"h", 80}), client);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.status, 200);
  EXPECT_EQ(client.body, "");
  EXPECT_EQ(client.cache_status, "a; hit");
}

TEST_F(NotedAnswersOfOthers, AreGivenWhenAskingFailsBeforeTheSourceIsAsked) {
  get_for_session("/b/1", a);
  b_lives = false;
  b.peers.stop();
  run_until([&] { return a.peers.links() == 0; });
  Client client;
  get(client, "/b/1", a);
  EXPECT_EQ(count(a, "types_asks_waiting"), 1U) << "for a link, or for a view";
  run_until([&] { return client.done; });
  EXPECT_EQ(client.body, "content");
  EXPECT_TRUE(a.inner.seen.empty());
}

TEST_F(NotedAnswersOfOthers, AreOfNoUseOnceTheSourceHasChanged) {
  get_for_session("/b/1", a);
  kill_b();
  a.inner.number = 8;
  expect_fetched();
  EXPECT_EQ(count(a, "types_noted_stale_total"), 1U);
}

// The answer may be of before the change, or of after it.
TEST_F(NotedAnswersOfOthers, AreOfNoUseIfTheSourceChangedOnTheirWay) {
  b.inner.holds = true;
  Client client;
  client.completed = [&] {
    const Validator validator = Validator::of(client.body);
    a.contents.put(validator, std::make_shared<const std::string>(client.body));
    a.types.note_content(ItemKey::of("/b/1"), validator);
  };
  get(client, "/b/1", a);
  run_until([&] { return b.inner.calls.size() == 1; });
  a.inner.number = 8;
  b.inner.calls.begin()->second->go_on();
  run_until([&] { return client.done; });
  client.call.reset();
  kill_b();
  expect_fetched();
}

TEST_F(NotedAnswersOfOthers, AreNotUsedWhileTheSourceDoesNotTellItsVersion) {
  get_for_session("/b/1", a);
  kill_b();
  a.inner.number = std::nullopt;
  expect_fetched();
  a.inner.number = 7;
  expect_noted();
}

TEST_F(NotedAnswersOfOthers, AreNotKeptOfASourceThatHasNoVersions) {
  a.inner.versioned = false;
  get_for_session("/b/1", a);
  EXPECT_EQ(count(a, "types_noted"), 0U);
  kill_b();
  expect_fetched();
}

TEST_F(NotedAnswersOfOthers, AreOfNoUseWithoutTheirContents) {
  get_for_session("/b/1", a);
  const std::string large((1 << 20) - ContentStore::kOverheadBytes, 'x');
  a.contents.put(Validator::of(large), std::make_shared<const std::string>(large));
  kill_b();
  expect_fetched();
  EXPECT_EQ(count(a, "types_noted_lacking_total"), 1U);
}

TEST_F(NotedAnswersOfOthers, EndWithAWrite) {
  get_for_session("/b/1", a);
  get_for_session("/b/2", a);
  EXPECT_EQ(count(a, "types_noted"), 2U);
  a.types.invalidate(ItemKey::of("/b/1"));
  Client writer;
  writer.call = a.types.start(make_request("PUT", "/b/2", Address{"h", 80}), writer);
  run_until([&] { return writer.done; });
  EXPECT_EQ(count(a, "types_noted"), 0U);
  kill_b();
  expect_fetched("/b/1");
  expect_fetched("/b/2");
}

TEST_F(NotedAnswersOfOthers, WhatAStandInProcessedIsNotedForWhenTheOwnerIsBack) {
  kill_b();
  a.inner.content = "content";
  get_for_session("/b/1", a);
  get_for_session("/a/1", a);
  EXPECT_EQ(count(a, "types_noted"), 1U) << "its own types go with it";
  EXPECT_EQ(a.inner.seen.size(), 2U);
  return_b();
  expect_noted();
}

TEST_F(NotedAnswersOfOthers, UnusualRequestsAreNotAnsweredByThem) {
  get_for_session("/b/1", a);
  kill_b();
  HttpRequest request = make_request("GET", "/b/1", Address{"h", 80});
  request.head.insert(request.head.size() - 2, "Range: bytes=0-1\r\n");
  Client client;
  client.call = a.types.start(std::move(request), client);
  run_until([&] { return client.done; });
  EXPECT_EQ(client.body, "what a has to fetch");
}

}  // namespace
}  // namespace tandem::server
