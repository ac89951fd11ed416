// Composes heads and small messages of our own, appended to a string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::http {

// The usual reason phrase; empty for a status without one.
std::string_view standard_reason(int status);

// Appends a head line by line; finish() writes the empty line. No text can end a line early: CR,
// LF and NUL in it become spaces (RFC 9110, 5.5). Spaces and controls in a target become %XX.
class HeadBuilder {
 public:
  explicit HeadBuilder(std::string& out) : out_(out) {}

  HeadBuilder& request(std::string_view method, std::string_view target);
  HeadBuilder& status(int status) { return this->status(status, standard_reason(status)); }
  HeadBuilder& status(int status, std::string_view reason);
  HeadBuilder& field(std::string_view name, std::string_view value);
  HeadBuilder& field(std::string_view name, std::uint64_t value);
  void finish() { out_ += "\r\n"; }

 private:
  void text(std::string_view text);

  std::string& out_;
};

// A response whose body is one line of plain text: "STATUS REASON: detail".
struct SmallResponse {
  int status = 500;
  std::string_view detail;          // e.g. HeadError::reason; may be empty
  std::string_view date;            // DateCache::at(); empty: no Date
  std::uint64_t retry_after_s = 0;  // 0: no Retry-After
  bool close = false;               // Connection: close
  bool head_only = false;           // answers a HEAD request
};
void append_small_response(std::string& out, const SmallResponse& response);

}  // namespace tandem::http
