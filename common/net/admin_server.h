// The admin listener of a program: a small HTTP/1.1 server for a few endpoints (health, metrics,
// status, an administrator's wishes). Not for traffic.
//
// Requests that a browser sends on behalf of a foreign page (an Origin field, or Sec-Fetch-Site
// other than none) are refused with 403 unless they are GET or HEAD, so that no web page can drain
// a server through an administrator's browser.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "common/base/result.h"
#include "common/net/http_server.h"

namespace tandem {

struct AdminRequest {
  std::string_view method;  // "GET" for HEAD, too
  std::string path;         // without the query
  std::string query;        // without its '?', as sent

  // The value of a parameter, decoded (RFC 3986, '+' as a space); empty if there is none.
  std::string parameter(std::string_view name) const;
};

struct AdminResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow;  // of a 405: the methods that are allowed
};

class AdminServer final : private HttpServerHandler {
 public:
  // Answers at once. Called on the loop's thread, as all here.
  using Handler = std::function<AdminResponse(const AdminRequest&)>;
  // Answers now or later, once; harmless when the client or the server is gone.
  using Reply = std::function<void(const AdminResponse&)>;
  using SlowHandler = std::function<void(const AdminRequest&, Reply)>;

  static constexpr std::size_t kConnectionsMax = 64;  // more are closed at once
  static constexpr std::size_t kHeadBytesMax = 16 * 1024;
  static constexpr Duration kIdleTimeout = 30s;  // between bytes, either way

  static Result<std::unique_ptr<AdminServer>> open(EventLoop& loop, const SocketAddress& at,
                                                   Handler handler);
  static Result<std::unique_ptr<AdminServer>> open(EventLoop& loop, const SocketAddress& at,
                                                   SlowHandler handler);
  ~AdminServer();

  const SocketAddress& address() const { return address_; }
  std::size_t connections() const { return server_.connections(); }

 private:
  class Pending;
  AdminServer(EventLoop& loop, SlowHandler handler);
  void on_request(HttpExchange& exchange, const http::RequestHead& head,
                  const http::Framing& framing) override;

  SlowHandler handler_;
  std::unordered_set<std::shared_ptr<Pending>> pending_;
  HttpServer server_;
  SocketAddress address_;
};

}  // namespace tandem
