// Whole-cache validation over a socket: a front before a database.
#include "server/io/validation_call.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "common/session/validation_rounds.h"
#include "server/io/front.h"
#include "server/io/source_sqlite.h"
#include "tests/support/blocking.h"

namespace tandem::server {
namespace {

using test::field;
using test::Talk;

constexpr CacheId kCache{0xaa};

struct NoCarrier final : PeerCarrier {
  void send(ServerId, const Message&) override {}
};

class ValidationCallTest : public ::testing::Test {
 protected:
  struct Reply {
    std::string head, body;
    int status() const { return head.size() > 12 ? std::atoi(head.c_str() + 9) : 0; }
  };

  ValidationCallTest() {
    char folder[] = "/tmp/tandem-test-validation-XXXXXX";
    folder_ = ::mkdtemp(folder);
    ClusterKey key;
    key.secret.fill(7);
    NodeOptions node;
    node.name = "a";
    driver_ = std::make_unique<NodeDriver>(loop_, node);
    driver_->set_carrier(&carrier_);
    ItemDatabase::Options database;
    database.path = file();
    database_ = std::move(*ItemDatabase::open(loop_, database));
    source_ = std::make_unique<SqliteSource>(loop_, *database_, SqliteSource::Options{});
    FrontOptions options;
    options.name = "a";
    front_ = std::make_unique<Front>(loop_, *driver_, *source_, options, ClusterKeys({key}));
    EXPECT_TRUE(front_->listen(SocketAddress::loopback(0)));
    thread_ = std::thread([this] { loop_.run(); });
    talk_ = Talk::to(front_->address().port());
  }
  ~ValidationCallTest() override {
    loop_.stop();
    thread_.join();
    std::filesystem::remove_all(folder_);
  }

  std::string file() const { return folder_ + "/items.db"; }

  Reply ask(const std::string& method, const std::string& target, const std::string& body = {},
            const std::string& fields = {}) {
    std::string head = method + " " + target + " HTTP/1.1\r\nHost: h\r\n" + fields;
    head += "Tandem-Cache: 00000000000000aa\r\n";
    if (!token_.empty()) head += "Tandem-Session: " + token_ + "\r\n";
    if (!body.empty()) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    talk_->send(head + "\r\n" + body);
    Reply reply{talk_->head(), {}};
    const std::string length = field(reply.head, "Content-Length");
    if (reply.status() != 304 && !length.empty()) reply.body = talk_->bytes(std::stoul(length));
    if (const auto token = field(reply.head, "Tandem-Session"); !token.empty()) token_ = token;
    return reply;
  }

  // Writes it and fetches it, as a client that keeps it.
  void hold(const std::string& target, const std::string& content) {
    EXPECT_LE(ask("PUT", target, content).status(), 204);
    EXPECT_EQ(ask("GET", target).status(), 200);
    items_.push_back({ItemKey::of(target), Validator::of(content)});
  }

  ValidationRounds validate() {
    ValidationRounds rounds(DigestTree(kCache, items_), {});
    bodies_ = 0;
    while (!rounds.finished()) {
      const std::string sent = rounds.request().encode();
      const Reply reply = ask("POST", std::string(kValidationPath), sent);
      EXPECT_EQ(reply.status(), 200);
      EXPECT_EQ(field(reply.head, "Content-Type"), kValidationType);
      EXPECT_EQ(field(reply.head, "Tandem-Server"), "a");
      bodies_ += sent.size() + reply.body.size();
      const auto answer = ValidationAnswer::decode(reply.body);
      EXPECT_TRUE(answer);
      if (!answer || !rounds.on_answer(*answer)) break;
    }
    return rounds;
  }

  std::string folder_;
  EventLoop loop_;
  NoCarrier carrier_;
  std::unique_ptr<NodeDriver> driver_;
  std::unique_ptr<ItemDatabase> database_;
  std::unique_ptr<SqliteSource> source_;
  std::unique_ptr<Front> front_;
  std::thread thread_;
  std::unique_ptr<Talk> talk_;
  std::string token_;
  std::vector<HeldItem> items_;
  std::size_t bodies_ = 0;
};

TEST_F(ValidationCallTest, OneRequestVouchesForAllUntilTheDatabaseChanges) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_LE(ask("PUT", "/t/" + std::to_string(i), "content " + std::to_string(i)).status(), 204);
  }
  for (int i = 0; i < 20; ++i) {
    const std::string target = "/t/" + std::to_string(i);
    ASSERT_EQ(ask("GET", target).status(), 200);
    items_.push_back({ItemKey::of(target), Validator::of("content " + std::to_string(i))});
  }
  const ValidationRounds rounds = validate();
  EXPECT_EQ(rounds.rounds(), 1u);
  EXPECT_EQ(rounds.vouched().size(), 20u);
  EXPECT_LE(bodies_, 128u);

  {  // another process writes
    auto other = ItemTable::open(file(), {});
    ASSERT_TRUE(other);
    ASSERT_TRUE(other->write({{"t", "0"}, Item{"text/plain", "new"}}));
  }
  EXPECT_TRUE(validate().vouched().empty());

  ask("GET", "/t/1");
  EXPECT_EQ(validate().vouched().size(), 1u) << "what was read since is known again";
  ask("PUT", "/t/2", "newer");
  EXPECT_TRUE(validate().vouched().empty()) << "a write of ours counts as well";
}

TEST_F(ValidationCallTest, AMirrorThatDiffersIsRepaired) {
  hold("/t/a", "a");
  hold("/t/b", "b");
  ask("GET", "/t/a");
  ask("GET", "/t/c");
  items_[1].validator = Validator::of("never seen here");
  const ValidationRounds rounds = validate();
  EXPECT_EQ(rounds.rounds(), 2u);
  ASSERT_EQ(rounds.vouched().size(), 1u);
  EXPECT_EQ(rounds.vouched()[0].key, ItemKey::of("/t/a"));
  EXPECT_EQ(validate().rounds(), 1u);
}

TEST_F(ValidationCallTest, WhatIsNoValidationIsRefused) {
  const std::string path(kValidationPath);
  EXPECT_EQ(ask("POST", path, "x").status(), 400) << "no session";
  talk_ = Talk::to(front_->address().port());  // its body was not read
  hold("/t/a", "a");
  EXPECT_EQ(ask("POST", path, "x").status(), 400) << "no validation";
  const Reply get = ask("GET", path);
  EXPECT_EQ(get.status(), 405);
  EXPECT_EQ(field(get.head, "Allow"), "POST");
  const std::string most(ValidationRequest::kBytesMax, 'x');
  EXPECT_EQ(ask("POST", path, most).status(), 400);
  EXPECT_EQ(ask("POST", path, most + "x").status(), 413);
  talk_ = Talk::to(front_->address().port());
  EXPECT_EQ(ask("POST", path, "", "Transfer-Encoding: chunked\r\n").status(), 411);
  talk_ = Talk::to(front_->address().port());
  EXPECT_EQ(validate().vouched().size(), 1u);
}

}  // namespace
}  // namespace tandem::server
