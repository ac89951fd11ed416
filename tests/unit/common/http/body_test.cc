#include "common/http/body.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem::http {
namespace {

constexpr Framing kChunks{BodyKind::kChunked, 0};

struct Outcome {
  Progress progress;
  std::size_t consumed;
  std::string payload;
};

// Feeds `text` in pieces of `step` bytes to read().
Outcome read_all(Framing framing, std::string_view text, std::size_t step, BodyLimits limits = {}) {
  BodyReader reader(framing, limits);
  Outcome out{reader.done() ? Progress::kDone : Progress::kNeedMore, 0, {}};
  while (out.progress == Progress::kNeedMore && out.consumed < text.size()) {
    const auto taken = reader.read(text.substr(out.consumed, step));
    out.progress = taken.progress;
    out.consumed += taken.consumed;
    out.payload += taken.payload;
  }
  EXPECT_EQ(reader.payload_bytes(), out.payload.size());
  return out;
}

// Both doors, whole and byte by byte, must agree.
Outcome check_all(Framing framing, std::string_view text, BodyLimits limits = {}) {
  const Outcome whole = read_all(framing, text, text.size() + 1, limits);
  for (std::size_t step : {1, 2, 3, 7}) {
    const Outcome split = read_all(framing, text, step, limits);
    EXPECT_EQ(split.progress, whole.progress) << text;
    EXPECT_EQ(split.consumed, whole.consumed) << text;
    EXPECT_EQ(split.payload, whole.payload) << text;
  }
  BodyReader reader(framing, limits);
  const auto relayed = reader.relay(text);
  EXPECT_EQ(relayed.progress, whole.progress) << text;
  EXPECT_EQ(relayed.consumed, whole.consumed) << text;
  return whole;
}

TEST(Body, NoneAndLengthEndWhereTheyShould) {
  const Outcome none = check_all({}, "GET /");
  EXPECT_EQ(none.progress, Progress::kDone);
  EXPECT_EQ(none.consumed, 0u);
  const Outcome five = check_all({BodyKind::kLength, 5}, "helloGET /");
  EXPECT_EQ(five.progress, Progress::kDone);
  EXPECT_EQ(five.payload, "hello");
  EXPECT_EQ(five.consumed, 5u);
  EXPECT_EQ(check_all({BodyKind::kLength, 6}, "hello").progress, Progress::kNeedMore);
}

TEST(Body, UntilCloseEndsWithTheConnectionAlone) {
  BodyReader close({BodyKind::kUntilClose, 0});
  EXPECT_EQ(close.relay("anything").consumed, 8u);
  EXPECT_FALSE(close.done());
  EXPECT_TRUE(close.finish());
  BodyReader length({BodyKind::kLength, 2});
  EXPECT_EQ(length.relay("a").consumed, 1u);
  EXPECT_FALSE(length.finish());
  BodyReader chunks(kChunks);
  EXPECT_EQ(chunks.relay("1\r\na\r\n0\r\n").progress, Progress::kNeedMore);
  EXPECT_FALSE(chunks.finish());
}

TEST(Body, ChunksDecoded) {
  struct Row {
    std::string text, payload;
  };
  for (const Row& row : {
           Row{"0\r\n\r\n", ""},
           Row{"5\r\nhello\r\n0\r\n\r\n", "hello"},
           Row{"005\r\nhello\r\n6;a=b;c=\"d e\"\r\n world\r\n000\r\n\r\n", "hello world"},
           Row{"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
           Row{"1;\r\nx\r\n0;last\r\nX-Sum: 1\r\nY:\r\n\r\n", "x"},
           Row{"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
       }) {
    const Outcome out = check_all(kChunks, row.text + "GET /next");
    EXPECT_EQ(out.progress, Progress::kDone) << row.text;
    EXPECT_EQ(out.payload, row.payload);
    EXPECT_EQ(out.consumed, row.text.size());
  }
}

TEST(Body, BrokenChunksRefused) {
  for (const char* text : {
           "\r\n",                               // no digit
           "x\r\n",                              // no hexadecimal digit
           "0x5\r\nhello\r\n",                   // not C
           "+5\r\nhello\r\n",                    // a sign
           "-1\r\n",                             // a sign
           " 5\r\nhello\r\n",                    // a space before
           "5 \r\nhello\r\n",                    // a space after
           "5 ;a\r\nhello\r\n",                  // a space before the extension
           "5\nhello\r\n",                       // bare LF
           "5\rXhello\r\n0\r\n\r\n",             // CR and anything but LF
           "5\r\nhelloX\n0\r\n\r\n",             // LF after anything but CR
           "5\r\nhello\rX0\r\n\r\n",             // CR and anything but LF
           "0\r\nA: b\rXC: d\r\n\r\n",           //
           "5\rhello\r\n",                       // bare CR
           "5\r\nhello0\r\n\r\n",                // no CRLF after the payload
           "5\r\nhello\n0\r\n\r\n",              // bare LF after the payload
           "5\r\nhello\r0\r\n\r\n",              // bare CR after the payload
           "5;a\nb\r\nhello\r\n",                // bare LF in an extension
           "5;a\rb\r\nhello\r\n",                // bare CR in an extension
           "8000000000000000\r\n",               // over 2^63-1
           "10000000000000005\r\n",              // over 2^64
           "0\r\n folded\r\n\r\n",               // folded trailer
           "0\r\nX-Forwarded-For: 1\r\n\r\n",    // who sent it
           "0\r\nvia: 1.1 a\r\n\r\n",            // where it was
           "0\r\nRange: bytes=0-1\r\n\r\n",      // what is asked for
           "0\r\nno colon\r\n\r\n",              // a space in a name
           "0\r\nnocolon\r\n\r\n",               // no colon
           "0\r\n: v\r\n\r\n",                   // no name
           "0\r\nA: \x01\r\n\r\n",               // a control byte
           "0\r\nA: b\n\r\n",                    // bare LF
           "0\r\nA: b\r\r\n",                    // bare CR
           "0\r\ncontent-length: 5\r\n\r\n",     // framing
           "0\r\nTransfer-Encoding: x\r\n\r\n",  // framing
           "0\r\nHOST: x\r\n\r\n",               // routing
           "0\r\nTandem-Session: x\r\n\r\n",     // routing
           "0\r\ntandem-of-any-kind-and-length: x\r\n\r\n",
           "0\r\n\rX",  // the end is CRLF
       }) {
    EXPECT_EQ(check_all(kChunks, text).progress, Progress::kError) << text;
  }
}

TEST(Body, LargestChunkSizeIsRead) {
  EXPECT_EQ(check_all(kChunks, "7fffffffffffffff\r\nabc").payload, "abc");
}

TEST(Body, Limits) {
  BodyLimits limits;
  limits.chunk_line_bytes_max = 8;
  limits.extension_bytes_max = 10;
  limits.trailer_bytes_max = 11;
  const auto progress = [&](const char* text) { return check_all(kChunks, text, limits).progress; };
  EXPECT_EQ(progress("00000001\r\na\r\n"), Progress::kNeedMore);
  EXPECT_EQ(progress("000000001\r\na\r\n"), Progress::kError);
  EXPECT_EQ(progress("1;1234567\r\na\r\n"), Progress::kNeedMore);
  EXPECT_EQ(progress("1;12345678\r\na\r\n"), Progress::kError);
  EXPECT_EQ(progress("1;12345\r\na\r\n1;12345\r\nb\r\n"), Progress::kNeedMore);
  EXPECT_EQ(progress("1;12345\r\na\r\n1;123456\r\nb\r\n"), Progress::kError);
  EXPECT_EQ(progress("0\r\nA: 2345\r\n\r\n"), Progress::kDone);
  EXPECT_EQ(progress("0\r\nA: 23456\r\n\r\n"), Progress::kError);
}

}  // namespace
}  // namespace tandem::http
