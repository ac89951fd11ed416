#include "common/http/etag_list.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/common/http/heads.h"

namespace tandem::http {
namespace {

TEST(EntityTag, Parsed) {
  EntityTag tag;
  ASSERT_TRUE(parse_entity_tag("\"abc\"", tag));
  EXPECT_EQ(tag.opaque, "abc");
  EXPECT_FALSE(tag.weak);
  ASSERT_TRUE(parse_entity_tag("W/\"a,b\"", tag));
  EXPECT_EQ(tag.opaque, "a,b");
  EXPECT_TRUE(tag.weak);
  EXPECT_TRUE(parse_entity_tag("\"\"", tag));
  for (const char* text : {"", "abc", "\"abc", "abc\"", "\"", "w/\"a\"", "W/", "W/abc", "\"a\"b",
                           "\"a b\"", "\"a\"\"", "*"}) {
    EXPECT_FALSE(parse_entity_tag(text, tag)) << text;
  }
}

TEST(EntityTagList, Walked) {
  struct Row {
    const char* value;
    std::vector<std::string> tags;
    bool malformed;
  };
  for (const Row& row : {
           Row{"", {}, false},
           Row{"\"a\"", {"a"}, false},
           Row{"\"a\", W/\"b\" ,\"c\"", {"a", "b", "c"}, false},
           Row{",, \"a\",,\"b,c\",", {"a", "b,c"}, false},
           Row{"\"a\" \"b\"", {}, true},
           Row{"\"a\", b", {"a"}, true},
           Row{"\"a\", \"b", {"a"}, true},
       }) {
    std::vector<std::string> tags;
    EntityTagList list(row.value);
    while (list.next()) tags.emplace_back(list.tag().opaque);
    EXPECT_EQ(tags, row.tags) << row.value;
    EXPECT_EQ(list.malformed(), row.malformed) << row.value;
  }
}

TEST(EntityTagList, Compared) {
  struct Row {
    const char *value, *tag;
    bool weakly, strongly;
  };
  for (const Row& row : {
           Row{"\"a\"", "\"a\"", true, true},
           Row{"W/\"a\"", "\"a\"", true, false},
           Row{"\"a\"", "W/\"a\"", true, false},
           Row{"\"b\", \"a\"", "\"a\"", true, true},
           Row{"\"b\"", "\"a\"", false, false},
           Row{"*", "\"a\"", true, true},
           Row{"a", "\"a\"", false, false},
           Row{"\"A\"", "\"a\"", false, false},
       }) {
    const Request request(std::string("GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"x\"\r\n") +
                          "If-None-Match: " + row.value + "\r\n\r\n");
    EntityTag tag;
    ASSERT_TRUE(parse_entity_tag(row.tag, tag));
    EXPECT_EQ(matches_weakly(request.head, FieldId::kIfNoneMatch, tag), row.weakly) << row.value;
    EXPECT_EQ(matches_strongly(request.head, FieldId::kIfNoneMatch, tag), row.strongly)
        << row.value;
    EXPECT_FALSE(matches_weakly(request.head, FieldId::kIfMatch, tag));
  }
}

}  // namespace
}  // namespace tandem::http
