// A worker with real sockets: the test is both the client and the servers, and scripts each byte.
// All sockets block, with kPatience as the time after which a test has failed.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/net/descriptor.h"
#include "common/net/socket_address.h"
#include "common/session/token_codec.h"
#include "lb/io/worker.h"

namespace tandem {

inline constexpr int kPatienceSeconds = 10;

// A blocking connection, at either end.
class Peer {
 public:
  Peer() = default;
  explicit Peer(Descriptor socket) : socket_(std::move(socket)) {
    const timeval patience{kPatienceSeconds, 0};
    ::setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    const int one = 1;
    ::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  static Peer connect(std::uint16_t port, int receive_buffer = 0) {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const SocketAddress to = SocketAddress::loopback(port);
    EXPECT_EQ(::connect(socket.get(), to.raw(), to.size()), 0);
    return Peer(std::move(socket));
  }

  int fd() const { return socket_.get(); }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  // The next `size` bytes; fewer if the connection ends or patience does.
  std::string read(std::size_t size) {
    while (kept_.size() < size && fill()) {
    }
    return take(std::min(size, kept_.size()));
  }
  // Up to and with `end`; all there is if it never comes.
  std::string read_until(std::string_view end) {
    for (;;) {
      const std::size_t at = kept_.find(end);
      if (at != std::string::npos) return take(at + end.size());
      if (!fill()) return take(kept_.size());
    }
  }
  std::string read_head() { return read_until("\r\n\r\n"); }
  // A response with a Content-Length.
  std::string read_response() {
    std::string all = read_head();
    const std::size_t at = all.find("Content-Length: ");
    if (at != std::string::npos) all += read(std::stoul(all.substr(at + 16)));
    return all;
  }
  std::string read_to_end() {
    while (fill()) {
    }
    return take(kept_.size());
  }
  // Has it ended in order, with nothing more to read?
  bool at_end() {
    char c;
    return kept_.empty() && ::recv(fd(), &c, 1, 0) == 0;
  }
  bool was_reset() {
    char c;
    return kept_.empty() && ::recv(fd(), &c, 1, 0) < 0 && errno == ECONNRESET;
  }
  void end() { ::shutdown(fd(), SHUT_WR); }
  void close() { socket_.reset(); }
  // Closes so that the other end sees a reset.
  void reset() {
    const linger abort{1, 0};
    ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    socket_.reset();
  }

 private:
  bool fill() {
    char bytes[65536];
    const ssize_t n = ::recv(fd(), bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    kept_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  std::string take(std::size_t size) {
    std::string taken = kept_.substr(0, size);
    kept_.erase(0, size);
    return taken;
  }

  Descriptor socket_;
  std::string kept_;
};

// A server that the test plays.
class Origin {
 public:
  explicit Origin(std::string name, ServerKind kind = ServerKind::kPlain, std::string group = {})
      : name_(std::move(name)),
        kind_(kind),
        group_(std::move(group)),
        socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const SocketAddress any = SocketAddress::loopback(0);
    EXPECT_EQ(::bind(socket_.get(), any.raw(), any.size()), 0);
    EXPECT_EQ(::listen(socket_.get(), 128), 0);
    const timeval patience{kPatienceSeconds, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    address_ = SocketAddress::local_of(socket_.get());
  }
  Peer accept() {
    Descriptor socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(socket) << name_ << " got no connection";
    return Peer(std::move(socket));
  }
  // Is a connection waiting?
  bool asked() const {
    pollfd one{socket_.get(), POLLIN, 0};
    return ::poll(&one, 1, 0) > 0;
  }
  // Connections are refused from now on.
  void die() { socket_.reset(); }

  const std::string& name() const { return name_; }
  ServerId id() const { return ServerId::of(name_); }
  const SocketAddress& address() const { return address_; }
  ServerRecord record(bool online = true) const {
    ServerRecord server;
    server.id = id();
    server.name = name_;
    server.kind = kind_;
    server.group = group_;
    server.data_address = address_.text();
    server.online = online;
    server.status.capacity = 1000;
    server.status.threshold = 800;
    return server;
  }

 private:
  std::string name_;
  ServerKind kind_;
  std::string group_;
  Descriptor socket_;
  SocketAddress address_;
};

class FrontTest : public ::testing::Test, public FrontReports {
 protected:
  void TearDown() override {
    if (worker_ != nullptr) worker_->stop();
  }

  // Starts the worker with these servers, online.
  void start(std::vector<Origin*> origins) {
    worker_ = std::make_unique<Worker>(options_, *this, log_);
    const auto bound = worker_->listen(SocketAddress::loopback(0), false, false);
    ASSERT_TRUE(bound) << bound.error().message;
    port_ = bound->port();
    if (options_.tls != nullptr) {
      tls_port_ = worker_->listen(SocketAddress::loopback(0), true, false)->port();
    }
    origins_ = std::move(origins);
    show();
    worker_->start();
  }
  // Posts a view in which these servers are offline.
  void show(const std::vector<Origin*>& offline = {}) {
    auto view = std::make_shared<View>();
    auto routed = std::make_shared<RoutedView>();
    view->version = ++version_;
    for (Origin* origin : origins_) {
      const bool gone = std::find(offline.begin(), offline.end(), origin) != offline.end();
      view->servers.push_back(origin->record(!gone));
      routed->addresses.push_back(origin->address());
    }
    routed->view = view;
    routed->routes = routes_;
    worker_->post_view(routed);
  }
  // Posts a view in which this server is no more.
  void forget(const Origin& origin) {
    std::erase(origins_, &origin);
    show();
  }
  Peer client() { return Peer::connect(port_); }
  const FrontCounts& counts() const { return worker_->counts(); }

  // The token that a client of `primary` would bring; `minutes_old`.
  std::string token(const Origin& primary, const Origin* alternate = nullptr, UnixSeconds age = 0,
                    std::uint8_t flags = kNoFlags) {
    TokenCodec codec(options_.keys);
    SessionToken token;
    token.session = SessionId{1, 2};
    token.epoch = Epoch{2, primary.id()};
    token.primary = primary.id();
    if (alternate != nullptr) token.alternate = alternate->id();
    token.flags = flags;
    return std::string(codec.seal(token, now() - age).view());
  }
  SessionToken opened(std::string_view text) {
    const auto result = TokenCodec(options_.keys).open(text, now(), options_.token_ttl);
    EXPECT_TRUE(result) << "no token: " << text;
    return result.token;
  }
  static UnixSeconds now();
  static std::string get(std::string_view target, std::string_view fields = {}) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: site\r\n" + std::string(fields) +
           "\r\n";
  }
  static std::string cookie(const std::string& token) { return "Cookie: tandem=" + token + "\r\n"; }
  static std::string ok(std::string_view body, std::string_view fields = {}) {
    return "HTTP/1.1 200 OK\r\n" + std::string(fields) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  }
  // The value of a field in a head, or of the tandem cookie that it sets.
  static std::string field(const std::string& head, const std::string& name) {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  static std::string cookie_of(const std::string& head) {
    const std::string value = field(head, "Set-Cookie");
    return value.starts_with("tandem=") ? value.substr(7, value.find(';') - 7) : std::string();
  }

  // --- what the worker reports, on its thread ---
  void on_server_failed(ServerId server) override {
    const std::lock_guard lock(mutex_);
    failed_.push_back(server);
    changed_.notify_all();
  }
  void on_plain_sessions(const std::vector<TokenCounter::Sessions>& sessions) override {
    const std::lock_guard lock(mutex_);
    sessions_ = sessions;
    changed_.notify_all();
  }
  void on_drained() override {
    const std::lock_guard lock(mutex_);
    drained_ = true;
    changed_.notify_all();
  }
  template <class Condition>
  bool comes_true(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(kPatienceSeconds), condition);
  }
  bool reported(const Origin& origin) {
    return comes_true(
        [&] { return std::find(failed_.begin(), failed_.end(), origin.id()) != failed_.end(); });
  }

  static FrontOptions default_options();

  FrontOptions options_ = default_options();
  AccessLog* log_ = nullptr;
  RoutesPtr routes_;  // of the next view; null: none
  std::unique_ptr<Worker> worker_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ServerId> failed_;
  std::vector<TokenCounter::Sessions> sessions_;
  bool drained_ = false;

 private:
  std::vector<Origin*> origins_;
  std::uint64_t version_ = 0;
};

inline UnixSeconds FrontTest::now() { return ::time(nullptr); }

inline FrontOptions FrontTest::default_options() {
  ClusterKey key;
  key.secret.fill(7);
  return FrontOptions{.keys = ClusterKeys({key})};
}

}  // namespace tandem
