// All workers of the balancer as one: what is told to one is told to all, what they count is
// summed. Belongs to control's thread; what workers report arrives there.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "common/wire/messages.h"
#include "lb/io/admin.h"
#include "lb/io/front_options.h"
#include "lb/io/worker.h"

namespace tandem {

class WorkerGroup {
 public:
  class Owner {
   public:
    virtual void on_server_failed(ServerId server) = 0;
    virtual void on_plain_sessions() = 0;  // plain_sessions() has changed
    virtual void on_drained() = 0;         // all workers are

   protected:
    ~Owner() = default;
  };
  // The sessions of plain servers.
  struct Sessions {
    std::uint32_t primaries = 0;
    std::uint32_t alternates = 0;
  };

  // `control` is the loop of the thread that this belongs to.
  WorkerGroup(EventLoop& control, const FrontOptions& options, AccessLog* log, Owner& owner);
  ~WorkerGroup();

  // Before start(): binds the address in every worker; the address as bound.
  Result<SocketAddress> listen(const SocketAddress& at, bool tls);
  void start();

  void post_view(const RoutedViewPtr& view);
  void post_status(const StatusUpdate& update);
  void post_keys(const ClusterKeys& keys);
  void drain();
  void stop();

  std::size_t size() const { return members_.size(); }
  std::vector<AdminSnapshot::Count> counts() const;
  std::map<ServerId, Sessions> plain_sessions() const;
  // Requests that were assigned a server so far; plain servers' status is worth telling again when
  // it has grown.
  std::uint64_t assigned() const;

 private:
  class Member;
  EventLoop& control_;
  Owner& owner_;
  std::size_t drained_ = 0;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace tandem
