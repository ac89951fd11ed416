// Field lines, and the fields whose meaning decides where a message ends.
#include <cstdint>

#include "common/http/authority.h"
#include "common/http/chars.h"
#include "common/http/head_parser.h"
#include "common/http/list.h"
#include "common/http/number.h"
#include "common/http/scan.h"

namespace tandem::http {

Progress HeadParser::fields(Head& head) {
  const char* const end = base_ + size_;
  for (;;) {
    const char* p = base_ + cursor_;
    if (phase_ == Phase::kLine) {
      if (p == end) return Progress::kNeedMore;
      if (*p == '\r') return empty_line(head);
      if (is_space(*p)) return fail(400, "folded field line");
      if (head.field_count_ == limits_.fields_max) return fail(431, "too many fields");
      line_at_ = cursor_;
      phase_ = Phase::kName;
    }
    if (phase_ == Phase::kName) {
      p = internal::skip(kTokenChar, p, end);
      cursor_ = static_cast<std::size_t>(p - base_);
      const std::size_t name_size = cursor_ - line_at_;
      if (name_size > kFieldNameBytesMax) return fail(431, "field name too long");
      if (p == end) return Progress::kNeedMore;
      if (*p != ':' || name_size == 0) return fail(400, "malformed field name");
      name_end_ = cursor_;
      ++p;
      phase_ = Phase::kValue;
    }
    p = internal::skip_value(p, end);
    cursor_ = static_cast<std::size_t>(p - base_);
    if (p == end) return Progress::kNeedMore;
    if (*p != '\r') return fail(400, "control byte in field value");
    if (p + 1 == end) return Progress::kNeedMore;
    if (p[1] != '\n') return fail(400, "bare CR");
    if (!add_field(head)) return Progress::kError;
    cursor_ += 2;
    phase_ = Phase::kLine;
  }
}

// At the CR of the line that ends the head.
Progress HeadParser::empty_line(Head& head) {
  if (cursor_ + 1 == size_) return Progress::kNeedMore;
  if (base_[cursor_ + 1] != '\n') return fail(400, "bare CR");
  if (head.chunked_ && head.has_content_length()) {
    return fail(400, "both Content-Length and Transfer-Encoding");
  }
  cursor_ += 2;
  head.end_ = static_cast<std::uint32_t>(cursor_);
  return Progress::kDone;
}

// The line from line_at_ to the CR at cursor_.
bool HeadParser::add_field(Head& head) {
  const std::string_view name(base_ + line_at_, name_end_ - line_at_);
  const std::string_view value =
      trim(std::string_view(base_ + name_end_ + 1, cursor_ - name_end_ - 1));
  const FieldId id = field_id(name);
  const auto index = static_cast<std::size_t>(id);
  const std::uint64_t bit = std::uint64_t{id != FieldId::kOther} << index;
  if ((head.present_ & bit) != 0) {
    head.repeated_ |= bit;
  } else {
    head.present_ |= bit;
    head.first_[index] = static_cast<std::uint8_t>(head.field_count_);
  }
  head.fields_[head.field_count_++] = {
      static_cast<std::uint32_t>(line_at_), static_cast<std::uint32_t>(value.data() - base_),
      static_cast<std::uint32_t>(value.size()), static_cast<std::uint16_t>(name.size()), id};
  return take(head, id, value);
}

bool HeadParser::take(Head& head, FieldId id, std::string_view value) {
  Authority authority;
  switch (id) {
    case FieldId::kContentLength:
      return take_content_length(head, value);
    case FieldId::kTransferEncoding:
      return take_transfer_encoding(head, value);
    case FieldId::kConnection:
      return take_connection(head, value);
    case FieldId::kHost:
      if (response_) return true;
      if (head.repeated(id)) return refuse(400, "Host repeated");
      return split_authority(value, authority) || refuse(400, "malformed Host");
    case FieldId::kExpect:
      if (response_ || head.version_minor_ == 0) return true;
      if (!same_word(value, "100-continue")) return refuse(417, "unknown expectation");
      static_cast<RequestHead&>(head).expects_continue_ = true;
      return true;
    default:
      return true;
  }
}

bool HeadParser::take_content_length(Head& head, std::string_view value) {
  if (head.repeated(FieldId::kContentLength)) return refuse(400, "Content-Length repeated");
  return parse_decimal(value, head.content_length_) || refuse(400, "malformed Content-Length");
}

bool HeadParser::take_transfer_encoding(Head& head, std::string_view value) {
  if (head.version_minor_ == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
  if (head.repeated(FieldId::kTransferEncoding)) return refuse(400, "Transfer-Encoding repeated");
  head.chunked_ = same_word(value, "chunked");
  if (head.chunked_) return true;
  const std::size_t comma = value.rfind(',');
  if (comma == value.npos || !same_word(trim(value.substr(comma + 1)), "chunked") ||
      list_contains(value.substr(0, comma), "chunked")) {
    return refuse(400, "malformed Transfer-Encoding");
  }
  return refuse(501, "transfer coding not implemented");
}

// Each field is looked for among the options when a head is forwarded: a long list would make that
// dear.
bool HeadParser::take_connection(Head& head, std::string_view value) {
  std::size_t count = 0;
  for (TokenList options(value); options.next();) {
    if (++count > kConnectionOptionsMax) return refuse(431, "too many options in Connection");
    const std::string_view option = options.member();
    if (!is_token(option)) return refuse(400, "malformed Connection");
    if (same_word(option, "keep-alive")) {
      head.says_keep_alive_ = true;
    } else if (same_word(option, "close")) {
      head.says_close_ = true;
    } else if (same_word(option, "upgrade")) {
      head.says_upgrade_ = true;
    } else {
      head.names_fields_ = true;
    }
  }
  return true;
}

bool HeadParser::refuse(int status, const char* reason) {
  fail(status, reason);
  return false;
}

}  // namespace tandem::http
