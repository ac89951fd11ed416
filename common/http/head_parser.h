// Parses the head of a request or a response in place, in one pass, resumable at any byte.
//
// Strict RFC 9112: what two readers might understand differently is refused. In particular:
//  - bare CR, bare LF, NUL and other control bytes, folded lines, whitespace before the colon, and
//    fields whose name is empty or no token (400);
//  - Content-Length twice, even with equal values, or anything but digits, or over 2^63-1; together
//    with Transfer-Encoding (400);
//  - Transfer-Encoding twice, in HTTP/1.0, or not ending in `chunked` (400); codings before a final
//    `chunked` (501);
//  - Host missing from HTTP/1.1, repeated, empty or malformed; a Host that differs from the
//    authority of an absolute target; user information in a target; content with CONNECT (400);
//  - a version other than HTTP/1.0 and HTTP/1.1 (505), an Expect other than 100-continue (417);
//  - a start line over its limit (414), a head or a number of fields over its limit, or more than
//    kConnectionOptionsMax options in a Connection field (431).
// One empty line before a request is skipped. In responses every fault is 502; a status line may
// lack the space after the status, and 600 to 999 are passed on as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/http/head.h"

namespace tandem::http {

inline constexpr std::size_t kFieldNameBytesMax = 256;
inline constexpr std::size_t kConnectionOptionsMax = 32;  // in one field line

struct HeadLimits {
  std::size_t start_line_bytes_max = 8 * 1024;
  std::size_t head_bytes_max = 32 * 1024;  // all of the head, the start line included
  std::size_t fields_max = 100;            // at most kFieldsMax
};

// What to answer instead of going on; the connection ends with it.
struct HeadError {
  int status = 0;           // 0: no error
  const char* reason = "";  // static text, for the log and the answer's body
};

enum class Progress : std::uint8_t { kNeedMore, kDone, kError };

class HeadParser {
 public:
  explicit HeadParser(HeadLimits limits = {});

  // `buffer` holds all bytes of the connection from the head's first byte on: in each call the
  // same bytes as in the one before, perhaps elsewhere in memory, and more after them. Bytes that
  // were looked at are not looked at again. After kDone, head.end() is where the body begins; the
  // other results leave `head` unusable. kError repeats until reset().
  Progress parse(std::string_view buffer, RequestHead& head);
  Progress parse(std::string_view buffer, ResponseHead& head);

  const HeadError& error() const { return error_; }
  bool started() const { return cursor_ != 0; }  // has a first byte been seen?

  // Makes ready for the next head.
  void reset();

 private:
  enum class Phase : std::uint8_t {
    kStart,
    kMethod,
    kTarget,
    kVersion,
    kReason,
    kLine,
    kName,
    kValue
  };

  Progress request_line(RequestHead& head);
  Progress request_version(RequestHead& head);
  Progress status_line(ResponseHead& head);
  Progress fields(Head& head);
  Progress empty_line(Head& head);
  Progress starved(std::size_t buffer_size);
  Progress fail(int status, const char* reason);
  bool refuse(int status, const char* reason);  // fail() as false
  bool take_version(Head& head);
  bool finish_target(RequestHead& head);
  bool finish_request(RequestHead& head);
  bool add_field(Head& head);
  bool take(Head& head, FieldId id, std::string_view value);
  bool take_content_length(Head& head, std::string_view value);
  bool take_transfer_encoding(Head& head, std::string_view value);
  bool take_connection(Head& head, std::string_view value);

  HeadLimits limits_;
  HeadError error_;
  Phase phase_ = Phase::kStart;
  bool response_ = false;  // every fault is 502
  const char* base_ = nullptr;
  std::size_t size_ = 0;      // bytes to look at: the buffer up to the limit that applies
  std::size_t cursor_ = 0;    // the next byte to look at
  std::size_t line_at_ = 0;   // where the current line (or part of the start line) begins
  std::size_t name_end_ = 0;  // of the current field line
};

}  // namespace tandem::http
