// Names to addresses. Numbers are answered at once, without a thread; names go to getaddrinfo(3) in
// one helper thread a resolver, whose answers are posted back to the loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/base/result.h"
#include "common/net/event_loop.h"
#include "common/net/socket_address.h"

namespace tandem {

using Addresses = std::vector<SocketAddress>;  // not empty, in the system's order of preference

class Resolver {
 public:
  using Callback = std::function<void(Result<Addresses>)>;

  // The resolver must be destroyed before the loop, on the loop's thread. Callbacks that have not
  // been called by then never will be.
  explicit Resolver(EventLoop& loop);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls back on the loop's thread: for a numeric host before returning, else later. At most
  // kQueueMax wait at a time; more are refused (side kSystem).
  void resolve(const Address& name, Callback callback);
  static constexpr std::size_t kQueueMax = 1024;

  // Blocks. For start-up (listen addresses) and command-line tools.
  static Result<Addresses> resolve_now(const Address& name);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace tandem
