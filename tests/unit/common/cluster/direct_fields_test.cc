#include "common/cluster/direct_fields.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(DirectFields, ComeBackAsTheyWere) {
  for (const DirectRequest& one :
       {DirectRequest{0, {}}, DirectRequest{7, {"a"}},
        DirectRequest{~std::uint64_t{0}, {"a-1", "B_2", "c.3"}}, DirectRequest{7, {"a"}, true}}) {
    EXPECT_EQ(DirectRequest::parse(one.text()), one) << one.text();
  }
  for (const Whereabouts& one :
       {Whereabouts{1, "", ""}, Whereabouts{8, "a", ""}, Whereabouts{8, "a", "b"}}) {
    EXPECT_EQ(Whereabouts::parse(one.text()), one) << one.text();
  }
}

TEST(DirectFields, LookAsTheyAreDescribed) {
  EXPECT_EQ((DirectRequest{7, {"a", "b"}}).text(), "view=7;failed=a,b");
  EXPECT_EQ((DirectRequest{7, {}, true}).text(), "view=7;by=type");
  EXPECT_EQ((Whereabouts{8, "a", "b"}).text(), "view=8;primary=a;alternate=b");
}

TEST(DirectFields, WhatIsNotKnownIsPassedOver) {
  EXPECT_EQ(DirectRequest::parse("later=x;view=7;more="), (DirectRequest{7, {}}));
  EXPECT_EQ(DirectRequest::parse("view=7;by=chance"), (DirectRequest{7, {}}));
  EXPECT_EQ(Whereabouts::parse("view=8;zone=z;primary=a"), (Whereabouts{8, "a", ""}));
}

TEST(DirectFields, WhatIsMalformedIsNothing) {
  for (const char* text :
       {"", "view", "view=", "view=x", "view=-1", "view=7x", "failed=a", "view=7;failed=a,,b",
        "view=7;failed=a b", "view=99999999999999999999"}) {
    EXPECT_EQ(DirectRequest::parse(text), std::nullopt) << text;
  }
  for (const char* text : {"", "primary=a", "view=1;primary=", "view=1;primary=a,b", "view=1;x"}) {
    EXPECT_EQ(Whereabouts::parse(text), std::nullopt) << text;
  }
  EXPECT_EQ(Whereabouts::parse("view=1;primary=" + std::string(300, 'a')), std::nullopt);
}

TEST(DirectFields, OfMoreFailedServersTheFirstCount) {
  const DirectRequest many{1, {"a", "b", "c", "d", "e"}};
  EXPECT_EQ(many.text(), "view=1;failed=a,b,c,d");
  EXPECT_EQ(DirectRequest::parse("view=1;failed=a,b,c,d,e")->failed.size(), 4u);
}

}  // namespace
}  // namespace tandem
