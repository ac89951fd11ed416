// The benchmark's origins: N listeners on ports chosen by the system, told on one line of standard
// output, then HTTP/1.1 keep-alive answers of fixed sizes, as cheap as they can be: GET /64k gets
// 64 KiB, everything else 1 KiB, GET /session with the App-Session of all, GET /cached/1k and
// /cached/64k with an entity tag and an hour of freshness. Requests have no body. Ends when
// standard input is closed.
//
//   bench_origin LISTENERS
#include <fcntl.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/socket.h"

namespace tandem::bench {
namespace {

std::string response(std::size_t bytes, const std::string& field = "") {
  return "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: application/octet-stream\r\n" + field +
         "Content-Length: " + std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'x');
}

const std::string kCached = "Cache-Control: max-age=3600\r\nETag: \"bench\"\r\n";

struct Socket {
  int fd = -1;
  enum class Role { kListener, kConnection, kInput } role = Role::kConnection;
  std::string partial;         // a head that has not arrived whole; nearly always empty
  std::string_view unwritten;  // of the answer under way
  bool close_after = false;
};

class Origin {
 public:
  explicit Origin(int listeners) : epoll_(epoll_create1(0)) {
    for (int i = 0; i < listeners; ++i) listen_one();
    std::printf("\n");
    std::fflush(stdout);
    auto* input = new Socket{STDIN_FILENO, Socket::Role::kInput, {}, {}, false};
    sockets_.emplace_back(input);
    watch(epoll_, STDIN_FILENO, input, EPOLLIN);
  }

  void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < ready; ++i) {
        auto* socket = static_cast<Socket*>(events[i].data.ptr);
        if (socket->role == Socket::Role::kInput) return;
        if (socket->role == Socket::Role::kListener) {
          accept_all(*socket);
        } else if (!serve(*socket)) {
          close(socket->fd);
          delete socket;
        }
      }
    }
  }

 private:
  void listen_one() {
    auto listener = std::make_unique<Socket>();
    listener->role = Socket::Role::kListener;
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    if (bind(listener->fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener->fd, 4096) != 0 ||
        getsockname(listener->fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      die("listen");
    }
    std::printf("%u ", ntohs(address.sin_port));
    watch(epoll_, listener->fd, listener.get(), EPOLLIN);
    sockets_.push_back(std::move(listener));
  }

  void accept_all(const Socket& listener) {
    for (;;) {
      const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      set_nodelay(fd);
      watch(epoll_, fd, new Socket{fd, Socket::Role::kConnection, {}, {}, false},
            EPOLLIN | EPOLLOUT | EPOLLET);
    }
  }

  // Writes what is left, then reads and answers; false when the connection is over.
  bool serve(Socket& socket) {
    if (!socket.unwritten.empty() && !write(socket)) return false;
    if (!socket.unwritten.empty()) return true;
    const ssize_t got = recv(socket.fd, scratch_.data(), scratch_.size(), 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    socket.partial.append(scratch_.data(), static_cast<std::size_t>(got));
    const auto end = socket.partial.find("\r\n\r\n");
    if (end == std::string::npos) return true;  // the rest makes an edge of its own
    const std::string_view head(socket.partial.data(), end + 2);
    socket.unwritten = head.starts_with("GET /64k")          ? large_
                       : head.starts_with("GET /session")    ? with_session_
                       : head.starts_with("GET /cached/64k") ? large_cached_
                       : head.starts_with("GET /cached/1k")  ? small_cached_
                                                             : small_;
    socket.close_after = head.find("\r\nConnection: close\r\n") != std::string_view::npos;
    socket.partial.clear();
    return write(socket);
  }

  bool write(Socket& socket) {
    while (!socket.unwritten.empty()) {
      const ssize_t sent =
          send(socket.fd, socket.unwritten.data(), socket.unwritten.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      socket.unwritten.remove_prefix(static_cast<std::size_t>(sent));
    }
    return !socket.close_after;
  }

  int epoll_;
  const std::string small_ = response(1024);
  const std::string large_ = response(64 * 1024);
  const std::string with_session_ =
      response(1024, "App-Session: 3f9c1f0e-6f0a-4bb6-9d1d-5a1c4c0d7e21\r\n");
  const std::string small_cached_ = response(1024, kCached);
  const std::string large_cached_ = response(64 * 1024, kCached);
  std::vector<std::unique_ptr<Socket>> sockets_;  // those that live as long as the process
  std::array<char, 16384> scratch_{};
};

}  // namespace
}  // namespace tandem::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_origin LISTENERS\n");
    return 2;
  }
  tandem::bench::raise_descriptor_limit();
  tandem::bench::Origin(std::atoi(argv[1])).run();
  return 0;
}
