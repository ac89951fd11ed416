#include "common/net/admin_server.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "common/http/head_parser.h"

namespace tandem {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
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
    case 413:
      return "Content Too Large";
    case 422:
      return "Unprocessable Content";
    case 503:
      return "Service Unavailable";
    default:
      return status < 500 ? "Refused" : "Failed";
  }
}

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

// One client: reads a head, answers, and reads the next.
class AdminServer::Connection final : public Disposable, private StreamHandler {
 public:
  Connection(AdminServer& server, Descriptor socket)
      : server_(server),
        stream_(server.loop_, std::move(socket), this),
        timer_(server.loop_, [this] { end(); }),
        parser_({.start_line_bytes_max = kHeadBytesMax / 2, .head_bytes_max = kHeadBytesMax}) {
    timer_.set_after(kIdleTimeout);
  }

 private:
  void on_stream(bool, bool) override {
    timer_.set_after(kIdleTimeout);
    for (;;) {
      if (!write()) return;
      if (closing_) return end();
      if (!answer_next() && !read()) return;
    }
  }

  // Sends what is to be sent. False: it waits for room, or the connection is at its end.
  bool write() {
    while (sent_ < out_.size()) {
      const IoResult result = stream_.write(std::string_view(out_).substr(sent_));
      if (result.would_block()) return false;
      if (!result.ok()) {
        end();
        return false;
      }
      sent_ += result.bytes;
    }
    out_.clear();
    sent_ = 0;
    return true;
  }

  // More bytes of a request. False: there are none now, or no more ever.
  bool read() {
    char bytes[4096];
    const IoResult result = stream_.read(bytes);
    if (result.ok()) in_.append(bytes, result.bytes);
    if (result.end() || result.failed()) end();
    return result.ok();
  }

  // Answers the request at the front of what was read, if it is whole.
  bool answer_next() {
    http::RequestHead head;
    switch (parser_.parse(in_, head)) {
      case http::Progress::kNeedMore:
        return false;
      case http::Progress::kError:
        closing_ = true;
        put({parser_.error().status, "text/plain", std::string(parser_.error().reason) + "\n", {}},
            false);
        return true;
      case http::Progress::kDone:
        break;
    }
    const bool body = head.chunked() || head.content_length() > 0;
    closing_ = !head.persists() || body;
    const bool is_head = head.method_name() == "HEAD";
    put(body ? AdminResponse{413, "text/plain", "a request here has no body\n", {}} : answer(head),
        is_head);
    in_.erase(0, head.end());
    parser_.reset();
    return true;
  }

  AdminResponse answer(const http::RequestHead& head) {
    const bool reads = head.method_name() == "GET" || head.method_name() == "HEAD";
    if (!reads && from_foreign_page(head)) {
      return {403, "text/plain", "not from a web page of another site\n", {}};
    }
    AdminRequest request;
    request.method = reads ? "GET" : head.method_name();
    const std::string_view target = head.path();
    const std::size_t mark = std::min(target.find('?'), target.size());
    request.path = target.substr(0, mark);
    request.query = target.substr(std::min(target.size(), mark + 1));
    return server_.handler_(request);
  }

  void put(const AdminResponse& response, bool head_only) {
    out_ +=
        fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", response.status,
                    reason_of(response.status), response.content_type, response.body.size());
    out_ += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    if (!response.allow.empty()) out_ += fmt::format("Allow: {}\r\n", response.allow);
    if (closing_) out_ += "Connection: close\r\n";
    out_ += "\r\n";
    if (!head_only) out_ += response.body;
  }

  void end() {
    stream_.set_handler(nullptr);
    timer_.cancel();
    server_.remove(this);
  }

  AdminServer& server_;
  Stream stream_;
  Timer timer_;
  http::HeadParser parser_;
  std::string in_;
  std::string out_;
  std::size_t sent_ = 0;
  bool closing_ = false;
};

AdminServer::AdminServer(EventLoop& loop, Handler handler)
    : loop_(loop), handler_(std::move(handler)) {}
AdminServer::~AdminServer() = default;

Result<std::unique_ptr<AdminServer>> AdminServer::open(EventLoop& loop, const SocketAddress& at,
                                                       Handler handler) {
  std::unique_ptr<AdminServer> server(new AdminServer(loop, std::move(handler)));
  auto listener = Listener::open(loop, at, {.backlog = 256}, *server);
  if (!listener) return fail(listener.error());
  server->listener_ = std::move(*listener);
  return server;
}

void AdminServer::on_accept(Descriptor socket, const SocketAddress&) {
  if (connections_.size() >= kConnectionsMax) return;
  connections_.push_back(std::make_unique<Connection>(*this, std::move(socket)));
}

void AdminServer::remove(Connection* connection) {
  const auto it = std::find_if(connections_.begin(), connections_.end(),
                               [&](const auto& owned) { return owned.get() == connection; });
  if (it == connections_.end()) return;
  loop_.dispose(std::move(*it));
  connections_.erase(it);
}

}  // namespace tandem
