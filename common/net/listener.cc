#include "common/net/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/log.h"

namespace tandem {
namespace {

Error cannot_listen(const SocketAddress& at, int error_number) {
  return Error::conf("cannot listen on " + at.text() + ": " + std::strerror(error_number));
}

void set_option(int fd, int level, int option) {
  const int one = 1;
  ::setsockopt(fd, level, option, &one, sizeof one);
}

}  // namespace

Listener::Listener(EventLoop& loop, Descriptor socket, AcceptHandler& handler)
    : loop_(loop),
      handler_(handler),
      socket_(std::move(socket)),
      address_(SocketAddress::local_of(socket_.get())),
      resume_timer_(loop, [this] { resume(); }) {
  resume();
}

Result<std::unique_ptr<Listener>> Listener::open(EventLoop& loop, const SocketAddress& at,
                                                 const ListenOptions& options,
                                                 AcceptHandler& handler) {
  Descriptor socket(::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail(cannot_listen(at, errno));
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR);
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY);  // inherited by what is accepted
  // Sharing is allowed by the first only after it is bound: two programs started by mistake on one
  // port are told so instead of sharing its connections.
  if (options.join) set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT);
  if (::bind(socket.get(), at.raw(), at.size()) != 0) return fail(cannot_listen(at, errno));
  if (!options.join) set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT);
  if (::listen(socket.get(), options.backlog) != 0) return fail(cannot_listen(at, errno));
  return std::unique_ptr<Listener>(new Listener(loop, std::move(socket), handler));
}

void Listener::pause() { watch_.reset(); }

void Listener::resume() {
  if (!watch_) watch_ = Watch(loop_, socket_.get(), Watch::Mode::kLevelRead, *this);
}

void Listener::on_ready(Readiness) {
  for (int accepted = 0; accepted < batch_ && watch_; ++accepted) {
    SocketAddress peer;
    socklen_t size = SocketAddress::kSizeMax;
    Descriptor socket(::accept4(socket_.get(), peer.raw(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return on_shortage(errno);
      batch_ = std::max(accepted, 1);
      return;
    }
    handler_.on_accept(std::move(socket), peer);
  }
  batch_ = std::min(batch_ * 2, kAcceptBatchMax);
}

void Listener::on_shortage(int error_number) {
  ++shortages_;
  TANDEM_WARN_LIMITED("cannot accept on {}: {}", address_.text(), std::strerror(error_number));
  pause();
  resume_timer_.set_after(kShortagePause);
}

}  // namespace tandem
