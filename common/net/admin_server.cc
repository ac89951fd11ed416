#include "common/net/admin_server.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

bool from_foreign_page(const http::RequestHead& head) {
  if (head.find("Origin") != nullptr) return true;
  const http::Field* site = head.find("Sec-Fetch-Site");
  return site != nullptr && head.value(*site) != "none";
}

}  // namespace

std::string AdminRequest::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (decode(pair.substr(0, equals)) != name) continue;
    return equals == std::string_view::npos ? std::string{} : decode(pair.substr(equals + 1));
  }
  return {};
}

// A request that is owed its answer.
class AdminServer::Pending final : public HttpExchangeHandler {
 public:
  Pending(AdminServer& server, HttpExchange& exchange) : server_(server), exchange_(&exchange) {
    exchange.set_handler(this);
  }

  void answer(const AdminResponse& response) {
    HttpExchange* exchange = std::exchange(exchange_, nullptr);
    if (exchange == nullptr) return;
    respond(*exchange, response);
    forget();
  }
  static void respond(HttpExchange& exchange, const AdminResponse& response) {
    std::string fields = fmt::format("Content-Type: {}\r\n", response.content_type);
    fields += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    if (!response.allow.empty()) fields += fmt::format("Allow: {}\r\n", response.allow);
    exchange.respond(response.status, fields, response.body);
  }

 private:
  void on_request_body(std::string_view) override {}
  void on_request_end() override {}
  void on_aborted() override {
    exchange_ = nullptr;
    forget();
  }
  void forget() { server_.pending_.erase(self_.lock()); }

  friend class AdminServer;
  AdminServer& server_;
  HttpExchange* exchange_;  // null: answered, or gone
  std::weak_ptr<Pending> self_;
};

AdminServer::AdminServer(EventLoop& loop, SlowHandler handler)
    : handler_(std::move(handler)),
      server_(loop,
              {.header_timeout = kIdleTimeout,
               .keepalive_timeout = kIdleTimeout,
               .body_timeout = kIdleTimeout,
               .connections_max = kConnectionsMax,
               .head_limits = {.start_line_bytes_max = kHeadBytesMax / 2,
                               .head_bytes_max = kHeadBytesMax}},
              *this) {}
AdminServer::~AdminServer() = default;

Result<std::unique_ptr<AdminServer>> AdminServer::open(EventLoop& loop, const SocketAddress& at,
                                                       Handler handler) {
  return open(loop, at, [handler = std::move(handler)](const AdminRequest& request, Reply reply) {
    reply(handler(request));
  });
}

Result<std::unique_ptr<AdminServer>> AdminServer::open(EventLoop& loop, const SocketAddress& at,
                                                       SlowHandler handler) {
  std::unique_ptr<AdminServer> server(new AdminServer(loop, std::move(handler)));
  const auto bound = server->server_.listen(at);
  if (!bound) return fail(bound.error());
  server->address_ = *bound;
  return server;
}

void AdminServer::on_request(HttpExchange& exchange, const http::RequestHead& head,
                             const http::Framing& framing) {
  const bool reads = head.method_name() == "GET" || head.method_name() == "HEAD";
  const auto pending = std::make_shared<Pending>(*this, exchange);
  pending->self_ = pending;
  pending_.insert(pending);
  if (framing.kind != http::BodyKind::kNone) {
    return pending->answer({413, "text/plain", "a request here has no body\n", {}});
  }
  if (!reads && from_foreign_page(head)) {
    return pending->answer({403, "text/plain", "not from a web page of another site\n", {}});
  }
  AdminRequest request;
  request.method = reads ? "GET" : head.method_name();
  const std::string_view target = head.path();
  const std::size_t mark = std::min(target.find('?'), target.size());
  request.path = target.substr(0, mark);
  request.query = target.substr(std::min(target.size(), mark + 1));
  const std::weak_ptr<Pending> owed = pending;
  handler_(request, [owed](const AdminResponse& response) {
    if (const auto still = owed.lock()) still->answer(response);
  });
}

}  // namespace tandem
