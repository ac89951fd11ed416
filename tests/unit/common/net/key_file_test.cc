#include "common/net/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tandem {
namespace {

struct KeyFileTest : ::testing::Test {
  KeyFileTest() {
    std::string pattern = ::testing::TempDir() + "tandem-key-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    file = folder + "/cluster.key";
  }
  ~KeyFileTest() override { std::filesystem::remove_all(folder); }
  std::string folder;
  std::string file;
};

TEST_F(KeyFileTest, WhatIsMadeCanBeReadByItsOwnerAlone) {
  const auto made = create_key_file(file);
  ASSERT_TRUE(made) << made.error().message;
  struct stat about {};
  ASSERT_EQ(::stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  const auto keys = load_keys(file);
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->keys().size(), 1U);
  EXPECT_EQ(keys->keys()[0], *made);
}

TEST_F(KeyFileTest, NothingIsOverwritten) {
  ASSERT_TRUE(create_key_file(file));
  const auto again = create_key_file(file);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "cannot make key file " + file + ": File exists");
}

TEST_F(KeyFileTest, MadeOnceThenKept) {
  const auto first = load_or_create_keys(file), second = load_or_create_keys(file);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->keys(), second->keys());
}

TEST_F(KeyFileTest, ComplaintsNameTheFile) {
  EXPECT_EQ(load_keys(file).error().message,
            "cannot read key file " + file + ": No such file or directory");
  std::ofstream(file) << "nonsense\n";
  EXPECT_EQ(load_keys(file).error().message.rfind(file + ":1:", 0), 0U);
  EXPECT_FALSE(load_or_create_keys(folder + "/missing/cluster.key"));
}

}  // namespace
}  // namespace tandem
