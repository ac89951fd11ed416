#include "server/io/item_database.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>

namespace tandem::server {
namespace {

class ItemDatabaseTest : public testing::Test {
 protected:
  ItemDatabaseTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    options_.path = folder_ / "items.db";
    options_.lock_timeout = 10ms;
    options_.retry = 0ms;
  }
  ~ItemDatabaseTest() override {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    auto database = ItemDatabase::open(loop_, options_);
    TANDEM_CHECK(database.has_value());
    database_ = std::move(*database);
  }
  std::uint64_t count(const std::string& name) const {
    for (const AdminSnapshot::Count& one : database_->counts()) {
      if (one.name == name) return one.value;
    }
    ADD_FAILURE() << name;
    return 0;
  }
  static ItemWrite put(std::string key, std::string body) {
    return {{"t", std::move(key)}, Item{"text/plain", std::move(body)}};
  }
  Result<WriteOutcome> write(ItemWrite what) {
    std::optional<Result<WriteOutcome>> got;
    database_->write(std::move(what), [&](Result<WriteOutcome> outcome) {
      got = std::move(outcome);
      loop_.stop();
    });
    EXPECT_FALSE(got) << "told before write() returned";
    loop_.run();
    return std::move(*got);
  }
  Result<std::optional<Item>> read(std::string key) {
    std::optional<Result<std::optional<Item>>> got;
    database_->read({"t", std::move(key)}, [&](Result<std::optional<Item>> item) {
      got = std::move(item);
      loop_.stop();
    });
    loop_.run();
    return std::move(*got);
  }

