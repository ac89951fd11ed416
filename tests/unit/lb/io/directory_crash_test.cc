// The process ends, as by kill -9, at every single write to the directory's files in turn, and in
// between; a new one then starts from what is there.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "lb/core/directory_record.h"
#include "lb/io/directory_sqlite.h"

namespace tandem {
namespace {

int g_writes_left = 0;

ssize_t counting_pwrite(int fd, const void* bytes, std::size_t size, off_t at) {
  if (g_writes_left-- == 0) ::_exit(9);
  return ::pwrite(fd, bytes, size, at);
}
int counting_truncate(int fd, off_t size) {
  if (g_writes_left-- == 0) ::_exit(9);
  return ::ftruncate(fd, size);
}

// From now on the process ends at the write after so many.
void end_after(int writes) {
  g_writes_left = writes;
  sqlite3_vfs* files = sqlite3_vfs_find(nullptr);
  const auto replace = [&](const char* name, auto* function) {
    ASSERT_EQ(files->xSetSystemCall(files, name, reinterpret_cast<sqlite3_syscall_ptr>(function)),
              SQLITE_OK);
  };
  replace("pwrite", counting_pwrite);
  replace("pwrite64", counting_pwrite);
  replace("ftruncate", counting_truncate);
}

ServerRecord server(int number) {
  ServerRecord record;
  record.name = "s" + std::to_string(number);
  record.id = ServerId::of(record.name);
  record.online = true;
  record.group = "default";
  record.status.capacity = 1000;
  return record;
}

// Makes the ring of those that are online: in the order of their names.
void close_ring(View& view) {
  std::vector<ServerRecord*> alive;
  for (ServerRecord& one : view.servers) {
    one.first_buddy = one.second_buddy = {};
    if (one.online) alive.push_back(&one);
  }
  for (std::size_t i = 0; alive.size() > 1 && i < alive.size(); ++i) {
    alive[i]->first_buddy = alive[(i + alive.size() - 1) % alive.size()]->id;
    alive[i]->second_buddy = alive[(i + 1) % alive.size()]->id;
  }
}

// The views of a life: ten servers, of which three die at once, one comes back, two leave.
std::vector<View> views() {
  std::vector<View> all;
  View view;
  view.version = 100;
  for (int i = 0; i < 10; ++i) view.servers.push_back(server(i));
  const auto publish = [&] {
    ++view.version;
    close_ring(view);
    all.push_back(view);
  };
  publish();
  for (const std::size_t dead : {3U, 4U, 5U}) view.servers[dead].online = false;
  publish();
  view.servers[4].online = true;
  ++view.servers[4].incarnation;
  publish();
  view.servers.erase(view.servers.begin() + 7, view.servers.begin() + 9);
  publish();
  return all;
}

// Writes the views and ends; 9 if it is ended on the way.
void live(const std::string& file, int writes) {
  DirectoryRecord record;
  DirectoryQueue queue({.writer = 7}, Random(1));
  SqliteDirectory store(file);
  end_after(writes);
  std::uint64_t step = 0;
  auto drive = [&] {
    for (;;) {
      switch (queue.step(Instant{} + 1h + step++ * 1s)) {
        case DirectoryQueue::Step::kNothing:
          return;
        case DirectoryQueue::Step::kOpen:
          queue.on_opened(*store.open());
          break;
        case DirectoryQueue::Step::kWrite:
          if (!store.apply(queue.front())) ::_exit(1);
          queue.on_written();
      }
    }
  };
  drive();
  for (const View& view : views()) {
    queue.push(*record.take(view));
    drive();
  }
  store.close();
  ::_exit(0);
}

// What is stored must be one of the views, whole.
void expect_a_view(const DirectoryContents& contents) {
  if (contents.last_change == 0) {
    EXPECT_TRUE(contents.servers.empty() && contents.buddies.empty());
    return;
  }
  ASSERT_LE(contents.last_change, views().size());
  const View view = views()[contents.last_change - 1];
  EXPECT_EQ(contents.view_version, view.version);
  DirectoryRecord record;
  record.restore(contents);
  EXPECT_FALSE(record.take(view)) << "servers or ring differ from the view " << view.version;
}

TEST(DirectoryCrash, AtEveryWriteTheDirectoryIsOneOfTheViewsWhole) {
  // In memory, if possible: every commit waits for the disk.
  const bool memory = std::filesystem::is_directory("/dev/shm");
  std::string pattern = memory ? "/dev/shm/tandem-XXXXXX" : "/tmp/tandem-XXXXXX";
  const std::filesystem::path folder = ::mkdtemp(pattern.data());
  std::map<std::uint64_t, int> seen;  // last change: how often
  int writes = 0;
  for (bool ended = false; !ended && writes < 2000; ++writes) {
    const std::string file = (folder / (std::to_string(writes) + ".db")).string();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) live(file, writes);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_NE(WEXITSTATUS(status), 1);
    ended = WEXITSTATUS(status) == 0;
    SqliteDirectory store(file);
    const auto contents = store.open();
    ASSERT_TRUE(contents) << contents.error().message;
    expect_a_view(*contents);
    ++seen[contents->last_change];
    // And the new process can go on from there.
    NumberedChange next{8, contents->last_change + 1, {}};
    next.change.servers = {};
    EXPECT_TRUE(store.apply(next));
  }
  std::filesystem::remove_all(folder);
  EXPECT_EQ(seen.size(), views().size() + 1) << "each state was met";
  EXPECT_GT(writes, 30) << "the writes were counted";
}

}  // namespace
}  // namespace tandem
