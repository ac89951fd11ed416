// Which tokens of plain servers' sessions were replaced not long ago: a client that sends several
// requests at once sends the same token with each, and each response replaces it; but it is one
// session, and TokenCounter is to count it once.
//
// A table of fixed size, one per worker; what was replaced longest ago gives way. A token that is
// forgotten, or replaced by another worker, too, counts again until the counter's ttl is over.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/session/token.h"

namespace tandem {

class ReplacedTokens {
 public:
  static constexpr std::size_t kRememberedMax = 8192;  // 8 bytes each

  ReplacedTokens() : sets_(kRememberedMax / kWays) {}

  // Is this the first time that the token is replaced? For a session that had none: a token with
  // its id alone.
  bool first(const SessionToken& replaced);

 private:
  static constexpr std::size_t kWays = 8;
  struct Set {
    std::array<std::uint64_t, kWays> marks{};  // 0: empty
    std::size_t next = 0;
  };

  std::vector<Set> sets_;
};

}  // namespace tandem
