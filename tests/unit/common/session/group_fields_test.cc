#include "common/session/group_fields.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(GroupFields, ASessionIsFoundByItsGroup) {
  const std::string_view value = "AAA, BBB;group=api,CCC ; group=shop ;x=y,\tDDD;x=1, ;group=none";
  EXPECT_EQ(find_session(value, ""), "AAA");
  EXPECT_EQ(find_session(value, "api"), "BBB");
  EXPECT_EQ(find_session(value, "shop"), "CCC");
  EXPECT_EQ(find_session(value, "ap"), "");
  EXPECT_EQ(find_session(value, "API"), "");
  EXPECT_EQ(find_session(value, "none"), "");
  EXPECT_EQ(find_session("", ""), "");
  EXPECT_EQ(find_session(",;, ,", ""), "");
  EXPECT_EQ(find_session("BBB;group=api", ""), "");
  EXPECT_EQ(find_session("BBB;group=", ""), "BBB");
  EXPECT_EQ(find_session("AAA", "api"), "");
}

TEST(GroupFields, WhatIsAppendedIsFound) {
  std::string value;
  append_session(value, "AAA", "");
  EXPECT_EQ(value, "AAA");
  append_session(value, "BBB", "api");
  EXPECT_EQ(value, "AAA, BBB;group=api");
  EXPECT_EQ(find_session(value, "api"), "BBB");
}

TEST(GroupFields, OnlySoManyEntriesAreRead) {
  std::string value;
  for (std::size_t i = 0; i < kSessionsPerClientMax - 1; ++i) append_session(value, "X", "other");
  std::string longer = value;
  append_session(value, "BBB", "api");
  EXPECT_EQ(find_session(value, "api"), "BBB");
  append_session(longer, "X", "other");
  append_session(longer, "BBB", "api");
  EXPECT_EQ(find_session(longer, "api"), "");
}

TEST(GroupFields, AValidationNamesItsGroup) {
  EXPECT_EQ(validation_path(""), "/.well-known/tandem/validate");
  EXPECT_EQ(validation_path("api"), "/.well-known/tandem/validate?group=api");
  EXPECT_EQ(validation_group(validation_path("")), "");
  EXPECT_EQ(validation_group(validation_path("api")), "api");
  EXPECT_EQ(validation_group("/.well-known/tandem/validate?"), "");
  EXPECT_EQ(validation_group("/.well-known/tandem/validate?x&group=api&y"), "api");
  EXPECT_EQ(validation_group("/.well-known/tandem/validate/group=api"), std::nullopt);
  EXPECT_EQ(validation_group("/.well-known/tandem/validat"), std::nullopt);
  EXPECT_EQ(validation_group("/x"), std::nullopt);
}

}  // namespace
}  // namespace tandem
