#include "server/io/item_database.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

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
