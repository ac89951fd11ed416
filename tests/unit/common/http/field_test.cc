#include "common/http/field.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>

namespace tandem::http {
namespace {

TEST(Field, EveryKnownNameIsFoundInAnyCase) {
  for (std::size_t i = 2; i < kFieldIdCount; ++i) {
    const auto id = static_cast<FieldId>(i);
    std::string name(field_name(id));
    ASSERT_FALSE(name.empty());
    EXPECT_EQ(field_id(name), id) << name;
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(field_id(name), id) << name;
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    EXPECT_EQ(field_id(name), id) << name;
  }
}

TEST(Field, OneCharacterOffIsAnotherName) {
  for (std::size_t i = 2; i < kFieldIdCount; ++i) {
    const auto id = static_cast<FieldId>(i);
    const std::string name(field_name(id));
    for (std::size_t k = 0; k < name.size(); ++k) {
      std::string other = name;
      other[k] = '_';
      EXPECT_NE(field_id(other), id) << other;
    }
    EXPECT_NE(field_id(name + "x"), id);
    EXPECT_NE(field_id(name.substr(1)), id);
  }
}

TEST(Field, SpellingBelongsToTheId) {
  EXPECT_EQ(field_name(FieldId::kTe), "TE");
  EXPECT_EQ(field_name(FieldId::kXForwardedProto), "X-Forwarded-Proto");
  EXPECT_EQ(field_id("etag"), FieldId::kEtag);
  EXPECT_EQ(field_name(FieldId::kOther), "");
}

TEST(Field, TandemPrefixIsAClass) {
  EXPECT_EQ(field_id("Tandem-Anything"), FieldId::kTandemOther);
  EXPECT_EQ(field_id("TANDEM-"), FieldId::kTandemOther);
  EXPECT_EQ(field_id("Tandem"), FieldId::kOther);
  EXPECT_EQ(field_id("X-Tandem-Session"), FieldId::kOther);
  for (const char* name : {"Tandem-Session", "tandem-cache", "Tandem-Refer", "Tandem-Reuse",
                           "Tandem-Server", "Tandem-X"}) {
    EXPECT_TRUE(is_tandem_field(field_id(name))) << name;
  }
  for (std::size_t i = 2; i < kFieldIdCount; ++i) {
    const auto id = static_cast<FieldId>(i);
    EXPECT_EQ(is_tandem_field(id), field_name(id).substr(0, 7) == "Tandem-") << field_name(id);
  }
}

}  // namespace
}  // namespace tandem::http
