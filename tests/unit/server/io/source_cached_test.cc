// The cache with real sockets on both sides: what the origin is asked, and what clients get. The
// rules themselves are in tests/unit/server/core/data_cache_*_test.cc.
#include "server/io/source_cached.h"

#include <gtest/gtest.h>

#include <semaphore>

#include "tests/unit/server/io/front_shell.h"

namespace tandem::server {
namespace {

constexpr std::uint64_t kBytes = 1 << 20;
constexpr const char* kForAll = "Cache-Control: max-age=60\r\nETag: \"1\"\r\n";

struct CachedShell : Shell {
  explicit CachedShell(Origin::Converse converse)
      : Shell(EtagRule::kOrigin, std::move(converse), {}, 300ms, false, kBytes) {}

  void wait_for_waiters(std::size_t count) {
    while (of_cache([](CachedSource& source) { return source.cache().waiters(); }) != count) {
      std::this_thread::yield();
    }
  }
  DataCacheCounts counts() {
    return of_cache([](CachedSource& source) { return source.cache().counts(); });
  }
};

std::string closing(std::string response) {
  return response.insert(response.find("\r\n") + 2, "Connection: close\r\n");
}

TEST(CachedSource, ASecondRequestDoesNotReachTheOrigin) {
  Always origin(ok("hello", kForAll));
  CachedShell shell(origin);
  auto client = shell.client();
  const Reply first = ask(*client, get());
  EXPECT_EQ(first.status(), 200);
  EXPECT_EQ(first.body, "hello");
  EXPECT_EQ(field(first.head, "Cache-Status"), "a; fwd=uri-miss; fwd-status=200; stored");
  EXPECT_EQ(field(first.head, "Age"), "");
  const Reply second = ask(*client, get());
  EXPECT_EQ(second.body, "hello");
  EXPECT_TRUE(field(second.head, "Cache-Status").starts_with("a; hit; ttl="));
  EXPECT_NE(field(second.head, "Age"), "");
  EXPECT_EQ(field(second.head, "ETag"), "\"1\"");
  const Reply third = ask(*client, get("If-None-Match: \"1\"\r\n"));
  EXPECT_EQ(third.status(), 304);
  const Reply part = ask(*client, get("Range: bytes=1-2\r\n"));
  EXPECT_EQ(part.status(), 206);
  EXPECT_EQ(part.body, "el");
  client->send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(field(client->head(), "Content-Length"), "5");
  EXPECT_EQ(origin.heads->size(), 1u);
}

TEST(CachedSource, SessionsAreNotStored) {
  CachedShell shell(Always(ok("hello", kForAll)));
  const auto token = [&] {
    auto client = shell.client();
    const Reply reply = ask(*client, get());
    EXPECT_EQ(reply.body, "hello");
    return field(reply.head, "Tandem-Session");
  };
  const std::string one = token(), other = token();
  EXPECT_FALSE(one.empty());
  EXPECT_FALSE(other.empty());
  EXPECT_NE(one, other) << "each has its own, though the item is the same";
  EXPECT_EQ(shell.counts().hits, 1u);
}

// The first has asked the source, as `asked` says, and the others wait for what it will bring.
auto three_that_miss(CachedShell& shell, const std::atomic<int>& asked) {
  std::array clients{shell.client(), shell.client(), shell.client()};
  clients[0]->send(get());
  while (asked == 0) std::this_thread::yield();
  clients[1]->send(get());
  clients[2]->send(get());
  shell.wait_for_waiters(2);
  return clients;
}

TEST(CachedSource, OneAsksForAll) {
  std::binary_semaphore answer(0);
  std::atomic<int> asked = 0;
  CachedShell shell([&](Talk& talk, int) {
    while (!talk.head().empty()) {
      ++asked;
      answer.acquire();
      talk.send(ok("hello", kForAll));
    }
  });
  const auto clients = three_that_miss(shell, asked);
  answer.release();
  for (const auto& client : clients) EXPECT_EQ(read(*client).body, "hello");
  EXPECT_EQ(asked, 1);
}

TEST(CachedSource, WhoAskedForAllMayGo) {
  const std::string body(200000, 'x');
  std::binary_semaphore rest(0);
  std::atomic<int> asked = 0;
  CachedShell shell([&](Talk& talk, int) {
    while (!talk.head().empty()) {
      ++asked;
      const std::string whole = ok(body, kForAll);
      talk.send(whole.substr(0, 1000));
      rest.acquire();
      talk.send(whole.substr(1000));
    }
  });
  auto first = shell.client(), second = shell.client();
  first->send(get());
  first->head();
  second->send(get());
  shell.wait_for_waiters(1);
  first->reset();
  rest.release();
  EXPECT_EQ(read(*second).body, body);
  EXPECT_EQ(asked, 1);
}

TEST(CachedSource, WhatIsNotForOthersIsFetchedByEach) {
  std::binary_semaphore answer(0);
  std::atomic<int> asked = 0;
  CachedShell shell([&](Talk& talk, int) {
    talk.head();
    if (++asked == 1) answer.acquire();
    talk.send(closing(ok("mine", "Cache-Control: private\r\n")));
  });
  const auto clients = three_that_miss(shell, asked);
  answer.release();
  for (const auto& client : clients) EXPECT_EQ(read(*client).body, "mine");
  EXPECT_EQ(asked, 3);
}

TEST(CachedSource, ADeadFetchIsFollowedByOneMore) {
  std::binary_semaphore answer(0);
  std::atomic<int> asked = 0;
  CachedShell shell([&](Talk& talk, int) {
    while (!talk.head().empty()) {
      if (++asked == 1) {
        answer.acquire();
        return talk.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n" + std::string(kForAll) +
                         "\r\nhalf"),
               talk.reset();
      }
      talk.send(ok("hello", kForAll));
    }
  });
  const auto clients = three_that_miss(shell, asked);
  answer.release();
  EXPECT_EQ(read(*clients[1]).body, "hello");
  EXPECT_EQ(read(*clients[2]).body, "hello");
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(shell.counts().dead_flights, 1u);
  const Reply cut = read(*clients[0]);
  EXPECT_NE(cut.body, "hello") << "it had begun, and could not be begun again";
}

TEST(CachedSource, ALargeBodyGoesThroughWhole) {
  const std::string body(3 * kBytes, 'x');
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" +
                              std::string(kForAll) + "\r\n300000\r\n" + body + "\r\n0\r\n\r\n";
  ASSERT_EQ(body.size(), 0x300000u);
  Always origin(chunked);
  CachedShell shell(origin);
  auto client = shell.client();
  for (int i = 0; i < 2; ++i) {
    client->send(get());
    EXPECT_EQ(field(client->head(), "Transfer-Encoding"), "chunked");
    std::string got;
    for (;;) {
      const std::size_t size = std::stoul(client->until("\r\n"), nullptr, 16);
      got += client->bytes(size);
      client->bytes(2);
      if (size == 0) break;
    }
    EXPECT_EQ(got, body);
  }
  EXPECT_EQ(origin.heads->size(), 2u);
}

TEST(CachedSource, AWriteEndsWhatIsStored) {
  Always origin(ok("hello", kForAll));
  CachedShell shell(origin);
  auto client = shell.client();
  ask(*client, get());
  ask(*client, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nnew");
  EXPECT_EQ(origin.heads->size(), 2u);
  ask(*client, get());
  EXPECT_EQ(origin.heads->size(), 3u);
  shell.of_cache([](CachedSource& source) { return source.invalidate(ItemKey::of("/x")), 0; });
  ask(*client, get());
  EXPECT_EQ(origin.heads->size(), 4u);
  shell.of_cache([](CachedSource& source) {
    source.forget([](std::string_view target) { return target == "/x"; });
    return 0;
  });
  ask(*client, get());
  EXPECT_EQ(origin.heads->size(), 5u);
  ask(*client, get());
  EXPECT_EQ(origin.heads->size(), 5u);
}

TEST(CachedSource, StaleIsServedWhileTheOriginIsIll) {
  std::atomic<int> asked = 0;
  CachedShell shell([&](Talk& talk, int) {
    if (talk.head().empty()) return;
    const bool ill = ++asked > 1;
    talk.send(closing(ill ? "HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nill"
                          : ok("hello", "Cache-Control: max-age=0, stale-if-error=60\r\n")));
  });
  auto client = shell.client();
  EXPECT_EQ(ask(*client, get()).body, "hello");
  const Reply stale = ask(*client, get());
  EXPECT_EQ(stale.status(), 200);
  EXPECT_EQ(stale.body, "hello");
  EXPECT_NE(field(stale.head, "Cache-Status").find("stale-if-error"), std::string::npos);
}

TEST(CachedSource, OnlyIfCached) {
  Always origin(ok("hello", kForAll));
  CachedShell shell(origin);
  auto client = shell.client();
  EXPECT_EQ(ask(*client, get("Cache-Control: only-if-cached\r\n")).status(), 504);
  EXPECT_EQ(origin.heads->size(), 0u);
  EXPECT_EQ(ask(*client, get()).status(), 200);
  EXPECT_EQ(ask(*client, get("Cache-Control: only-if-cached\r\n")).status(), 200);
}

TEST(CachedSource, ASlowClientGetsAllOfALargeItem) {
  const std::string body(kBytes / 8, 'y');
  CachedShell shell(Always(ok(body, kForAll)));
  for (int i = 0; i < 3; ++i) {
    auto client = shell.client();
    for (int k = 0; k < 20; ++k) client->send(get());  // it reads nothing yet
    for (int k = 0; k < 20; ++k) EXPECT_EQ(read(*client).body, body);
  }
  EXPECT_EQ(shell.counts().misses, 1u);
}

}  // namespace
}  // namespace tandem::server
