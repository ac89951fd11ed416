#include "common/http/head_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem::http {
namespace {

struct Outcome {
  Progress progress = Progress::kNeedMore;
  int status = 0;
  std::string reason;
};

// Parses `text` whole, and as it grows byte by byte in a buffer that moves; both must agree.
template <class H>
Outcome parse(const std::string& text, H& head, HeadLimits limits = {}) {
  HeadParser whole(limits);
  const Progress progress = whole.parse(text, head);
  HeadParser grown(limits);
  H same;
  std::string buffer;
  Progress last = Progress::kNeedMore;
  for (std::size_t n = 1; n <= text.size() && last == Progress::kNeedMore; ++n) {
    buffer = std::string(text, 0, n);
    buffer.shrink_to_fit();
    last = grown.parse(buffer, same);
  }
  EXPECT_EQ(last, progress) << text;
  EXPECT_EQ(grown.error().status, whole.error().status) << text;
  EXPECT_STREQ(grown.error().reason, whole.error().reason) << text;
  if (progress == Progress::kDone) {
    EXPECT_EQ(same.end(), head.end());
    EXPECT_EQ(same.fields().size(), head.fields().size());
  }
  return {progress, whole.error().status, whole.error().reason};
}

Outcome request(const std::string& text, HeadLimits limits = {}) {
  RequestHead head;
  return parse(text, head, limits);
}

Outcome response(const std::string& text) {
  ResponseHead head;
  return parse(text, head);
}

TEST(HeadParser, Request) {
  const std::string text =
      "POST /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nX-Thing: \t some value \r\n"
      "Content-Length: 12\r\nConnection: close\r\nEmpty:\r\n\r\nbody";
  RequestHead head;
  ASSERT_EQ(parse(text, head).progress, Progress::kDone);
  EXPECT_EQ(head.method(), Method::kPost);
  EXPECT_EQ(head.method_name(), "POST");
  EXPECT_EQ(head.target(), "/a/b?c=d");
  EXPECT_EQ(head.path(), "/a/b?c=d");
  EXPECT_EQ(head.form(), TargetForm::kOrigin);
  EXPECT_EQ(head.authority(), "example.com:8080");
  EXPECT_EQ(head.version_minor(), 1);
  EXPECT_TRUE(head.says_close());
  EXPECT_FALSE(head.persists());
  EXPECT_TRUE(head.has_content_length());
  EXPECT_EQ(head.content_length(), 12u);
  ASSERT_EQ(head.fields().size(), 5u);
  EXPECT_EQ(head.name(head.fields()[1]), "X-Thing");
  EXPECT_EQ(head.value(head.fields()[1]), "some value");
  EXPECT_EQ(head.find("x-thing"), &head.fields()[1]);
  EXPECT_EQ(head.find("x-nothing"), nullptr);
  EXPECT_EQ(head.find("host"), &head.fields()[0]);
  EXPECT_EQ(head.value(*head.find("empty")), "");
  EXPECT_EQ(text.substr(head.end()), "body");
  EXPECT_EQ(text.substr(head.fields_end(), 2), "\r\n");
  EXPECT_EQ(head.line_end(head.fields()[0]), head.fields()[1].name_at);
  EXPECT_EQ(head.line_end(head.fields()[4]), head.fields_end());
}

TEST(HeadParser, Response) {
  const std::string text = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n";
  ResponseHead head;
  ASSERT_EQ(parse(text, head).progress, Progress::kDone);
  EXPECT_EQ(head.status(), 404);
  EXPECT_EQ(head.reason(), "Not Found");
  EXPECT_TRUE(head.chunked());
  EXPECT_TRUE(head.persists());
  EXPECT_FALSE(head.interim());
  EXPECT_EQ(head.end(), text.size());
}

TEST(HeadParser, ReadsTheNextHeadAfterReset) {
  const std::string text = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.0\r\n\r\n";
  HeadParser parser;
  RequestHead head;
  ASSERT_EQ(parser.parse(text, head), Progress::kDone);
  const std::string_view rest = std::string_view(text).substr(head.end());
  parser.reset();
  EXPECT_FALSE(parser.started());
  ASSERT_EQ(parser.parse(rest, head), Progress::kDone);
  EXPECT_EQ(head.target(), "/2");
  EXPECT_TRUE(head.fields().empty());
  EXPECT_FALSE(head.has(FieldId::kHost));
  EXPECT_FALSE(head.persists());
}

TEST(HeadParser, RebaseFollowsTheBuffer) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  HeadParser parser;
  RequestHead head;
  ASSERT_EQ(parser.parse(text, head), Progress::kDone);
  const std::string moved = text;
  text.assign(text.size(), 'x');
  head.rebase(moved.data());
  EXPECT_EQ(head.authority(), "a");
}

