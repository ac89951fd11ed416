#include "common/http/authority.h"

#include <gtest/gtest.h>

namespace tandem::http {
namespace {

TEST(Authority, Split) {
  struct Row {
    const char *text, *host, *port;
  };
  for (const Row& row : {
           Row{"a", "a", ""},
           Row{"example.com:80", "example.com", "80"},
           Row{"127.0.0.1:65535", "127.0.0.1", "65535"},
           Row{"[::1]", "[::1]", ""},
           Row{"[2001:db8::1.2.3.4]:443", "[2001:db8::1.2.3.4]", "443"},
           Row{"a:", "a", ""},
           Row{"a%20b_c~", "a%20b_c~", ""},
       }) {
    Authority out;
    ASSERT_TRUE(split_authority(row.text, out)) << row.text;
    EXPECT_EQ(out.host, row.host);
    EXPECT_EQ(out.port, row.port);
  }
  for (const char* text :
       {"", ":80", "a:b", "a:65536", "a:000080", "a:80:80", "::1", "[", "[]", "[::1", "[::g]",
        "[::1]x", "[::1]x:80", "a b", "a/b", "u@h", "a\\b", "a?b", "\xc3\xa4"}) {
    Authority out;
    EXPECT_FALSE(split_authority(text, out)) << text;
  }
}

TEST(Authority, Same) {
  EXPECT_TRUE(same_authority("A.b", "a.B:80", "80"));
  EXPECT_TRUE(same_authority("a:443", "a", "443"));
  EXPECT_FALSE(same_authority("a:443", "a", "80"));
  EXPECT_FALSE(same_authority("a", "b", "80"));
  EXPECT_FALSE(same_authority("", "", "80"));
}

}  // namespace
}  // namespace tandem::http
