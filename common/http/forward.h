// What a gateway changes in the heads that it forwards (RFC 9110, 7.6): HTTP/1.1 in the start line,
// the target in origin form, fields that concern one connection removed, Via and X-Forwarded-*
// written, and Tandem's own fields kept from those who may not speak them.
//
// Removed from both: Connection, Keep-Alive, Proxy-Connection, TE, HTTP2-Settings, Upgrade (unless
// it is to pass), Expect of HTTP/1.0, and what Connection names, if that is no field of field.h: a
// client must not be able to take Authorization, Cookie, framing or forwarding fields out of its
// request unseen by us. Content-Length, Transfer-Encoding and Trailer are left: bodies are relayed
// as they come. Each function begins the edit; the caller may change more afterwards.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/http/edit.h"
#include "common/http/head.h"

namespace tandem::http {

struct ForwardRequest {
  std::string_view via_name;         // this gateway in Via; empty: no Via
  std::string_view client_address;   // appended to X-Forwarded-For; empty: leave it
  std::string_view scheme;           // X-Forwarded-Proto; empty: leave it
  std::string_view host_if_missing;  // Host for a HTTP/1.0 request that names none
  bool pass_upgrade = false;         // the tunnel may come about: keep Upgrade
  bool pass_tandem_cache = false;    // keep Tandem-Cache; all other Tandem-* fields go
};
void forward_request(HeadEdit& edit, const RequestHead& head, const ForwardRequest& how);

// What the forwarded head says of its own connection.
enum class ConnectionOption : std::uint8_t { kNone, kClose, kKeepAlive };

struct ForwardResponse {
  std::string_view via_name;  // this gateway in Via; empty: no Via
  ConnectionOption connection = ConnectionOption::kNone;
  bool pass_upgrade = false;         // a 101 to a request for an upgrade
  bool pass_tandem = false;          // from one of our servers: Tandem-Reuse, Tandem-Server pass
  bool pass_tandem_session = false;  // and Tandem-Session, to a client that asks for it
};
void forward_response(HeadEdit& edit, const ResponseHead& head, const ForwardResponse& how);

// Has a request passed `name` before, as its Via fields tell? A loop.
bool passed_through(const Head& head, std::string_view name);

// Makes a response private to its client: shared caches must not keep it, private ones still may.
// Without effect where Cache-Control already says private or no-store.
void make_private(HeadEdit& edit, const ResponseHead& head);

}  // namespace tandem::http
