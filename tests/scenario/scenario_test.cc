// Plays every *.txt beside it. With TANDEM_SCENARIO_UPDATE in the environment the files are written
// anew, for review.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/scenario/script.h"

namespace tandem::scenario {
namespace {

std::vector<std::string> files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(TANDEM_SCENARIOS)) {
    const auto& path = entry.path();
    if (path.extension() == ".txt" && path.stem() != "CMakeLists") names.push_back(path.stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Scenario : public ::testing::TestWithParam<std::string> {};

TEST_P(Scenario, HappensAsItIsWritten) {
  const std::string file = std::string(TANDEM_SCENARIOS) + "/" + GetParam() + ".txt";
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  const auto played = play(text.str());
  ASSERT_TRUE(played) << file << ": " << played.error().message;
  if (std::getenv("TANDEM_SCENARIO_UPDATE") != nullptr) {
    std::ofstream(file) << *played;
    return;
  }
  EXPECT_EQ(text.str(), *played) << "if this is as it should be, run scenario_test with "
                                    "TANDEM_SCENARIO_UPDATE=1, and review what has changed";
}

INSTANTIATE_TEST_SUITE_P(All, Scenario, ::testing::ValuesIn(files()),
                         [](const auto& one) { return one.param; });

TEST(ScenarioScript, MistakesAreNamed) {
  EXPECT_EQ(play("> kill x\n").error().message, "line 1: nobody is called x");
  EXPECT_EQ(play("# a\n> run away\n").error().message, "line 2: this is no time");
  EXPECT_EQ(play("> balancer l\n> dance l\n").error().message, "line 2: there is no command dance");
  EXPECT_EQ(play("run\n").error().message, "line 1: a line begins with #, > or a blank");
}

TEST(ScenarioScript, WhatHappensTakesThePlaceOfWhatWasExpected) {
  const auto played = play("# c\n\n> balancer l\n     9 ms  not so\n> run 1s\n");
  EXPECT_EQ(played.value(),
            "# c\n\n> balancer l\n     0 ms  l: view 1, the ring is empty\n> run 1s\n");
}

}  // namespace
}  // namespace tandem::scenario