TEST(HeadParser, TargetForms) {
  struct Row {
    const char *line, *fields;
    TargetForm form;
    const char *path, *authority;
  };
  for (const Row& row : {
           Row{"GET /x", "Host: h\r\n", TargetForm::kOrigin, "/x", "h"},
           Row{"GET //x", "Host: h\r\n", TargetForm::kOrigin, "//x", "h"},
           Row{"OPTIONS *", "Host: h\r\n", TargetForm::kAsterisk, "*", "h"},
           Row{"GET http://h/x?y", "Host: h\r\n", TargetForm::kAbsolute, "/x?y", "h"},
           Row{"GET HTTPS://H:443/x", "Host: h\r\n", TargetForm::kAbsolute, "/x", "H:443"},
           Row{"GET http://h:80", "Host: h\r\n", TargetForm::kAbsolute, "", "h:80"},
           Row{"GET http://h?y", "Host: h:80\r\n", TargetForm::kAbsolute, "?y", "h"},
           Row{"CONNECT h:443", "Host: h:443\r\n", TargetForm::kAuthority, "h:443", "h:443"},
           Row{"GET /x", "Host: [::1]:80\r\n", TargetForm::kOrigin, "/x", "[::1]:80"},
       }) {
    RequestHead head;
    const std::string text = std::string(row.line) + " HTTP/1.1\r\n" + row.fields + "\r\n";
    ASSERT_EQ(parse(text, head).progress, Progress::kDone) << text;
    EXPECT_EQ(head.form(), row.form) << text;
    EXPECT_EQ(head.path(), row.path) << text;
    EXPECT_EQ(head.authority(), row.authority) << text;
  }
}

TEST(HeadParser, RequestLinesRefused) {
  struct Row {
    const char* text;
    int status;
  };
  for (const Row& row : {
           Row{"\r\n\r\nGET / HTTP/1.1\r\n", 400},        // two empty lines
           Row{"\nGET / HTTP/1.1\r\n", 400},              // a bare LF before
           Row{"\rXGET / HTTP/1.1\r\n", 400},             // a bare CR before
           Row{" GET / HTTP/1.1\r\n", 400},               // a space before
           Row{"GET  / HTTP/1.1\r\n", 400},               // two spaces
           Row{"GET /  HTTP/1.1\r\n", 400},               // two spaces
           Row{"GET\t/ HTTP/1.1\r\n", 400},               // a tab
           Row{"GET / HTTP/1.1 \r\n", 400},               // a space after
           Row{"GET / HTTP/1.1\n", 400},                  // a bare LF
           Row{"GET / HTTP/1.1\r\r\n", 400},              // a bare CR
           Row{"GET /\r\n", 400},                         // no version
           Row{"GET / HTTP/11\r\n", 400},                 //
           Row{"GET / http/1.1\r\n", 400},                // case matters
           Row{"GET / HTTP/1.10\r\n", 400},               //
           Row{"GET / HTTP/2.0\r\n", 505},                //
           Row{"GET / HTTP/1.2\r\n", 505},                //
           Row{"GET / HTTP/0.9\r\n", 505},                //
           Row{"PRI * HTTP/2.0\r\n", 505},                //
           Row{"G(T / HTTP/1.1\r\n", 400},                // no token
           Row{"GET /a#b HTTP/1.1\r\n", 400},             // a fragment
           Row{"GET /\x80 HTTP/1.1\r\n", 400},            // not ASCII
           Row{"GET /\x7f HTTP/1.1\r\n", 400},            // a control byte
           Row{"GET x HTTP/1.1\r\n", 400},                // no form
           Row{"GET * HTTP/1.1\r\n", 400},                // for OPTIONS only
           Row{"GET a:80 HTTP/1.1\r\n", 400},             // for CONNECT only
           Row{"GET ftp://a/ HTTP/1.1\r\n", 400},         // another scheme
           Row{"GET http:///x HTTP/1.1\r\n", 400},        // an empty host
           Row{"GET http://u@a/ HTTP/1.1\r\n", 400},      // user information
           Row{"GET http://a:b/ HTTP/1.1\r\n", 400},      // a malformed port
           Row{"GET http://a:99999/ HTTP/1.1\r\n", 400},  //
           Row{"CONNECT / HTTP/1.1\r\n", 400},            //
           Row{"CONNECT a HTTP/1.1\r\n", 400},            // no port
           Row{"CONNECT a: HTTP/1.1\r\n", 400},           //
           Row{"METHODMETHODMETHODMETHODMETHODMETHODMETHODMETHODMETHODMETHODMETHODMETHOD / ", 501},
       }) {
    EXPECT_EQ(request(std::string(row.text) + "Host: a\r\n\r\n").status, row.status) << row.text;
  }
  EXPECT_EQ(request(std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29)).status, 400);
  EXPECT_EQ(request("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").progress, Progress::kDone);
}

