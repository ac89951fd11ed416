// Heads as they go on: what a request's head becomes on its way to a server, and a response's on
// its way to the client. Kept field lines are copied in runs, as they stand; nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/cluster/routes.h"
#include "common/http/head.h"

namespace tandem {

// Where an application issues its own session id in a response header, the token is appended to
// that value on the way out: VALUE;tandem=TOKEN, all of it visible ASCII. Of what a client sends
// the last such suffix is cut, so that the application sees exactly the value that it issued.
inline constexpr std::string_view kAffinityMark = ";tandem=";
// Where in a value our suffix begins; the token follows kAffinityMark. npos: it has none.
std::size_t find_affinity_mark(std::string_view value);

enum class SameSitePolicy : std::uint8_t { kLax, kStrict, kNone };
enum class SecurePolicy : std::uint8_t { kUnderTls, kAlways, kNot };

// The cookie that carries the token for ordinary clients.
struct CookieOptions {
  std::string name = "tandem";
  std::string path = "/";
  std::string domain;  // empty: no Domain attribute
  SameSitePolicy same_site = SameSitePolicy::kLax;
  SecurePolicy secure = SecurePolicy::kUnderTls;
  bool http_only = true;
  bool partitioned = false;
  std::uint32_t max_age_seconds = 0;  // 0: it lasts as long as the browser's session
};

// What carries the token of ordinary clients.
struct AffinityOptions {
  CookieOptions cookie;
  std::string header;  // the application's own; empty: the cookie
};

// What a client says of its session.
struct ClientClaim {
  std::string_view token;     // as sent, in the head's buffer; empty: none
  bool with_library = false;  // speaks Tandem-Session and Tandem-Cache; wants no cookie
};
// `affinity` and `group` are those of the request's pool. A library client may bring a token for
// each group (common/session/group_fields.h), a browser a cookie.
ClientClaim client_claim(const http::RequestHead& head, const AffinityOptions& affinity,
                         std::string_view group = {});

// Of a group that routes name, the cookie's name is NAME-GROUP; else (`group` is empty) NAME.
std::string cookie_name(const std::string& name, std::string_view group);

// The value of the first cookie of that name in a Cookie field's value (RFC 6265, 5.4).
std::optional<std::string_view> find_cookie(std::string_view field_value, std::string_view name);

struct RequestEdits {
  std::string_view session_token;  // Tandem-Session; empty for plain servers
  bool to_tandem = false;          // the server is a tandem-server: Tandem-Cache is for it
  // Of what carries tokens: the cookie is cut out of Cookie, the suffix off the header's value.
  const AffinityOptions* affinity = nullptr;
  const Routes* routes = nullptr;   // the cookies of their groups are cut as well; null: none
  std::string_view client_host;     // the client's address, in numbers
  bool tls = false;                 // the client's side
  std::string_view server_address;  // Host for a request (HTTP/1.0) that names none
  bool known_only = false;          // to a tandem-server: a session that nobody knows is not begun
};

// The most bytes that write_request_head can need.
std::size_t request_head_bound(const http::RequestHead& head, const RequestEdits& edits);
// Writes the head, its final empty line included; returns its size. Hop-by-hop fields (RFC 9110,
// 7.6.1) and all Tandem-* fields of the client go, X-Forwarded-For is continued, -Proto and -Host
// are set, Via is added (that no proxies form a loop is left to whoever connects them). An absolute
// target becomes a path; the version becomes HTTP/1.1.
std::size_t write_request_head(const http::RequestHead& head, const RequestEdits& edits, char* out);

// What the response says of the client's connection.
enum class Persistence : std::uint8_t {
  kSilent,     // HTTP/1.1 and it goes on
  kKeepAlive,  // HTTP/1.0 and it goes on
  kClose,      // it ends with this response
};

struct ResponseEdits {
  std::string_view token;     // the client's token is to be set; empty: not
  bool with_library = false;  // as Tandem-Session, else as the affinity says
  bool client_tls = false;    // for Secure
  const AffinityOptions* affinity = nullptr;
  std::string_view group;  // Tandem-Group for library clients; empty: not
  Persistence persistence = Persistence::kSilent;
  bool from_tandem = false;  // Tandem-Reuse and Tandem-Server of a tandem-server are passed on
  bool unchunk = false;      // the client (HTTP/1.0) gets the payload alone
  bool upgrade = false;      // 101
};

std::size_t response_head_bound(const http::ResponseHead& head, const ResponseEdits& edits);
// As above. Where the token is set, caches of others are told to keep out (Cache-Control: private).
std::size_t write_response_head(const http::ResponseHead& head, const ResponseEdits& edits,
                                char* out);

// A response of the balancer itself, whole, as text/plain; `head_only` for HEAD. 503 carries
// Retry-After. At most kOwnResponseBytesMax.
struct OwnResponse {
  int status = 500;
  std::string_view text;   // one line without its end; empty: the reason phrase
  std::string_view allow;  // of 405: the methods that there are; may be empty
  bool head_only = false;
  Persistence persistence = Persistence::kSilent;
  // The client's token is taken back: its cookie is made to expire, or the library is told so.
  const AffinityOptions* forget = nullptr;
  std::string_view group;  // as of ResponseEdits
  bool with_library = false;
  bool client_tls = false;
};
inline constexpr std::size_t kCookiePathBytesMax = 512;
inline constexpr std::size_t kOwnResponseBytesMax = 2304;
std::size_t write_own_response(const OwnResponse& response, char* out);

}  // namespace tandem
