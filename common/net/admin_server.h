// The admin listener of a program: a small HTTP/1.1 server for a few endpoints whose answers are
// made at once (health, metrics, status, an administrator's wishes). Not for traffic.
//
// Requests that a browser sends on behalf of a foreign page (an Origin field, or Sec-Fetch-Site
// other than none) are refused with 403 unless they are GET or HEAD, so that no web page can drain
// a server through an administrator's browser.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/net/event_loop.h"
#include "common/net/listener.h"
#include "common/net/stream.h"

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

class AdminServer final : private AcceptHandler {
 public:
  // Called on the loop's thread.
  using Handler = std::function<AdminResponse(const AdminRequest&)>;

  static constexpr std::size_t kConnectionsMax = 64;  // more are closed at once
  static constexpr std::size_t kHeadBytesMax = 16 * 1024;
  static constexpr Duration kIdleTimeout = 30s;  // between bytes, either way

  static Result<std::unique_ptr<AdminServer>> open(EventLoop& loop, const SocketAddress& at,
                                                   Handler handler);
  ~AdminServer();

  const SocketAddress& address() const { return listener_->address(); }
  std::size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  AdminServer(EventLoop& loop, Handler handler);
  void on_accept(Descriptor socket, const SocketAddress& peer) override;
  void remove(Connection* connection);

  EventLoop& loop_;
  Handler handler_;
  std::unique_ptr<Listener> listener_;
  std::list<std::unique_ptr<Connection>> connections_;
};

}  // namespace tandem