TEST(HeadParser, FieldLinesRefused) {
  struct Row {
    const char* fields;
    int status;
  };
  for (const Row& row : {
           Row{"A : b\r\n", 400},           // a space before the colon
           Row{"A\t: b\r\n", 400},          // a tab before the colon
           Row{": b\r\n", 400},             // an empty name
           Row{"A b: c\r\n", 400},          // a space in a name
           Row{"A\x80: c\r\n", 400},        // not ASCII
           Row{"A(: c\r\n", 400},           // no token
           Row{"nothing\r\n", 400},         // no colon
           Row{"A: b\r\n c\r\n", 400},      // folded
           Row{" A: b\r\n", 400},           // folded into the start line
           Row{"A: b\nC: d\r\n", 400},      // a bare LF
           Row{"A: b\rC: d\r\n", 400},      // a bare CR
           Row{"A: b\r\r\n", 400},          //
           Row{"A: b\rXC: d\r\n", 400},     // CR and anything but LF
           Row{"A: b\x01\nC: d\r\n", 400},  // LF after anything but CR
           Row{"A: b\n\nC: d\r\n", 400},    //
           Row{"A: b\r\n\rX", 400},         // CR and anything but LF at the end
           Row{"A: \x01\r\n", 400},         // a control byte
           Row{"A: \x7f\r\n", 400},         //
           Row{"A: long enough for the sixteen bytes of a block \x0b\r\n", 400},
           Row{"Content-Length: 1\r\nContent-Length: 2\r\n", 400},
           Row{"Content-Length: 1\r\ncontent-length: 1\r\n", 400},
           Row{"Content-Length: 1, 1\r\n", 400},
           Row{"Content-Length: +1\r\n", 400},
           Row{"Content-Length: -1\r\n", 400},
           Row{"Content-Length: 0x1\r\n", 400},
           Row{"Content-Length: 1 2\r\n", 400},
           Row{"Content-Length: a\r\n", 400},
           Row{"Content-Length:\r\n", 400},
           Row{"Content-Length: 9223372036854775808\r\n", 400},
           Row{"Content-Length: 18446744073709551617\r\n", 400},
           Row{"Content-Length: 99999999999999999999999\r\n", 400},
           Row{"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
           Row{"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 400},
           Row{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
           Row{"Transfer-Encoding: chunked, chunked\r\n", 400},
           Row{"Transfer-Encoding: identity\r\n", 400},
           Row{"Transfer-Encoding: chunked, gzip\r\n", 400},
           Row{"Transfer-Encoding: xchunked\r\n", 400},
           Row{"Transfer-Encoding: \"chunked\"\r\n", 400},
           Row{"Transfer-Encoding: chunked;a=b\r\n", 400},
           Row{"Transfer-Encoding:\r\n", 400},
           Row{"Transfer-Encoding: gzip\r\n", 400},
           Row{"Transfer-Encoding: gzip, chunked\r\n", 501},
           Row{"Host: b\r\n", 400},  // a second one
           Row{"Connection: a b\r\n", 400},
           Row{"Expect: the-unexpected\r\n", 417},
       }) {
    const Outcome out =
        request(std::string("POST / HTTP/1.1\r\nHost: a\r\n") + row.fields + "\r\n");
    EXPECT_EQ(out.progress, Progress::kError) << row.fields;
    EXPECT_EQ(out.status, row.status) << row.fields;
  }
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n").reason, "folded field line");
  const std::string nul("GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n", 36);
  EXPECT_EQ(request(nul).status, 400);
}

TEST(HeadParser, FieldLinesAccepted) {
  for (const char* fields : {
           "A: b\tc \x80\xff\r\n",
           "A:\r\nA:\r\nA: \t \r\n",
           "!#$%&'*+-.^_`|~09azAZ: x\r\n",
           "Content-Length: 9223372036854775807\r\n",
           "Content-Length: 007\r\n",
           "Transfer-Encoding: CHUNKED\r\n",
           "Connection: , close ,,x-thing\r\n",
           "Expect: 100-Continue\r\n",
           "Upgrade: websocket\r\nConnection: Upgrade\r\n",
       }) {
    EXPECT_EQ(request(std::string("POST / HTTP/1.1\r\nHost: a\r\n") + fields + "\r\n").progress,
              Progress::kDone)
        << fields;
  }
}

TEST(HeadParser, HostIsNeededAndMustBeOne) {
  struct Row {
    const char* text;
    int status;
  };
  for (const Row& row : {
           Row{"GET / HTTP/1.1\r\n\r\n", 400},
           Row{"GET / HTTP/1.0\r\n\r\n", 0},
           Row{"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
           Row{"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
           Row{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
           Row{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
           Row{"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
           Row{"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
           Row{"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
           Row{"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
           Row{"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400},
           Row{"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400},
           Row{"GET http://a/ HTTP/1.1\r\nHost: a:8080\r\n\r\n", 400},
           Row{"GET http://a/ HTTP/1.1\r\n\r\n", 400},
           Row{"GET http://a/ HTTP/1.1\r\nHost: A:80\r\n\r\n", 0},
           Row{"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\n", 400},
           Row{"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
       }) {
    EXPECT_EQ(request(row.text).status, row.status) << row.text;
  }
}

TEST(HeadParser, ResponsesRefusedWith502) {
  for (const char* text : {
           "HTTP/2.0 200 OK\r\n\r\n",
           "HTTP/1.2 200 OK\r\n\r\n",
           "ICY 200 OK\r\n\r\n",
           "HTTP/1.1  200 OK\r\n\r\n",
           "HTTP/1.1 20 OK\r\n\r\n",
           "HTTP/1.1 2000 OK\r\n\r\n",
           "HTTP/1.1 099 OK\r\n\r\n",
           "HTTP/1.1 +20 OK\r\n\r\n",
           "HTTP/1.1 200\tOK\r\n\r\n",
           "HTTP/1.1 200 O\x01K\r\n\r\n",
           "HTTP/1.1 200 OK\n\r\n",
           "HTTP/1.1 200 OK\rX\r\n",
           "HTTP/1.1 200 OK\x01\n\r\n",
           "HTTP/1.1 200 OK\n\n\r\n",
           "\r\nHTTP/1.1 200 OK\r\n\r\n",
           "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       }) {
    EXPECT_EQ(response(text).status, 502) << text;
  }
}

TEST(HeadParser, ResponsesAccepted) {
  for (const char* text : {
           "HTTP/1.1 200 \r\n\r\n",
           "HTTP/1.1 200\r\n\r\n",
           "HTTP/1.1 999 What\x80?\r\n\r\n",
           "HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\nExpect: x\r\n\r\n",
       }) {
    EXPECT_EQ(response(text).progress, Progress::kDone) << text;
  }
}

TEST(HeadParser, Limits) {
  HeadLimits limits;
  limits.start_line_bytes_max = 20;
  limits.head_bytes_max = 60;
  limits.fields_max = 3;
  const auto status = [&](const std::string& text) { return request(text, limits).status; };
  EXPECT_EQ(status("GET /234 HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
  EXPECT_EQ(status("GET /23456 HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
  EXPECT_EQ(status("GET /2345678901234567890123456789"), 414);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n"), 0);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), 431);
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n";
  EXPECT_EQ(status(std::string(head).insert(28, 60 - head.size(), 'x')), 0);
  EXPECT_EQ(status(std::string(head).insert(28, 61 - head.size(), 'x')), 431);
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(256, 'n') + ": v\r\n\r\n").status,
            0);
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(257, 'n') + ": v\r\n\r\n").status,
            431);
}

TEST(HeadParser, ConnectionMayNotListWithoutEnd) {
  const auto status = [](std::size_t options) {
    std::string list = "a";
    while (--options > 0) list += ",a";
    return request("GET / HTTP/1.1\r\nHost: a\r\nConnection: " + list + "\r\n\r\n").status;
  };
  EXPECT_EQ(status(kConnectionOptionsMax), 0);
  EXPECT_EQ(status(kConnectionOptionsMax + 1), 431);
}

TEST(HeadParser, SaysItIsWaitingWithoutAFault) {
  HeadParser parser;
  RequestHead head;
  EXPECT_EQ(parser.parse("", head), Progress::kNeedMore);
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(parser.parse("G", head), Progress::kNeedMore);
  EXPECT_TRUE(parser.started());
}

TEST(HeadParser, AnErrorStays) {
  HeadParser parser;
  RequestHead head;
  EXPECT_EQ(parser.parse("GET\t", head), Progress::kError);
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head), Progress::kError);
  parser.reset();
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head), Progress::kDone);
}

TEST(HeadParser, ConnectionOptions) {
  struct Row {
    const char *version, *value;
    bool persists, upgrades, names_fields;
  };
  for (const Row& row : {
           Row{"1.1", "keep-alive", true, false, false}, Row{"1.1", "Close", false, false, false},
           Row{"1.1", "keep-alive, close", false, false, false},
           Row{"1.1", "Keep-Alive, Upgrade", true, true, false},
           Row{"1.1", "x-thing", true, false, true}, Row{"1.1", "closed", true, false, true},
           Row{"1.0", "keep-alive", true, false, false}, Row{"1.0", "x", false, false, true},
           Row{"1.0", "upgrade", false, false, false},  // ignored there (RFC 9110, 7.8)
       }) {
    RequestHead head;
    const std::string text = std::string("GET / HTTP/") + row.version +
                             "\r\nHost: a\r\nUpgrade: x\r\nConnection: " + row.value + "\r\n\r\n";
    ASSERT_EQ(parse(text, head).progress, Progress::kDone) << text;
    EXPECT_EQ(head.persists(), row.persists) << text;
    EXPECT_EQ(head.upgrades(), row.upgrades) << text;
    EXPECT_EQ(head.names_fields(), row.names_fields) << text;
  }
}

TEST(Method, NamesAndNature) {
  EXPECT_EQ(method_of("GET"), Method::kGet);
  EXPECT_EQ(method_of("PATCH"), Method::kPatch);
  EXPECT_EQ(method_of("get"), Method::kOther);
  EXPECT_EQ(method_of(""), Method::kOther);
  EXPECT_EQ(method_name(Method::kOptions), "OPTIONS");
  EXPECT_TRUE(is_idempotent(Method::kPut));
  EXPECT_FALSE(is_idempotent(Method::kPost));
  EXPECT_FALSE(is_idempotent(Method::kOther));
  EXPECT_FALSE(is_idempotent(Method::kConnect));
}

}  // namespace
}  // namespace tandem::http
