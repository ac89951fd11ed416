#include "lb/io/directory.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "lb/io/directory_sqlite.h"

namespace tandem {
namespace {

// A directory with its thread, over a file of this test's own.
class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~DirectoryTest() override {
    directory_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string file() const { return (folder_ / "directory.db").string(); }
  void make() {
    Directory::Options options;
    options.queue.writer = 7;
    options.queue.retry = {5ms, 20ms};
    options.check_interval = 10ms;
    SqliteDirectory::Options sqlite;
    sqlite.busy_timeout = 10ms;
    directory_ = std::make_unique<Directory>(
        loop_, std::make_unique<SqliteDirectory>(file(), sqlite), options);
  }
  void start() {
    directory_->start([this](const DirectoryContents& contents) { late_ = contents; });
  }
  void open() {
    make();
    ASSERT_TRUE(directory_->load());
    start();
  }

  void push(std::string name, ServerState state = ServerState::kOnline) {
    DirectoryChange change;
    change.view_version = ++version_;
    ServerRow row;
    row.id = ServerId::of(name);
    row.name = std::move(name);
    row.state = state;
    change.servers.push_back(std::move(row));
    directory_->push(std::move(change));
  }
  template <class Holds>
  void run_until(Holds holds) {
    Timer look(loop_, [&] {
      if (holds()) return loop_.stop();
      look.set_after(1ms);
    });
    look.set_after(0s);
    loop_.run();
  }
  void settle() {
    run_until([this] {
      const Directory::State state = directory_->state();
      return state.pending == 0 && state.unavailable == 0s;
    });
  }
  std::string servers() {
    auto database = Database::open(file());
    auto rows = database->prepare("SELECT name, state FROM servers ORDER BY name");
    std::string text;
    while (rows && rows->step().value()) {
      text += std::string(rows->text(0)) + " " + std::string(rows->text(1)) + "\n";
    }
    return text;
  }

  EventLoop loop_;
  std::filesystem::path folder_;
  std::unique_ptr<Directory> directory_;
  std::optional<DirectoryContents> late_;
  std::uint64_t version_ = 1;
};

TEST_F(DirectoryTest, WritesOnItsOwnThreadAndThenRunsNoStatement) {
  open();
  push("a");
  push("b");
  push("a", ServerState::kOffline);
  settle();
  EXPECT_EQ(servers(), "a offline\nb online\n");
  EXPECT_EQ(directory_->state().written, 3U);
  const std::uint64_t statements = directory_->state().statements;
  EXPECT_GT(statements, 0U);
  const Instant end = loop_.now() + 200ms;  // twenty looks at the file
  run_until([&] { return loop_.now() >= end; });
  EXPECT_EQ(directory_->state().statements, statements);
}

TEST_F(DirectoryTest, GoesOnWhileTheDatabaseIsLockedAndWritesAfterwards) {
  open();
  push("a");
  settle();
  {
    auto locker = Database::open(file());
    ASSERT_TRUE(locker->execute("BEGIN EXCLUSIVE"));
    push("b");
    run_until([this] { return !directory_->state().failure.empty(); });
    push("c");
    EXPECT_EQ(directory_->state().failure, file() + ": SQLite: database is locked");
    EXPECT_EQ(directory_->state().pending, 2U);
    EXPECT_GT(directory_->state().unavailable, 0s);
  }
  settle();
  EXPECT_EQ(servers(), "a online\nb online\nc online\n");
}

TEST_F(DirectoryTest, AFileThatIsGoneIsMadeAnewWithAllThatIsTrue) {
  open();
  push("a");
  push("b", ServerState::kLeft);
  settle();
  std::filesystem::remove(file());
  run_until([this] { return std::filesystem::exists(file()); });  // without any change
  settle();
  EXPECT_EQ(servers(), "a online\nb left\n");
}

TEST_F(DirectoryTest, WhatCouldNotBeReadAtTheStartIsToldLater) {
  open();
  push("a");
  settle();
  directory_.reset();
  SqliteDirectory rival(file());
  ASSERT_TRUE(rival.open());
  make();
  EXPECT_FALSE(directory_->load());
  start();
  push("b");
  rival.close();
  settle();
  ASSERT_TRUE(late_);
  ASSERT_EQ(late_->servers.size(), 1U);
  EXPECT_EQ(late_->servers[0].name, "a");
  EXPECT_EQ(servers(), "a online\nb online\n");
}

TEST_F(DirectoryTest, TheEndWaitsForWhatIsPending) {
  open();
  for (int i = 0; i < 50; ++i) push("s" + std::to_string(i));
  directory_->finish();
  EXPECT_EQ(directory_->state().pending, 0U);
  directory_.reset();
  SqliteDirectory again(file());
  EXPECT_EQ(again.open()->servers.size(), 50U);
}

// A database that hangs in the kernel.
class Hanging final : public DirectoryStore {
 public:
  struct Gate {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
  };
  explicit Hanging(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}
  Result<DirectoryContents> open() override { return DirectoryContents{}; }
  Result<void> apply(const NumberedChange&) override {
    std::unique_lock lock(gate_->mutex);
    gate_->opened.wait(lock, [this] { return gate_->open; });
    return {};
  }
  Result<void> check() override { return {}; }
  void close() override {}

 private:
  std::shared_ptr<Gate> gate_;
};

TEST_F(DirectoryTest, NobodyWaitsForADatabaseThatHangs) {
  auto gate = std::make_shared<Hanging::Gate>();
  Directory::Options options;
  options.queue.patience = 20ms;
  options.farewell = 20ms;
  directory_ = std::make_unique<Directory>(loop_, std::make_unique<Hanging>(gate), options);
  ASSERT_TRUE(directory_->load());
  start();
  push("a");
  run_until([this] { return directory_->state().unavailable > 0s; });
  EXPECT_EQ(directory_->state().failure, "no answer");
  push("b");
  EXPECT_EQ(directory_->state().pending, 2U);
  directory_->finish();
  directory_.reset();  // its thread is left to itself
  const std::lock_guard lock(gate->mutex);
  gate->open = true;
  gate->opened.notify_all();
}

}  // namespace
}  // namespace tandem
