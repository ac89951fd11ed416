#include "common/base/json_writer.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
  JsonWriter json;
  json.begin_object().member("a", 1).key("b").begin_array().value("x").value(true).end_array();
  json.key("c").begin_object().end_object().key("d").null().member("e", 0.5).end_object();
  EXPECT_EQ(json.text(), R"({"a":1,"b":["x",true],"c":{},"d":null,"e":0.500})");
}

TEST(JsonWriter, EscapesAndNeverWritesBadUtf8) {
  JsonWriter json;
  json.value(std::string_view("a\"\\\n\0\x7f é\xff\xed\xa0\x80 \xe2\x82\xac\xe2\x82", 19));
  EXPECT_EQ(json.text(),
            "\"a\\\"\\\\\\u000a\\u0000\\u007f é\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
            "\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace tandem
