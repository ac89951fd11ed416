#include "common/net/stream.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/net/socket_error.h"
#include "common/net/tls_session.h"

namespace tandem {
namespace {

constexpr const char* kCannotConnect = "cannot connect: ";

void keep_alive(int fd) {
  const auto set = [fd](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, Stream::kKeepaliveIdleSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, Stream::kKeepaliveGapSeconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, Stream::kKeepaliveQuestions);
}

}  // namespace

Stream::Stream(EventLoop& loop, Descriptor socket, StreamHandler* handler)
    : loop_(loop),
      handler_(handler),
      socket_(std::move(socket)),
      state_(State::kConnected),
      may_read_(true),
      may_write_(true),
      watch_(loop, socket_.get(), Watch::Mode::kEdge, *this) {}

Stream::~Stream() {
  if (called_again_) loop_.cancel_again(*this);
}

void Stream::call_again() {
  if (!std::exchange(called_again_, true)) loop_.call_again(*this);
}

Result<std::unique_ptr<Stream>> Stream::connect(EventLoop& loop, const SocketAddress& to,
                                                StreamHandler* handler) {
  Descriptor socket(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail(socket_error(errno, kCannotConnect));
  const int one = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  keep_alive(socket.get());
  if (::connect(socket.get(), to.raw(), to.size()) != 0 && errno != EINPROGRESS) {
    return fail(socket_error(errno, kCannotConnect));
  }
  auto stream = std::make_unique<Stream>(loop, std::move(socket), handler);
  stream->state_ = State::kConnecting;
  stream->was_connected_ = false;
  stream->may_read_ = stream->may_write_ = false;
  return stream;
}

// The kernel says what has become of the connection attempt.
void Stream::finish_connect() {
  int error_number = 0;
  socklen_t size = sizeof error_number;
  ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error_number, &size);
  state_ = State::kConnected;
  was_connected_ = error_number == 0;
  if (error_number != 0) fail_with(error_number);
}

void Stream::on_ready(Readiness ready) {
  if (!ready.readable && !ready.writable && !ready.hung_up) called_again_ = false;
  if (state_ == State::kConnecting) {
    if (!ready.writable && !ready.hung_up) return;
    finish_connect();
  }
  may_read_ = may_read_ || ready.readable || ready.hung_up;
  may_write_ = may_write_ || ready.writable;
  hung_up_ = hung_up_ || ready.hung_up;
  if (tls_ != nullptr && !failed()) tls_->on_ready();
  if (handler_ != nullptr) handler_->on_stream(may_read_, may_write_);
}

IoResult Stream::fail_with(int error_number) {
  errno_ = error_number;
  hung_up_ = true;
  may_read_ = may_write_ = true;  // so that read() and write() are tried, and say so
  return {IoResult::Kind::kError, 0};
}

IoResult Stream::fail_write(int error_number) {
  write_errno_ = error_number;
  may_read_ = true;
  return {IoResult::Kind::kError, 0};
}

IoResult Stream::raw_read(std::span<char> into, bool takes) {
  for (;;) {
    const ssize_t n = ::recv(fd(), into.data(), into.size(), takes ? 0 : MSG_PEEK);
    if (n > 0 && !takes) return {IoResult::Kind::kOk, static_cast<std::size_t>(n)};
    if (n > 0) {
      bytes_received_ += static_cast<std::uint64_t>(n);
      // A short read has emptied the socket; but if the peer has hung up, the end is still to read.
      may_read_ = static_cast<std::size_t>(n) == into.size() || hung_up_;
      return {IoResult::Kind::kOk, static_cast<std::size_t>(n)};
    }
    if (n == 0) {
      hung_up_ = true;
      return {IoResult::Kind::kEnd, 0};
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return fail_with(errno);
    may_read_ = false;
    return {IoResult::Kind::kWouldBlock, 0};
  }
}

IoResult Stream::raw_writev(std::span<const iovec> parts) {
  std::size_t wanted = 0;
  for (const iovec& part : parts) wanted += part.iov_len;
  for (;;) {
    ssize_t n = 0;
    if (parts.size() == 1) {
      n = ::send(fd(), parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(parts.data());
      message.msg_iovlen = parts.size();
      n = ::sendmsg(fd(), &message, MSG_NOSIGNAL);
    }
    if (n >= 0) {
      bytes_sent_ += static_cast<std::uint64_t>(n);
      may_write_ = static_cast<std::size_t>(n) == wanted;
      return {IoResult::Kind::kOk, static_cast<std::size_t>(n)};
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return fail_write(errno);
    may_write_ = false;
    return {IoResult::Kind::kWouldBlock, 0};
  }
}

IoResult Stream::read(std::span<char> into) {
  if (failed()) return {IoResult::Kind::kError, 0};
  if (tls_ != nullptr) return tls_->read(into);
  if (!may_read_) return {IoResult::Kind::kWouldBlock, 0};
  return raw_read(into);
}

IoResult Stream::peek(std::span<char> into) {
  if (failed()) return {IoResult::Kind::kError, 0};
  TANDEM_CHECK(tls_ == nullptr);
  return raw_read(into, false);
}

IoResult Stream::write(std::string_view bytes) {
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  return writev({&part, 1});
}

IoResult Stream::writev(std::span<const iovec> parts) {
  if (write_failed()) return {IoResult::Kind::kError, 0};
  if (tls_ != nullptr) return tls_->writev(parts);
  if (!may_write_) return {IoResult::Kind::kWouldBlock, 0};
  return raw_writev(parts);
}

void Stream::shutdown_write() {
  if (tls_ != nullptr) return tls_->shutdown_write();
  ::shutdown(fd(), SHUT_WR);
}

bool Stream::cut() const { return tls_ != nullptr && tls_->cut(); }

bool Stream::may_read() const { return may_read_ || (tls_ != nullptr && tls_->has_pending()); }

bool Stream::unheard() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  return info.tcpi_retransmits >= kUnheardResends;
}

bool Stream::has_unsent() const { return tls_ != nullptr && tls_->has_unsent(); }

bool Stream::ready() const {
  return connected() && !failed() && (tls_ == nullptr || tls_->handshaken());
}

std::string_view Stream::tls_version() const {
  return tls_ == nullptr ? std::string_view() : tls_->version();
}

void Stream::start_tls(const TlsContext& context, const std::string& server_name) {
  tls_ = std::make_unique<TlsSession>(*this, context, server_name);
  if (connected()) tls_->on_ready();
}

Error Stream::error() const {
  if (!tls_error_.empty()) return Error::peer("TLS: " + tls_error_);
  const int number = errno_ != 0 ? errno_ : write_errno_;
  return number == 0 ? Error::peer("the connection has ended")
                     : socket_error(number, was_connected_ ? "" : kCannotConnect);
}

SocketAddress Stream::peer_address() const {
  SocketAddress result;
  socklen_t size = SocketAddress::kSizeMax;
  if (::getpeername(fd(), result.raw(), &size) != 0) return SocketAddress();
  return result;
}

void Stream::reset_on_close() {
  const linger abort{1, 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
}

}  // namespace tandem
