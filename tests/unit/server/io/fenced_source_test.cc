// The source before cache and data source, as a server that shares out its data has it: one that
// acts for /a/ before an origin on a real socket, and another server that may hold a lease.
#include "server/io/fenced_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "common/net/http_fetch.h"
#include "server/io/source_cached.h"
#include "server/io/source_http.h"
#include "tests/support/blocking.h"

namespace tandem::server {
namespace {

using test::field;
using test::Origin;
using test::Talk;

const ServerId kOther = ServerId::of("b");

struct Sent final : PeerCarrier {
  void send(ServerId to, const Message& message) override {
    EXPECT_EQ(to, kOther);
    messages.push_back(message);
  }
  template <class Kind>
  std::optional<Kind> last() const {
    for (auto at = messages.rbegin(); at != messages.rend(); ++at) {
      if (const auto* one = std::get_if<Kind>(&*at)) return *one;
    }
    return std::nullopt;
  }
  std::vector<Message> messages;
};

// Insists on the order in which it is told, as a front does.
struct Client final : HttpCallHandler {
  void on_response(const http::ResponseHead& head, const http::Framing&) override {
    EXPECT_EQ(status, 0) << "a second answer";
    status = head.status();
    if (pauses) call->pause();
  }
  void on_body(std::string_view bytes) override {
    EXPECT_NE(status, 0) << "a body before its head";
    body += bytes;
  }
  void on_complete() override {
    EXPECT_NE(status, 0) << "the end before the head";
    done = true;
  }
  void on_failure(const HttpFailure& failure) override {
    EXPECT_FALSE(done);
    failed = failure.kind;
    sent = failure.sent;
    done = true;
  }
  int status = 0;
  std::string body;
  bool done = false, pauses = false, sent = false;
  std::optional<HttpFailure::Kind> failed;
  std::unique_ptr<SourceCall> call;
};

NodeOptions node_options() {
  NodeOptions made;
  made.name = "a";
  return made;
}

Ownership ownership() { return Ownership(Types({{"/a/", "a"}, {"/b/", "b"}}, 16), "default"); }

ServerRecord record(const std::string& name) {
  ServerRecord made;
  made.id = ServerId::of(name);
  made.name = name;
  made.group = "default";
  made.incarnation = 1;
  made.online = true;
  made.status.capacity = 100;
  return made;
}

View view() {
  View made;
  made.version = 1;
  made.servers = {record("a"), record("b")};
  return made;
}

// On one loop, which runs while something is awaited.
struct Bench {
  void run_until(const std::function<bool()>& condition) {
    const Instant give_up = loop.now() + 20s;
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop, [&] {
      if (condition() || loop.now() > give_up) return loop.stop();
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop.run();
    EXPECT_TRUE(condition()) << "in vain";
  }
  EventLoop loop;
  Sent sent;
  NodeDriver driver{loop, node_options()};
};

struct Fenced : Bench {
  explicit Fenced(const std::string& answer)
      : origin([this, answer](Talk& talk, int) {
          while (!talk.head().empty()) {
            ++asked;
            if (!talk.send(answer) || field(answer, "Connection") == "close") return;
          }
        }),
        source(loop, resolver, HttpDestination{Address{"127.0.0.1", origin.port()}}, {}),
        fenced(loop, driver, ownership(), source, nullptr, {}) {
    fenced.set_peers(&sent);
    fenced.on_view(std::make_shared<const View>(view()));
  }
  void ask(Client& client, const char* method, const char* target) {
    client.call = fenced.start(make_request(method, target, Address{"h", 80}), client);
  }
  void give_lease() {
    const Types types({{"/a/", "a"}, {"/b/", "b"}}, 16);
    fenced.on_peer_message(kOther, LeaseAsk{1, types.key(types.type_of("/a/x"))});
    EXPECT_TRUE(sent.last<LeaseGrant>());
  }
  std::atomic<int> asked = 0;
  Origin origin;
  Resolver resolver{loop};
  HttpSource source;
  FencedSource fenced;
};

// Before a cache and a database. Leases are over as soon as they are given.
struct FencedDatabase : Bench {
  explicit FencedDatabase(Duration lease = 1ns) {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    ItemDatabase::Options options;
    options.path = folder / "items.db";
    options.retry = 0ms;
    auto opened = ItemDatabase::open(loop, options);
    TANDEM_CHECK(opened.has_value());
    database = std::move(*opened);
    source.emplace(loop, *database, SqliteSource::Options{true, "max-age=0, stale-if-error=60"});
    cached.emplace(loop, *source, CachedSource::Options{"a", {}});
    ItemGuardOptions guard;
    guard.lease = lease;
    fenced.emplace(loop, driver, ownership(), *cached, &*database, guard);
    source->set_writer(&*fenced);
    fenced->set_peers(&sent);
    fenced->on_view(std::make_shared<const View>(view()));
  }
  ~FencedDatabase() {
    fenced.reset();
    cached.reset();
    source.reset();
    database.reset();
    std::filesystem::remove_all(folder);
  }
  void start(Client& client, const char* method, const char* target, const char* body = "") {
    HttpRequest request = make_request(method, target, Address{"h", 80});
    request.body = body;
    client.call = fenced->start(std::move(request), client);
  }
  Client ask(const char* method, const char* target, const char* body = "") {
    Client client;
    start(client, method, target, body);
    run_until([&] { return client.done; });
    client.call.reset();
    return client;
  }
  std::uint64_t count(std::string_view name) const {
    for (const auto& one : database->counts()) {
      if (one.name == name) return one.value;
    }
    ADD_FAILURE() << name;
    return 0;
  }
  std::filesystem::path folder;
  std::unique_ptr<ItemDatabase> database;
  std::optional<SqliteSource> source;
  std::optional<CachedSource> cached;
  std::optional<FencedSource> fenced;
};

TEST(FencedSource, AnAnswerWithoutABodyIsGivenInItsOrder) {
  for (const char* answer :
       {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"}) {
    Fenced fenced(answer);
    for (const char* method : {"PUT", "DELETE"}) {
      Client client;
      fenced.ask(client, method, "/a/x");
      fenced.run_until([&] { return client.done; });
      EXPECT_EQ(client.status, std::atoi(answer + 9));
      EXPECT_EQ(client.body, client.status == 200 ? "body" : "");
    }
  }
}

TEST(FencedSource, ItWaitsForWhoeverHoldsALease) {
  Fenced fenced("HTTP/1.1 204 No Content\r\n\r\n");
  fenced.give_lease();
  Client client;
  client.pauses = true;
  fenced.ask(client, "PUT", "/a/x");
  fenced.run_until([&] { return fenced.sent.last<Invalidate>().has_value(); });
  EXPECT_EQ(client.status, 0);
  fenced.fenced.on_peer_message(kOther, Invalidated{fenced.sent.last<Invalidate>()->number});
  fenced.run_until([&] { return client.status != 0; });
  EXPECT_EQ(client.status, 204);
  EXPECT_FALSE(client.done) << "it has been paused";
  client.call->resume();
  fenced.run_until([&] { return client.done; });
}

TEST(FencedSource, AnAnswerThatIsCutIsAFailureAndNothingComesAfterIt) {
  for (const bool held : {true, false}) {
    Fenced fenced("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf");
    if (held) fenced.give_lease();
    Client client;
    fenced.ask(client, "PUT", "/a/x");
    fenced.run_until([&] { return fenced.sent.last<Invalidate>().has_value(); });
    if (held) {
      fenced.fenced.on_peer_message(kOther, Invalidated{fenced.sent.last<Invalidate>()->number});
    }
    fenced.run_until([&] { return client.done; });
    EXPECT_TRUE(client.failed);
    EXPECT_TRUE(client.sent);
  }
}

// The one that acts would go on with what it has cached.
TEST(FencedSource, NothingIsWrittenForWhichAnotherActs) {
  Fenced fenced("HTTP/1.1 204 No Content\r\n\r\n");
  Client client;
  fenced.ask(client, "PUT", "/b/x");
  fenced.run_until([&] { return client.done; });
  EXPECT_EQ(client.failed, HttpFailure::Kind::kShortage);
  EXPECT_FALSE(client.sent);
  EXPECT_EQ(fenced.asked, 0);
  Client reader;
  fenced.ask(reader, "GET", "/b/x");
  fenced.run_until([&] { return reader.done; });
  EXPECT_EQ(reader.status, 204);
}

// The cache proves by the database's version what may be used.
TEST(FencedSource, WithoutALeaseManyThatWantOneItemAreStillOneRead) {
  FencedDatabase fenced;
  EXPECT_EQ(fenced.ask("PUT", "/a/x", "one").status, 201);
  const std::uint64_t before = fenced.count("database_reads_total");
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    fenced.start(*clients.emplace_back(std::make_unique<Client>()), "GET", "/a/x");
  }
  fenced.run_until([&] {
    return std::all_of(clients.begin(), clients.end(), [](const auto& one) { return one->done; });
  });
  for (const auto& one : clients) EXPECT_EQ(one->body, "one");
  EXPECT_EQ(fenced.count("database_reads_total"), before + 1);
  EXPECT_EQ(fenced.ask("PUT", "/a/x", "two").status, 204);
  EXPECT_EQ(fenced.ask("GET", "/a/x").body, "two");
}

// A claim of the type would change the file, and end all that is cached under its version.
TEST(FencedSource, ReadingFromADatabaseDoesNotChangeIt) {
  FencedDatabase fenced;
  EXPECT_EQ(fenced.ask("PUT", "/a/x", "one").status, 201);
  const auto before = fenced.fenced->version();
  ASSERT_TRUE(before);
  View next = view();
  next.version = 5;  // one was missed: it acts anew
  fenced.fenced->on_view(std::make_shared<const View>(next));
  EXPECT_EQ(fenced.ask("GET", "/a/x").body, "one");
  EXPECT_EQ(fenced.ask("GET", "/a/none").status, 404);
  fenced.run_until([&] { return fenced.count("database_writes_waiting") == 0; });
  EXPECT_EQ(fenced.fenced->version(), before);
  EXPECT_EQ(fenced.count("database_writes_total"), 1U);
}

// Whoever is served from a cache proves it by the version: there are no leases to wait for.
TEST(FencedSource, ANewOwnersFirstWriteToADatabaseWaitsForNobody) {
  FencedDatabase fenced(60s);
  EXPECT_EQ(fenced.ask("PUT", "/a/x", "one").status, 201);
  View next = view();
  next.version = 5;
  fenced.fenced->on_view(std::make_shared<const View>(next));
  EXPECT_EQ(fenced.ask("PUT", "/a/x", "two").status, 204);
}

TEST(FencedSource, TheOthersAreToldOfAWriteAfterItIsDoneThoughItsAskerHasGone) {
  FencedDatabase fenced;
  auto other = Database::open(fenced.folder / "items.db");
  auto lock = Transaction::begin(*other);
  ASSERT_TRUE(lock);
  Client client;
  fenced.start(client, "PUT", "/a/x", "one");
  fenced.run_until([&] { return fenced.count("database_writes_waiting") == 1; });
  client.call.reset();
  const std::size_t before = fenced.sent.messages.size();
  ASSERT_TRUE(lock->commit());
  fenced.run_until([&] { return fenced.count("database_writes_waiting") == 0; });
  ASSERT_EQ(fenced.sent.messages.size(), before + 1);
  EXPECT_TRUE(std::holds_alternative<Invalidate>(fenced.sent.messages.back()));
  EXPECT_EQ(fenced.ask("PUT", "/a/x", "two").status, 204);
  EXPECT_EQ(fenced.sent.messages.size(), before + 2) << "once for each write";
}

TEST(FencedSource, WithoutALeaseWhatIsCachedIsServedSinceTheFileIsGone) {
  FencedDatabase fenced;
  EXPECT_EQ(fenced.ask("PUT", "/a/x", "one").status, 201);
  EXPECT_EQ(fenced.ask("GET", "/a/x").body, "one");
  for (const auto& file : std::filesystem::directory_iterator(fenced.folder)) {
    std::filesystem::rename(file.path(), file.path().string() + ".away");
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fenced.ask("GET", "/a/x").body, "one") << i;
}

}  // namespace
}  // namespace tandem::server
