#include "common/storage/sqlite.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace tandem {
namespace {

// A directory of this test's own, gone afterwards.
class SqliteTest : public ::testing::Test {
 protected:
  SqliteTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~SqliteTest() override { std::filesystem::remove_all(directory_); }
  std::string file() const { return (directory_ / "test.db").string(); }

  std::filesystem::path directory_;
};

Database open_or_die(const std::string& path) {
  auto database = Database::open(path);
  EXPECT_TRUE(database) << database.error().message;
  return std::move(*database);
}

std::int64_t count_of(Database& database) {
  auto count = database.prepare("SELECT count(*) FROM item");
  EXPECT_TRUE(count->step().value());
  return count->integer(0);
}

constexpr const char* kTable = "CREATE TABLE item (key TEXT PRIMARY KEY, n INTEGER, bytes BLOB)";

TEST_F(SqliteTest, KeepsWhatItIsGiven) {
  const std::string bytes("\0\xff two", 6);
  {
    Database database = open_or_die(file());
    ASSERT_TRUE(database.execute(kTable));
    auto insert = database.prepare("INSERT INTO item VALUES (?, ?, ?)");
    ASSERT_TRUE(insert);
    ASSERT_TRUE(insert->bind(1, "a").bind(2, -5).bind_blob(3, bytes).run());
    ASSERT_TRUE(insert->bind(1, "").bind_null(2).bind_blob(3, "").run());
    EXPECT_EQ(database.changed_rows(), 1);
  }
  Database database = open_or_die(file());
  auto select = database.prepare("SELECT key, n, bytes FROM item ORDER BY key");
  ASSERT_TRUE(select);
  ASSERT_TRUE(select->step().value());
  EXPECT_EQ(select->text(0), "");
  EXPECT_FALSE(select->is_null(0));
  EXPECT_TRUE(select->is_null(1));
  EXPECT_FALSE(select->is_null(2));
  ASSERT_TRUE(select->step().value());
  EXPECT_EQ(select->text(0), "a");
  EXPECT_EQ(select->integer(1), -5);
  EXPECT_EQ(select->text(2), bytes);
  EXPECT_FALSE(select->step().value());
  EXPECT_TRUE(select->step().value());  // and from the beginning again
}

TEST_F(SqliteTest, ATransactionThatIsLeftIsUndone) {
  Database database = open_or_die(file());
  ASSERT_TRUE(database.execute(kTable));
  {
    auto transaction = Transaction::begin(database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database.execute("INSERT INTO item VALUES ('a', 1, NULL)"));
  }
  EXPECT_EQ(count_of(database), 0);
  {
    auto transaction = Transaction::begin(database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database.execute("INSERT INTO item VALUES ('a', 1, NULL)"));
    ASSERT_TRUE(transaction->commit());
  }
  EXPECT_EQ(count_of(database), 1);
}

TEST_F(SqliteTest, SaysWhatIsWrong) {
  Database database = open_or_die(":memory:");
  ASSERT_TRUE(database.execute(kTable));
  EXPECT_EQ(database.prepare("SELECT missing FROM item").error().message,
            "SQLite: no such column: missing");
  auto insert = database.prepare("INSERT INTO item VALUES (?, 1, NULL)");
  ASSERT_TRUE(insert->bind(1, "a").run());
  const auto twice = insert->run();
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message, "SQLite: UNIQUE constraint failed: item.key");
  EXPECT_EQ(twice.error().retry, Retry::kNo);
  EXPECT_TRUE(insert->bind(1, "b").run());   // a failed statement can be used again
  EXPECT_FALSE(insert->bind(9, "c").run());  // no such parameter
  EXPECT_TRUE(insert->bind(1, "c").run());
}

TEST_F(SqliteTest, NamesTheFileThatCannotBeOpened) {
  const auto missing = Database::open((directory_ / "no" / "file.db").string());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().side, Side::kOperator);
  EXPECT_NE(missing.error().message.find("file.db: SQLite: unable to open"), std::string::npos);
  EXPECT_FALSE(Database::open(file(), {.create = false}));
}

TEST_F(SqliteTest, AnotherWriterIsBusyAndWorthAnotherTry) {
  Database first = open_or_die(file());
  ASSERT_TRUE(first.execute(kTable));
  auto second = Database::open(file(), {.busy_timeout = 0ms});
  ASSERT_TRUE(second);
  auto held = Transaction::begin(first);
  ASSERT_TRUE(held);
  const auto refused = Transaction::begin(*second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().retry, Retry::kLater);
  ASSERT_TRUE(held->commit());
  EXPECT_TRUE(Transaction::begin(*second));
}

}  // namespace
}  // namespace tandem
