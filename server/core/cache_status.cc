#include "server/core/cache_status.h"

#include "common/http/chars.h"

namespace tandem {
namespace {

std::string_view text_of(CacheOutcome::Forwarded forwarded) {
  using Forwarded = CacheOutcome::Forwarded;
  switch (forwarded) {
    case Forwarded::kNo:
      return "";
    case Forwarded::kBypass:
      return "bypass";
    case Forwarded::kMethod:
      return "method";
    case Forwarded::kUriMiss:
      return "uri-miss";
    case Forwarded::kVaryMiss:
      return "vary-miss";
    case Forwarded::kStale:
      return "stale";
    case Forwarded::kRequest:
      return "request";
  }
  return "";
}

// A token of structured fields (RFC 8941, 3.3.4) as it is, anything else in quotes.
void append_name(std::string& out, std::string_view name) {
  if (http::is_token(name) && http::is(http::kLetterChar, name.front())) {
    out += name;
    return;
  }
  out += '"';
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= 0x20 && c < 0x7f ? c : '?';
  }
  out += '"';
}

}  // namespace

void append_cache_status(std::string& out, std::string_view name, const CacheOutcome& outcome) {
  append_name(out, name);
  const std::string_view forwarded = text_of(outcome.forwarded);
  if (forwarded.empty()) {
    out += "; hit";
  } else {
    out += "; fwd=";
    out += forwarded;
  }
  if (outcome.forwarded_status != 0) {
    out += "; fwd-status=" + std::to_string(outcome.forwarded_status);
  }
  if (outcome.ttl_s) out += "; ttl=" + std::to_string(*outcome.ttl_s);
  if (outcome.stored) out += "; stored";
  if (outcome.collapsed) out += "; collapsed";
  if (!outcome.detail.empty()) {
    out += "; detail=";
    out += outcome.detail;
  }
}

std::string cache_status(std::string_view name, const CacheOutcome& outcome) {
  std::string out;
  append_cache_status(out, name, outcome);
  return out;
}

}  // namespace tandem
