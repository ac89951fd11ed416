#include "common/http/edit.h"

#include <gtest/gtest.h>

#include "tests/unit/common/http/heads.h"

namespace tandem::http {
namespace {

constexpr const char* kText = "GET / HTTP/1.1\r\nHost: a\r\nB: b1\r\nC: c1\r\nD: d1\r\n\r\n";

TEST(HeadEdit, UnchangedIsOnePiece) {
  const Request request(std::string("\r\n") + kText);
  HeadEdit edit;
  edit.begin(request.head);
  EXPECT_EQ(edit.pieces().size(), 1u);
  EXPECT_EQ(written(edit), kText);
}

TEST(HeadEdit, CutsLinesAndJoinsNeighbours) {
  const Request request(kText);
  HeadEdit edit;
  edit.begin(request.head);
  edit.cut(*request.head.find("C"));
  edit.cut(*request.head.find("B"));
  EXPECT_EQ(written(edit), "GET / HTTP/1.1\r\nHost: a\r\nD: d1\r\n\r\n");
  EXPECT_EQ(edit.pieces().size(), 2u);
}

TEST(HeadEdit, CutsTheLastLineAndAdds) {
  const Request request(kText);
  HeadEdit edit;
  edit.begin(request.head);
  edit.add("E", {"e", "1"});
  edit.cut(*request.head.find("D"));
  edit.add("F", {});
  EXPECT_EQ(written(edit), "GET / HTTP/1.1\r\nHost: a\r\nB: b1\r\nC: c1\r\nE: e1\r\nF: \r\n\r\n");
  EXPECT_EQ(edit.pieces().size(), 3u);
}

TEST(HeadEdit, ChangesValuesInAnyOrder) {
  const Request request(kText);
  HeadEdit edit;
  edit.begin(request.head);
  edit.append_value(*request.head.find("D"), {", d2"});
  edit.replace_value(*request.head.find("C"), {"other"});
  edit.replace_start_line({"HEAD ", "/x HTTP/1.1"});
  edit.cut_part(request.head.value(*request.head.find("B")).substr(1));
  EXPECT_EQ(written(edit), "HEAD /x HTTP/1.1\r\nHost: a\r\nB: b\r\nC: other\r\nD: d1, d2\r\n\r\n");
}

TEST(HeadEdit, ACutLineTakesItsOtherChangesAlong) {
  const Request request(kText);
  HeadEdit edit;
  edit.begin(request.head);
  const Field& b = *request.head.find("B");
  edit.append_value(b, {"more"});
  edit.cut_part(request.head.value(b));
  edit.cut(b);
  edit.cut(b);
  edit.replace_value(b, {"again"});
  EXPECT_EQ(written(edit), "GET / HTTP/1.1\r\nHost: a\r\nC: c1\r\nD: d1\r\n\r\n");
}

TEST(HeadEdit, CutsAllOfAnId) {
  const Request request("GET / HTTP/1.1\r\nVia: 1\r\nHost: a\r\nvia: 2\r\n\r\n");
  HeadEdit edit;
  edit.begin(request.head);
  edit.cut_all(FieldId::kVia);
  edit.cut_all(FieldId::kTe);
  EXPECT_EQ(written(edit), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(HeadEdit, NoTextEndsALineEarly) {
  const Request request("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  HeadEdit edit;
  edit.begin(request.head);
  edit.add("E", {"e\r\nEvil: 1", std::string_view("\0", 1)});
  EXPECT_EQ(written(edit), "GET / HTTP/1.1\r\nHost: a\r\nE: e  Evil: 1 \r\n\r\n");
}

TEST(HeadEdit, BeginsAnew) {
  const Request first(kText);
  const Request second("GET /2 HTTP/1.1\r\nHost: b\r\n\r\n");
  HeadEdit edit;
  edit.begin(first.head);
  edit.add("E", {"e"});
  edit.begin(second.head);
  EXPECT_EQ(written(edit), second.text);
}

TEST(HeadEdit, ManyChangesAndLongTextsAreKept) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  std::string expected = text;
  for (int i = 0; i < 90; ++i) {
    const std::string line = (i % 2 == 0 ? "X: " : "Y: ") + std::to_string(i) + "\r\n";
    text += line;
    if (i % 2 != 0) expected += line;
  }
  const Request request(text + "\r\n");
  HeadEdit edit;
  edit.begin(request.head);
  for (const Field& field : request.head.fields()) {
    if (request.head.name(field) == "X") edit.cut(field);
  }
  const std::string big(10000, 'z');
  edit.add("Z", {big});
  EXPECT_EQ(written(edit), expected + "Z: " + big + "\r\n\r\n");
}

}  // namespace
}  // namespace tandem::http
