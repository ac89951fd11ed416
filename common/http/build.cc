#include "common/http/build.h"

#include <charconv>

#include "common/http/chars.h"

namespace tandem::http {
namespace {

struct Reason {
  int status;
  std::string_view text;
};

constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {508, "Loop Detected"},
};

void append_number(std::string& out, std::uint64_t n) {
  char digits[20];
  const auto result = std::to_chars(digits, digits + sizeof digits, n);
  out.append(digits, result.ptr);
}

}  // namespace

std::string_view standard_reason(int status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) return reason.text;
  }
  return {};
}

void HeadBuilder::text(std::string_view text) {
  const std::size_t at = out_.size();
  out_ += text;
  for (std::size_t i = at; i < out_.size(); ++i) {
    if (out_[i] == '\r' || out_[i] == '\n' || out_[i] == '\0') out_[i] = ' ';
  }
}

HeadBuilder& HeadBuilder::request(std::string_view method, std::string_view target) {
  static constexpr std::string_view kHexDigits = "0123456789ABCDEF";
  text(method);
  out_ += ' ';
  for (char c : target) {
    if (is(kTargetChar, c)) {
      out_ += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out_ += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    }
  }
  out_ += " HTTP/1.1\r\n";
  return *this;
}

HeadBuilder& HeadBuilder::status(int status, std::string_view reason) {
  out_ += "HTTP/1.1 ";
  append_number(out_, static_cast<std::uint64_t>(status));
  out_ += ' ';
  text(reason);
  out_ += "\r\n";
  return *this;
}

HeadBuilder& HeadBuilder::field(std::string_view name, std::string_view value) {
  text(name);
  out_ += ": ";
  text(value);
  out_ += "\r\n";
  return *this;
}

HeadBuilder& HeadBuilder::field(std::string_view name, std::uint64_t value) {
  text(name);
  out_ += ": ";
  append_number(out_, value);
  out_ += "\r\n";
  return *this;
}

void append_small_response(std::string& out, const SmallResponse& response) {
  const std::string_view reason = standard_reason(response.status);
  std::string body = std::to_string(response.status);
  if (!reason.empty()) body.append(" ").append(reason);
  if (!response.detail.empty()) body.append(": ").append(response.detail);
  body += '\n';
  const bool bodiless = response.status < 200 || response.status == 204 || response.status == 304;
  HeadBuilder head(out);
  head.status(response.status);
  if (!response.date.empty()) head.field("Date", response.date);
  if (!bodiless) head.field("Content-Type", "text/plain").field("Content-Length", body.size());
  if (response.retry_after_s > 0) head.field("Retry-After", response.retry_after_s);
  if (response.close) head.field("Connection", "close");
  head.finish();
  if (!bodiless && !response.head_only) out += body;
}

}  // namespace tandem::http
