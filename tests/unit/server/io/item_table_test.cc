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
    auto table = ItemTable::open(path_);
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

TEST_F(ItemTableTest, PutGetReplaceRemove) {
  ItemTable table = open();
  const ItemName name{"book", "7"};
  EXPECT_EQ(*table.get(name), std::nullopt);
  EXPECT_TRUE(*table.put(name, {"text/plain", std::string("a\0b", 3)}));
  EXPECT_EQ((*table.get(name))->body, std::string("a\0b", 3));
  EXPECT_FALSE(*table.put(name, {"text/html", ""}));
  EXPECT_EQ(*table.get(name), (Item{"text/html", ""}));
  EXPECT_TRUE(*table.remove(name));
  EXPECT_FALSE(*table.remove(name));
  EXPECT_EQ(*table.get(name), std::nullopt);
}

TEST_F(ItemTableTest, SurvivesItsProcessAndIsSharedByTwo) {
  {
    ItemTable first = open();
    ASSERT_TRUE(first.put({"t", "k"}, {"text/plain", "1"}));
  }
  ItemTable one = open(), two = open();
  EXPECT_EQ((*two.get({"t", "k"}))->body, "1");
  ASSERT_TRUE(one.put({"t", "k"}, {"text/plain", "2"}));
  EXPECT_EQ((*two.get({"t", "k"}))->body, "2");
}

TEST_F(ItemTableTest, ALockedDatabaseFailsForNowAndChangesNothing) {
  ItemTable table = open();
  ASSERT_TRUE(table.put({"t", "k"}, {"text/plain", "1"}));
  auto other = Database::open(path_);
  ASSERT_TRUE(other);
  {
    auto lock = Transaction::begin(*other);
    ASSERT_TRUE(lock);
    auto put = table.put({"t", "k"}, {"text/plain", "2"});
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().retry, Retry::kLater);
    EXPECT_EQ((*table.get({"t", "k"}))->body, "1");
  }
  EXPECT_TRUE(table.put({"t", "k"}, {"text/plain", "3"}));
}

}  // namespace
}  // namespace tandem::server
