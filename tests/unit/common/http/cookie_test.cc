#include "common/http/cookie.h"

#include <gtest/gtest.h>

#include "tests/unit/common/http/heads.h"

namespace tandem::http {
namespace {

struct Row {
  const char *cookies, *value, *left;  // null: no cookie; no field
};

TEST(Cookie, FoundAndCut) {
  for (const Row& row : {
           Row{"t=1", "1", nullptr},
           Row{"a=1", nullptr, "a=1"},
           Row{"a=1; t=2", "2", "a=1"},
           Row{"t=2; a=1", "2", "a=1"},
           Row{"a=1; t=2; b=3", "2", "a=1; b=3"},
           Row{"a=1;t=2;b=3", "2", "a=1;b=3"},
           Row{"t=1; t=2; a=3", "1", "a=3"},
           Row{"a=1; t=1; t=2", "1", "a=1"},
           Row{"t=1; a=1; t=2; b=1; t=3", "1", "a=1; b=1"},
           Row{"t=1; t=2", "1", nullptr},
           Row{"t=", "", nullptr},
           Row{"t=a=b", "a=b", nullptr},
           Row{"T=1; tt=2; at=3", nullptr, "T=1; tt=2; at=3"},
           Row{"t", nullptr, "t"},
           Row{"", nullptr, ""},
           Row{";; t=1 ;", "1", nullptr},
           Row{"a=\"x\"; t=1", "1", "a=\"x\""},
       }) {
    const Request request(std::string("GET / HTTP/1.1\r\nHost: h\r\nCookie: ") + row.cookies +
                          "\r\nX: y\r\n\r\n");
    const std::string_view value = find_cookie(request.head, "t");
    EXPECT_EQ(value.data() == nullptr, row.value == nullptr) << row.cookies;
    EXPECT_EQ(value, row.value == nullptr ? "" : row.value) << row.cookies;
    HeadEdit edit;
    edit.begin(request.head);
    cut_cookie(edit, request.head, "t");
    const std::string left = row.left == nullptr ? "" : std::string("Cookie: ") + row.left + "\r\n";
    EXPECT_EQ(written(edit), "GET / HTTP/1.1\r\nHost: h\r\n" + left + "X: y\r\n\r\n");
  }
}

TEST(Cookie, InAllFields) {
  const Request request(
      "GET / HTTP/1.1\r\nCookie: a=1\r\nHost: h\r\nCookie: t=2\r\nCookie: t=3; b=4\r\n\r\n");
  EXPECT_EQ(find_cookie(request.head, "t"), "2");
  HeadEdit edit;
  edit.begin(request.head);
  cut_cookie(edit, request.head, "t");
  EXPECT_EQ(written(edit), "GET / HTTP/1.1\r\nCookie: a=1\r\nHost: h\r\nCookie: b=4\r\n\r\n");
}

TEST(Cookie, NoFieldNoCookie) {
  const Request request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(find_cookie(request.head, "t").data(), nullptr);
  HeadEdit edit;
  edit.begin(request.head);
  cut_cookie(edit, request.head, "t");
  EXPECT_EQ(written(edit), request.text);
}

}  // namespace
}  // namespace tandem::http
