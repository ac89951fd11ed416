// An asynchronous HTTP/1.1 client: pooled keep-alive connections, streaming bodies both ways with
// back-pressure, errors that say what may be tried again. One loop's thread.
//
// A request that was sent on a reused connection which the other end had closed meanwhile is sent
// again, once, on a fresh one: if no byte of a response had come, and the method is idempotent or
// no byte of it had left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/address.h"
#include "common/base/result.h"
#include "common/http/framing.h"
#include "common/http/head_parser.h"
#include "common/net/connector.h"
#include "common/net/event_loop.h"
#include "common/net/tls.h"

namespace tandem {

struct HttpDestination {
  Address address;
  std::shared_ptr<const TlsContext> tls = nullptr;  // null: plain HTTP
  std::string server_name = {};                     // for TLS; empty: the address's host
};

struct HttpRequest {
  // The whole head up to and with its empty line (http::HeadBuilder, http::HeadEdit), with the
  // fields that frame the body.
  std::string head;
  http::Method method = http::Method::kGet;  // what the head says
  bool upgrade = false;                      // the head asks for an upgrade
  std::string body = {};                     // sent after the head, as it is
  bool streams = false;                      // more of the body follows: HttpCall::send_body()
  bool chunked = false;  // ... and what follows is to be put in chunks, as the head says
};

struct HttpFailure {
  enum class Kind : std::uint8_t {
    kShortage,   // ours: descriptors, ports, too many connections
    kConnect,    // refused, unreachable, not in time; side kOperator: the name is not known
    kTls,        // the handshake, or the certificate
    kReset,      // the connection ended before a byte of the response
    kTimeout,    // no byte of the response, or of its rest, in time
    kCut,        // the connection ended within the response
    kMalformed,  // what came is no HTTP response
  };
  Kind kind = Kind::kConnect;
  // Some byte of the request may have reached the other end. Always false for kShortage, kConnect,
  // kTls.
  bool sent = false;
  Error error;
};

// Calls may destroy the HttpCall. The last call is either on_complete() or on_failure().
class HttpCallHandler {
 public:
  // The final head; valid only within the call. A 101 makes the tunnel available: take_tunnel().
  virtual void on_response(const http::ResponseHead& head, const http::Framing& framing) = 0;
  virtual void on_interim(const http::ResponseHead&) {}  // 1xx but 101
  // Payload, without chunks; valid only within the call.
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_complete() = 0;
  virtual void on_failure(const HttpFailure& failure) = 0;
  virtual void on_writable() {}  // send_body() may go on

 protected:
  ~HttpCallHandler() = default;
};

class HttpConnection;  // http_connection.h
class HttpClient;

// One request under way. Destroying it cancels: its connection is closed and nothing is called.
class HttpCall {
 public:
  ~HttpCall();
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

  // The next part of a streamed body. False: enough is buffered, wait for on_writable() (what was
  // given is kept). Nothing happens after a failure.
  bool send_body(std::string_view bytes);
  void end_body();
  // No more on_body() until resume(), which never calls before it returns.
  void pause();
  void resume();

  struct Tunnel {
    std::unique_ptr<Stream> stream;  // without a handler
    std::string early;               // bytes that came after the 101's head
  };
  // From within on_response() of a 101, or later: the connection is the caller's now, and the call
  // is over.
  Tunnel take_tunnel();

 private:
  friend class HttpClient;
  friend class HttpConnection;
  HttpCall(HttpClient& client, HttpDestination to, HttpRequest request, HttpCallHandler& handler);

  HttpClient& client_;
  HttpCallHandler& handler_;
  HttpDestination to_;
  HttpRequest request_;
  HttpConnection* connection_ = nullptr;
  bool paused_ = false;
  bool body_ended_;
  bool retried_ = false;
};

struct HttpClientOptions {
  Duration connect_timeout = 3s;
  Duration response_timeout = 60s;  // without any progress, from the request on
  Duration idle_timeout = 30s;      // of a pooled connection
  Duration unsafe_idle_max = 2s;    // one that idled longer carries only what can be sent again
  std::size_t idle_connections_max = 64;  // pooled per destination
  std::size_t connections_max = 4096;     // in all
  std::size_t body_buffer_bytes = 65536;  // send_body() answers false from here on
  http::HeadLimits head_limits = {};
};

class HttpClient {
 public:
  // Both must outlive the client; and the client its calls.
  HttpClient(EventLoop& loop, Resolver& resolver, HttpClientOptions options = {});
  ~HttpClient();

  // Never calls the handler before it returns.
  std::unique_ptr<HttpCall> start(HttpDestination to, HttpRequest request,
                                  HttpCallHandler& handler);

  const HttpClientOptions& options() const { return options_; }
  std::size_t connections() const;       // in all
  std::size_t idle_connections() const;  // of these, pooled
  void close_idle();

 private:
  friend class HttpCall;
  friend class HttpConnection;
  struct Pool;
  void begin(HttpCall& call, bool fresh);

  EventLoop& loop_;
  Resolver& resolver_;
  HttpClientOptions options_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace tandem
