#include "lb/io/directory_sqlite.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tandem {
namespace {

class DirectorySqliteTest : public ::testing::Test {
 protected:
  DirectorySqliteTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~DirectorySqliteTest() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return (folder_ / "directory.db").string(); }
  Database other() const {
    DatabaseOptions options;
    options.busy_timeout = 0s;
    return std::move(*Database::open(file(), options));
  }
  // The rows of a query by somebody else: columns with ' ', rows with '\n' between.
  std::string select(const std::string& sql, int columns) const {
    Database database = other();
    auto statement = database.prepare(sql);
    if (!statement) return statement.error().message;
    std::string rows;
    while (statement->step().value()) {
      for (int i = 0; i < columns; ++i) {
        rows += fmt::format("{}{}", i == 0 ? "" : " ", statement->text(i));
      }
      rows += "\n";
    }
    return rows;
  }

  std::filesystem::path folder_;
};

ServerRow server(std::string name, ServerState state = ServerState::kOnline) {
  ServerRow row;
  row.id = ServerId::of(name);
  row.name = std::move(name);
  row.data_address = "10.0.0.1:9101";
  row.peer_address = "10.0.0.1:9201";
  row.zone = "east";
  row.group = "default";
  row.capacity = 1000;
  row.threshold = 800;
  row.state = state;
  row.incarnation = 1'700'000'000'123;
  return row;
}

MembershipEvent event(std::int64_t logged, std::string name) {
  MembershipEvent event;
  event.kind = MembershipEvent::Kind::kHeldBack;
  event.logged = logged;
  event.server = ServerId::of(name);
  event.name = std::move(name);
  event.text = "why";
  return event;
}

