// A small asynchronous HTTP/1.1 server: keep-alive, pipelining in order, streaming bodies both ways
// with back-pressure, interim responses, upgrades, limits and timeouts, graceful drain. Plain and
// TLS. One loop's thread. (tandem-lb's front is another, built for speed: lb/io.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "common/http/date.h"
#include "common/http/framing.h"
#include "common/http/head_parser.h"
#include "common/net/event_loop.h"
#include "common/net/listener.h"
#include "common/net/stream.h"
#include "common/net/tls.h"

namespace tandem {

// What an exchange tells whoever answers it.
class HttpExchangeHandler {
 public:
  virtual void on_request_body(std::string_view bytes) = 0;  // payload; valid only within the call
  virtual void on_request_end() = 0;                         // not for requests without a body
  virtual void on_response_writable() {}                     // send_body() may go on
  // The client is gone, or too slow. The exchange is over, too, and nothing else is called.
  virtual void on_aborted() = 0;

 protected:
  ~HttpExchangeHandler() = default;
};

// One request and the response that is owed. Valid until end_response(), abort(), take_tunnel() or
// on_aborted(). Each request gets exactly one response.
class HttpExchange {
 public:
  // Who is told from now on. Whoever does not answer within on_request() must set one there.
  virtual void set_handler(HttpExchangeHandler* handler) = 0;
  // Reading of the body. A new exchange is paused: nothing is read until resume_body(), which never
  // calls before it returns.
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;

  // An interim response; `fields` as below. Not sent to HTTP/1.0.
  virtual void send_interim(int status, std::string_view fields = {}) = 0;
  // The head. `fields` are whole lines ("Name: value\r\n"), none of them Connection,
  // Content-Length or Transfer-Encoding: the server frames the body. Without a length it is
  // chunked, or ends with the connection for HTTP/1.0.
  virtual void start_response(int status, std::string_view reason, std::string_view fields,
                              std::optional<std::uint64_t> length) = 0;
  // False: enough is buffered, wait for on_response_writable() (what was given is kept). Nothing is
  // sent where the response has no body (HEAD, 204, 304).
  virtual bool send_body(std::string_view bytes) = 0;
  virtual void end_response() = 0;
  // All at once, with a Date.
  virtual void respond(int status, std::string_view fields, std::string_view body) = 0;
  // "STATUS REASON: detail", as text.
  virtual void respond_small(int status, std::string_view detail,
                             std::uint64_t retry_after_s = 0) = 0;
  // Cuts the connection: a response that was begun cannot be completed. Calls nothing.
  virtual void abort() = 0;

  struct Tunnel {
    std::unique_ptr<Stream> stream;  // without a handler
    std::string early;               // bytes that came after the request's head
    std::string unsent;              // of the 101's head
  };
  // Answers 101 with these fields (Connection and Upgrade among them), and hands over the
  // connection. For a request whose head.upgrades(), without a body.
  virtual Tunnel take_tunnel(std::string_view fields) = 0;

  virtual bool response_started() const = 0;
  virtual const SocketAddress& peer() const = 0;
  virtual bool is_tls() const = 0;

 protected:
  ~HttpExchange() = default;
};

class HttpServerHandler {
 public:
  // `head` is valid only within the call. The answer may be given within it or later.
  virtual void on_request(HttpExchange& exchange, const http::RequestHead& head,
                          const http::Framing& framing) = 0;

 protected:
  ~HttpServerHandler() = default;
};

struct HttpServerOptions {
  Duration header_timeout = 10s;        // from a request's first byte to the end of its head
  Duration keepalive_timeout = 60s;     // idle between two requests
  Duration body_timeout = 60s;          // no byte of a body has moved
  Duration linger_timeout = 2s;         // reading on after a last response, so that it is not reset
  std::size_t connections_max = 10000;  // more are answered by 503 (TLS: not at all) and closed
  std::size_t body_buffer_bytes = 65536;  // send_body() answers false from here on
  http::HeadLimits head_limits = {};
};

class HttpServerConnection;  // http_server_connection.h

class HttpServer final : private AcceptHandler {
 public:
  // Loop and handler must outlive the server.
  HttpServer(EventLoop& loop, HttpServerOptions options, HttpServerHandler& handler);
  ~HttpServer();

  // May be called for several addresses; returns the bound one. With a context it speaks TLS there;
  // all listeners of one server speak the same.
  Result<SocketAddress> listen(const SocketAddress& at,
                               std::shared_ptr<const TlsContext> tls = nullptr);

  // Accepts no more, closes what is idle, lets requests under way finish; then calls `done`, later.
  void drain(std::function<void()> done);
  std::size_t connections() const { return connections_.size(); }
  std::size_t refused() const { return refused_; }  // over connections_max
  std::uint64_t requests() const { return requests_; }

 private:
  friend class HttpServerConnection;
  void on_accept(Descriptor socket, const SocketAddress& peer) override;
  void turn_away(int socket);
  void sweep();
  void remove(HttpServerConnection& connection);

  EventLoop& loop_;
  HttpServerOptions options_;
  HttpServerHandler& handler_;
  std::shared_ptr<const TlsContext> tls_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unordered_map<HttpServerConnection*, std::unique_ptr<HttpServerConnection>> connections_;
  std::size_t refused_ = 0;
  std::uint64_t requests_ = 0;
  bool draining_ = false;
  std::function<void()> drained_;
  Duration sweep_period_;
  http::DateCache dates_;
  Timer sweep_timer_;
};

}  // namespace tandem