  void run_until(const std::function<bool()>& condition) {
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop_, [&] {
      if (condition()) return loop_.stop();
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop_.run();
  }

  EventLoop loop_;
  std::filesystem::path folder_;
  ItemDatabase::Options options_;
  std::unique_ptr<ItemDatabase> database_;
};

TEST_F(ItemDatabaseTest, ReadingDoesNotWaitForWriting) {
  options_.lock_timeout = 10s;
  open();
  ASSERT_TRUE(write(put("k", "1")));
  auto other = Database::open(options_.path);
  auto lock = Transaction::begin(*other);
  ASSERT_TRUE(lock);
  bool written = false;
  database_->write(put("k", "2"), [&](const Result<WriteOutcome>& outcome) {
    EXPECT_TRUE(outcome);
    written = true;
    loop_.stop();
  });
  EXPECT_EQ((*read("k"))->body, "1");
  EXPECT_FALSE(written);
  EXPECT_EQ(count("database_writes_waiting"), 1U);
  ASSERT_TRUE(lock->commit());
  loop_.run();
  EXPECT_TRUE(written);
  EXPECT_EQ((*read("k"))->body, "2");
}

TEST_F(ItemDatabaseTest, TheQueueIsBounded) {
  options_.queue_max = 2;
  open();
  int done = 0, refused = 0;
  for (int i = 0; i < 5; ++i) {
    database_->read({"t", "k"}, [&](const Result<std::optional<Item>>& item) {
      ++(item ? done : refused);
      if (done + refused == 5) loop_.stop();
    });
  }
  loop_.run();
  EXPECT_EQ(done, 2);
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(count("database_reads_refused_total"), 3U);
}

TEST_F(ItemDatabaseTest, TheBytesThatWaitAreBounded) {
  options_.lock_timeout = 10s;
  options_.queue_bytes_max = 100;
  open();
  auto other = Database::open(options_.path);
  auto lock = Transaction::begin(*other);
  ASSERT_TRUE(lock);
  int done = 0, refused = 0;
  const auto on_written = [&](const Result<WriteOutcome>& outcome) {
    ++(outcome ? done : refused);
    loop_.stop();
  };
  database_->write(put("k", std::string(101, 'x')), on_written);  // alone it may
  EXPECT_EQ(count("database_writes_waiting_bytes"), 101U);
  database_->write(put("l", "y"), on_written);
  loop_.run();
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(count("database_writes_refused_total"), 1U);
  EXPECT_EQ((*read("k")), std::nullopt) << "reading goes on";
  ASSERT_TRUE(lock->commit());
  loop_.run();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(count("database_writes_waiting_bytes"), 0U);
  EXPECT_TRUE(write(put("l", "y")));
}

TEST_F(ItemDatabaseTest, WhoHasWaitedForTooLongIsTold) {
  options_.lock_timeout = 10s;
  options_.patience = 20ms;
  open();
  bool late = false;
  database_->set_on_late_write([&] {
    late = true;
    loop_.stop();
  });
  auto other = Database::open(options_.path);
  auto lock = Transaction::begin(*other);
  ASSERT_TRUE(lock);
  EXPECT_FALSE(write(put("k", "1")));
  EXPECT_EQ(count("database_writes_late_total"), 1U);
  ASSERT_TRUE(lock->commit());
  loop_.run();
  EXPECT_TRUE(late) << "and it was done nevertheless";
}

// A disk that hangs: askers come and are told, and their work must not gather behind it.
TEST_F(ItemDatabaseTest, WhatHangsCountsAfterItsAskerHasGoneAndTheRestIsLetGo) {
  auto table = ItemTable::open(options_.path, {});
  ASSERT_TRUE(table);
  DatabaseLane::Options how;
  how.path = options_.path;
  how.queue_max = 3;
  how.queue_bytes_max = 100;
  how.patience = 20ms;
  std::promise<void> begun, goes_on;
  DatabaseLane lane(loop_, std::move(*table), how);
  int told = 0;
  const auto ask = [&](std::size_t bytes, DatabaseLane::Work work) {
    lane.ask(
        std::move(work), [&](const Result<DatabaseReply>&) { ++told; }, bytes);
  };
  ask(60, [&](ItemTable&) -> Result<DatabaseReply> {
    begun.set_value();
    goes_on.get_future().wait();
    return DatabaseReply{};
  });
  begun.get_future().wait();
  const auto payload = std::make_shared<int>();
  const auto work = [payload](ItemTable&) -> Result<DatabaseReply> { return DatabaseReply{}; };
  ask(41, work);
  EXPECT_EQ(lane.counts().refused, 1U) << "too many bytes";
  ask(40, work);
  run_until([&] { return told == 3; });
  EXPECT_EQ(lane.counts().late, 2U);
  EXPECT_EQ(payload.use_count(), 2) << "it will never be done, and is here and in our lambda only";
  EXPECT_EQ(lane.counts().waiting, 2U);
  ask(40, work);
  EXPECT_EQ(lane.counts().refused, 1U) << "what was let go counts no bytes";
  ask(0, work);
  EXPECT_EQ(lane.counts().refused, 2U) << "three are with the thread";
  goes_on.set_value();
  run_until([&] { return lane.counts().waiting == 0; });
  EXPECT_EQ(told, 5);
}

TEST_F(ItemDatabaseTest, AfterAFailureAllFailAtOnceForAWhile) {
  options_.retry = 1h;
  open();
  auto other = Database::open(options_.path);
  {
    auto lock = Transaction::begin(*other);
    ASSERT_TRUE(lock);
    EXPECT_FALSE(write(put("k", "1")));
  }
  EXPECT_FALSE(write(put("k", "1")));
  EXPECT_EQ(count("database_writes_failures_total"), 2U);
  EXPECT_TRUE(read("k"));
}

TEST_F(ItemDatabaseTest, TheVersionChangesWithEveryWrite) {
  open();
  const auto first = database_->version();
  ASSERT_TRUE(first);
  EXPECT_EQ(database_->version(), first);
  ASSERT_TRUE(write(put("k", "1")));
  const auto second = database_->version();
  EXPECT_NE(second, first);
  auto other = Database::open(options_.path);
  ASSERT_TRUE(other->execute("UPDATE items SET body = 'by another process'"));
  const auto third = database_->version();
  EXPECT_NE(third, second);
  std::filesystem::copy(options_.path, folder_ / "copy.db");
  std::filesystem::rename(folder_ / "copy.db", options_.path);
  EXPECT_NE(database_->version(), third) << "another file under the same name";
  std::filesystem::remove(options_.path);
  EXPECT_EQ(database_->version(), std::nullopt);
}

}  // namespace
}  // namespace tandem::server