NumberedChange two_servers(std::uint64_t number = 1) {
  NumberedChange change{7, number, {}};
  change.change.view_version = 40 + number;
  change.change.servers = {server("a"), server("b", ServerState::kHeldBack)};
  change.change.buddies = {{ServerId::of("a"), ServerId::of("b"), ServerId::of("b")},
                           {ServerId::of("b"), ServerId::of("a"), ServerId::of("a")}};
  change.change.events = {event(1'700'000'000'500'000, "a")};
  change.change.drained = {"a", "plain"};
  return change;
}

NumberedChange events(std::uint64_t number, std::int64_t count) {
  NumberedChange change{7, number, {}};
  for (std::int64_t i = 0; i < count; ++i) {
    change.change.events.push_back(event(static_cast<std::int64_t>(number) * 1000 + i, "a"));
  }
  return change;
}

std::string message(const Result<void>& result) { return result ? "done" : result.error().message; }
std::string message(const Result<DirectoryContents>& result) {
  return result ? "done" : result.error().message;
}

TEST_F(DirectorySqliteTest, ReadsWhatItWrote) {
  {
    SqliteDirectory directory(file());
    const auto contents = directory.open();
    ASSERT_EQ(message(contents), "done");
    EXPECT_EQ(contents->last_change, 0U);
    ASSERT_EQ(message(directory.apply(two_servers())), "done");
  }
  SqliteDirectory directory(file());
  const auto contents = directory.open();
  ASSERT_EQ(message(contents), "done");
  EXPECT_EQ(contents->writer, 7U);
  EXPECT_EQ(contents->last_change, 1U);
  EXPECT_EQ(contents->view_version, 41U);
  EXPECT_EQ(contents->servers, two_servers().change.servers);
  EXPECT_EQ(contents->buddies.size(), 2U);
  EXPECT_EQ(contents->events, two_servers().change.events);
  EXPECT_EQ(contents->drained, two_servers().change.drained);
  NumberedChange change{7, 2, {}};
  ASSERT_TRUE(directory.apply(change));
  EXPECT_EQ(select("SELECT name FROM drained", 1), "a\nplain\n") << "they are as before";
  change = {7, 3, {}};
  change.change.drained = {{"b"}};
  ASSERT_TRUE(directory.apply(change));
  EXPECT_EQ(select("SELECT name FROM drained", 1), "b\n");
}

TEST_F(DirectorySqliteTest, AdministratorsCanAskIt) {
  SqliteDirectory directory(file());
  ASSERT_TRUE(directory.open());
  ASSERT_TRUE(directory.apply(two_servers()));
  EXPECT_EQ(select("SELECT * FROM active_servers", 8),
            "a 10.0.0.1:9101 10.0.0.1:9201 east default 1000 800 1700000000123\n");
  EXPECT_EQ(select("SELECT * FROM ring", 3), "a b b\nb a a\n");
  EXPECT_EQ(select("SELECT * FROM event_log", 4), "2023-11-14 22:13:20.500 held back a why\n");
  EXPECT_EQ(select("SELECT name FROM groups", 1), "default\n");
}

TEST_F(DirectorySqliteTest, RemovesRows) {
  SqliteDirectory directory(file());
  ASSERT_TRUE(directory.open());
  ASSERT_TRUE(directory.apply(two_servers()));
  NumberedChange change{7, 2, {}};
  change.change.removed = {ServerId::of("b")};
  change.change.buddies = {{ServerId::of("a"), {}, {}}};
  ASSERT_TRUE(directory.apply(change));
  EXPECT_EQ(select("SELECT name FROM servers", 1), "a\n");
  EXPECT_EQ(select("SELECT server FROM buddies", 1), "");
  change = {7, 3, {}};
  change.change.removed = {ServerId::of("a")};
  ASSERT_TRUE(directory.apply(change));
  EXPECT_EQ(select("SELECT name FROM groups", 1), "");
}

TEST_F(DirectorySqliteTest, WritesNoChangeTwiceAndLeavesNoneOut) {
  SqliteDirectory directory(file());
  ASSERT_TRUE(directory.open());
  ASSERT_TRUE(directory.apply(two_servers(1)));
  EXPECT_EQ(message(directory.apply(events(1, 1))), file() + ": somebody else has changed it");
  EXPECT_EQ(message(directory.apply(events(3, 1))), file() + ": somebody else has changed it");
  EXPECT_EQ(message(directory.apply(events(2, 1))), "done");
  EXPECT_EQ(select("SELECT value FROM meta WHERE key = 'last_change'", 1), "2\n");
}

TEST_F(DirectorySqliteTest, TheOldestEventsMakeRoom) {
  SqliteDirectory directory(file(), {.events_max = 10});
  ASSERT_TRUE(directory.open());
  ASSERT_TRUE(directory.apply(events(1, 8)));
  ASSERT_TRUE(directory.apply(events(2, 5)));
  EXPECT_EQ(select("SELECT count(*), min(logged), max(logged) FROM events", 3), "10 1003 2004\n");
  ASSERT_TRUE(directory.open());
  ASSERT_TRUE(directory.apply(events(3, 12)));
  EXPECT_EQ(select("SELECT count(*), min(logged) FROM events", 2), "10 3002\n");
}

TEST_F(DirectorySqliteTest, AnOlderSchemaIsMigrated) {
  {
    SqliteDirectory directory(file());
    ASSERT_TRUE(directory.open());
    ASSERT_TRUE(directory.apply(two_servers()));
  }
  const char* const next[] = {directory_schema()[0], directory_schema()[1],
                              "ALTER TABLE servers ADD COLUMN rack TEXT NOT NULL DEFAULT 'r1'"};
  SqliteDirectory directory(file(), {.schema = next});
  const auto contents = directory.open();
  ASSERT_EQ(message(contents), "done");
  EXPECT_EQ(contents->servers, two_servers().change.servers);
  EXPECT_EQ(select("SELECT name, rack FROM servers", 2), "a r1\nb r1\n");
  EXPECT_EQ(select("SELECT value FROM meta WHERE key = 'schema_version'", 1), "3\n");
}

TEST_F(DirectorySqliteTest, TheFirstSchemaHadNobodyDrained) {
  ASSERT_TRUE(other().execute(directory_schema()[0]));
  ASSERT_TRUE(other().execute("UPDATE meta SET value = 1 WHERE key = 'schema_version'"));
  ASSERT_TRUE(other().execute("INSERT INTO groups VALUES ('default')"));
  ASSERT_TRUE(other().execute(
      "INSERT INTO servers VALUES (1, 'a', 'x:1', 'x:2', '', 'default', 10, 8, 'online', 5)"));
  SqliteDirectory directory(file());
  const auto contents = directory.open();
  ASSERT_EQ(message(contents), "done");
  ASSERT_EQ(contents->servers.size(), 1U);
  EXPECT_EQ(contents->servers[0].name, "a");
  EXPECT_TRUE(contents->drained.empty());
  ASSERT_EQ(message(directory.apply(two_servers())), "done");
  EXPECT_EQ(select("SELECT name FROM drained", 1), "a\nplain\n");
}

TEST_F(DirectorySqliteTest, AMigrationThatFailsChangesNothing) {
  {
    SqliteDirectory directory(file());
    ASSERT_TRUE(directory.open());
    ASSERT_TRUE(directory.apply(two_servers()));
  }
  const char* const next[] = {directory_schema()[0], directory_schema()[1], "DELETE FROM servers",
                              "no SQL"};
  SqliteDirectory directory(file(), {.schema = next});
  EXPECT_FALSE(directory.open());
  directory.close();
  EXPECT_EQ(select("SELECT name FROM servers", 1), "a\nb\n");
  EXPECT_EQ(select("SELECT value FROM meta WHERE key = 'schema_version'", 1), "2\n");
}

TEST_F(DirectorySqliteTest, ANewerSchemaIsRefused) {
  { ASSERT_TRUE(SqliteDirectory(file()).open()); }
  ASSERT_TRUE(other().execute("UPDATE meta SET value = 7 WHERE key = 'schema_version'"));
  const auto refused = SqliteDirectory(file()).open();
  EXPECT_EQ(message(refused),
            file() + ": its schema has version 7, and this tandem-lb knows only those up to 2");
  EXPECT_EQ(refused.error().side, Side::kOperator);
}

TEST_F(DirectorySqliteTest, WhatIsNoDirectoryIsRefused) {
  ASSERT_TRUE(other().execute("CREATE TABLE meta (x)"));
  EXPECT_EQ(message(SqliteDirectory(file()).open()),
            file() + ": it is a database, but no directory of Tandem's");
  std::filesystem::remove(file());
  std::ofstream(file()) << std::string(4096, 'x');
  EXPECT_EQ(message(SqliteDirectory(file()).open()), file() + ": SQLite: file is not a database");
  EXPECT_EQ(message(SqliteDirectory("/nowhere/directory.db").open()),
            "/nowhere/directory.db-lock: No such file or directory");
}

TEST_F(DirectorySqliteTest, HasOneWriter) {
  SqliteDirectory one(file()), two(file());
  ASSERT_TRUE(one.open());
  EXPECT_EQ(message(two.open()), file() + ": another balancer writes this directory");
  one.close();
  EXPECT_EQ(message(two.open()), "done");
}

TEST_F(DirectorySqliteTest, WhileItIsLockedNothingIsWrittenAndAllCanBeRead) {
  SqliteDirectory directory(file(), {.busy_timeout = 10ms});
  ASSERT_TRUE(directory.open());
  {
    Database locker = other();
    ASSERT_TRUE(locker.execute("BEGIN EXCLUSIVE"));
    EXPECT_EQ(message(directory.apply(two_servers())), file() + ": SQLite: database is locked");
    EXPECT_EQ(message(directory.open()), "done");
  }
  EXPECT_EQ(message(directory.apply(two_servers())), "done");
}

TEST_F(DirectorySqliteTest, AFileThatIsGoneOrAnotherIsNoticed) {
  SqliteDirectory directory(file());
  ASSERT_TRUE(directory.open());
  ASSERT_TRUE(directory.apply(two_servers()));
  const std::uint64_t before = directory.statements();
  EXPECT_EQ(message(directory.check()), "done");
  EXPECT_EQ(directory.statements(), before);
  std::filesystem::remove(file());
  EXPECT_EQ(message(directory.check()), file() + ": No such file or directory");
  EXPECT_EQ(message(directory.apply(events(2, 1))), file() + ": No such file or directory");
  std::ofstream(file()).close();
  EXPECT_EQ(message(directory.apply(events(2, 1))), file() + ": the file was replaced by another");
  const auto contents = directory.open();
  ASSERT_EQ(message(contents), "done");
  EXPECT_EQ(contents->last_change, 0U);
  EXPECT_TRUE(contents->servers.empty());
}

}  // namespace
}  // namespace tandem
