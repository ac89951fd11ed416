// Errors as values: what went wrong, whose fault it is, and whether trying again can help.
//
// Untrusted bytes, networks and disks produce an Error; a broken invariant of our own stops the
// process (TANDEM_CHECK).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace tandem {

// Who has to change something so that the error goes away.
enum class Side : std::uint8_t {
  kPeer,      // the other end of a connection: a client, a server, an origin
  kOperator,  // conf files, keys, addresses, permissions
  kSystem,    // the machine: descriptors, memory, disk, network
};

// May the very same operation be tried again?
enum class Retry : std::uint8_t { kNo, kLater };

struct Error {
  Side side = Side::kPeer;
  Retry retry = Retry::kNo;
  std::string message;  // one sentence without a full stop, as a log line wants it

  static Error peer(std::string message) { return {Side::kPeer, Retry::kNo, std::move(message)}; }
  static Error conf(std::string message) {
    return {Side::kOperator, Retry::kNo, std::move(message)};
  }
  static Error system(std::string message, Retry retry = Retry::kLater) {
    return {Side::kSystem, retry, std::move(message)};
  }
};

// Ends the process with a message on standard error. For broken invariants only.
[[noreturn]] void die(const char* file, int line, const char* what);

}  // namespace tandem

#define TANDEM_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::tandem::die(__FILE__, __LINE__, #condition))
