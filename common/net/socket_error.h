// What a failed system call on a socket says of the two ends.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "common/base/error.h"

namespace tandem {

// Of side kSystem is only what we have run out of: descriptors, memory, local addresses or ports.
// All else is of side kPeer: also that a route or a filter forbids the way there (EACCES, EPERM),
// for whoever is behind it is as unreachable as one that is dead.
inline Error socket_error(int number, const char* what) {
  const std::string message = what + std::string(std::strerror(number));
  switch (number) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EAGAIN:  // no local port free
      return Error::system(message);
    default:
      return Error{Side::kPeer, Retry::kLater, message};
  }
}

// Of two addresses of one peer, tried one after the other: the error to tell. What the peer said at
// one of them counts, though our end has not what another needs.
inline Error telling_error(Error before, Error last) {
  const bool ours = last.side == Side::kSystem && before.side != Side::kSystem;
  return ours ? std::move(before) : std::move(last);
}

}  // namespace tandem
