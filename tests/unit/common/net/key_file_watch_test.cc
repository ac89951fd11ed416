#include "common/net/key_file_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "common/net/key_file.h"

namespace tandem {
namespace {

struct KeyFileWatchTest : ::testing::Test {
  KeyFileWatchTest() {
    std::string pattern = ::testing::TempDir() + "tandem-watch-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    file = folder + "/cluster.key";
    EXPECT_TRUE(create_key_file(file));
    watch.emplace(
        loop, file,
        [this](ClusterKeys keys) {
          told.push_back(std::move(keys));
          loop.stop();
        },
        1ms);
  }
  ~KeyFileWatchTest() override { std::filesystem::remove_all(folder); }
  void run_looks(int looks) {
    Timer end(loop, [&] {
      if (--looks == 0) return loop.stop();
      end.set_after(1ms);
    });
    end.set_after(1ms);
    loop.run();
  }

  EventLoop loop;
  std::string folder, file;
  std::vector<ClusterKeys> told;
  std::optional<KeyFileWatch> watch;
};

TEST_F(KeyFileWatchTest, AChangedFileIsTakenOnce) {
  run_looks(5);
  EXPECT_TRUE(told.empty());
  ASSERT_TRUE(rotate_key_file(file, 1000, 0s, 0s));
  loop.run();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0], *load_keys(file));
  run_looks(5);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(KeyFileWatchTest, WhatASignalTookIsNotTakenAgain) {
  ASSERT_TRUE(rotate_key_file(file, 1000, 0s, 0s));
  watch->note_taken();
  run_looks(5);
  EXPECT_TRUE(told.empty());
}

TEST_F(KeyFileWatchTest, ABadOrMissingFileChangesNothingAndAGoodOneComesThrough) {
  std::ofstream(file) << "half a k";
  run_looks(8);
  std::filesystem::remove(file);
  run_looks(8);
  EXPECT_TRUE(told.empty());
  const auto made = create_key_file(file);
  ASSERT_TRUE(made);
  loop.run();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].keys()[0], *made);
}

}  // namespace
}  // namespace tandem
