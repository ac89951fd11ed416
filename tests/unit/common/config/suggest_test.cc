#include "common/config/suggest.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("capacity", "capacity"), 0u);
  EXPECT_EQ(edit_distance("capcity", "capacity"), 1u);
  EXPECT_EQ(edit_distance("cpaacity", "capacity"), 1u);  // neighbours swapped
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Suggest, NamesTheNearestOrNothing) {
  const std::vector<std::string> words = {"capacity", "threshold", "name"};
  EXPECT_EQ(nearest("capasity", words), "capacity");
  EXPECT_EQ(nearest("treshhold", words), "threshold");
  EXPECT_EQ(nearest("frobnicate", words), "");
  EXPECT_EQ(nearest(std::string(10000, 'a'), words), "");
  EXPECT_EQ(did_you_mean("nmae", words), "; did you mean \"name\"?");
}

}  // namespace
}  // namespace tandem
