#include "common/net/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "common/base/error.h"

namespace tandem {

Signals::Signals(EventLoop& loop, std::initializer_list<int> numbers,
                 std::function<void(int)> handler)
    : handler_(std::move(handler)) {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (int number : numbers) sigaddset(&set, number);
  TANDEM_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  fd_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  TANDEM_CHECK(static_cast<bool>(fd_));
  watch_ = Watch(loop, fd_.get(), Watch::Mode::kLevelRead, *this);
}

void Signals::on_ready(Readiness) {
  signalfd_siginfo about;
  while (::read(fd_.get(), &about, sizeof about) == static_cast<ssize_t>(sizeof about)) {
    handler_(static_cast<int>(about.ssi_signo));
  }
}

}  // namespace tandem
