#include "common/net/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

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

std::string text_of(const std::string& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST_F(KeyFileTest, RotationAddsAKeyAndKeepsModeAndComments) {
  const auto first = create_key_file(file);
  ASSERT_TRUE(first);
  std::ofstream(file, std::ios::app) << "# a word of the administrator\n";
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  const auto done = rotate_key_file(file, 10'000, 600s, 3600s);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->added.seals_from, 10'600);
  EXPECT_EQ(done->dropped, 0u);
  EXPECT_EQ(done->listed, 2u);
  EXPECT_EQ(load_keys(file)->keys(), (std::vector{*first, done->added}));
  EXPECT_NE(text_of(file).find("# a word of the administrator\n"), std::string::npos);
  struct stat about {};
  ASSERT_EQ(::stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0640U);
  // Nothing is left beside it.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(KeyFileTest, RotationDropsWhatIsTooOldAndFollowsALink) {
  ASSERT_TRUE(create_key_file(file));
  const std::string link = folder + "/link.key";
  std::filesystem::create_symlink(file, link);
  const auto second = rotate_key_file(link, 10'000, 0s, 3600s);
  const auto third = rotate_key_file(link, 20'000, 600s, 3600s);
  ASSERT_TRUE(second && third);
  EXPECT_EQ(third->dropped, 1u);
  EXPECT_EQ(load_keys(file)->keys(), (std::vector{second->added, third->added}));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST_F(KeyFileTest, ABadFileIsNotRotated) {
  EXPECT_EQ(rotate_key_file(file, 0, 0s, 0s).error().message,
            "cannot read key file " + file + ": No such file or directory");
  std::ofstream(file) << "nonsense\n";
  EXPECT_FALSE(rotate_key_file(file, 0, 0s, 0s));
  EXPECT_EQ(text_of(file), "nonsense\n");
}

}  // namespace
}  // namespace tandem
