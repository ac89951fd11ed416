// Where the servers of the view are: their addresses as the kernel takes them. Numeric ones are
// known at once; names are resolved, and again every `interval`, since they move.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/time.h"
#include "common/net/event_loop.h"
#include "common/net/resolver.h"
#include "common/net/socket_address.h"

namespace tandem {

// Belongs to the loop's thread.
class AddressBook {
 public:
  // `on_change` is called when a name's address has become known or another.
  AddressBook(EventLoop& loop, Resolver& resolver, Duration interval,
              std::function<void()> on_change);
  ~AddressBook() { *self_ = nullptr; }
  AddressBook(const AddressBook&) = delete;
  AddressBook& operator=(const AddressBook&) = delete;

  // The address of "host:port"; none while it is not known. Asking for a new name resolves it.
  SocketAddress find(const std::string& address);
  // Names that are not in use any more are forgotten: find() those that are between the two.
  void begin_round() { ++round_; }
  void end_round();
  void set_interval(Duration interval);

 private:
  struct Entry {
    SocketAddress known;
    bool is_name = false;
    std::uint64_t round = 0;  // of the last find()
  };
  void resolve(const std::string& address);
  void on_resolved(const std::string& address, const Result<Addresses>& addresses);
  void resolve_all();

  EventLoop& loop_;
  Resolver& resolver_;
  Duration interval_;
  std::function<void()> on_change_;
  std::map<std::string, Entry> entries_;
  std::uint64_t round_ = 0;
  Timer timer_;
  std::shared_ptr<AddressBook*> self_;  // what a late answer finds; null once this is gone
};

}  // namespace tandem
