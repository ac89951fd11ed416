// Connects to a name or an address within a time limit and hands over the stream.
#pragma once

#include <memory>

#include "common/base/result.h"
#include "common/net/event_loop.h"
#include "common/net/resolver.h"
#include "common/net/socket_address.h"
#include "common/net/stream.h"

namespace tandem {

class ConnectHandler {
 public:
  // The stream has no handler yet: set_handler(). Not both are called, and only one time. The
  // Connector may be destroyed, or started again, from within.
  virtual void on_connected(std::unique_ptr<Stream> stream) = 0;
  virtual void on_connect_failed(Error error) = 0;

 protected:
  ~ConnectHandler() = default;
};

// One attempt at a time. Destroying it, or cancel(), gives the attempt up without a call.
class Connector final : private StreamHandler {
 public:
  Connector(EventLoop& loop, Resolver& resolver, ConnectHandler& handler);
  ~Connector();

  // Tries each of the name's addresses in turn until one answers or the time is up. Calls the
  // handler later, never before returning.
  void start(const Address& to, Duration timeout);
  void start(const SocketAddress& to, Duration timeout);
  void cancel();
  bool busy() const { return busy_; }

 private:
  void on_stream(bool readable, bool writable) override;
  void begin(Duration timeout, std::string what);
  void on_resolved(Result<Addresses> addresses);
  void try_next();
  void note(Error error);
  void on_timeout();
  void give_up(Error error);

  EventLoop& loop_;
  Resolver& resolver_;
  ConnectHandler& handler_;
  bool busy_ = false;
  std::string what_;  // for error messages
  Addresses addresses_;
  std::size_t next_ = 0;
  Error last_error_;
  std::unique_ptr<Stream> stream_;
  std::shared_ptr<Connector*>
      self_;  // what a late answer of the resolver finds; null when cancelled
  Timer timer_;
};

}  // namespace tandem
