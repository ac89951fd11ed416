#include "server/io/item_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace tandem::server {
namespace {

class ItemTableTest : public testing::Test {
 protected:
  ItemTableTest()
      : path_(testing::TempDir() + "items-" + std::to_string(getpid()) + "-" +
              testing::UnitTest::GetInstance()->current_test_info()->name() + ".db") {
    clear();
  }
  ~ItemTableTest() override { clear(); }

  ItemTable open() {
    ItemTable::Options options;
    options.lock_timeout = 20ms;
    auto table = ItemTable::open(path_, options);
    TANDEM_CHECK(table.has_value());
    return std::move(*table);
  }
  void clear() {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + end);
  }

  std::string path_;
};

TEST(ItemName, ComesFromTheTargetsPath) {
  EXPECT_EQ(ItemName::parse("/book/7?x=1")->type, "book");
  EXPECT_EQ(ItemName::parse("/book/7?x=1")->key, "7");
  EXPECT_EQ(ItemName::parse("/book/a/b%20c")->key, "a/b c");
  for (const char* no : {"", "/", "/book", "/book/", "//7", "book/7", "/a/%2", "/a/%zz"}) {
    EXPECT_FALSE(ItemName::parse(no)) << no;
  }
}

using Kind = WriteOutcome::Kind;

Kind kind(const Result<WriteOutcome>& outcome) {
  TANDEM_CHECK(outcome.has_value());
  return outcome->kind;
}

ItemWrite put(std::string body) { return {{"t", "k"}, Item{"text/plain", std::move(body)}}; }

TEST_F(ItemTableTest, PutGetReplaceRemove) {
  ItemTable table = open();
  const ItemName name{"t", "k"};
  EXPECT_EQ(*table.get(name), std::nullopt);
  EXPECT_EQ(kind(table.write(put(std::string("a\0b", 3)))), Kind::kCreated);
  EXPECT_EQ((*table.get(name))->body, std::string("a\0b", 3));
  EXPECT_EQ(kind(table.write({name, Item{"text/html", ""}})), Kind::kReplaced);
  EXPECT_EQ(*table.get(name), (Item{"text/html", ""}));
  EXPECT_EQ(kind(table.write({name, std::nullopt})), Kind::kRemoved);
  EXPECT_EQ(kind(table.write({name, std::nullopt})), Kind::kMissing);
  EXPECT_EQ(*table.get(name), std::nullopt);
}

TEST_F(ItemTableTest, SurvivesItsProcessAndIsSharedByTwo) {
  {
    ItemTable first = open();
    ASSERT_TRUE(first.write(put("1")));
  }
  ItemTable one = open(), two = open();
  EXPECT_EQ((*two.get({"t", "k"}))->body, "1");
  const auto before = two.version();
  EXPECT_EQ(two.version(), before);
  ASSERT_TRUE(one.write(put("2")));
  EXPECT_NE(two.version(), before) << "another connection's write goes unnoticed";
  EXPECT_EQ((*two.get({"t", "k"}))->body, "2");
}

TEST_F(ItemTableTest, ALockedDatabaseFailsForNowAndChangesNothing) {
  ItemTable table = open();
  ASSERT_TRUE(table.write(put("1")));
  auto other = Database::open(path_);
  ASSERT_TRUE(other);
  {
    auto lock = Transaction::begin(*other);
    ASSERT_TRUE(lock);
    const auto outcome = table.write(put("2"));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().retry, Retry::kLater);
    EXPECT_EQ((*table.get({"t", "k"}))->body, "1");
  }
  EXPECT_TRUE(table.write(put("3")));
}

TEST_F(ItemTableTest, OfTwoWritesOnTheSameContentOneWins) {
  ItemTable one = open(), two = open();
  ASSERT_TRUE(one.write(put("old")));
  ItemWrite first = put("first"), second = put("second");
  first.conditions.if_match.emplace().validators = {Validator::of("old")};
  second.conditions = first.conditions;
  EXPECT_EQ(kind(one.write(first)), Kind::kReplaced);
  EXPECT_EQ(kind(two.write(second)), Kind::kPreconditionFailed);
  EXPECT_EQ((*one.get({"t", "k"}))->body, "first");
}

TEST_F(ItemTableTest, AnOldOwnerWritesNothing) {
  ItemTable old = open(), stand_in = open();
  const auto by = [](std::uint64_t counter, std::uint32_t server, std::string body) {
    ItemWrite write = put(std::move(body));
    write.claim = OwnerClaim{5, "t", {counter, ServerId{server}}};
    return write;
  };
  EXPECT_EQ(kind(old.write(by(3, 1, "a"))), Kind::kCreated);
  EXPECT_EQ(old.write(by(3, 1, "b"))->stored, (ActingEpoch{3, ServerId{1}}));
  EXPECT_EQ(kind(stand_in.write(by(4, 2, "c"))), Kind::kReplaced);
  const auto refused = old.write(by(3, 1, "d"));
  EXPECT_EQ(*refused, (WriteOutcome{Kind::kFenced, ActingEpoch{4, ServerId{2}}}));
  EXPECT_EQ((*old.get({"t", "k"}))->body, "c");
  // A claim alone does the same.
  EXPECT_EQ(kind(old.claim({5, "t", {9, ServerId{1}}})), Kind::kReplaced);
  EXPECT_EQ(kind(stand_in.write(by(4, 2, "e"))), Kind::kFenced);
  EXPECT_EQ(*old.owner(5), (ActingEpoch{9, ServerId{1}}));
  EXPECT_EQ(*old.owner(6), std::nullopt);
}

TEST_F(ItemTableTest, AFileOfBeforeTheFenceIsMigratedAndOneOfALaterVersionIsRefused) {
  {
    auto before = Database::open(path_);
    ASSERT_TRUE(before->execute(
        "CREATE TABLE items (type TEXT NOT NULL, key TEXT NOT NULL, content_type TEXT NOT NULL, "
        "body BLOB NOT NULL, PRIMARY KEY (type, key)) WITHOUT ROWID;"
        "INSERT INTO items VALUES ('t', 'k', 'text/plain', 'kept')"));
  }
  {
    ItemTable table = open();
    EXPECT_EQ((*table.get({"t", "k"}))->body, "kept");
    EXPECT_EQ(kind(table.claim({5, "t", {1, ServerId{1}}})), Kind::kReplaced);
  }
  {
    auto later = Database::open(path_);
    ASSERT_TRUE(later->execute("PRAGMA user_version = 99"));
  }
  const auto refused = ItemTable::open(path_, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("its schema has version 99"), std::string::npos);
}

TEST_F(ItemTableTest, NothingIsAcknowledgedThatWentToAFileWithoutAName) {
  ItemTable table = open();
  ASSERT_TRUE(table.write(put("1")));
  clear();
  EXPECT_FALSE(table.check());
  EXPECT_FALSE(table.write(put("2")));
  const ItemTable anew = open();
  EXPECT_FALSE(table.check()) << "another file is not this one";
}

}  // namespace
}  // namespace tandem::server
