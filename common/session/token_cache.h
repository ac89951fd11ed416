// A bounded table of opened tokens, so that a warm token is not deciphered again: about 30 ns
// instead of 0.8 µs. One per worker; not for several threads at once.
//
// A hit is as good as an opening: the whole text is compared, and its age and the generation of the
// keys are checked on each. Texts that are no token are not kept, so that nobody can fill the table
// with them. The table is made in full at construction and never grows; a set has kWays places, and
// the one that was filled longest ago gives way.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/session/token_codec.h"

namespace tandem {

class TokenCache {
 public:
  struct Options {
    UnixSeconds ttl = 1800;           // [session] ttl, seconds
    std::size_t entries_max = 16384;  // 128 bytes each; rounded up to a power of two
  };
  struct Counts {
    std::uint64_t hits = 0;
    std::uint64_t opened = 0;   // deciphered, and found to be tokens
    std::uint64_t refused = 0;  // no token, or no longer
  };

  // `codec` must outlive the cache.
  TokenCache(TokenCodec& codec, const Options& options);

  // Any token; servers, whose peers are balancers, take request tokens too.
  TokenCodec::Opened open(std::string_view text, UnixSeconds now);
  // What a client sent: a request token is refused with kFlagged.
  TokenCodec::Opened open_from_client(std::string_view text, UnixSeconds now);

  const Counts& counts() const { return counts_; }

 private:
  static constexpr std::size_t kWays = 8;
  struct Entry {
    std::uint32_t generation = 0;  // 0: empty
    SealedToken sealed;
    SessionToken token;
  };
  struct Set {
    std::uint32_t marks[kWays] =
        {};  // some bits of each entry's hash: only an equal one is looked at
    std::uint32_t next = 0;
    Entry entries[kWays];
  };

  TokenCodec& codec_;
  UnixSeconds ttl_;
  std::vector<Set> sets_;
  Counts counts_;
};

}  // namespace tandem
