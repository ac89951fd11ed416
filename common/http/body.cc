#include "common/http/body.h"

#include <algorithm>

#include "common/http/chars.h"
#include "common/http/number.h"

namespace tandem::http {
namespace {

// Fields that change what a message means, where it goes or who sent it: never in trailers, since a
// receiver that merges them would take them for the head's (RFC 9110, 6.5.1).
bool forbidden_in_trailers(FieldId id) {
  switch (id) {
    case FieldId::kAuthorization:
    case FieldId::kCacheControl:
    case FieldId::kConnection:
    case FieldId::kContentEncoding:
    case FieldId::kContentLength:
    case FieldId::kContentRange:
    case FieldId::kContentType:
    case FieldId::kCookie:
    case FieldId::kExpect:
    case FieldId::kForwarded:
    case FieldId::kHost:
    case FieldId::kIfMatch:
    case FieldId::kIfModifiedSince:
    case FieldId::kIfNoneMatch:
    case FieldId::kIfRange:
    case FieldId::kIfUnmodifiedSince:
    case FieldId::kKeepAlive:
    case FieldId::kLocation:
    case FieldId::kMaxForwards:
    case FieldId::kProxyAuthenticate:
    case FieldId::kProxyAuthorization:
    case FieldId::kProxyConnection:
    case FieldId::kRange:
    case FieldId::kSetCookie:
    case FieldId::kTe:
    case FieldId::kTrailer:
    case FieldId::kTransferEncoding:
    case FieldId::kUpgrade:
    case FieldId::kVia:
    case FieldId::kWwwAuthenticate:
    case FieldId::kXForwardedFor:
    case FieldId::kXForwardedHost:
    case FieldId::kXForwardedProto:
      return true;
    default:
      return is_tandem_field(id);
  }
}

int hex_digit(char c) {
  if (is(kDigitChar, c)) return c - '0';
  return is(kHexChar, c) ? lower(c) - 'a' + 10 : -1;
}

}  // namespace

BodyReader::BodyReader(Framing framing, BodyLimits limits) : limits_(limits) {
  switch (framing.kind) {
    case BodyKind::kNone:
      break;
    case BodyKind::kLength:
      length_left_ = framing.length;
      state_ = framing.length > 0 ? State::kRun : State::kDone;
      break;
    case BodyKind::kChunked:
      chunked_ = true;
      state_ = State::kSizeStart;
      break;
    case BodyKind::kUntilClose:
    case BodyKind::kTunnel:
      state_ = State::kUntilClose;
      break;
  }
}

BodyReader::Taken BodyReader::take(std::string_view input, bool one_payload) {
  Taken taken;
  while (taken.consumed < input.size() && state_ != State::kDone && state_ != State::kFailed) {
    if (state_ == State::kRun || state_ == State::kUntilClose) {
      const std::size_t size = run(input.size() - taken.consumed);
      if (one_payload) taken.payload = input.substr(taken.consumed, size);
      taken.consumed += size;
      if (one_payload) break;
    } else {
      step(input[taken.consumed]);
      if (state_ != State::kFailed) ++taken.consumed;
    }
  }
  if (state_ == State::kDone) taken.progress = Progress::kDone;
  if (state_ == State::kFailed) taken.progress = Progress::kError;
  return taken;
}

// Takes payload from `available` bytes.
std::size_t BodyReader::run(std::size_t available) {
  if (state_ == State::kUntilClose) {
    payload_bytes_ += available;
    return available;
  }
  const std::size_t size =
      static_cast<std::size_t>(std::min<std::uint64_t>(available, length_left_));
  payload_bytes_ += size;
  length_left_ -= size;
  if (length_left_ == 0) state_ = chunked_ ? State::kRunCr : State::kDone;
  return size;
}

// One byte of framing.
void BodyReader::step(char c) {
  switch (state_) {
    case State::kSizeStart:
      length_left_ = 0;
      line_bytes_ = 0;
      if (hex_digit(c) < 0) return fail("malformed chunk size");
      state_ = State::kSize;
      return size_digit(c);
    case State::kSize:
      if (hex_digit(c) >= 0) return size_digit(c);
      if (c == ';') {
        state_ = State::kExtension;
        return;
      }
      return c == '\r' ? void(state_ = State::kSizeLf) : fail("malformed chunk size");
    case State::kExtension:
      if (c == '\r') return void(state_ = State::kSizeLf);
      if (!is(kValueChar, c)) return fail("control byte in chunk extension");
      if (++line_bytes_ > limits_.chunk_line_bytes_max ||
          ++extension_bytes_ > limits_.extension_bytes_max) {
        fail("chunk extensions too long");
      }
      return;
    case State::kSizeLf:
      return expect(c, '\n', length_left_ > 0 ? State::kRun : State::kTrailerStart);
    case State::kRunCr:
      return expect(c, '\r', State::kRunLf);
    case State::kRunLf:
      return expect(c, '\n', State::kSizeStart);
    default:
      return trailer(c);
  }
}

void BodyReader::size_digit(char c) {
  if (length_left_ > kLengthMax >> 4 || ++line_bytes_ > limits_.chunk_line_bytes_max) {
    return fail("chunk size too large");
  }
  length_left_ = length_left_ << 4 | static_cast<std::uint64_t>(hex_digit(c));
}

void BodyReader::trailer(char c) {
  if (++trailer_bytes_ > limits_.trailer_bytes_max) return fail("trailers too long");
  switch (state_) {
    case State::kTrailerStart:
      name_size_ = 0;
      if (c == '\r') return void(state_ = State::kEndLf);
      if (!is(kTokenChar, c)) return fail("malformed trailer");
      state_ = State::kTrailerName;
      name_[name_size_++] = c;
      return;
    case State::kTrailerName:
      if (c == ':') return end_of_name();
      if (!is(kTokenChar, c)) return fail("malformed trailer");
      if (name_size_ < name_.size()) name_[name_size_++] = c;
      return;
    case State::kTrailerValue:
      if (c == '\r') return void(state_ = State::kTrailerLf);
      if (!is(kValueChar, c)) fail("control byte in trailer");
      return;
    case State::kTrailerLf:
      return expect(c, '\n', State::kTrailerStart);
    case State::kEndLf:
      return expect(c, '\n', State::kDone);
    default:
      return;
  }
}

// A name that was cut short is longer than any known one, but may still begin with "Tandem-".
void BodyReader::end_of_name() {
  if (forbidden_in_trailers(field_id({name_.data(), name_size_}))) {
    return fail("field not allowed in trailers");
  }
  state_ = State::kTrailerValue;
}

bool BodyReader::finish() {
  if (state_ == State::kUntilClose) state_ = State::kDone;
  return done();
}

void BodyReader::fail(const char* reason) {
  state_ = State::kFailed;
  error_ = reason;
}

void BodyReader::expect(char c, char wanted, State next) {
  if (c != wanted) return fail("bare CR, or LF missing");
  state_ = next;
}

}  // namespace tandem::http
