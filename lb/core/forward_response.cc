// The second half of forward.h: heads of responses, and responses of our own.
#include <algorithm>
#include <charconv>

#include "common/session/group_fields.h"
#include "common/session/token_codec.h"
#include "lb/core/forward.h"
#include "lb/core/head_copy.h"

namespace tandem {

using namespace head_copy;

namespace {

constexpr std::string_view kCacheControl = "Cache-Control: ";

// Directives that let others cache it, and the one that forbids it.
bool is_public(std::string_view directive) {
  return http::same_word(directive, "public") ||
         http::same_word(directive.substr(0, 9), "s-maxage=") ||
         http::same_word(directive, "private");  // written anew at the end
}

// Quoted strings occur in Cache-Control only with field names (no-cache="set-cookie"); a comma
// within one would be cut wrongly, so that such a value is left and ours added behind it.
void put_private(const Head& head, Writer& out) {
  out.put(kCacheControl);
  for (const Field& f : head.fields()) {
    if (f.id != FieldId::kCacheControl) continue;
    const std::string_view value = head.value(f);
    if (value.find('"') != value.npos) {
      out.put(value);
      out.put(", ");
      continue;
    }
    for (http::TokenList list(value); list.next();) {
      if (is_public(list.member())) continue;
      out.put(list.member());
      out.put(", ");
    }
  }
  out.put("private\r\n");
}

bool says(const Head& head, std::string_view directive) {
  for (const Field& f : head.fields()) {
    if (f.id == FieldId::kCacheControl && http::list_contains(head.value(f), directive))
      return true;
  }
  return false;
}

void put_number(std::size_t number, Writer& out) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.put({digits, static_cast<std::size_t>(end - digits)});
}

// Without a token: it expires at once.
void put_cookie(const CookieOptions& cookie, std::string_view token, bool client_tls, Writer& out) {
  out.put("Set-Cookie: ");
  out.put(cookie.name);
  out.put("=");
  out.put(token);
  if (!cookie.path.empty()) {
    out.put("; Path=");
    out.put(cookie.path);
  }
  if (!cookie.domain.empty()) {
    out.put("; Domain=");
    out.put(cookie.domain);
  }
  if (token.empty() || cookie.max_age_seconds != 0) {
    out.put("; Max-Age=");
    put_number(token.empty() ? 0 : cookie.max_age_seconds, out);
  }
  const bool secure = cookie.secure == SecurePolicy::kAlways ||
                      (cookie.secure == SecurePolicy::kUnderTls && client_tls);
  if (secure) out.put("; Secure");
  if (cookie.http_only) out.put("; HttpOnly");
  switch (cookie.same_site) {
    case SameSitePolicy::kLax:
      out.put("; SameSite=Lax");
      break;
    case SameSitePolicy::kStrict:
      out.put("; SameSite=Strict");
      break;
    case SameSitePolicy::kNone:
      out.put("; SameSite=None");
      break;
  }
  // Browsers take a partitioned cookie only if it is a secure one.
  if (cookie.partitioned && secure) out.put("; Partitioned");
  out.put("\r\n");
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

// Which of its sessions a library client is told of.
void put_group(std::string_view group, Writer& out) {
  if (group.empty()) return;
  out.put(kGroupField);
  out.field(": ", group);
}

void put_persistence(Persistence persistence, Writer& out) {
  if (persistence == Persistence::kClose) out.put("Connection: close\r\n");
  if (persistence == Persistence::kKeepAlive) out.put("Connection: keep-alive\r\n");
}

}  // namespace

std::size_t response_head_bound(const http::ResponseHead& head, const ResponseEdits& edits) {
  std::size_t bound = 2 * head.end() + edits.token.size() + edits.group.size() + kFixedBytes;
  if (edits.affinity != nullptr) {
    const CookieOptions& cookie = edits.affinity->cookie;
    bound += cookie.name.size() + cookie.path.size() + cookie.domain.size();
  }
  return bound;
}

std::size_t write_response_head(const http::ResponseHead& head, const ResponseEdits& edits,
                                char* out_bytes) {
  Writer out(out_bytes);
  const std::string_view line =
      head.buffer().substr(head.begin(), head.fields_begin() - head.begin());
  out.put("HTTP/1.1");
  out.put(line.substr(8, 4));  // " 200"
  out.put(" ");                // which some servers leave out when no reason follows
  out.field("", head.reason());

  std::uint64_t drop = kHopByHop | bits({FieldId::kTandemSession, FieldId::kTandemRefer});
  if (!edits.from_tandem) drop |= kTandem;
  if (edits.upgrade) drop &= ~bits({FieldId::kUpgrade});
  if (edits.unchunk) drop |= bits({FieldId::kTransferEncoding, FieldId::kTrailer});
  const bool make_private =
      !edits.token.empty() && !says(head, "no-store") && !says(head, "private");
  if (make_private) drop |= bits({FieldId::kCacheControl});
  // The first line of the application's header gets the token; there should be no other.
  const bool appends =
      !edits.token.empty() && !edits.with_library && !edits.affinity->header.empty();
  bool appended = false;
  copy_fields(head, out, [&](const Field& f, auto&& flush) {
    if (appends && !appended && is_affinity_field(head, f, *edits.affinity)) {
      appended = true;
      flush();
      out.put(head.name(f));
      out.put(": ");
      out.put(head.value(f));
      out.put(kAffinityMark);
      out.field("", edits.token);
      return true;
    }
    if (!in(drop, f.id)) return false;
    flush();
    return true;
  });
  if (edits.upgrade) out.put("Connection: upgrade\r\n");
  if (make_private) put_private(head, out);
  if (!edits.token.empty()) {
    if (edits.with_library) {
      out.field("Tandem-Session: ", edits.token);
    } else if (!appends) {
      put_cookie(edits.affinity->cookie, edits.token, edits.client_tls, out);
    }
  }
  if (edits.with_library) put_group(edits.group, out);
  out.put(head.version_minor() == 1 ? "Via: 1.1 tandem\r\n" : "Via: 1.0 tandem\r\n");
  put_persistence(edits.persistence, out);
  out.put("\r\n");
  return out.size();
}

std::size_t write_own_response(const OwnResponse& response, char* out_bytes) {
  Writer out(out_bytes);
  const std::string_view reason = reason_phrase(response.status);
  const std::string_view text =
      response.text.empty() ? reason : response.text.substr(0, kOwnResponseBytesMax / 2);
  out.put("HTTP/1.1 ");
  put_number(static_cast<std::size_t>(response.status), out);
  out.put(" ");
  out.put(reason);
  out.put("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ");
  put_number(text.size() + 1, out);
  out.put("\r\nCache-Control: no-store\r\n");
  if (response.status == 503) out.put("Retry-After: 1\r\n");
  if (response.status == 405) out.field("Allow: ", response.allow);
  if (response.forget != nullptr && response.with_library) {
    out.field("Tandem-Session: ", kNoToken);
  } else if (response.forget != nullptr && response.forget->header.empty()) {
    put_cookie(response.forget->cookie, "", response.client_tls, out);
  }
  if (response.with_library) put_group(response.group, out);
  put_persistence(response.persistence, out);
  out.put("\r\n");
  if (!response.head_only) {
    out.put(text);
    out.put("\n");
  }
  return out.size();
}

}  // namespace tandem
