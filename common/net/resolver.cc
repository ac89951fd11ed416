#include "common/net/resolver.h"

#include <netdb.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace tandem {

// Outlives the resolver while its thread is inside getaddrinfo, which cannot be interrupted.
struct Resolver::Shared : std::enable_shared_from_this<Shared> {
  struct Question {
    Address name;
    Callback callback;
  };
  std::mutex mutex;
  std::condition_variable wake;
  EventLoop* loop = nullptr;  // null once the resolver is gone
  std::deque<Question> questions;
  bool thread_started = false;
  bool looking = false;
  std::thread thread;

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return loop == nullptr || !questions.empty(); });
      if (loop == nullptr) return;
      Question question = std::move(questions.front());
      questions.pop_front();
      looking = true;
      lock.unlock();
      auto answer = resolve_now(question.name);
      lock.lock();
      looking = false;
      if (loop == nullptr) return;
      loop->post([self = shared_from_this(), callback = std::move(question.callback),
                  answer = std::move(answer)] {
        if (self->loop != nullptr) callback(answer);  // loop is changed on this very thread only
      });
    }
  }
};

Resolver::Resolver(EventLoop& loop) : shared_(std::make_shared<Shared>()) { shared_->loop = &loop; }

Resolver::~Resolver() {
  bool looking = false;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->loop = nullptr;
    looking = shared_->looking;
    shared_->questions.clear();
  }
  shared_->wake.notify_all();
  if (!shared_->thread.joinable()) return;
  if (looking) {
    shared_->thread.detach();
  } else {
    shared_->thread.join();
  }
}

void Resolver::resolve(const Address& name, Callback callback) {
  if (const auto numeric = SocketAddress::numeric(name)) return callback(Addresses{*numeric});
  std::unique_lock lock(shared_->mutex);
  if (shared_->questions.size() >= kQueueMax) {
    lock.unlock();
    return callback(fail(Error::system("too many names wait to be resolved")));
  }
  shared_->questions.push_back({name, std::move(callback)});
  if (!shared_->thread_started) {
    shared_->thread_started = true;
    shared_->thread = std::thread([shared = shared_] { shared->run(); });
  }
  lock.unlock();
  shared_->wake.notify_one();
}

Result<Addresses> Resolver::resolve_now(const Address& name) {
  if (const auto numeric = SocketAddress::numeric(name)) return Addresses{*numeric};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(name.host.c_str(), nullptr, &hints, &list);
  if (status != 0) {
    return fail(Error{Side::kOperator, Retry::kLater,
                      "cannot resolve '" + name.host + "': " + ::gai_strerror(status)});
  }
  Addresses addresses;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    SocketAddress address = SocketAddress::from(at->ai_addr);
    address.set_port(name.port);
    if (address) addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  if (addresses.empty()) return fail(Error::conf("'" + name.host + "' has no address"));
  return addresses;
}

}  // namespace tandem
