// A server for tests of clients: real sockets on the loopback, blocking, one thread, and what it
// answers is up to the test. It serves one connection at a time, in the order of arrival.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>

namespace tandem::test {

class ScriptedServer {
 public:
  struct Answer {
    std::string bytes;
    enum class Then { kKeep, kClose, kReset, kHang } then = Then::kKeep;
  };
  // Called on the server's thread with each request: its head, and its body if it has a
  // Content-Length. `number` counts requests from 0; `connection` connections from 0.
  struct Request {
    std::string head;
    std::string body;
    int number = 0;
    int connection = 0;
  };
  using Script = std::function<Answer(const Request&)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }

  ~ScriptedServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);  // wakes accept()
    ::shutdown(connection_.load(), SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Closes the connection that is being served; it is closed when this returns.
  void close_connection() { ::shutdown(connection_.load(), SHUT_RDWR); }
  int requests() const { return requests_; }
  int connections() const { return connections_; }

 private:
  void serve() {
    while (!stopping_) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      connection_ = socket;
      const int number = connections_++;
      std::string buffer;
      while (!stopping_ && serve_one(socket, number, buffer)) {
      }
      connection_ = -1;
      ::close(socket);
    }
  }

  bool serve_one(int socket, int connection, std::string& buffer) {
    Request request{.head = {}, .body = {}, .number = requests_, .connection = connection};
    std::size_t end;
    while ((end = buffer.find("\r\n\r\n")) == buffer.npos) {
      if (!fill(socket, buffer)) return false;
    }
    request.head = buffer.substr(0, end + 4);
    buffer.erase(0, end + 4);
    const std::size_t at = request.head.find("Content-Length: ");
    const std::size_t length =
        at == request.head.npos ? 0 : std::stoul(request.head.substr(at + 16));
    while (buffer.size() < length) {
      if (!fill(socket, buffer)) return false;
    }
    request.body = buffer.substr(0, length);
    buffer.erase(0, length);
    ++requests_;
    const Answer answer = script_(request);
    for (std::size_t sent = 0; sent < answer.bytes.size();) {
      const ssize_t n =
          ::send(socket, answer.bytes.data() + sent, answer.bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    if (answer.then == Answer::Then::kReset) {
      const linger now{1, 0};
      ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      return false;
    }
    if (answer.then == Answer::Then::kHang) {
      while (fill(socket, buffer)) {
      }
      return false;
    }
    return answer.then == Answer::Then::kKeep;
  }

  static bool fill(int socket, std::string& buffer) {
    char bytes[65536];
    const ssize_t n = ::recv(socket, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    buffer.append(bytes, static_cast<std::size_t>(n));
    return true;
  }

  Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connection_{-1};
  std::atomic<int> requests_{0};
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace tandem::test
