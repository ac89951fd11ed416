// Field names that Tandem acts upon, as numbers: the parser looks each name up once, and routing,
// rewriting and caching compare numbers from then on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tandem::http {

// Each known field once: its id and its usual spelling.
#define TANDEM_HTTP_FIELDS(X)                   \
  X(kAccept, "Accept")                          \
  X(kAcceptEncoding, "Accept-Encoding")         \
  X(kAcceptRanges, "Accept-Ranges")             \
  X(kAge, "Age")                                \
  X(kAllow, "Allow")                            \
  X(kAuthorization, "Authorization")            \
  X(kCacheControl, "Cache-Control")             \
  X(kConnection, "Connection")                  \
  X(kContentEncoding, "Content-Encoding")       \
  X(kContentLength, "Content-Length")           \
  X(kContentLocation, "Content-Location")       \
  X(kContentRange, "Content-Range")             \
  X(kContentType, "Content-Type")               \
  X(kCookie, "Cookie")                          \
  X(kDate, "Date")                              \
  X(kEtag, "ETag")                              \
  X(kExpect, "Expect")                          \
  X(kExpires, "Expires")                        \
  X(kForwarded, "Forwarded")                    \
  X(kHost, "Host")                              \
  X(kHttp2Settings, "HTTP2-Settings")           \
  X(kIfMatch, "If-Match")                       \
  X(kIfModifiedSince, "If-Modified-Since")      \
  X(kIfNoneMatch, "If-None-Match")              \
  X(kIfRange, "If-Range")                       \
  X(kIfUnmodifiedSince, "If-Unmodified-Since")  \
  X(kKeepAlive, "Keep-Alive")                   \
  X(kLastModified, "Last-Modified")             \
  X(kLocation, "Location")                      \
  X(kMaxForwards, "Max-Forwards")               \
  X(kOrigin, "Origin")                          \
  X(kPragma, "Pragma")                          \
  X(kProxyAuthenticate, "Proxy-Authenticate")   \
  X(kProxyAuthorization, "Proxy-Authorization") \
  X(kProxyConnection, "Proxy-Connection")       \
  X(kRange, "Range")                            \
  X(kReferer, "Referer")                        \
  X(kRetryAfter, "Retry-After")                 \
  X(kServer, "Server")                          \
  X(kSetCookie, "Set-Cookie")                   \
  X(kTandemCache, "Tandem-Cache")               \
  X(kTandemRefer, "Tandem-Refer")               \
  X(kTandemReuse, "Tandem-Reuse")               \
  X(kTandemServer, "Tandem-Server")             \
  X(kTandemSession, "Tandem-Session")           \
  X(kTe, "TE")                                  \
  X(kTrailer, "Trailer")                        \
  X(kTransferEncoding, "Transfer-Encoding")     \
  X(kUpgrade, "Upgrade")                        \
  X(kUserAgent, "User-Agent")                   \
  X(kVary, "Vary")                              \
  X(kVia, "Via")                                \
  X(kWwwAuthenticate, "WWW-Authenticate")       \
  X(kXForwardedFor, "X-Forwarded-For")          \
  X(kXForwardedHost, "X-Forwarded-Host")        \
  X(kXForwardedProto, "X-Forwarded-Proto")

enum class FieldId : std::uint8_t {
  kOther,        // a name that is not listed
  kTandemOther,  // an unlisted name that begins with "Tandem-"
#define TANDEM_HTTP_ENUM(id, name) id,
  TANDEM_HTTP_FIELDS(TANDEM_HTTP_ENUM)
#undef TANDEM_HTTP_ENUM
      kCount
};

inline constexpr std::size_t kFieldIdCount = static_cast<std::size_t>(FieldId::kCount);
static_assert(kFieldIdCount <= 64, "Head keeps the ids that are present in 64 bits");

// The id of a name in any case. `name` is a token (RFC 9110, 5.6.2); other text is no known field.
FieldId field_id(std::string_view name);

// The usual spelling; empty for kOther and kTandemOther.
std::string_view field_name(FieldId id);

// Any of the "Tandem-*" fields.
constexpr bool is_tandem_field(FieldId id) {
  return id == FieldId::kTandemOther ||
         (id >= FieldId::kTandemCache && id <= FieldId::kTandemSession);
}

}  // namespace tandem::http
