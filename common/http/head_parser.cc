// The driver and the start lines; field lines are in head_fields.cc.
#include "common/http/head_parser.h"

#include <algorithm>
#include <cstring>

#include "common/base/error.h"
#include "common/http/authority.h"
#include "common/http/chars.h"
#include "common/http/scan.h"

namespace tandem::http {
namespace {

constexpr std::size_t kMethodBytesMax = 64;
constexpr std::string_view kVersionPattern = "HTTP/0.0\r\n";  // 0: any digit
constexpr std::string_view kStatusPattern = "HTTP/0.0 000";

bool fits(char c, char pattern) { return pattern == '0' ? is(kDigitChar, c) : c == pattern; }

}  // namespace

HeadParser::HeadParser(HeadLimits limits) : limits_(limits) {
  TANDEM_CHECK(limits.fields_max <= kFieldsMax && limits.head_bytes_max <= UINT32_MAX);
}

void HeadParser::reset() {
  error_ = {};
  phase_ = Phase::kStart;
  cursor_ = line_at_ = name_end_ = 0;
}

Progress HeadParser::fail(int status, const char* reason) {
  error_ = {response_ ? 502 : status, reason};
  return Progress::kError;
}

// The bytes at hand are used up: more may come, unless the limit is what ended them.
Progress HeadParser::starved(std::size_t buffer_size) {
  if (size_ == buffer_size) return Progress::kNeedMore;
  return phase_ < Phase::kLine ? fail(414, "start line too long") : fail(431, "head too long");
}

Progress HeadParser::parse(std::string_view buffer, RequestHead& head) {
  if (error_.status != 0) return Progress::kError;
  response_ = false;
  base_ = head.base_ = buffer.data();
  if (phase_ == Phase::kStart) head.clear();
  if (phase_ < Phase::kLine) {
    size_ = std::min({buffer.size(), limits_.start_line_bytes_max, limits_.head_bytes_max});
    const Progress progress = request_line(head);
    if (progress == Progress::kNeedMore) return starved(buffer.size());
    if (progress == Progress::kError) return progress;
  }
  size_ = std::min(buffer.size(), limits_.head_bytes_max);
  const Progress progress = fields(head);
  if (progress == Progress::kNeedMore) return starved(buffer.size());
  if (progress == Progress::kError || finish_request(head)) return progress;
  return Progress::kError;
}

Progress HeadParser::parse(std::string_view buffer, ResponseHead& head) {
  if (error_.status != 0) return Progress::kError;
  response_ = true;
  base_ = head.base_ = buffer.data();
  if (phase_ == Phase::kStart) head.clear();
  if (phase_ < Phase::kLine) {
    size_ = std::min({buffer.size(), limits_.start_line_bytes_max, limits_.head_bytes_max});
    const Progress progress = status_line(head);
    if (progress == Progress::kNeedMore) return starved(buffer.size());
    if (progress == Progress::kError) return progress;
  }
  size_ = std::min(buffer.size(), limits_.head_bytes_max);
  const Progress progress = fields(head);
  if (progress == Progress::kNeedMore) return starved(buffer.size());
  return progress;
}

Progress HeadParser::request_line(RequestHead& head) {
  const char* const end = base_ + size_;
  if (phase_ == Phase::kStart) {
    if (size_ == 0) return Progress::kNeedMore;
    if (base_[0] == '\r') {  // one empty line is forgiven (RFC 9112, 2.2)
      if (size_ == 1) {
        cursor_ = 1;  // it has begun
        return Progress::kNeedMore;
      }
      if (base_[1] != '\n') return fail(400, "bare CR");
      head.begin_ = 2;
    }
    cursor_ = line_at_ = head.begin_;
    phase_ = Phase::kMethod;
  }
  if (phase_ == Phase::kMethod) {
    const char* p = internal::skip(kTokenChar, base_ + cursor_, end);
    cursor_ = static_cast<std::size_t>(p - base_);
    const std::size_t method_size = cursor_ - line_at_;
    if (method_size > kMethodBytesMax) return fail(501, "method too long");
    if (p == end) return Progress::kNeedMore;
    if (*p != ' ' || method_size == 0) return fail(400, "malformed request line");
    head.method_size_ = static_cast<std::uint16_t>(method_size);
    head.method_ = method_of(head.method_name());
    line_at_ = ++cursor_;
    phase_ = Phase::kTarget;
  }
  if (phase_ == Phase::kTarget) {
    const char* p = internal::skip_target(base_ + cursor_, end);
    cursor_ = static_cast<std::size_t>(p - base_);
    if (p == end) return Progress::kNeedMore;
    if (*p != ' ' || cursor_ == line_at_) return fail(400, "malformed request target");
    head.target_at_ = static_cast<std::uint32_t>(line_at_);
    head.target_size_ = static_cast<std::uint32_t>(cursor_ - line_at_);
    line_at_ = ++cursor_;
    phase_ = Phase::kVersion;
  }
  return request_version(head);
}

Progress HeadParser::request_version(RequestHead& head) {
  for (; cursor_ - line_at_ < kVersionPattern.size(); ++cursor_) {
    if (cursor_ == size_) return Progress::kNeedMore;
    if (!fits(base_[cursor_], kVersionPattern[cursor_ - line_at_])) {
      return fail(400, "malformed request line");
    }
  }
  if (!take_version(head) || !finish_target(head)) return Progress::kError;
  head.fields_begin_ = static_cast<std::uint32_t>(cursor_);
  phase_ = Phase::kLine;
  return Progress::kDone;
}

// The version begins at line_at_ and is well-formed.
bool HeadParser::take_version(Head& head) {
  const char minor = base_[line_at_ + 7];
  if (base_[line_at_ + 5] != '1' || (minor != '0' && minor != '1')) {
    return refuse(505, "HTTP version not supported");
  }
  head.version_minor_ = static_cast<std::uint8_t>(minor - '0');
  return true;
}

Progress HeadParser::status_line(ResponseHead& head) {
  phase_ = std::max(phase_, Phase::kVersion);
  if (phase_ == Phase::kVersion) {
    for (; cursor_ < kStatusPattern.size(); ++cursor_) {
      if (cursor_ == size_) return Progress::kNeedMore;
      if (!fits(base_[cursor_], kStatusPattern[cursor_])) return fail(502, "malformed status line");
    }
    if (!take_version(head)) return Progress::kError;
    for (char c : std::string_view(base_ + 9, 3)) {
      head.status_ = static_cast<std::uint16_t>(head.status_ * 10 + (c - '0'));
    }
    if (head.status_ < 100) return fail(502, "malformed status");
    line_at_ = cursor_;
    phase_ = Phase::kReason;
  }
  if (cursor_ == size_) return Progress::kNeedMore;
  if (cursor_ == line_at_ && base_[cursor_] != ' ' && base_[cursor_] != '\r') {
    return fail(502, "malformed status line");
  }
  const char* p = internal::skip_value(base_ + cursor_, base_ + size_);
  cursor_ = static_cast<std::size_t>(p - base_);
  if (cursor_ == size_) return Progress::kNeedMore;
  if (*p != '\r') return fail(502, "control byte in status line");
  if (cursor_ + 1 == size_) return Progress::kNeedMore;
  if (p[1] != '\n') return fail(502, "bare CR");
  const std::size_t reason_at = std::min(line_at_ + 1, cursor_);
  head.reason_at_ = static_cast<std::uint32_t>(reason_at);
  head.reason_size_ = static_cast<std::uint32_t>(cursor_ - reason_at);
  cursor_ += 2;
  head.fields_begin_ = static_cast<std::uint32_t>(cursor_);
  phase_ = Phase::kLine;
  return Progress::kDone;
}

// Which form the target has, and whether the method may have it (RFC 9112, 3.2).
bool HeadParser::finish_target(RequestHead& head) {
  const std::string_view target = head.target();
  Authority authority;
  if (head.method_ == Method::kConnect) {
    head.form_ = TargetForm::kAuthority;
    if (split_authority(target, authority) && !authority.port.empty()) return true;
  } else if (target.front() == '/') {
    return true;
  } else if (target == "*") {
    head.form_ = TargetForm::kAsterisk;
    if (head.method_ == Method::kOptions) return true;
  } else {
    head.form_ = TargetForm::kAbsolute;
    const std::size_t colon = target.find("://");
    const std::string_view scheme = target.substr(0, colon);
    if (colon != target.npos && (same_word(scheme, "http") || same_word(scheme, "https"))) {
      const std::size_t at = colon + 3;
      const std::size_t path = std::min(target.find_first_of("/?", at), target.size());
      head.authority_offset_ = static_cast<std::uint32_t>(at);
      head.path_offset_ = static_cast<std::uint32_t>(path);
      if (split_authority(target.substr(at, path - at), authority)) return true;
    }
  }
  return refuse(400, "malformed request target");
}

// What only the whole head can tell.
bool HeadParser::finish_request(RequestHead& head) {
  if (head.method_ == Method::kConnect && (head.chunked_ || head.has_content_length())) {
    return refuse(400, "CONNECT with content");
  }
  const Field* host = head.find(FieldId::kHost);
  if (host == nullptr) {
    if (head.version_minor_ == 0) return true;
    return refuse(400, "Host missing");
  }
  if (head.form_ == TargetForm::kAbsolute) {
    const bool tls = lower(head.target()[4]) == 's';
    if (!same_authority(head.value(*host), head.authority(), tls ? "443" : "80")) {
      return refuse(400, "Host differs from the request target");
    }
  }
  return true;
}

}  // namespace tandem::http
