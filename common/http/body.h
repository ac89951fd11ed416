// Finds the end of a message's body in the bytes of a connection, and the payload in between.
//
// One machine, two doors: relay() says how many bytes belong to the message, so that they can be
// passed on as they are; read() hands out the payload without the chunks around it. Both validate
// the same: a chunk size is digits alone with no space around it and at most kLengthMax; extensions
// and trailers hold no control byte, end in CRLF, and are bounded; fields that frame, route or
// authenticate a message are refused in trailers (RFC 9110, 6.5.1).
// Bytes may come in any pieces. After an error, what was consumed before it has been passed on by
// a relay: the message must not be completed, the connection ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/http/framing.h"
#include "common/http/head_parser.h"

namespace tandem::http {

struct BodyLimits {
  std::size_t chunk_line_bytes_max = 1024;      // size and extensions of one chunk
  std::size_t extension_bytes_max = 16 * 1024;  // extensions of one message
  std::size_t trailer_bytes_max = 8 * 1024;     // all trailers of one message
};

class BodyReader {
 public:
  struct Taken {
    Progress progress = Progress::kNeedMore;
    std::size_t consumed = 0;  // bytes of the input that belong to this message
    std::string_view payload;  // read() only: a part of those bytes
  };

  explicit BodyReader(Framing framing = {}, BodyLimits limits = {});

  // Takes all of `input` that belongs to the message. kDone: the message ends at `consumed`; what
  // follows is the next one's.
  Taken relay(std::string_view input) { return take(input, false); }

  // Takes at most one run of payload and the framing before it. kNeedMore with consumed less than
  // input.size(): call again with the rest.
  Taken read(std::string_view input) { return take(input, true); }

  // The connection has ended: is the message whole? A body until close is, then.
  bool finish();

  bool done() const { return state_ == State::kDone; }
  std::uint64_t payload_bytes() const { return payload_bytes_; }  // seen so far
  const char* error() const { return error_; }                    // static text; null: none

 private:
  enum class State : std::uint8_t {
    kRun,         // payload up to length_left_; with no chunks, then done
    kUntilClose,  // payload
    kSizeStart,   // the first digit of a chunk size
    kSize,        // further digits, or what follows them
    kExtension,   // until CR
    kSizeLf,      // LF after a chunk size
    kRunCr,       // CR after a chunk's payload
    kRunLf,
    kTrailerStart,  // a trailer field, or the empty line
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,  // LF of the empty line
    kDone,
    kFailed,
  };

  Taken take(std::string_view input, bool one_payload);
  std::size_t run(std::size_t available);
  void step(char c);
  void size_digit(char c);
  void trailer(char c);
  void end_of_name();
  void fail(const char* reason);
  void expect(char c, char wanted, State next);

  BodyLimits limits_;
  State state_ = State::kDone;
  bool chunked_ = false;
  std::uint8_t name_size_ = 0;  // of the trailer field's name; what does not fit is not kept
  std::uint64_t length_left_ = 0;
  std::uint64_t payload_bytes_ = 0;
  std::size_t line_bytes_ = 0;       // of the current chunk line
  std::size_t extension_bytes_ = 0;  // so far
  std::size_t trailer_bytes_ = 0;    // so far
  const char* error_ = nullptr;
  std::array<char, 24> name_{};
};

}  // namespace tandem::http
