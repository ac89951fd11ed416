// One worker's connections to one server: those that carry an exchange, and idle ones kept for the
// next. The most recently used is taken first, so that those in excess grow old and are closed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/cluster/view.h"
#include "common/net/socket_address.h"
#include "lb/io/front_state.h"
#include "lb/io/upstream.h"

namespace tandem {

class ServerPool {
 public:
  ServerPool(FrontState& state, const ServerRecord& server);
  ~ServerPool();

  // What the view says now. Another address closes what is idle, and what is under way once its
  // exchange has ended; so does going offline close what is idle, and then those exchanges that are
  // under way are to be told: `true`, unless the server announced it.
  bool update(const ServerRecord& server, const SocketAddress& address);
  // Tells them, which take others' connections: once all servers are as the view says.
  void tell_offline();
  // The server has left the view: taken out of the conf, or shut down in order. What is under way
  // goes on to its end, and the pool lives until then.
  void retire();
  bool empty() const { return idle_.empty() && active_.empty(); }

  ServerId id() const { return id_; }
  const std::string& name() const { return name_; }
  const std::string& address_text() const { return address_text_; }
  bool is_tandem() const { return kind_ == ServerKind::kTandem; }
  bool online() const { return online_; }

  struct Acquired {
    Upstream* upstream = nullptr;  // null: see fault
    UpstreamFault fault = UpstreamFault::kConnect;
  };
  enum class Want : std::uint8_t {
    kAny,     // an idle connection if there is one
    kRecent,  // only one that was in use just now: the request cannot be sent twice
    kFresh,   // a new one
  };
  // An upstream for one exchange, given back by its finish() or abandon().
  Acquired acquire(UpstreamHandler& handler, Want want);

  // Has the last report been at least `gap` ago? If so, this is one.
  bool may_report(Instant now, Duration gap) {
    if (reported_ != Instant{} && now - reported_ < gap) return false;
    reported_ = now;
    return true;
  }

  // Closes idle connections that have been idle for too long.
  void sweep(Instant now);

  // For Upstream only.
  void put_back(Upstream& upstream);
  void close(Upstream& upstream);
  void drop_idle(Upstream& upstream);

 private:
  using List = std::vector<std::unique_ptr<Upstream>>;
  static constexpr Duration kRecent = 1s;

  void close_idle();
  Duration usable_for(Want want) const;
  std::unique_ptr<Upstream> take(List& list, Upstream& upstream);
  void put(List& list, std::unique_ptr<Upstream> upstream);

  FrontState& state_;
  ServerId id_;
  std::string name_;
  std::string address_text_;
  ServerKind kind_;
  SocketAddress address_;
  std::uint32_t address_generation_ = 0;  // grows with each change of the address
  bool online_ = false;
  Instant reported_ = {};
  List idle_;  // the least recently used first
  List active_;
};

}  // namespace tandem
