#include "common/base/ids.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(ServerId, ComesFromTheNameAndIsTheSameEverywhere) {
  EXPECT_EQ(ServerId::of("a"), ServerId::of("a"));
  EXPECT_NE(ServerId::of("a"), ServerId::of("b"));
  EXPECT_TRUE(ServerId::of("a"));
  EXPECT_FALSE(ServerId{});
}

TEST(ItemKey, ComesFromTheTarget) {
  EXPECT_EQ(ItemKey::of("/x?y"), ItemKey::of("/x?y"));
  EXPECT_NE(ItemKey::of("/x?y"), ItemKey::of("/x?z"));
}

}  // namespace
}  // namespace tandem
